# powercut.sh KEPT ENGINE KIND: one life of a machine that ends by a power cut. What was synced in the life before, one
# line "kept NAME SHA256" each in the file KEPT, is there and equal, its file system is clean; then there is a file
# system of KIND, and files are written and synced until the power goes, each told by such a line. /dev/vda is the
# cache, /dev/vdb the disk.
. "$(dirname "$0")/common.sh"
modprobe -a ublk_drv xfs btrfs
arguments=(--cache /dev/vda --backing disk=/dev/vdb --frontend ublk --queues 2 --option writeback_threshold=20)
serve "$2" "${arguments[@]}"
mkdir mount
found=$(blkid -p -o value -s TYPE "$device")
if [ -z "$found" ]; then
  [ ! -s "$1" ] || fail "the file system is gone"
  found=$3
  make_fs "$found"
  sync "$device"
fi
mount -t "$found" "$device" mount || fail "mount after a power cut"
count=0
while read -r _ name sum; do
  [ "$(sha256sum < "mount/$name")" = "$sum  -" ] || fail "$name was synced and differs"
  count=$((count + 1))
done < "$1"
umount mount || fail "umount"
check_fs "$found"
echo "equal $count"
if [ "$found" != "$3" ]; then
  make_fs "$3"
  sync "$device"
fi
mount -t "$3" "$device" mount || fail "mount"
rm -f mount/f*
sync
python3 - mount <<'PYTHON'
import hashlib, os, random, sys, time
folder, chance, until = sys.argv[1], random.Random(), time.time() + 60
print("CUT", flush=True)
number = 0
while time.time() < until:
    name = "f%d-%d" % (os.getpid() + int(time.time() * 1000), number)
    number += 1
    data = chance.randbytes(chance.choice([1000, 4096, 30000, 200000]))
    with open(folder + "/" + name, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    place = os.open(folder, os.O_RDONLY)
    os.fsync(place)
    os.close(place)
    print("kept", name, hashlib.sha256(data).hexdigest(), flush=True)
PYTHON
fail "the power did not go"
