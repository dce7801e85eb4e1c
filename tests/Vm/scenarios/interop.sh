# interop.sh: a cache of the kernel module dm-writeboost, dirty, is opened by Weir, read equal, written and given back,
# and read equal by the module; then again after a crash of either. A plain file keeps what should be there.
. "$(dirname "$0")/common.sh"
export DM_DISABLE_UDEV=1
modprobe -a dm-writeboost brd loop || fail "modules"
blocks=8192 # of 4 KiB
truncate -s 32M disk
truncate -s 16M cache
truncate -s 32M truth
back=$(losetup -f --show disk) front=$(losetup -f --show cache)

# change TARGET SEED: the same writes, of whole blocks and of single sectors, to TARGET and to the truth.
change() {
  python3 - "$1" truth "$2" $blocks << 'PYTHON' || fail "writing to $1"
import os, random, sys
target, truth, seed, blocks = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
chance = random.Random(seed)
files = [open(name, "r+b", buffering=0) for name in (target, truth)]
for _ in range(400):
    sectors = chance.choice([1, 2, 3, 8, 8, 8, 16])
    first = chance.randrange(blocks * 8 - sectors)
    if sectors >= 8: first -= first % 8
    data = chance.randbytes(512 * sectors)
    for file in files: os.pwrite(file.fileno(), data, first * 512)
for file in files: os.fsync(file.fileno())
PYTHON
}
module_up() {
  echo "0 $((blocks * 8)) writeboost $back $front 2 writeback_threshold 0" | dmsetup create cached || fail "dmsetup"
}
module_down() { dmsetup remove cached || fail "dmsetup remove"; sync; }
serve_cache() {
  serve writeboost --layout writeboost2 --cache "$front" --backing "disk=$back" --frontend ublk \
    --option allow_writeback=0 "$@"
}
same() { echo 3 > /proc/sys/vm/drop_caches; cmp "$1" truth || fail "$2 differs"; }
modprobe ublk_drv

module_up
change /dev/mapper/cached 1
same /dev/mapper/cached "the module's own view"
module_down
cmp -s disk truth && fail "nothing was dirty"
for round in 1 2 3; do
  serve_cache
  same "$device" "Weir's view of the module's cache, round $round"
  change "$device" $((10 + round))
  same "$device" "Weir's own view, round $round"
  if [ $round = 2 ]; then
    # Weir dies; what it had acknowledged is in its memory, so its next life writes it down.
    kill_server
    "$WEIR" stop --device "$device" --force || fail "giving up"
    serve_cache
  fi
  stop
  module_up
  same /dev/mapper/cached "the module's view of Weir's cache, round $round"
  change /dev/mapper/cached $((20 + round))
  # Round 3: the module has had no time to say goodbye: what it left is copied while it is at work.
  if [ $round = 3 ]; then
    cp --sparse=never cache crashed && cp --sparse=never disk crashed-disk
    module_down
    losetup -d "$front" "$back"
    mv crashed cache && mv crashed-disk disk
    front=cache back=disk
    # Found in another place, and blank where the cache knows something of it: the user says that it is the right one.
    serve_cache --option rebind=1
    same "$device" "Weir's view after a crash of the module"
    stop
  else
    module_down
  fi
done
"$WEIR" drain writeboost --layout writeboost2 --cache "$front" --backing "$back" > drain.out 2>&1 || {
  cat drain.out
  fail "drain"
}
cmp disk truth || fail "the drained device differs"
