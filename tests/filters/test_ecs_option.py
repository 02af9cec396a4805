"""`--ecs` in every stream: the command, its processes, the child of Fluentd and forward."""

import json
from pathlib import Path

import msgpack
from spawn import sipsense

from enricher import Enricher

CALLS = Path(__file__).resolve().parents[1] / "cases-ecs" / "calls.jsonl"
EXPECTED = CALLS.with_suffix(".expected.jsonl").read_bytes()
TIMES = 40


def test_lines() -> None:
    """Lines become what the golden file says, by one process and by several."""
    calls = CALLS.read_bytes() * TIMES
    for jobs in ("1", "2"):
        done = sipsense("--ecs", "--jobs", jobs, stdin=calls)
        assert (done.returncode, done.stdout) == (0, EXPECTED * TIMES), done.stderr


def test_fluentd() -> None:
    """Records of Fluentd become the same, as MessagePack and as JSON."""
    records = [json.loads(line) for line in CALLS.read_bytes().splitlines()]
    packed = sipsense("fluentd", "--ecs", stdin=b"".join(map(msgpack.packb, records)))
    assert list(msgpack.Unpacker(stream(packed.stdout))) == [json.loads(line) for line in EXPECTED.splitlines()]
    lines = sipsense("fluentd", "--ecs", "--codec", "json", stdin=CALLS.read_bytes())
    assert lines.stdout == EXPECTED


def test_bad_target() -> None:
    """Our own object cannot have a key of ECS: that is told before the first record."""
    done = sipsense("--ecs", "--target", "event")
    assert done.returncode == 2
    assert b"target: expected another key than ECS's ecs, event, network, got 'event'" in done.stderr


def test_explained() -> None:
    """Other commands with the same settings take the option."""
    done = sipsense("explain", "--ecs", "486")
    assert done.returncode == 0, done.stderr
    assert Enricher().lookup(486).reason in done.stdout.decode()


def test_configured(tmp_path: Path) -> None:
    """The option may stand in a file."""
    (tmp_path / "sipsense.toml").write_text("ecs = true\n")
    done = sipsense("--config", tmp_path / "sipsense.toml", stdin=b'{"sip_code":486}\n')
    assert json.loads(done.stdout)["event"]["outcome"] == "failure"


def stream(data: bytes):
    """Return the bytes as a file."""
    import io

    return io.BytesIO(data)
