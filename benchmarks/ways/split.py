"""The ceiling of a loop over lines: split a block into lines, touch each, join and write them."""

import os

rest = b""
while chunk := os.read(0, 256 * 1024):
    lines = (rest + chunk).split(b"\n")
    rest = lines.pop()
    done = []
    for line in lines:
        done.append(line)  # noqa: PERF402  # the loop is what is measured
    done.append(b"")
    os.write(1, b"\n".join(done))
