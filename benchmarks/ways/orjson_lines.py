"""Decode and encode each whole record, and do nothing with it."""

import os

import orjson

rest = b""
while chunk := os.read(0, 256 * 1024):
    lines = (rest + chunk).split(b"\n")
    rest = lines.pop()
    done = [orjson.dumps(orjson.loads(line)) for line in lines]
    done.append(b"")
    os.write(1, b"\n".join(done))
