# dmcache.sh VERSION SECTORS: a cache of Weir's, dirty, is assembled by the kernel's dm-cache, read equal, written and
# given back, and read equal by Weir: after a stop, after kill -9 and after a crash of the kernel's. A plain file keeps
# what should be there.
. "$(dirname "$0")/common.sh"
version=$1 sectors=$2
export DM_DISABLE_UDEV=1
modprobe -a dm-cache dm-cache-smq loop ublk_drv || fail "modules"
bytes=$(((32 << 20) + 1536)) # no whole number of blocks
truncate -s $bytes disk
truncate -s $bytes truth
truncate -s 8M cache
truncate -s 4M meta
attach() { back=$(losetup -f --show disk) front=$(losetup -f --show cache) side=$(losetup -f --show meta); }
detach() { losetup -d "$back" "$front" "$side"; }
attach

# change TARGET SEED: the same writes, of whole blocks and of single sectors, to TARGET and to the truth.
change() {
  python3 - "$1" truth "$2" $((bytes / 512)) << 'PYTHON' || fail "writing to $1"
import os, random, sys
target, truth, seed, sectors = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
chance = random.Random(seed)
files = [open(name, "r+b", buffering=0) for name in (target, truth)]
for _ in range(600):
    count = chance.choice([1, 2, 3, 8, 8, 8, 16, 192])
    # Most of it in an eighth of the device, so that something is hit again.
    first = chance.randrange((sectors if chance.random() < 0.3 else sectors // 8) - count)
    data = chance.randbytes(512 * count)
    for file in files: os.pwrite(file.fileno(), data, first * 512)
for file in files: os.fsync(file.fileno())
PYTHON
}
kernel_up() {
  echo "0 $((bytes / 512)) cache $side $front $back $sectors 1 writeback smq 2 migration_threshold 100000" \
    | dmsetup create cached || fail "dmsetup: $(dmesg | tail -3)"
}
kernel_down() { dmsetup remove cached || fail "dmsetup remove"; sync; }
serve_cache() {
  serve dmcache --cache "$front" --metadata "$side" --backing "disk=$back" --frontend ublk \
    --block-size $((sectors * 512)) --option metadata_version="$version" --option policy=lru \
    --option idle_ms=60000 --option high_watermark=100 "$@"
}
same() { echo 3 > /proc/sys/vm/drop_caches; cmp "$1" truth || fail "$2 differs"; }

for round in 1 2 3; do
  serve_cache
  same "$device" "Weir's view, round $round"
  change "$device" $((10 + round))
  # What has been written is in the cache only when it was there before.
  same "$device" "Weir's own view, round $round"
  change "$device" $((10 + round))
  same "$device" "Weir's view of what it has cached, round $round"
  [ "$(figure dirty_blocks)" -gt 0 ] || fail "nothing is dirty, round $round"
  if [ $round = 2 ]; then
    kill_server
    "$WEIR" stop --device "$device" --force || fail "giving up"
  else
    stop
  fi
  cmp -s disk truth && fail "nothing was dirty, round $round"
  kernel_up
  same /dev/mapper/cached "the kernel's view of Weir's cache, round $round"
  change /dev/mapper/cached $((20 + round))
  same /dev/mapper/cached "the kernel's own view, round $round"
  if [ $round = 3 ]; then
    # The kernel has no time to say goodbye: what it left is copied while it is at work.
    sync
    for file in meta cache disk; do cp --sparse=never $file crashed-$file; done
    kernel_down
    detach
    for file in meta cache disk; do mv crashed-$file $file; done
    attach
    serve_cache
    same "$device" "Weir's view after a crash of the kernel's"
    stop
  else
    kernel_down
  fi
done
"$WEIR" check dmcache --metadata "$side" --cache "$front" > check.out 2>&1 || { cat check.out; fail "check"; }
"$WEIR" drain dmcache --cache "$front" --metadata "$side" --backing "$back" > drain.out 2>&1 || {
  cat drain.out
  fail "drain"
}
cmp disk truth || fail "the drained device differs"
