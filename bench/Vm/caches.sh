# caches.sh SECONDS SEED: the caches of Linux and Weir, one after the other in one virtual machine, on one cache device
# with a volatile write cache (/dev/vda, 512 MiB) before a slow device (memory behind dm-delay, about 8 ms for each
# request). Prints "row SUBJECT JOB IOPS P99_US" for each. Every job has its own places, every subject the same.
# dmcache and the kernel's dm-cache also get the same reads by Zipf's law, on a blank cache: "hits SUBJECT REQUESTS
# PERCENT" says after how many blocks nine of ten were there, or how many were in the last thousands if it never was so.
. "$(dirname "$0")/../../tests/Vm/scenarios/common.sh"
seconds=$1 seed=$2
export DM_DISABLE_UDEV=1
modprobe -a ublk_drv dm-mod dm-delay dm-writecache dm-cache dm-cache-smq dm-writeboost bcache
modprobe brd rd_nr=2 rd_size=$((2 << 20))
sectors=$((2 << 21))
echo "0 $sectors delay /dev/ram0 0 5" | dmsetup create slow || fail "dm-delay"
slow=/dev/mapper/slow fast=/dev/vda

# measure SUBJECT DEVICE
measure() {
  local number=$seed job
  while read -r job arguments; do
    number=$((number + 1))
    fio --name=job --filename="$2" --ioengine=io_uring --direct=1 --size=1536M --norandommap --randrepeat=0 \
      --randseed=$number --time_based --runtime="$seconds" --output-format=json $arguments < /dev/null > fio.json \
      || { cat fio.json; fail "fio $job on $1"; }
    python3 - "$1" "$job" << 'PYTHON'
import json, sys
text = open("fio.json").read()
job = json.loads(text[text.index("{"):])["jobs"][0]
sides = [job["read"], job["write"]]
most = max(sides, key=lambda side: side["total_ios"])
latency = most["clat_ns"].get("percentile", {}).get("99.000000", 0) / 1000
print("row", *sys.argv[1:3], round(sum(side["iops"] for side in sides)), round(latency), flush=True)
PYTHON
  done << 'JOBS'
randwrite-4k-qd32 --rw=randwrite --bs=4k --iodepth=32
randread-4k-qd32 --rw=randread --bs=4k --iodepth=32
seqwrite-64k-qd8 --rw=write --bs=64k --iodepth=8
randrw-70/30-qd32 --rw=randrw --rwmixread=70 --bs=4k --iodepth=32
randwrite-fsync --rw=randwrite --bs=4k --iodepth=1 --fsync=1
zipf-1.2-read-qd32 --rw=randread --bs=4k --iodepth=32 --random_distribution=zipf:1.2
JOBS
}

# Both devices as they were: nothing of the one before is found.
blank() {
  dmsetup remove cached 2> /dev/null
  for part in meta data; do dmsetup remove $part 2> /dev/null; done
  dd if=/dev/zero of=$fast bs=1M count=32 oflag=direct status=none
  dd if=/dev/zero of=$slow bs=1M count=16 oflag=direct status=none
  sync
  echo 3 > /proc/sys/vm/drop_caches
}
# cached NAME TABLE: a target of the device mapper.
cached() {
  blank
  echo "0 $sectors $2" | dmsetup create cached || fail "$1"
  measure "$1" /dev/mapper/cached
  dmsetup remove cached || fail "removing $1"
}

# hits SUBJECT DEVICE COUNTERS...: a command that prints hits and misses of reads so far, asked while fio reads.
hits() {
  local subject=$1 reader
  fio --name=job --filename="$2" --ioengine=io_uring --direct=1 --size=1536M --norandommap --randrepeat=0 \
    --randseed=$((seed + 77)) --rw=randread --bs=4k --iodepth=32 --random_distribution=zipf:1.2 --time_based \
    --runtime=60 --number_ios=250000 < /dev/null > fio.out 2>&1 &
  reader=$!
  shift 2
  while kill -0 $reader 2> /dev/null; do
    "$@"
    sleep 0.2
  done > counted
  wait $reader || { cat fio.out; fail "fio reads on $subject"; }
  python3 - "$subject" << 'PYTHON'
import sys
# Of the last 2,000 blocks at least.
counts, first, share = [tuple(map(int, line.split())) for line in open("counted") if len(line.split()) == 2], 0, 0
for hits, misses in counts:
    while sum(counts[first + 1]) <= hits + misses - 2000: first += 1
    asked = hits + misses - sum(counts[first])
    if asked < 2000: continue
    share = (hits - counts[first][0]) / asked
    if share >= 0.9: break
print("hits", sys.argv[1], sum((hits, misses)) - sum(counts[0]), round(100 * share, 1), flush=True)
PYTHON
}
weir_counters() { echo "$(figure read_hits) $(figure read_misses)"; }
kernel_counters() { dmsetup status --noflush cached | awk '{ print $8, $9 }'; }

serve_dmcache() {
  blank
  "$WEIR" format dmcache --cache $fast --force > format.out 2>&1 || { cat format.out; fail "weir format"; }
  serve dmcache --cache $fast --backing disk=$slow --frontend ublk --queues 1
}
give_up() {
  "$WEIR" stop --control control --force
  wait $server
}
kernel_cache() {
  blank
  local meta=$((16 << 11))
  echo "0 $meta linear $fast 0" | dmsetup create meta
  echo "0 $(($(blockdev --getsz $fast) - meta)) linear $fast $meta" | dmsetup create data
  echo "0 $sectors cache /dev/mapper/meta /dev/mapper/data $slow 128 1 writeback smq 0" | dmsetup create cached \
    || fail "dm-cache"
}

serve_dmcache
measure weir-dmcache "$device"
give_up
kernel_cache
measure dm-cache /dev/mapper/cached
serve_dmcache
hits weir-dmcache "$device" weir_counters
give_up
kernel_cache
hits dm-cache /dev/mapper/cached kernel_counters
[ -z "${ONLY_DMCACHE:-}" ] || exit 0

blank
# Both keep what short reads bring, as dm-cache and bcache do without being asked; dm-writecache never does.
serve writeboost --cache $fast --backing disk=$slow --frontend ublk --queues 1 --option read_cache_threshold=127
measure weir "$device"
"$WEIR" stop --control control --force
wait $server

cached dm-writeboost "writeboost $slow $fast 4 writeback_threshold 70 read_cache_threshold 127"
cached dm-writecache "writecache s $slow $fast 4096 0"
blank
if command -v make-bcache > /dev/null; then
  make-bcache --wipe-bcache --writeback -C $fast -B $slow > bcache.out 2>&1 || { cat bcache.out; fail "make-bcache"; }
  echo $fast > /sys/fs/bcache/register 2> /dev/null
  echo $slow > /sys/fs/bcache/register 2> /dev/null
  sleep 1
  [ -b /dev/bcache0 ] || fail "no bcache"
  echo 0 > /sys/block/bcache0/bcache/sequential_cutoff
  for kind in read write; do echo 0 > /sys/block/bcache0/bcache/cache/congested_${kind}_threshold_us; done
  measure bcache /dev/bcache0
fi
