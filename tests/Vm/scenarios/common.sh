# For scenarios, which run in the virtual machine: bash SCENARIO ARGUMENTS. WEIR is the program. Each works in a folder
# of its own in memory; what fails says so and ends it.
set -uo pipefail
work=$(mktemp -d)
cd "$work"

fail() { echo "FAILED: $*"; [ ! -e said ] || sed 's/^/    /' said; exit 1; }
expect() { [ "$2" = "$3" ] || fail "$1: expected '$3', got '$2'"; }

# serve ARGUMENTS...: weir serve, with its process in $server, its ready line in $ready, its words in the file said.
serve() {
  "$WEIR" serve "$@" --control control > ready 2> said &
  server=$!
  for _ in $(seq 1800); do
    if grep -q '^weir: ready' ready; then
      ready=$(grep -m 1 '^weir: ready' ready)
      device=${ready##* }
      return 0
    fi
    kill -0 $server 2> /dev/null || fail "the server ended before it was ready"
    sleep 0.1
  done
  fail "the server is not ready after three minutes"
}

# The process dies as it stands.
kill_server() { kill -9 $server; wait $server 2> /dev/null; }

stop() {
  "$WEIR" stop --control control || fail "weir stop"
  wait $server || fail "the server ended with $?"
}

# figure NAME: one figure of the status.
figure() { "$WEIR" status --control control | awk -v name="$1" '$1 == name { print $2 }'; }

# make_fs KIND: a new file system on the device.
make_fs() {
  case $1 in
    ext4) mkfs.ext4 -q -F "$device" ;;
    *) "mkfs.$1" -q -f "$device" > mkfs.out ;;
  esac || fail "mkfs.$1"
}

# check_fs KIND: the file system there is clean.
check_fs() {
  case $1 in
    ext4) fsck.ext4 -f -n "$device" ;;
    xfs) xfs_repair -n "$device" ;;
    btrfs) btrfs check "$device" ;;
  esac > check.out 2>&1 || { cat check.out; fail "$1 is not clean"; }
}
