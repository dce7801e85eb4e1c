# pressure.sh: little memory, a device written through the page cache while processes take what memory there is and
# many have it open: everything goes on, and what was written is there.
. "$(dirname "$0")/common.sh"
modprobe -a ublk_drv xfs brd
modprobe brd rd_nr=2 rd_size=1
truncate -s 192M disk
truncate -s 32M cache
serve writeboost --cache cache --backing disk=disk --frontend ublk --queues 2
mkfs.ext4 -q -F "$device" || fail "mkfs"
mkdir mount
mount "$device" mount || fail "mount"
for i in $(seq 200); do sleep 600 < "$device" & sleepers+=($!); done
eater() {
  python3 -c '
import time
kept = []
for _ in range(200):
    kept.append(bytearray(b"x" * (4 << 20)))
    if sum(1 for _ in kept) * 4 > int(open("/proc/meminfo").read().split("MemAvailable:")[1].split()[0]) >> 10: break
time.sleep(20)' || true
}
eater & eaters+=($!)
written=0
for i in 1 2 3 4; do
  timeout 120 dd if=/dev/urandom of=mount/$i bs=1M count=24 conv=fsync status=none || fail "a writer hangs, or fails"
done
(cd mount && sha256sum 1 2 3 4) > sums
kill "${eaters[@]}" "${sleepers[@]}" 2> /dev/null
wait "${eaters[@]}" "${sleepers[@]}" 2> /dev/null
echo 3 > /proc/sys/vm/drop_caches
(cd mount && sha256sum --quiet -c ../sums) || fail "contents differ"
umount mount || fail "umount"
stop
