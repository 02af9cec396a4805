"""JSON as RFC 8259 has it: what must pass passes with its bytes, what must fail is wrapped, the rest never crashes.

The cases are in `json/`, one a line: `json` is the text, `base64` its bytes, `repeat` parts with how often each stands.
"""

import base64
import json
from pathlib import Path
from typing import Any

import pytest

from enricher import Enricher, InvalidRecord
from enricher.blocks import Blocks
from filters.invalid import Invalid

FOLDER = Path(__file__).parent / "json"
ENRICHER = Enricher()
WRAP = Invalid("wrap")
PLAN = Blocks(ENRICHER, WRAP)

BEFORE = b'{"sip_code":486,"sip_reason":"Busy Here","x":1}'
ADDED = ENRICHER.process_json(BEFORE).added.json
AFTER = BEFORE[:-1] + ADDED + b"}"

# Where a value can stand in a call log: skipped, deep in what is skipped, and read.
RECORDS = {
    "skipped": b'{"x":%b,"sip_code":486,"sip_reason":"Busy Here"}',
    "skipped and last": b'{"sip_code":486,"sip_reason":"Busy Here","x": %b }',
    "deep": b'{"sip_code":486,"x":{"y":[0,%b]},"sip_reason":"Busy Here"}',
    "read": b'{"sip_code":486,"disconnect_initiator":%b,"sip_reason":"Busy Here"}',
}


def cases(name: str) -> list[Any]:
    """Return the cases of a file as parameters."""
    lines = (FOLDER / name).read_text("utf-8").splitlines()
    return [pytest.param(text_of(case), id=case["name"]) for case in map(json.loads, lines)]


def text_of(case: dict[str, Any]) -> bytes:
    """Return the bytes of a case."""
    if "base64" in case:
        return base64.b64decode(case["base64"])
    if "repeat" in case:
        return "".join(part * count for part, count in case["repeat"]).encode()
    return str(case["json"]).encode()


def both_paths(line: bytes) -> bytes:
    """Return what comes out for a line, which is the same on both paths and beside other records."""
    try:
        written = ENRICHER.enrich_json(line) + b"\n" if line.strip() else b""
    except InvalidRecord as error:
        written = WRAP(line, 0, error)
    around = (BEFORE + b"\n") * 20
    expected = (AFTER + b"\n") * 20
    for path in (PLAN, Blocks(ENRICHER, WRAP)):
        for _ in range(2):
            assert path.enrich(around + line + b"\n" + around) == expected + written + expected
    return written


def is_wrapped(written: bytes, line: bytes) -> bool:
    """Return whether that is the object for a line that is no record, with the line in it."""
    record = json.loads(written)
    return (
        record.keys() == {"event", "error"}
        and record["event"] == {"kind": "pipeline_error", "original": line.decode(errors="replace")}
        and record["error"]["type"] in ("not_json", "not_object", "not_utf8", "too_deep")
    )


def test_counts() -> None:
    """There are cases enough of each kind, and no name stands for two of them."""
    for name, least in (("must_pass", 60), ("must_fail", 100), ("free", 25)):
        params = cases(f"{name}.jsonl")
        assert len({param.id for param in params}) == len({param.values for param in params}) >= least


@pytest.mark.parametrize("text", cases("must_pass.jsonl"))
class TestMustPass:
    def test_python_agrees(self, text: bytes) -> None:
        """The case is sound: another reader takes it."""
        json.loads(text)

    def test_whole(self, text: bytes) -> None:
        """As a record, an object passes as it is; any other value is wrapped."""
        written = both_paths(text)
        if text.strip().startswith(b"{"):
            assert written == text + b"\n"
        else:
            assert is_wrapped(written, text)
            assert json.loads(written)["error"]["type"] == "not_object"

    @pytest.mark.parametrize("record", RECORDS.values(), ids=RECORDS)
    def test_inside(self, text: bytes, record: bytes) -> None:
        """Inside a call log it keeps its bytes, and the record is enriched."""
        line = record % text
        written = both_paths(line)
        found = json.loads(written)["sip"]
        assert (found["code"], found["description"] != "") == (486, True)
        at = written.rindex(b',"sip":{"code"')
        assert written[:at] + b"}\n" == line + b"\n"


@pytest.mark.parametrize("text", cases("must_fail.jsonl"))
class TestMustFail:
    def test_whole(self, text: bytes) -> None:
        """As a record it is wrapped."""
        assert is_wrapped(both_paths(text), text)

    @pytest.mark.parametrize("record", RECORDS.values(), ids=RECORDS)
    def test_inside(self, text: bytes, record: bytes) -> None:
        """Inside a call log it makes the record one that is wrapped."""
        line = record % text
        assert is_wrapped(both_paths(line), line)


@pytest.mark.parametrize("text", cases("free.jsonl"))
class TestFree:
    @pytest.mark.parametrize("record", [b"%b", *RECORDS.values()], ids=["whole", *RECORDS])
    def test_one_line_out(self, text: bytes, record: bytes) -> None:
        """It gives one line, which is the record with its bytes or the object that stands for it."""
        line = record % text
        written = both_paths(line)
        assert written.count(b"\n") == 1
        at = written.rfind(b',"sip":{"code"')
        kept = written if at < 0 else written[:at] + b"}\n"
        assert kept == line + b"\n" or is_wrapped(written, line)
