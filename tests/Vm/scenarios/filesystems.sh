# filesystems.sh ROUNDS: ext4, xfs and btrfs on the device; in each round files are written, the server dies in the
# middle, a new one takes the device over, and nobody but the file system waited: everything is there, checked clean.
# Engines take turns, and dmcache its modes; there fio, too, checks what it reads while the server dies.
. "$(dirname "$0")/common.sh"
rounds=$1 middles=0
modprobe -a ublk_drv xfs btrfs
truncate -s 320M disk
truncate -s 48M cache
writeboost=(writeboost --cache cache --backing disk=disk --frontend ublk --queues 2)
modes=(writeback writethrough passthrough)
kinds=(ext4 xfs btrfs)
mkdir mount

# blank_dmcache MODE: devices that nobody has used, and how they are served.
blank_dmcache() {
  rm -f slow fast meta
  truncate -s 320M slow
  truncate -s 48M fast
  truncate -s 4M meta
  arguments=(dmcache --cache fast --metadata meta --backing disk=slow --frontend ublk --queues 2 --option "mode=$1")
}
verify_while_it_dies() {
  fio --name=check --filename="$device" --ioengine=io_uring --direct=1 --verify=crc32c --verify_fatal=1 \
    --randrepeat=0 --rw=randrw --bsrange=512-256k --size=32M --io_size=12M --iodepth=16 > fio.out 2>&1 &
  local checker=$!
  sleep 1.$((RANDOM % 10))
  kill_server
  serve "${arguments[@]}" --recover
  wait $checker || { cat fio.out; fail "fio in mode $1"; }
}

for round in $(seq "$rounds"); do
  kind=${kinds[$((round % 3))]} mode=${modes[$((round / 2 % 3))]}
  if [ $((round % 2)) = 0 ]; then blank_dmcache "$mode"; else arguments=("${writeboost[@]}"); fi
  serve "${arguments[@]}"
  [ "${arguments[0]}" != dmcache ] || verify_while_it_dies "$mode"
  make_fs "$kind"
  mount -t "$kind" "$device" mount || fail "mount"
  for i in 1 2 3 4; do dd if=/dev/urandom of=mount/$i bs=256k count=8 status=none || fail "dd"; done
  sync
  (cd mount && sha256sum 1 2 3 4) > sums
  # These are on their way when it dies; fsync makes them wait for the one that takes over.
  dd if=/dev/urandom of=mount/late bs=64k count=500 conv=fsync status=none 2> dd.out &
  writer=$!
  sleep 0.$((RANDOM % 10))
  kill -0 $writer 2> /dev/null && middles=$((middles + 1))
  kill_server
  "$WEIR" list | grep -q "^$device disk: left behind" || fail "weir list says: $("$WEIR" list)"
  serve "${arguments[@]}" --recover
  wait $writer || { cat dd.out; fail "the writer"; }
  sha256sum mount/late > late
  sync
  echo 3 > /proc/sys/vm/drop_caches
  (cd mount && sha256sum --quiet -c ../sums) && sha256sum --quiet -c late || fail "contents differ in round $round"
  umount mount || fail "umount"
  check_fs "$kind"
  stop
  [ "${arguments[0]}" != dmcache ] || "$WEIR" check dmcache --metadata meta > check.out 2>&1 \
    || { cat check.out; fail "weir check, mode $mode"; }
done

[ $((2 * middles)) -ge "$rounds" ] || fail "the writer was at work in $middles of $rounds deaths only"

# Mounted: the stop waits for the release.
arguments=("${writeboost[@]}") kind=ext4
serve "${arguments[@]}"
make_fs "$kind"
mount -t "$kind" "$device" mount
"$WEIR" stop --control control & stopper=$!
for _ in $(seq 600); do grep -q 'open or mounted' said && break; sleep 0.1; done
grep -q 'open or mounted' said || fail "the stop does not say what it waits for"
kill -0 $server || fail "the server did not wait"
umount mount || fail "umount during the stop"
wait $stopper || fail "weir stop"
wait $server || fail "the server ended with $?"

# A device that was left is refused without --recover, and can be given up.
serve "${arguments[@]}"
kill_server
"$WEIR" serve "${arguments[@]}" > refused 2>&1 && fail "a device that was left is not refused"
grep -q -- '--recover' refused || fail "the refusal does not say what helps: $(cat refused)"
# Nor is it changed in another way, or under another name; its users believe in it.
ln -s "$PWD" link
for command in "serve writeboost --cache link/cache --backing disk=link/disk --listen unix:socket" \
  "drain writeboost --cache link/cache --backing disk=link/disk" "format writeboost --cache link/cache --force" \
  "serve passthrough --backing link/disk --listen unix:socket"; do
  "$WEIR" $command > refused 2>&1 && fail "weir $command is not refused"
  grep -q 'its users wait' refused || fail "weir $command says: $(cat refused)"
done
# Servers that die while they take it over: the next one does.
for _ in $(seq 6); do
  "$WEIR" serve "${arguments[@]}" --recover > taken 2>&1 &
  server=$!
  sleep 0.$((RANDOM % 5))$((RANDOM % 10))
  kill_server
done
serve "${arguments[@]}" --recover
mount -t "$kind" "$device" mount && umount mount || fail "mount after many deaths"
kill_server
"$WEIR" stop --device "$device" > refused 2>&1 && fail "given up without --force"
"$WEIR" stop --device "$device" --force || fail "giving up"
list=$("$WEIR" list) || fail "weir list"
expect "devices that weir list shows" "$(grep '^/dev/' <<< "$list")" ""
[ ! -e "$device" ] || fail "$device is still there"
serve "${arguments[@]}"
exec 5< "$device"
"$WEIR" stop --control control --force || fail "forced stop"
wait $server || fail "the server ended with $? when forced"
[ ! -e "$device" ] || fail "$device is still there after a forced stop"
# An error or the end: the kernel has taken its size away.
expect "what is read" "$(dd bs=4k count=1 iflag=direct <&5 2> dd.out | wc -c)" 0
exec 5<&-
[ -z "$(ls /run/weir)" ] || fail "left in /run/weir: $(ls /run/weir)"
