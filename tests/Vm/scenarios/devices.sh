# devices.sh: several backing devices, each a block device of its own; one comes and goes while another is at work, one
# is refused and leaves nothing behind, and one grows while it is open: its users see that at once, or on older kernels
# when it is served again.
. "$(dirname "$0")/common.sh"
modprobe ublk_drv
for name in a b; do truncate -s 64M $name; done
truncate -s 32M cache
serve writeboost --cache cache --backing a=a --frontend ublk --queues 2
# However long that takes.
load() {
  while [ ! -e over ]; do
    fio --name=load --filename="$device" --ioengine=psync --rw=randwrite --bs=4k --size=16M --time_based --runtime=2 \
      || return 1
  done
}
load > fio.out 2>&1 &
load=$!
for round in 1 2 3; do
  said=$("$WEIR" message --control control attach b=b) || fail "attach"
  other=$(echo "$said" | awk '{ print $NF }')
  [ -b "$other" ] || fail "no block device: $said"
  dd if=/dev/urandom of=block bs=64k count=4 status=none
  dd if=block of="$other" bs=64k seek=$round oflag=direct status=none || fail "writing to $other"
  dd if="$other" bs=64k skip=$round count=4 iflag=direct status=none | cmp - block || fail "$other differs"
  exec 6< "$other"
  "$WEIR" message --control control detach b > refused 2>&1 && fail "detached while it was open"
  grep -q 'open or mounted' refused || fail "the refusal says: $(cat refused)"
  exec 6<&-
  "$WEIR" message --control control detach b > detached || fail "detach"
  [ ! -e "$other" ] || fail "$other is still there"
  dd if=b bs=64k skip=$round count=4 status=none | cmp - block || fail "what was detached is not on its device"
done
touch over
wait $load || { cat fio.out; fail "the load"; }
expect "weir list" "$("$WEIR" list | grep -c '^/dev/')" 1

# A device that cannot be noted is taken back: nothing of it stays, and it can come later.
before=$(ls /dev/ublkc*)
mount -t tmpfs -o ro none /run/weir || fail "mounting over the notes"
"$WEIR" message --control control attach b=b > refused 2>&1 && fail "attached without a note"
grep -q 'cannot note' refused || fail "the refusal says: $(cat refused)"
expect "devices after a refusal" "$(ls /dev/ublkc*)" "$before"
umount /run/weir || fail "unmounting"
"$WEIR" message --control control attach b=b > attached || fail "attach after a refusal"
"$WEIR" message --control control detach b > detached || fail "detach after a refusal"

exec 5< "$device"
truncate -s 96M a
"$WEIR" message --control control grow > grown || fail "grow"
case $(uname -r) in
  6.*) size=64 ;;
  *) size=96 ;;
esac
expect "size" "$(blockdev --getsize64 "$device")" $((size << 20))
expect "the end" "$(dd if="$device" bs=1M skip=$((size - 1)) iflag=direct status=none | wc -c)" $((1 << 20))
exec 5<&-
stop
