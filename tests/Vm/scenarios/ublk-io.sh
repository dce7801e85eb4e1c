# ublk-io.sh COPY QUEUES: fio checks what it reads, in all sizes; discards, zeroes, flushes and FUA arrive. The cache
# device is /dev/vda, whose own count of flushes is the judge.
. "$(dirname "$0")/common.sh"
copy=$1 queues=$2
modprobe ublk_drv
truncate -s 256M disk
serve writeboost --cache /dev/vda --backing disk=disk --frontend ublk --queues "$queues" --ublk-copy "$copy"
name=$(basename "$device")
expect "size" "$(blockdev --getsize64 "$device")" $((256 << 20))
expect "copy" "$(figure ublk_copy)" "$copy"
expect "hardware queues" "$(ls "/sys/block/$name/mq" | wc -l)" "$queues"
expect "volatile cache" "$(cat "/sys/block/$name/queue/write_cache")" "write back"
expect "FUA" "$(cat "/sys/block/$name/queue/fua")" 1
expect "rotational" "$(cat "/sys/block/$name/queue/rotational")" 0

check() {
  fio --name=check --filename="$device" --ioengine=io_uring --direct=1 --verify=crc32c --verify_fatal=1 \
    --randrepeat=0 "$@" > fio.out 2>&1 || { cat fio.out; fail "fio $*"; }
}
check --rw=randrw --bsrange=512-256k --size=64M --io_size=24M --iodepth=16
check --rw=randwrite --bs=4k --size=32M --io_size=8M --iodepth=32 --numjobs="$queues" --offset_increment=64M
check --rw=write --bs=1M --size=32M --iodepth=4
# More than there are tags: every command of a queue is away at once.
check --rw=randwrite --bs=4k --size=8M --iodepth=256 --iodepth_batch_submit=256
check --rw=randwrite --bs=512 --size=1M --iodepth=8
# Reads alone, of what is on the disk or the cache device: nobody looks at them on the way.
fio --name=read --filename="$device" --ioengine=io_uring --direct=1 --rw=randread --bs=4k --offset=128M --size=32M \
  --io_size=4M --iodepth=16 > fio.out 2>&1 || { cat fio.out; fail "fio reads"; }
[ "$copy" != direct ] || [ "$(figure ublk_direct_reads)" -gt 0 ] || fail "no read went straight from a device"
expect "reads of the cache device that nobody checked" "$(figure reads_handed_on_unseen)" 0

blkdiscard -o $((4 << 20)) -l $((8 << 20)) "$device" || fail "blkdiscard"
blkdiscard -z -o $((16 << 20)) -l $((2 << 20)) "$device" || fail "blkdiscard -z"
echo 3 > /proc/sys/vm/drop_caches
for range in "4 8" "16 2"; do
  set -- $range
  cmp -n $(($2 << 20)) -i $(($1 << 20)):0 "$device" /dev/zero || fail "the range at $1 MiB is not zeroes"
done
[ "$(figure ublk_discards)" -gt 0 ] && [ "$(figure ublk_write_zeroes)" -gt 0 ] || fail "no discard, or no zeroes, came"

# flushes: of the cache device, field 16 of its statistics.
flushes() { awk '{ print $16 }' /sys/block/vda/stat; }
asked=$(figure ublk_flushes) done=$(flushes) alone=$(figure log_durable_writes)
fio --name=sync --filename="$device" --ioengine=psync --direct=1 --rw=randwrite --bs=4k --size=4M --number_ios=50 \
  --fsync=1 > fio.out 2>&1 || fail "fio with fsync"
[ $(($(figure ublk_flushes) - asked)) -ge 49 ] || fail "50 fsyncs gave $(($(figure ublk_flushes) - asked)) flushes"
[ $(($(flushes) - done)) -ge 49 ] || fail "50 fsyncs gave $(($(flushes) - done)) flushes of the cache device"
[ $(($(figure log_durable_writes) - alone)) -ge 40 ] || fail "50 fsyncs gave no writes that are durable by themselves"
asked=$(figure ublk_fua_writes) done=$(flushes)
dd if=/dev/urandom of="$device" bs=4k count=20 oflag=direct,dsync status=none || fail "dd with O_DSYNC"
[ $(($(figure ublk_fua_writes) - asked)) -ge 20 ] || fail "20 writes with O_DSYNC gave no FUA"
flushed=$(($(flushes) - done))
[ $flushed -ge 20 ] || fail "20 writes with O_DSYNC gave $flushed flushes of the cache device"
expect "errors" "$(figure ublk_errors)" 0
stop
[ ! -e "$device" ] || fail "$device is still there"
