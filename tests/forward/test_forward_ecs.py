"""`--ecs` on both sides of the forward protocol."""

import json
import subprocess
from pathlib import Path

import pytest
from forward_peers import sipsense

CALLS = Path(__file__).resolve().parents[1] / "cases-ecs" / "calls.jsonl"
EXPECTED = [json.loads(line) for line in CALLS.with_suffix(".expected.jsonl").read_bytes().splitlines()]


@pytest.mark.parametrize(
    ("sender_args", "receiver_args"), [(("--ecs",), ()), ((), ("--ecs",)), (("--ecs",), ("--ecs",))]
)
def test_from_one_to_the_other(tmp_path, sender_args, receiver_args):
    """Whichever side adds the fields, or both, each record becomes what the golden file says."""
    (tmp_path / "sender").mkdir()
    url = f"forward+unix://{tmp_path}/s.sock"
    with (
        sipsense(tmp_path, "--input", url, *receiver_args) as receiver,
        sipsense(tmp_path / "sender", "--output", url, *sender_args, stdin=subprocess.PIPE) as sender,
    ):
        sender.process.stdin.write(CALLS.read_bytes())
        sender.process.stdin.close()
        assert sender.process.wait(30) == 0, sender.said
        assert receiver.stop() == 143
    assert [json.loads(line) for line in receiver.lines] == EXPECTED
