#!/usr/bin/env bash
# What a cache buys: fio on a modelled slow disk, alone (passthrough) and behind writeboost. About a minute.
# Started by ./build.sh demo with the path of the binary; everything it makes is gone afterwards.
set -euo pipefail

weir=${1:?usage: demo.sh PATH-OF-WEIR}
seconds=${WEIR_DEMO_SECONDS:-5}
folder=$(mktemp -d "${TMPDIR:-/tmp}/weir-demo.XXXXXX")
server=

finish() {
  if [ -n "$server" ] && kill -0 "$server" 2> /dev/null; then
    kill -TERM "$server"
    wait "$server" || true
  fi
  rm -rf "$folder"
}
trap finish EXIT
trap 'exit 130' INT TERM

fail() { printf 'demo: %s\n' "$*" >&2; exit 1; }

# serve ENGINE OPTIONS...: sets uri, and ready_ms.
serve() {
  local started ended
  # The old line must not be taken for the new server's.
  rm -f "$folder/out"
  started=$(date +%s%N)
  "$weir" serve "$@" --backing "demo=slow:$folder/backing?seek=8ms&bandwidth=150M" \
    --listen "unix:$folder/nbd" --control "$folder/control" > "$folder/out" 2> "$folder/log" &
  server=$!
  until grep -qs '^weir: ready' "$folder/out"; do
    kill -0 "$server" 2> /dev/null || fail "weir did not start: $(cat "$folder/log")"
    sleep 0.002
  done
  ended=$(date +%s%N)
  ready_ms=$(((ended - started) / 1000000))
  uri=$(awk '/^weir: ready/ { print $5 }' "$folder/out")
}

stop() {
  "$weir" stop --control "$folder/control" || fail "the stop failed: $(cat "$folder/log")"
  wait "$server" || fail "weir ended badly: $(cat "$folder/log")"
  server=
}

# run: four jobs in one go, because a pause between them would let write-back begin; one line for each,
# "IOPS p99-microseconds". For the fsync job that is the p99 of the write or of the fsync, whichever is longer. It has
# half as much, because a block and its record's header take 8 KiB of the log.
run() {
  (cd "$folder" && fio --ioengine=nbd --uri="$uri" --size=64M --runtime="$seconds" --output-format=json --stonewall \
    --name=randwrite --rw=randwrite --bs=4k --iodepth=32 --randseed=7 \
    --name=fsync --rw=randwrite --bs=4k --iodepth=1 --fsync=1 --io_size=32M --randseed=8 --stonewall \
    --name=randread --rw=randread --bs=4k --iodepth=32 --randseed=7 --stonewall \
    --name=seqwrite --rw=write --bs=256k --iodepth=8 --stonewall) > "$folder/fio" || fail "fio: $(cat "$folder/fio")"
  local job
  for job in randwrite:write fsync:write randread:read seqwrite:write; do
    figures "${job%:*}" "${job#*:}" < "$folder/fio"
  done
}

# figures JOB SECTION: out of fio's JSON, where latencies are in nanoseconds.
figures() {
  awk -v job="$1" -v section="$2" '
    function number() { gsub(/[^0-9.]/, "", $NF); return $NF + 0 }
    /"jobname"/ { here = index($0, "\"" job "\"") > 0 }
    /^ *"(read|write|trim|sync)" : \{/ { part = $1; gsub(/"/, "", part) }
    /_ns" : \{/ { kind = $1 }
    !here { next }
    $1 == "\"iops\"" && part == section { iops = number() }
    $1 == "\"99.000000\"" && (part == section && kind ~ /clat/ || part == "sync") {
      value = number() / 1000
      if (value > p99) p99 = value
    }
    END { print iops, p99 }'
}

truncate -s 1G "$folder/backing"
truncate -s 256M "$folder/cache"
printf 'A modelled disk of 1 GiB with 8 ms seeks and 150 MiB/s, a cache file of 256 MiB.\n'
printf 'Each job runs for %s s or 64 MiB, so that all of them together fit into the cache.\n\n' "$seconds"
serve passthrough
run > "$folder/alone"
stop
serve writeboost --cache "$folder/cache"
run > "$folder/cached"

printf '%s\n' '| job | disk alone: IOPS | p99 | with weir: IOPS | p99 | ratio |' '|---|---:|---:|---:|---:|---:|'
printf '%s\n' 'random write 4k, depth 32' 'random write 4k + fsync' 'random read 4k of it, depth 32' \
  'sequential write 256k, depth 8' | paste -d'|' - "$folder/alone" "$folder/cached" | awk -F'[| ]' '
  function ms(us) { return us >= 1000 ? sprintf("%.1f ms", us / 1000) : sprintf("%d us", us) }
  {
    name = $0
    sub(/\|.*/, "", name)
    n = NF
    ratio = $(n - 1) / ($(n - 3) > 0 ? $(n - 3) : 1)
    printf "| %s | %d | %s | %d | %s | %.1f |\n", name, $(n - 3), ms($(n - 2)), $(n - 1), ms($n), ratio
  }'

printf '\nweir status:\n'
"$weir" status --control "$folder/control"
stop
serve writeboost --cache "$folder/cache"
printf '\nstart to ready on the used cache: %s ms\n' "$ready_ms"
stop
