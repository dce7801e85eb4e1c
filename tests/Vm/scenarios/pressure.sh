# pressure.sh: little memory. A file system and the swap space are on devices that are served here: processes take more
# memory than there is, write through the page cache, and many have a device open. Everything goes on, and what was
# written is there. Disks: cache, file system, swap space.
. "$(dirname "$0")/common.sh"
modprobe -a ublk_drv ext4
serve writeboost --cache /dev/vda --backing disk=/dev/vdb --backing swap=/dev/vdc --frontend ublk --queues 2
grep -q 'flusher\|locked' said && fail "the server lacks rights: $(cat said)"
[ "$(awk '/^VmLck/ { print $2 }' /proc/$server/status)" -gt 0 ] || fail "the server's memory is not locked"
device=$(awk '$3 == "disk" { print $NF }' ready) swap=$(awk '$3 == "swap" { print $NF }' ready)
mkfs.ext4 -q -F -E nodiscard "$device" && mkswap "$swap" > mkswap.out || fail "mkfs, mkswap"
mkdir mount
mount "$device" mount && swapon "$swap" || fail "mount, swapon"
for i in $(seq 200); do sleep 600 < "$device" & sleepers+=($!); done

# available: MiB of memory without the swap space.
available() { awk '/^MemAvailable/ { print int($2 / 1024) }' /proc/meminfo; }
# Two that together take a little more than there is, touch it all the while, and check it.
eater() {
  python3 - "$1" << 'PYTHON' || fail "memory that was swapped out came back different"
import sys, time
pieces = [bytearray(bytes([i % 251]) * (1 << 20)) for i in range(int(sys.argv[1]))]
end = time.time() + 25
while time.time() < end:
    for i, piece in enumerate(pieces):
        if piece[i % (1 << 20)] != i % 251 or piece[-1] != i % 251: sys.exit(1)
        time.sleep(0.01)
PYTHON
}
share=$(($(available) * 3 / 5))
eater $share & eaters+=($!)
eater $share & eaters+=($!)
for i in 1 2 3 4; do
  timeout 120 dd if=/dev/urandom of=mount/$i bs=1M count=24 conv=fsync status=none || fail "a writer hangs, or fails"
done
(cd mount && sha256sum 1 2 3 4) > sums
# A thread of the kernel's that is made now takes memory that may not be there: one for each ring, made at the start.
workers=$(cat /proc/$server/task/*/comm | grep '^iou-wrk' | sort | uniq -c)
awk '$1 > 1 { exit 1 }' <<< "$workers" || fail "a ring has more than one worker:" $workers
for eater in "${eaters[@]}"; do wait "$eater" || fail "an eater ended with $?"; done
swapped=$(awk '$1 == "pswpout" { print $2 }' /proc/vmstat)
[ "$swapped" -gt 2000 ] || fail "hardly anything was swapped out: $swapped pages"
kill "${sleepers[@]}"
wait "${sleepers[@]}" 2> /dev/null
echo 3 > /proc/sys/vm/drop_caches
(cd mount && sha256sum --quiet -c ../sums) || fail "contents differ"
timeout 120 swapoff "$swap" || fail "swapoff"
umount mount || fail "umount"
stop
