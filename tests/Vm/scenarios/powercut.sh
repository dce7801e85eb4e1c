# powercut.sh KEPT: one life of a machine that ends by a power cut. What was synced in earlier lives, one line
# "kept NAME SHA256" each in the file KEPT, is there and equal, the file system is clean; then files are written and
# synced until the power goes, each told by such a line. /dev/vda is the cache, /dev/vdb the disk.
. "$(dirname "$0")/common.sh"
modprobe ublk_drv
serve writeboost --cache /dev/vda --backing disk=/dev/vdb --frontend ublk --queues 2 --option writeback_threshold=20
mkdir mount
if [ "$(blkid -p -o value -s TYPE "$device")" != ext4 ]; then
  [ ! -s "$1" ] || fail "the file system is gone"
  mkfs.ext4 -q -F "$device" || fail "mkfs"
  sync "$device"
fi
mount "$device" mount || fail "mount after a power cut"
count=0
while read -r _ name sum; do
  [ "$(sha256sum < "mount/$name")" = "$sum  -" ] || fail "$name was synced and differs"
  count=$((count + 1))
done < "$1"
umount mount || fail "umount"
fsck.ext4 -f -n "$device" > check.out 2>&1 || { cat check.out; fail "not clean"; }
echo "equal $count"
mount "$device" mount || fail "mount"
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
