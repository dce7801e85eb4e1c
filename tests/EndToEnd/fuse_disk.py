#!/usr/bin/env python3
"""A FUSE file system over the files of one folder, as a disk with a volatile cache: what is written is only in memory
until an fsync of the file comes, and NAME.fsyncs in the folder says how many have come. Killed, it is a power cut.
usage: fuse_disk.py FOLDER MOUNTPOINT. Prints "mounted", or "errno N" when it may not mount, and serves.
Protocol: linux/fuse.h, version 7.31; what is not here is answered with ENOSYS, as a small server would."""
import ctypes
import errno
import os
import struct
import sys

LOOKUP, FORGET, GETATTR, SETATTR, OPEN, READ, WRITE, STATFS, RELEASE, FSYNC = 1, 2, 3, 4, 14, 15, 16, 17, 18, 20
FLUSH, INIT, OPENDIR, READDIR, RELEASEDIR, INTERRUPT, BATCH_FORGET = 25, 26, 27, 28, 29, 36, 42
MAX_WRITE = 128 << 10
ROOT = 1
FOPEN_DIRECT_IO = 1  # as virtiofs without cache has it: here O_DSYNC and RWF_DSYNC are lost


class Disk:
    def __init__(self, folder):
        self.folder = folder
        self.names = sorted(os.listdir(folder))
        self.images, self.pending, self.fsyncs = {}, {}, {}
        for number, name in enumerate(self.names, ROOT + 1):
            with open(os.path.join(folder, name), "rb") as file:
                self.images[number] = bytearray(file.read())
            self.pending[number], self.fsyncs[number] = [], 0

    def attributes(self, node):
        is_root = node == ROOT
        size = 0 if is_root else len(self.images[node])
        mode = 0o40755 if is_root else 0o100600
        return struct.pack("<QQQQQQIIIIIIIIII", node, size, size // 512, 0, 0, 0, 0, 0, 0,
                           mode, 1, os.getuid(), os.getgid(), 0, 4096, 0)

    def lookup(self, name):
        if name not in self.names:
            return -errno.ENOENT
        node = ROOT + 1 + self.names.index(name)
        return struct.pack("<QQQQII", node, 0, 3600, 3600, 0, 0) + self.attributes(node)

    def write(self, node, body):
        _, offset, size = struct.unpack_from("<QQI", body)
        data = body[40:40 + size]
        self.images[node][offset:offset + size] = data
        self.pending[node].append((offset, data))
        return struct.pack("<II", size, 0)

    def fsync(self, node):
        path = os.path.join(self.folder, self.names[node - ROOT - 1])
        with open(path, "r+b") as file:
            for offset, data in self.pending[node]:
                file.seek(offset)
                file.write(data)
        self.pending[node] = []
        self.fsyncs[node] += 1
        with open(path + ".fsyncs.new", "w") as file:
            file.write(str(self.fsyncs[node]))
        os.rename(path + ".fsyncs.new", path + ".fsyncs")
        return b""

    def answer(self, opcode, node, body):
        if opcode == INIT:
            return struct.pack("<IIIIHHIIHH32x", 7, 31, 65536, 1 << 5, 16, 16, MAX_WRITE, 1, 0, 0)
        if opcode == LOOKUP:
            return self.lookup(body.split(b"\0")[0].decode())
        if opcode in (GETATTR, SETATTR):
            return struct.pack("<QII", 3600, 0, 0) + self.attributes(node)
        if opcode in (OPEN, OPENDIR):
            return struct.pack("<QII", node, FOPEN_DIRECT_IO, 0)
        if opcode == READ:
            _, offset, size = struct.unpack_from("<QQI", body)
            return bytes(self.images[node][offset:offset + size])
        if opcode == WRITE:
            return self.write(node, body)
        if opcode == STATFS:
            return struct.pack("<QQQQQIIII24x", 1 << 20, 1 << 20, 1 << 20, 9, 9, 4096, 255, 4096, 0)
        if opcode == FSYNC:
            return self.fsync(node)
        if opcode in (READDIR, RELEASE, RELEASEDIR, FLUSH):
            return b""
        return -errno.ENOSYS


def mount(point):
    fd = os.open("/dev/fuse", os.O_RDWR)
    options = f"fd={fd},rootmode=40000,user_id={os.getuid()},group_id={os.getgid()}"
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.mount(b"weir-test", point.encode(), b"fuse", 6, options.encode()) != 0:
        raise OSError(ctypes.get_errno(), "mount")
    return fd


def main():
    folder, point = sys.argv[1:]
    disk = Disk(folder)
    try:
        fd = mount(point)
    except OSError as e:
        print("errno", e.errno, flush=True)
        return
    print("mounted", flush=True)
    while True:
        try:
            request = os.read(fd, MAX_WRITE + 65536)
        except OSError as e:
            if e.errno in (errno.EINTR, errno.ENOENT):
                continue
            return
        _, opcode, unique, node = struct.unpack_from("<IIQQ", request)
        if opcode in (FORGET, BATCH_FORGET, INTERRUPT):
            continue
        result = disk.answer(opcode, node, request[40:])
        error, body = (result, b"") if isinstance(result, int) else (0, result)
        os.write(fd, struct.pack("<IiQ", 16 + len(body), error, unique) + body)


main()
