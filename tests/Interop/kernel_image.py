#!/usr/bin/env python3
"""Plays the kernel's dm-writeboost (and its ancestors) on image files, from the description of their formats alone.

    kernel_image.py make LAYOUT CACHE BACKING EXPECTED [--seed N] [--segments N] [--first-id N] [--mark N] [--torn]
    kernel_image.py read LAYOUT CACHE BACKING OUT
    kernel_image.py more LAYOUT CACHE BACKING EXPECTED [--seed N] [--segments N]

make  writes a cache with dirty data, as a module that was switched off leaves it, and what its reader must see.
read  recovers as the module does, and writes what its reader would see.
more  recovers, then goes on writing, as a module that takes over a cache.
LAYOUT is writeboost2, writeboost1 or lc1. It shares no code with Weir.
"""
import argparse
import random
import struct

SECTOR, BLOCK, REGION = 512, 4096, 1 << 20
MAGIC = 0x57427374
DEVICE = 1  # the number of the one backing device, in lc1


def crc32c_table():
    table = []
    for byte in range(256):
        value = byte
        for _ in range(8):
            value = (value >> 1) ^ (0x82F63B78 if value & 1 else 0)
        table.append(value)
    return table


CRC_TABLE = crc32c_table()


def crc32c(data):
    value = 0xFFFFFFFF
    table = CRC_TABLE
    for byte in data:
        value = table[(value ^ byte) & 0xFF] ^ (value >> 8)
    return value ^ 0xFFFFFFFF


class Layout:
    """Where things lie, and the packing of one segment."""

    def __init__(self, name, size_bytes):
        self.name = name
        self.segment_bytes = (512 << 10) if name == 'writeboost2' else (1 << 20)
        self.blocks = self.segment_bytes // BLOCK - 1
        self.segments = (size_bytes - REGION) // self.segment_bytes
        self.entry = {'writeboost2': '<QB7x', 'writeboost1': '<QBI', 'lc1': '<QBBI'}[name]
        self.entries_at = 512 if name == 'writeboost2' else 13

    def offset(self, segment_id):
        return REGION + (segment_id - 1) % self.segments * self.segment_bytes

    def lap(self, segment_id):
        return (segment_id - 1) // self.segments + 1

    def pack(self, segment_id, pieces):
        """One segment of pieces (block, bits, 4096 bytes): header, entries, data."""
        header = bytearray(BLOCK)
        for i, (block, bits, _) in enumerate(pieces):
            fields = {'writeboost2': (block * 8, bits), 'writeboost1': (block * 8, bits, self.lap(segment_id)),
                      'lc1': (block * 8, DEVICE, bits, self.lap(segment_id))}[self.name]
            struct.pack_into(self.entry, header, self.entries_at + i * struct.calcsize(self.entry), *fields)
        data = b''.join(piece[2] for piece in pieces)
        if self.name == 'writeboost2':
            struct.pack_into('<QIB', header, 0, segment_id, crc32c(bytes(header[512:]) + data), len(pieces))
        else:
            struct.pack_into('<QBI', header, 0, segment_id, len(pieces), self.lap(segment_id))
        return bytes(header) + data

    def unpack(self, segment):
        """(id, pieces) of a segment's bytes; no pieces when it is not whole."""
        segment_id, = struct.unpack_from('<Q', segment, 0)
        length = segment[12] if self.name == 'writeboost2' else segment[8]
        if length > self.blocks:
            return segment_id, None
        if self.name == 'writeboost2':
            crc, = struct.unpack_from('<I', segment, 8)
            if crc != crc32c(segment[512:BLOCK * (length + 1)]):
                return segment_id, None
        pieces = []
        for i in range(length):
            fields = struct.unpack_from(self.entry, segment, self.entries_at + i * struct.calcsize(self.entry))
            sector, bits = fields[0], fields[2] if self.name == 'lc1' else fields[1]
            if self.name != 'writeboost2':
                header_lap, = struct.unpack_from('<I', segment, 9)
                if fields[-1] != header_lap:
                    return segment_id, None
            if sector % 8:
                raise SystemExit(f'segment {segment_id}: sector {sector} begins no block')
            pieces.append((sector // 8, bits, segment[BLOCK * (i + 1):BLOCK * (i + 2)]))
        return segment_id, pieces

    def mark_offset(self):
        return 0 if self.name == 'lc1' else REGION - SECTOR


def overlay(content, block, bits, data):
    for sector in range(8):
        if bits >> sector & 1:
            at = block * BLOCK + sector * SECTOR
            content[at:at + SECTOR] = data[sector * SECTOR:(sector + 1) * SECTOR]


class Module:
    """A cache image, recovered as the kernel recovers it."""

    def __init__(self, layout_name, cache, backing):
        self.cache = open(cache, 'r+b')
        size = self.cache.seek(0, 2)
        self.layout = Layout(layout_name, size)
        self.content = bytearray(open(backing, 'rb').read())
        if layout_name != 'lc1' and struct.unpack('<I', self.at(0, 4))[0] != MAGIC:
            raise SystemExit(f'{cache}: no magic number')
        self.mark, = struct.unpack('<Q', self.at(self.layout.mark_offset(), 8))
        self.next_id = self.replay()

    def at(self, offset, length):
        self.cache.seek(offset)
        return self.cache.read(length)

    def put(self, offset, data):
        self.cache.seek(offset)
        self.cache.write(data)

    def replay(self):
        """Oldest id first, to the first that is missing or not whole; returns the id to go on with."""
        layout = self.layout
        places = range(layout.segments)
        ids = [struct.unpack('<Q', self.at(REGION + i * layout.segment_bytes, 8))[0] for i in places]
        present = sorted(segment_id for segment_id in ids if segment_id)
        if not present or present[-1] <= self.mark:
            return max([self.mark] + present) + 1
        expected = present[0]
        for segment_id in present:
            if segment_id != expected:
                break
            found, pieces = layout.unpack(self.at(layout.offset(segment_id), layout.segment_bytes))
            if found != segment_id or pieces is None:
                break
            for block, bits, data in pieces:
                if segment_id > self.mark:
                    overlay(self.content, block, bits, data)
            expected += 1
        return expected

    def write(self, segments, rng, torn=False):
        """Segments of random pieces: whole blocks and parts; the last one may be cut short by the power."""
        blocks = len(self.content) // BLOCK
        for n in range(segments):
            full = n + 1 < segments or torn
            count = self.layout.blocks if full else rng.randint(1, self.layout.blocks - 1)
            pieces = []
            for block in rng.sample(range(min(blocks, 2 * self.layout.blocks)), count):
                bits = 255 if rng.random() < 0.6 else rng.randint(1, 255)
                data = rng.randbytes(BLOCK)
                pieces.append((block, bits, data))
            segment = self.layout.pack(self.next_id, pieces)
            is_torn = torn and n + 1 == segments
            if is_torn:
                segment = self.tear(segment, rng)
            self.put(self.layout.offset(self.next_id), segment)
            if is_torn:
                break
            for block, bits, data in pieces:
                overlay(self.content, block, bits, data)
            self.next_id += 1

    def tear(self, segment, rng):
        """writeboost2 tells a torn segment by its checksum; in the older layouts the header comes last."""
        if self.layout.name == 'writeboost2':
            return segment[:rng.randint(BLOCK, len(segment) - BLOCK) // SECTOR * SECTOR]
        old = self.at(self.layout.offset(self.next_id), BLOCK)
        return old + segment[BLOCK:]


def make(arguments):
    rng = random.Random(arguments.seed)
    with open(arguments.cache, 'r+b') as cache:
        layout = Layout(arguments.layout, cache.seek(0, 2))
        cache.seek(0)
        cache.write(bytes(REGION))
        for i in range(layout.segments):
            cache.seek(REGION + i * layout.segment_bytes)
            cache.write(bytes(BLOCK))
        if arguments.layout != 'lc1':
            cache.seek(0)
            cache.write(struct.pack('<I', MAGIC))
    module = Module(arguments.layout, arguments.cache, arguments.backing)
    # A module that has gone round: what the mark covers is on the backing device.
    if arguments.first_id > 1:
        module.next_id = arguments.first_id
        module.write(arguments.segments, rng, arguments.torn)
    else:
        module.write(arguments.segments, rng, arguments.torn)
    module.put(module.layout.mark_offset(), struct.pack('<Q', arguments.mark))
    if arguments.mark:
        apply_mark(module, arguments)
    open(arguments.expected, 'wb').write(module.content)


def apply_mark(module, arguments):
    """Segments up to the mark have been written back: their contents are on the backing device."""
    layout = module.layout
    content = bytearray(open(arguments.backing, 'rb').read())
    for segment_id in range(arguments.first_id, arguments.mark + 1):
        _, pieces = layout.unpack(module.at(layout.offset(segment_id), layout.segment_bytes))
        for block, bits, data in pieces:
            overlay(content, block, bits, data)
    open(arguments.backing, 'r+b').write(content)


def more(arguments):
    module = Module(arguments.layout, arguments.cache, arguments.backing)
    module.write(arguments.segments, random.Random(arguments.seed))
    open(arguments.expected, 'wb').write(module.content)


def read(arguments):
    module = Module(arguments.layout, arguments.cache, arguments.backing)
    open(arguments.expected, 'wb').write(module.content)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument('action', choices=['make', 'read', 'more'])
    parser.add_argument('layout', choices=['writeboost2', 'writeboost1', 'lc1'])
    parser.add_argument('cache')
    parser.add_argument('backing')
    parser.add_argument('expected')
    parser.add_argument('--seed', type=int, default=1)
    parser.add_argument('--segments', type=int, default=3)
    parser.add_argument('--first-id', type=int, default=1)
    parser.add_argument('--mark', type=int, default=0)
    parser.add_argument('--torn', action='store_true')
    arguments = parser.parse_args()
    {'make': make, 'read': read, 'more': more}[arguments.action](arguments)


if __name__ == '__main__':
    main()
