"""A child whose <format> and <parse> differ."""

import json
import os
import subprocess
import sys
from io import BytesIO
from pathlib import Path

import msgpack

from enricher import Enricher

ROOT = Path(__file__).resolve().parents[2]
RECORDS = [{"sip_code": 486, "n": number, "text": "caf\u00e9 \u2028", "big": 2**64 - 1} for number in range(50)]
RECORDS += [{}, {"nested": {"a": [None, True, 1.5]}}]
ENRICHED = [Enricher().enrich(record) for record in RECORDS]


def child(codec: str, data: bytes) -> bytes:
    """Return what the child writes for the data."""
    done = subprocess.run(
        [sys.executable, "-m", "filters", "fluentd", "--codec", codec],
        input=data,
        capture_output=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        check=True,
    )
    return done.stdout


def lines(records: list[dict[str, object]]) -> bytes:
    """Return the records as JSON lines."""
    return b"".join(json.dumps(record).encode() + b"\n" for record in records)


def maps(records: list[dict[str, object]]) -> bytes:
    """Return the records as MessagePack."""
    return b"".join(map(msgpack.packb, records))


def test_json_to_msgpack() -> None:
    """JSON lines come out as MessagePack, a line that is no record marked, a last line without its newline too."""
    found = list(msgpack.Unpacker(BytesIO(child("json:msgpack", lines(RECORDS) + b"no json\n" + b'{"sip_code":404}'))))
    assert found[: len(RECORDS)] == ENRICHED
    assert found[-2]["event"]["original"] == "no json"
    assert found[-1]["sip"]["reason"] == "Not Found"


def test_msgpack_to_json() -> None:
    """MessagePack comes out as JSON lines; BIN becomes text."""
    data = child("msgpack:json", maps(RECORDS) + msgpack.packb({b"sip_code": b"404"}))
    found = [json.loads(line) for line in data.split(b"\n") if line]
    assert found[:-1] == ENRICHED
    assert found[-1]["sip_code"] == "404"
    assert found[-1]["sip"]["reason"] == "Not Found"
