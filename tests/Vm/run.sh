#!/usr/bin/env bash
# Runs a command in a virtual machine, as root, with the host's files read-only under an overlay in memory:
#   run.sh KERNEL COMMAND        KERNEL: k6 (Linux 6.12) or k7 (Debian's newest)
# Standard output is the command's, the exit status too; 124: the machine ended without saying how, or took too long;
# 125: it did not come up. Options in the environment:
#   WEIR_VM_ASSETS      folder that assets.sh has filled; .cache/weir-vm in the home folder without it
#   WEIR_VM_MEMORY=2G WEIR_VM_CPUS=2 WEIR_VM_SECONDS=900
#   WEIR_VM_DISKS       images, each a /dev/vda, vdb, ... in the machine, with a write cache; what was written is
#                       there after the machine has been killed
#   WEIR_VM_CUT=2.5     the machine loses power so many seconds after the command has said "CUT"
#   WEIR_VM_LOG=1       the kernel's own messages too
# Emulated (-accel tcg): says nothing about speed.
set -euo pipefail

kernel=$1 command=$2
here=$(cd "$(dirname "$0")" && pwd)
assets=${WEIR_VM_ASSETS:-$HOME/.cache/weir-vm}
tree=$assets/$kernel qemu=$assets/qemu/usr
[ -e "$tree/vmlinuz" ] || { echo "run.sh: $tree holds no kernel: run assets.sh" >&2; exit 2; }
memory=${WEIR_VM_MEMORY:-2G}

work=$(mktemp -d)
files= cutter= machine=
# Whatever ends this script ends the machine.
end() {
  [ -z "$machine" ] || kill -9 "$(cat "$work/pid")" 2> /dev/null || true
  [ -z "$files$cutter" ] || kill $files $cutter 2> /dev/null || true
  rm -rf "$work"
}
trap end EXIT
trap 'exit 143' TERM INT

modules=("$tree"/lib/modules/*)
mkdir -p "$work/first/bin"
cp /bin/busybox "$work/first/bin/"
cp "$here/init.sh" "$work/first/init"
chmod +x "$work/first/init"
cp "${modules[0]}/kernel/fs/overlayfs/overlay.ko" "$work/first/"
echo "${modules[0]}" > "$work/first/modules"
{
  echo 'export HOME=/tmp LC_ALL=C PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'
  echo 'modprobe -q virtio_blk'
  echo "$command"
} > "$work/first/command"
(cd "$work/first" && find . | busybox cpio -o -H newc 2> /dev/null) > "$work/initrd"

disks=()
for disk in ${WEIR_VM_DISKS:-}; do
  disks+=(-drive "if=none,id=d${#disks[@]},file=$disk,format=raw,cache=writeback"
    -device "virtio-blk-pci,drive=d${#disks[@]}")
done
say="quiet loglevel=3"
[ -z "${WEIR_VM_LOG:-}" ] || say=ignore_loglevel

cut_power() {
  until grep -q '^CUT' "$work/console" 2> /dev/null; do sleep 0.1; done
  sleep "$WEIR_VM_CUT"
  kill -9 "$(cat "$work/pid")"
}
if [ -n "${WEIR_VM_CUT:-}" ]; then
  cut_power &
  cutter=$!
fi

# boot: runs the machine to its end.
boot() {
  : > "$work/status"
  : > "$work/console"
  timeout -k 2 "${WEIR_VM_SECONDS:-900}" "$qemu/bin/qemu-system-x86_64" -L "$qemu/share/qemu" \
    -L "$qemu/share/seabios" -M q35 -accel tcg,thread=multi -cpu max -smp "${WEIR_VM_CPUS:-2}" -m "$memory" \
    -object "memory-backend-memfd,id=memory,size=$memory,share=on" -numa node,memdev=memory \
    -pidfile "$work/pid" -nodefaults -no-user-config -display none -no-reboot -nic none -device virtio-rng-pci \
    -device virtio-serial-pci -chardev stdio,id=console,signal=off -device virtconsole,chardev=console \
    -chardev "file,id=status,path=$work/status" -device virtserialport,chardev=status,name=status \
    -chardev "socket,id=files,path=$work/files" -device vhost-user-fs-pci,chardev=files,tag=host,queue-size=1024 \
    "${disks[@]}" -kernel "$tree/vmlinuz" -initrd "$work/initrd" -append "console=hvc0 $say panic=-1 oops=panic \
      mitigations=off nokaslr tsc=reliable no_timer_check random.trust_cpu=on cryptomgr.notests audit=0 \
      transparent_hugepage=never" \
    < /dev/null 2> "$work/errors" > >(sed -u 's/\r$//; /sysrq: Power Off$/d' | tee "$work/console") &
  machine=$!
  # Under emulation a kernel hangs now and then before it has begun, or the emulator fails an assertion of its own
  # (msix_table_mmio_write): then it begins anew.
  for ((waited = 0; waited < 1800; waited++)); do
    grep -q up "$work/status" && break
    kill -0 $machine 2> /dev/null || break
    sleep 0.1
  done
  if ! grep -q up "$work/status"; then
    kill -0 $machine 2> /dev/null && kill "$(cat "$work/pid")" 2> /dev/null
    wait $machine || cat "$work/errors" >&2
    return 1
  fi
  wait $machine || cat "$work/errors" >&2
  machine=
}

share_files() {
  rm -f "$work/files"
  /usr/lib/qemu/virtiofsd --socket-path="$work/files" -o source=/ -o cache=always -o sandbox=chroot -o xattr -f \
    > "$work/files.log" 2>&1 &
  files=$!
  for _ in $(seq 100); do [ -S "$work/files" ] && break; sleep 0.05; done
}

for attempt in 1 2 3; do
  # What shares the files has ended with the machine before.
  share_files
  boot && break
  [ $attempt -lt 3 ] || echo "run.sh: $kernel does not come up" >&2
done
status=$(sed '/^up/d' "$work/status" 2> /dev/null || true)
exit "${status:-124}"
