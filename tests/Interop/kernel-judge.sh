#!/usr/bin/env bash
# The kernel module dm-writeboost as judge of layout writeboost2, for a machine that has it (root, dmsetup, losetup):
#   kernel-judge.sh WEIR FOLDER
# Module and Weir take turns on one cache. Each reads what the other left, dirty blocks, partial ones and those of a
# crash included, and writes more. JUDGE_KERNEL="python3 kernel_image.py" lets that program play the module instead,
# so that this script's own logic is tested where there is none.
set -euo pipefail

weir=$1 folder=$2
size_mib=64 cache_mib=33
cache=$folder/cache.img backing=$folder/backing.img expected=$folder/expected.img got=$folder/got.img
mapped=weir-judge
round=0

say() { printf 'judge: %s\n' "$*" >&2; }
die() { say "WRONG: $*"; exit 1; }

same() { cmp "$1" "$expected" || die "$2"; }

# pattern BYTE BYTES: so many bytes of one value.
pattern() { head -c "$2" /dev/zero | tr '\0' "\\$(printf %03o "$1")"; }

# Offsets in sectors of 512 bytes and lengths, some of them parts of blocks; the same in every run of a round.
writes() {
  local i
  RANDOM=$round
  for ((i = 0; i < 60; i++)); do
    echo "$((RANDOM % 8192)) $((1 + RANDOM % 24)) $((1 + RANDOM % 250))"
  done
}

note() { pattern "$3" $(($2 * 512)) | dd of="$expected" bs=512 seek="$1" conv=notrunc iflag=fullblock status=none; }

# The module.
attach() {
  backing_loop=$(losetup --find --show --direct-io=on "$backing")
  cache_loop=$(losetup --find --show --direct-io=on "$cache")
  dmsetup create "$mapped" --table "0 $((size_mib * 2048)) writeboost $backing_loop $cache_loop 2 writeback_threshold 0"
}

detach() {
  dmsetup remove --retry "$mapped"
  losetup -d "$cache_loop" "$backing_loop"
}

module_writes() {
  local sector count byte
  while read -r sector count byte; do
    pattern "$byte" $((count * 512)) |
      dd of=/dev/mapper/$mapped bs=512 seek="$sector" oflag=direct iflag=fullblock conv=notrunc status=none
    note "$sector" "$count" "$byte"
  done < <(writes)
  # A flush reaches the cache device.
  dd if=/dev/zero of=/dev/mapper/$mapped bs=512 count=0 conv=notrunc,fsync status=none
}

# kernel_more HOW: the kernel writes; then it is stopped in order, or the images are those of a crash.
kernel_more() {
  round=$((round + 1))
  if [ -n "${JUDGE_KERNEL:-}" ]; then
    $JUDGE_KERNEL more writeboost2 "$cache" "$backing" "$expected" --seed $round --segments 2
    return
  fi
  attach
  module_writes
  if [ "$1" = crash ]; then
    cp --sparse=always "$cache" "$cache.crash"
    cp --sparse=always "$backing" "$backing.crash"
    detach
    mv "$cache.crash" "$cache"
    mv "$backing.crash" "$backing"
  else
    detach
  fi
}

kernel_check() {
  say "round $round: the kernel reads what $1 left"
  if [ -n "${JUDGE_KERNEL:-}" ]; then
    $JUDGE_KERNEL read writeboost2 "$cache" "$backing" "$got"
  else
    attach
    dd if=/dev/mapper/$mapped of="$got" bs=1M iflag=direct status=none
    detach
  fi
  same "$got" "the kernel reads something else after $1"
}

# Weir.
start_weir() {
  rm -f "$folder/ready"
  "$weir" serve writeboost --cache "$cache" --backing "$backing" --layout writeboost2 --option allow_writeback=0 \
    --listen "unix:$folder/nbd" --control "$folder/control" > "$folder/ready" 2>> "$folder/log" &
  weir_id=$!
  local waited=0
  until grep -qs ready "$folder/ready"; do
    kill -0 $weir_id 2> /dev/null || die "weir does not serve: $(tail -n 1 "$folder/log")"
    [ $((waited += 1)) -lt 600 ] || die "weir is not ready"
    sleep 0.1
  done
}

weir_more() {
  round=$((round + 1))
  start_weir
  local sector count byte commands=()
  while read -r sector count byte; do
    commands+=(-c "write -P $byte $((sector * 512)) $((count * 512))")
    note "$sector" "$count" "$byte"
  done < <(writes)
  qemu-io -f raw -t writeback "${commands[@]}" -c flush "nbd+unix:///?socket=$folder/nbd" > /dev/null
  if [ "$1" = crash ]; then
    # As after a power cut: nothing in memory outlives it. The log has all that was flushed.
    kill -9 $weir_id
    wait $weir_id 2> /dev/null || true
    find /dev/shm -maxdepth 1 -name 'weir-*' -newer "$folder/started" -delete
  else
    "$weir" stop --control "$folder/control"
    wait $weir_id
  fi
}

weir_check() {
  say "round $round: weir reads what $1 left"
  "$weir" check writeboost --cache "$cache" --layout writeboost2 > "$folder/check" ||
    die "check: $(cat "$folder/check")"
  start_weir
  nbdcopy "nbd+unix:///?socket=$folder/nbd" "$got"
  "$weir" stop --control "$folder/control"
  wait $weir_id
  same "$got" "weir reads something else after $1"
}

main() {
  mkdir -p "$folder"
  touch "$folder/started"
  [ -n "${JUDGE_KERNEL:-}" ] || modprobe dm-writeboost
  truncate -s ${cache_mib}M "$cache"
  dd if=/dev/urandom of="$backing" bs=1M count=$size_mib status=none
  cp "$backing" "$expected"
  local how
  # The module formats a cache without magic number; the program that plays it does not.
  [ -z "${JUDGE_KERNEL:-}" ] || "$weir" format writeboost --cache "$cache" --layout writeboost2 > /dev/null
  for how in stop crash stop crash; do
    kernel_more $how
    weir_check "the kernel ($how)"
    weir_more $how
    kernel_check "weir ($how)"
  done
  "$weir" drain writeboost --cache "$cache" --backing "$backing" --layout writeboost2 > /dev/null
  same "$backing" "the drained backing device differs"
  say "both agree after $round rounds"
}

main
