# unprivileged.sh: a user without rights serves a block device, where the administrator has allowed it: here by the
# file modes that udev rules would give (docs/ublk.md), to the group of that user.
. "$(dirname "$0")/common.sh"
modprobe ublk_drv
nobody=65534
cp "$WEIR" weir && chmod -R a+rX . && mkdir home && chown $nobody:$nobody home && chmod a+rx "$PWD"
as_nobody() { setpriv --reuid=$nobody --regid=$nobody --clear-groups env XDG_RUNTIME_DIR="$PWD/home" "$@"; }
WEIR="as_nobody $PWD/weir"
cd home
as_nobody truncate -s 64M disk && as_nobody truncate -s 32M cache || fail "files"

as_nobody ../weir serve passthrough --backing disk --frontend ublk > refused 2>&1 && fail "served without permission"
grep -q 'no permission for /dev/ublk-control' refused || fail "the refusal says: $(cat refused)"

# What udev does.
chgrp $nobody /dev/ublk-control && chmod 660 /dev/ublk-control
while sleep 0.05; do
  for node in /dev/ublk[bc]*; do [ -e "$node" ] && chgrp $nobody "$node" && chmod 660 "$node"; done
done 2> /dev/null &
udev=$!

as_nobody ../weir serve passthrough --backing disk --frontend ublk --ublk-copy user > refused 2>&1 \
  && fail "user copy without rights"
grep -q 'without CAP_SYS_ADMIN there is only buffer' refused || fail "the refusal says: $(cat refused)"
expect "devices after a refusal" "$(ls /dev/ublkc* 2> /dev/null)" ""

as_nobody ../weir serve writeboost --cache cache --backing disk=disk --frontend ublk --control control > ready 2> said &
server=$!
for _ in $(seq 1800); do grep -q '^weir: ready' ready && break; sleep 0.1; done
device=$(awk '/^weir: ready/ { print $NF }' ready)
[ -b "$device" ] || fail "not ready: $(cat said)"
grep -q 'goes when this process dies' said || fail "nobody says that the device dies with its server: $(cat said)"
expect "copy" "$(as_nobody ../weir status --control control | awk '$1 == "ublk_copy" { print $2 }')" buffer
expect "recoverable" "$(as_nobody ../weir status --control control | awk '$1 == "ublk_recoverable" { print $2 }')" no
as_nobody ../weir list | grep -q "^$device disk: served by process" || fail "weir list: $(as_nobody ../weir list)"
as_nobody fio --name=check --filename="$device" --ioengine=psync --direct=1 --rw=randrw --bsrange=512-64k --size=16M \
  --verify=crc32c --verify_fatal=1 > fio.out 2>&1 || { cat fio.out; fail "fio"; }

# It dies: the device goes, and the next server begins anew with all that was written.
as_nobody dd if=/dev/urandom of=block bs=64k count=1 status=none
as_nobody dd if=block of="$device" bs=64k oflag=direct conv=fsync status=none || fail "writing"
pkill -9 -f 'weir serve writeboost'
wait $server 2> /dev/null
as_nobody ../weir serve writeboost --cache cache --backing disk=disk --frontend ublk --control control > ready 2> said &
server=$!
for _ in $(seq 1800); do grep -q '^weir: ready' ready && break; sleep 0.1; done
device=$(awk '/^weir: ready/ { print $NF }' ready)
[ -b "$device" ] || fail "not ready again: $(cat said)"
dd if="$device" bs=64k count=1 iflag=direct status=none | cmp - block || fail "what was written is not there"
expect "devices" "$(as_nobody ../weir list | grep -c '^/dev/')" 1
as_nobody ../weir stop --control control || fail "weir stop"
wait $server || fail "the server ended with $?"
expect "devices in the end" "$(ls /dev/ublk[bc]* 2> /dev/null)" ""
kill $udev
