#!/bin/busybox sh
# First process of the virtual machine: lays an overlay in memory over the host's root, enters it, runs /command there,
# and leaves its exit status at the port that the host calls "status". Runs from the initramfs; see run.sh.
b=/bin/busybox
for place in proc sys dev memory host new; do $b mkdir -p /$place; done
$b mount -t proc proc /proc
$b mount -t sysfs sys /sys
$b mount -t devtmpfs dev /dev 2> /dev/null

port() { echo "/dev/$($b basename "$($b dirname "$($b grep -l "^$1\$" /sys/class/virtio-ports/*/name)")")"; }
end() {
  echo 1 > /new/proc/sys/kernel/printk
  echo "$1" > "$status"
  $b sync
  # At once: nothing that still runs may hold the machine.
  echo o > /new/proc/sysrq-trigger
  $b sleep 60
}
status=$(port status)
die() { echo "init: $*"; echo 125 > "$status"; $b poweroff -f; }

$b insmod /overlay.ko || die "no overlay"
$b mount -t virtiofs host /host || die "no virtiofs"
$b mount -t tmpfs -o size=80% memory /memory
$b mkdir /memory/upper /memory/work
$b mount -t overlay -o lowerdir=/host,upperdir=/memory/upper,workdir=/memory/work overlay /new || die "no root"
for place in proc sys dev; do
  $b mkdir -p /new/$place
  $b mount --move /$place /new/$place
done
status=/new$status
$b mount -t tmpfs run /new/run
$b mkdir -p /new/dev/shm /new/dev/pts
$b mount -t tmpfs shm /new/dev/shm
$b mount -t devpts pts /new/dev/pts 2> /dev/null
$b ifconfig lo 127.0.0.1 up
# This kernel's modules in their usual place.
version=$($b uname -r)
$b mkdir -p "/new/lib/modules/$version"
$b mount --bind "/new$($b cat /modules)" "/new/lib/modules/$version"
$b cp /command /new/run/command
# The whole machine turns: what the kernel asks for by itself, a module say, is found too.
echo /sbin/modprobe > /new/proc/sys/kernel/modprobe
echo up > "$status"
$b chroot /new /bin/bash /run/command < /dev/null > /new/dev/hvc0 2>&1
end $?
