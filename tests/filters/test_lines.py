"""Lines are cut the same wherever the chunks end, and any bytes give one line for each line."""

import json
from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from spawn import BUSY, enriched, start

from filters.codecs.lines import BOM, HEAD, LineCutter

MAX = 50
texts = st.lists(
    st.one_of(
        st.sampled_from([b"", b"a", b"\r", BOM, b"x" * (MAX - 1), b"x" * MAX, b"x" * (MAX + 1), b"y" * (3 * MAX)]),
        st.binary(max_size=2 * MAX).map(lambda data: data.replace(b"\n", b"")),
    ),
    max_size=8,
).map(b"\n".join)


def cut(chunks: list[bytes], max_line: int = MAX, *, passed_on: bool = False) -> list[tuple[bytes, int]]:
    """Return each line with its length, 0 for one that is whole."""
    cutter = LineCutter(max_line)
    found: list[tuple[bytes, int]] = []
    for chunk in chunks:
        if passed_on:
            cutter = LineCutter(max_line, cutter.rest)
        for block in cutter.feed(chunk):
            found += split(block.data, block.length)
    for block in cutter.finish():
        found += split(block.data, block.length)
    return found


def split(data: bytes, length: int) -> Iterator[tuple[bytes, int]]:
    """Give the lines of a block."""
    if length:
        yield data, length
        return
    assert data.endswith(b"\n") or not data
    for line in data.split(b"\n")[:-1]:
        yield line, 0


def chunked(data: bytes, sizes: list[int]) -> list[bytes]:
    """Return the data in chunks of these sizes, again and again."""
    chunks = []
    while data:
        for size in sizes:
            chunks.append(data[:size])
            data = data[size:]
    return chunks


@given(texts, st.lists(st.integers(1, MAX), min_size=1, max_size=5), st.booleans())
def test_cut_anywhere(data: bytes, sizes: list[int], passed_on: bool) -> None:
    """Each line comes out once, in order; only the first can lose a byte order mark, and a long one is a head."""
    expected = data.split(b"\n")
    if not expected[-1]:
        expected.pop()
    found = cut(chunked(data, sizes), passed_on=passed_on)
    assert len(found) == len(expected) or (found, expected) == ([], [BOM])
    for place, ((line, length), whole) in enumerate(zip(found, expected, strict=False)):
        if length:
            assert (line, length) == (whole[:HEAD], len(whole))
            assert length > MAX
        else:
            assert line == (whole if place else whole.removeprefix(BOM))
            assert len(whole) <= MAX


def test_memory_is_bounded() -> None:
    """Of a line that is too long no more than its head is kept, whatever comes."""
    cutter = LineCutter(MAX)
    assert not [block for _ in range(10_000) for block in cutter.feed(b"x" * MAX)]
    assert (len(cutter.rest.begun), cutter.rest.size) == (HEAD, 10_000 * MAX)


@settings(max_examples=12)
@given(st.lists(st.binary(max_size=50).map(lambda data: data.replace(b"\n", b"")), max_size=30))
@pytest.mark.parametrize("jobs", [1, 2])
def test_any_bytes(jobs: int, running: dict[int, object], lines: list[bytes]) -> None:
    """Any bytes at all give one line for each that is not blank, and the next record is enriched."""
    process = running[jobs]
    process.stdin.write(b"".join(line + b"\n" for line in [*lines, BUSY]))
    for line in lines:
        if line.strip():
            written = process.stdout.readline()
            assert json.loads(written) == json.loads(line) if is_record(line) else b"pipeline_error" in written
    assert process.stdout.readline() == enriched(BUSY)


def is_record(line: bytes) -> bool:
    """Return whether the line is a JSON object."""
    try:
        return isinstance(json.loads(line.decode()), dict)
    except ValueError:
        return False


@pytest.fixture(scope="module")
def running() -> Iterator[dict[int, object]]:
    """Processes that live as long as these tests, by their number of jobs."""
    with start("--jobs", 1) as one, start("--jobs", 2) as two:
        yield {1: one, 2: two}
        for process in (one, two):
            process.stdin.close()
            assert process.wait() == 0
