# nbd-client.sh: the kernel's own NBD client on the same volume: mount, write, unmount, check.
. "$(dirname "$0")/common.sh"
modprobe nbd nbds_max=2
truncate -s 128M disk
truncate -s 32M cache
serve writeboost --cache cache --backing disk=disk --listen "unix:$PWD/socket" --queues 2
nbd-client -unix socket /dev/nbd0 -N disk -b 4096 -C 2 > client.out 2>&1 || { cat client.out; fail "nbd-client"; }
mkfs.ext4 -q -F /dev/nbd0 || fail "mkfs"
mkdir mount
mount /dev/nbd0 mount || fail "mount"
for i in 1 2 3 4 5; do dd if=/dev/urandom of=mount/$i bs=128k count=20 status=none || fail "dd"; done
sync
(cd mount && sha256sum 1 2 3 4 5) > sums
umount mount || fail "umount"
nbd-client -d /dev/nbd0 > client.out 2>&1 || fail "nbd-client -d"
stop
serve writeboost --cache cache --backing disk=disk --listen "unix:$PWD/socket"
nbd-client -unix socket /dev/nbd0 -N disk -b 4096 > client.out 2>&1 || { cat client.out; fail "nbd-client"; }
fsck.ext4 -f -n /dev/nbd0 > check.out 2>&1 || { cat check.out; fail "not clean"; }
mount -o ro /dev/nbd0 mount && (cd mount && sha256sum --quiet -c ../sums) || fail "contents differ"
umount mount
nbd-client -d /dev/nbd0 > client.out 2>&1
stop
