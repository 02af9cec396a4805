"""Unpack and pack each whole record, and do nothing with it."""

import os

from msgpack import Packer, Unpacker

unpacker = Unpacker()
pack = Packer().pack
while chunk := os.read(0, 256 * 1024):
    unpacker.feed(chunk)
    os.write(1, b"".join([pack(record) for record in unpacker]))
