#!/usr/bin/env bash
# The one entry point:
#   ./build.sh [build] | demo | test [--seeds N] [--filter CLASS] | test --plan | vm [--rounds N]
#     | bench [PART] [--rounds N] [--seconds N] [--scratch FOLDER]
set -euo pipefail
cd "$(dirname "$0")"

export DOTNET_NOLOGO=1 DOTNET_CLI_TELEMETRY_OPTOUT=1 DOTNET_SKIP_FIRST_TIME_EXPERIENCE=1
export DOTNET_CLI_UI_LANGUAGE=en
[ -w "${HOME:-/nonexistent}" ] || export DOTNET_CLI_HOME="$PWD/out/home" NUGET_PACKAGES="$PWD/out/home/packages"

# Where mkfs lives, for users whose path leaves it out.
export PATH="$PATH:/usr/sbin:/sbin"

binary_limit_bytes=$((8 * 1024 * 1024))
# Long for a machine with ten times the load, short of what a hanging test would take.
test_limit_s=${WEIR_TEST_LIMIT_S:-4800}

say() { printf 'build: %s\n' "$*" >&2; }
die() { say "$*"; exit 1; }
usage() {
  say "usage: ./build.sh [build] | demo | test [--seeds N] [--filter CLASS] | test --plan | vm [--rounds N]" \
    "| bench [PART] [--rounds N] [--seconds N] [--scratch FOLDER]"
  exit 2
}

has_sdk() {
  command -v dotnet > /dev/null && dotnet --list-sdks 2> /dev/null | grep -Eq '^[1-9][0-9]\.'
}

# has WHAT: is it there? The names are Debian packages.
has() {
  case $1 in
    gcc) command -v gcc > /dev/null ;;
    zlib1g-dev) [ -e /usr/include/zlib.h ] ;;
    libc6-dev) [ -e /usr/include/linux/io_uring.h ] ;;
    fio) command -v fio > /dev/null && fio --enghelp 2> /dev/null | grep -qw nbd ;;
    nbdkit) command -v nbdkit > /dev/null ;;
    libnbd-bin) command -v nbdinfo > /dev/null && command -v nbdcopy > /dev/null ;;
    e2fsprogs) command -v mkfs.ext4 > /dev/null ;;
    qemu-utils) command -v qemu-img > /dev/null && command -v qemu-io > /dev/null ;;
    busybox-static) [ -x /bin/busybox ] && ! ldd /bin/busybox > /dev/null 2>&1 ;;
    kmod) command -v depmod > /dev/null ;;
    xz-utils) command -v xz > /dev/null ;;
    make) command -v make > /dev/null ;;
    thin-provisioning-tools) command -v cache_check > /dev/null && command -v cache_restore > /dev/null ;;
    xfsprogs) command -v mkfs.xfs > /dev/null ;;
    btrfs-progs) command -v mkfs.btrfs > /dev/null ;;
    nbd-client) command -v nbd-client > /dev/null ;;
    bcache-tools) command -v make-bcache > /dev/null ;;
    qemu-system-x86) [ -x /usr/bin/qemu-system-x86_64 ] && [ -x /usr/lib/qemu/virtiofsd ] ;;
    python3) python3 -c 'import sys; sys.exit(sys.version_info < (3, 9))' 2> /dev/null ;;
    *) die "unknown package $1" ;;
  esac
}

# need PACKAGE...: installs what is missing when it may, else names it.
need() {
  local missing=() package
  for package in "$@"; do has "$package" || missing+=("$package"); done
  if [ ${#missing[@]} -gt 0 ]; then
    if [ "$(id -u)" != 0 ] || ! command -v apt-get > /dev/null; then
      die "missing: ${missing[*]}. Install with: sudo apt-get install -y ${missing[*]}"
    fi
    say "installing ${missing[*]}"
    apt-get update -q >&2 && DEBIAN_FRONTEND=noninteractive apt-get install -q -y "${missing[@]}" >&2 \
      || die "could not install: ${missing[*]}. Install with: apt-get install -y ${missing[*]}"
    for package in "${missing[@]}"; do
      has "$package" || die "$package is installed but does not do what is needed"
    done
  fi
  has_sdk || die "missing: .NET SDK 10 or newer. Install with: sudo apt-get install -y dotnet-sdk-10.0" \
    "(packages.microsoft.com), or https://dot.net/v1/dotnet-install.sh --channel 10.0"
}

# One native executable: out/weir. Its symbols stay under out/build.
publish() {
  need gcc libc6-dev zlib1g-dev
  dotnet publish Frontends -c Release -o out/build/publish -v quiet >&2 || die "the build failed"
  install -D -m 755 out/build/publish/weir out/weir
  local size_bytes
  size_bytes=$(stat -c %s out/weir)
  [ "$size_bytes" -lt $binary_limit_bytes ] || die "out/weir has $size_bytes bytes, the limit is $binary_limit_bytes"
  say "out/weir: $size_bytes bytes"
}

# What the virtual machines are made of: kept for the next time, beside other programs' caches.
prepare_vm() {
  need qemu-system-x86 busybox-static kmod xz-utils make gcc xfsprogs btrfs-progs nbd-client
  local home=${XDG_CACHE_HOME:-${HOME:-/nonexistent}/.cache}
  mkdir -p "$home" 2> /dev/null && [ -w "$home" ] || home=$PWD/out
  export WEIR_VM_ASSETS=$home/weir-vm
  tests/Vm/assets.sh "$WEIR_VM_ASSETS"
}

# Each failed test and the start of what it said, once more at the end: a log is often cut from the front.
name_failures() {
  awk 'BEGIN { RS = "<test " }
    /^[^>]* result="Fail"/ {
      match($0, / name="[^"]*"/); name = substr($0, RSTART + 7, RLENGTH - 8)
      message = ""
      if (match($0, /<message>/)) { message = substr($0, RSTART + 9, 600); sub(/<\/message>.*/, "", message) }
      sub(/^<!\[CDATA\[/, "", message); sub(/\]\]>.*/, "", message)
      print "FAILED " name; if (message != "") print "  " message
    }' "$1"
}

# run_part NAME [FILTER...]: some of the tests in a process of its own; out/build/NAME.xml says how it went.
run_part() {
  local results=out/build/$1.xml status=0
  rm -f "$results"
  # A background shell ignores SIGINT, and what it starts does too: some tests send one.
  # A test that waits for ever is named after ten minutes, and ends as a failed run.
  timeout --foreground --kill-after=10 "$test_limit_s" \
    env --default-signal=INT out/build/bin/tests/test_linux-x64/Weir.Tests \
    -noColor -failSkips -longRunning 600 -parallelMode none -xml "$results" "${@:2}" || status=$?
  [ "$status" != 124 ] || say "a test never ended: stopped after $test_limit_s s"
  return "$status"
}

# Counts what the runners' own files say. The last line is always "N passed, N failed".
sum_up() {
  local status=$1 results passed=0 failed=0 total=0 lost=0
  shift
  count() {
    sed -n 's/.*<assembly [^>]* '"$1"'="\([0-9]*\)".*/\1/p' "$results" | awk '{ n += $1 } END { print n + 0 }'
  }
  for results in "$@"; do
    if [ ! -s "$results" ]; then
      lost=$((lost + 1))
      continue
    fi
    name_failures "$results"
    total=$((total + $(count total))) passed=$((passed + $(count passed))) failed=$((failed + $(count errors)))
  done
  failed=$((failed + total - passed + lost))
  if [ "$failed" = 0 ] && { [ "$status" != 0 ] || [ "$passed" = 0 ]; }; then failed=1; fi
  echo "$passed passed, $failed failed"
  [ "$failed" = 0 ]
}

# All tests: what is simulated needs a processor and nothing else, and runs beside the rest, which often waits.
run_all_tests() {
  local status=0 simulation='Weir.Tests.Simulation*' beside
  run_part simulated-tests -namespace "$simulation" > out/build/simulated-tests.log 2>&1 &
  beside=$!
  trap 'kill "$beside" 2> /dev/null' EXIT
  run_part other-tests -namespace- "$simulation" || status=$?
  wait "$beside" || status=$?
  trap - EXIT
  cat out/build/simulated-tests.log
  sum_up "$status" out/build/simulated-tests.xml out/build/other-tests.xml
}

run_some_tests() {
  local status=0
  run_part chosen-tests "$@" || status=$?
  sum_up "$status" out/build/chosen-tests.xml
}

# How the tests divide their time: tests/plan.txt, with sums.
print_plan() {
  awk '
    /^#/ || NF == 0 { next }
    $1 == "limit_seconds" { limit = $2; next }
    $1 == "beside" { for (i = 2; i <= NF; i++) lane[$i] = "beside"; next }
    { printf "%-17s %-12s %5d s %6d %s\n", $1, $2, $3, $4, $5; engine[$2] += $3 }
    $1 in lane { beside += $3; next }
    { others += $3 }
    END {
      for (e in engine) if (e != "-") printf "%-17s %-12s %5d s\n", "engine", e, engine[e] | "sort"
      close("sort")
      printf "%-17s %-12s %5d s of %d s\n%-17s %-12s %5d s of %d s\n", \
        "beside", "", beside, limit, "others", "", others, limit
      exit beside > limit || others > limit
    }' tests/plan.txt
}

test_all() {
  local filter=()
  while [ $# -gt 0 ]; do
    case $1 in
      --seeds) [[ ${2:-} =~ ^[1-9][0-9]*$ ]] || usage; export WEIR_SEEDS=$2; shift 2 ;;
      --rounds) [[ ${2:-} =~ ^[1-9][0-9]*$ ]] || usage; export WEIR_VM_ROUNDS=$2; shift 2 ;;
      --filter) [ -n "${2:-}" ] || usage; filter+=(-class "$2"); shift 2 ;;
      --plan) [ $# -eq 1 ] || usage; print_plan; return ;;
      *) usage ;;
    esac
  done
  need gcc libc6-dev zlib1g-dev fio nbdkit libnbd-bin qemu-utils e2fsprogs python3 \
    thin-provisioning-tools
  prepare_vm
  publish
  # Whitespace here; the compiler has looked at all other rules of .editorconfig.
  dotnet format whitespace --folder . --exclude out --verify-no-changes >&2 \
    || die "not formatted: run dotnet format whitespace --folder . --exclude out"
  dotnet build tests -c Test -v quiet >&2 || die "the tests do not build"
  export WEIR_BINARY="$PWD/out/weir"
  if [ ${#filter[@]} = 0 ]; then run_all_tests; else run_some_tests "${filter[@]}"; fi
}

action=${1:-build}
[ $# -eq 0 ] || shift
case $action in
  test) test_all "$@" ;;
  build | demo) [ $# -eq 0 ] || usage ;;&
  build) publish ;;
  demo)
    need gcc libc6-dev zlib1g-dev fio
    publish
    exec bench/demo.sh "$PWD/out/weir"
    ;;
  bench)
    # PART: engine, nbd, recovery, growth, dmcache, policies, kernels (these without it), or kernel-caches; then
    # --rounds N --seconds N --scratch FOLDER; after kernels --aot (compiled ahead, as the product is) and
    # BenchmarkDotNet's.
    need gcc libc6-dev zlib1g-dev fio nbdkit qemu-utils qemu-system-x86
    publish
    if [ "${1:-}" = kernel-caches ]; then
      need bcache-tools
      prepare_vm
    fi
    exec dotnet run --project bench -c Release -- "$@"
    ;;
  vm) test_all --filter Weir.Tests.Vm.VmTests "$@" ;;
  *) usage ;;
esac
