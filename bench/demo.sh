#!/usr/bin/env bash
# What a cache buys: the same fio jobs on a slow disk alone (passthrough) and behind writeboost, side by side.
# usage: bench/demo.sh WEIR        WEIR_DEMO_SECONDS: seconds per job (5)
set -euo pipefail
weir=$(readlink -f "${1:?usage: demo.sh WEIR}")
seconds=${WEIR_DEMO_SECONDS:-5}
disk='seek=8ms&bandwidth=150M'
folder=$(mktemp -d "${TMPDIR:-/tmp}/weir-demo-XXXXXX")
pids=()

finish() {
  local pid
  for pid in "${pids[@]}"; do kill -9 "$pid" 2> /dev/null && wait "$pid" 2> /dev/null || true; done
  rm -rf "$folder"
}
trap finish EXIT

# serve NAME ENGINE [--cache PATH]: a volume on a disk of its own, at $folder/NAME.nbd
serve() {
  local name=$1 engine=$2
  shift 2
  truncate -s 1G "$folder/$name.disk"
  "$weir" serve "$engine" "$@" --backing "$name=slow:$folder/$name.disk?$disk" \
    --listen "unix:$folder/$name.nbd" --control "$folder/$name.control" > "$folder/$name.out" 2> "$folder/$name.log" &
  pids+=($!)
  local tries=0
  until grep -q '^weir: ready' "$folder/$name.out"; do
    tries=$((tries + 1))
    if [ $tries -gt 200 ] || ! kill -0 $! 2> /dev/null; then cat "$folder/$name.log" >&2; exit 1; fi
    sleep 0.05
  done
}

# measure NAME SECTION FIO-OPTION...: "IOPS p99-in-us", the latency from fio's section read, write or sync
measure() {
  local name=$1 section=$2
  shift 2
  fio --name=demo --ioengine=nbd --uri="nbd+unix:///$name?socket=$folder/$name.nbd" --time_based --runtime="$seconds" \
    --randrepeat=1 --output-format=json "$@" | awk -v wanted="$section" '
      /"(read|write|trim|sync)" : \{/ { gsub(/[" :{]/, ""); section = $0 }
      /"iops" :/ && section != "" { gsub(/[^0-9.]/, ""); if ($0 + 0 > iops) iops = $0 }
      /"99.000000" :/ && section == wanted { split($0, field, ":"); gsub(/[^0-9]/, "", field[2]); p99 = field[2] }
      END { printf "%.0f %.0f\n", iops, p99 / 1000 }'
}

row() {
  local title=$1 alone cached
  shift
  alone=$(measure passthrough "$@")
  cached=$(measure writeboost "$@")
  awk -v title="$title" -v a="$alone" -v c="$cached" 'BEGIN {
    split(a, alone, " "); split(c, cached, " ")
    ratio = alone[1] > 0 ? cached[1] / alone[1] : 0
    printf "| %-32s | %11d | %11.2f | %11d | %11.2f | %7.1f |\n", title, alone[1], alone[2] / 1000,
      cached[1], cached[2] / 1000, ratio
  }'
}

truncate -s 256M "$folder/cache"
serve passthrough passthrough
serve writeboost writeboost --cache "$folder/cache"

echo "A modelled disk of 1 GiB (8 ms a seek, 150 MB/s), alone and behind a cache file of 256 MiB; $seconds s per job."
echo
echo "| job                              | disk IOPS   | p99 ms      | weir IOPS   | p99 ms      | ratio   |"
echo "|----------------------------------|------------:|------------:|------------:|------------:|--------:|"
row "random write 4k, depth 32" write --rw=randwrite --bs=4k --iodepth=32 --size=64m
row "random write 4k + fsync" sync --rw=randwrite --bs=4k --iodepth=1 --fsync=1 --size=64m
row "random read 4k of it, depth 32" read --rw=randread --bs=4k --iodepth=32 --size=64m
row "sequential write 1M, depth 4" write --rw=write --bs=1m --iodepth=4 --size=512m --offset=512m
echo
echo "weir status:"
"$weir" status --control "$folder/writeboost.control"
"$weir" stop --control "$folder/writeboost.control"
"$weir" stop --control "$folder/passthrough.control"
