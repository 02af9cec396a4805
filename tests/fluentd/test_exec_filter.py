"""The child inside a real Fluentd, in both codecs."""

import json
import signal
import time
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from child import BUSY, until
from route import Route
from servers.fluentd import run_fluentd, start_fluentd
from servers.process import free_port

CODECS = ("json", "msgpack")
SECONDS = 90.0
MANY = 100_000
PIPE = 64 * 1024


def call(number: int) -> dict[str, Any]:
    """Return a call log with its number, of the size that real ones have."""
    return {"n": number, "call_id": f"call-{number}@192.0.2.10", **BUSY, "caller": "37250000002", "rest": "x" * 200}


def counted(route: Route) -> Counter[int]:
    """Return how often each record came out; each must be enriched and whole.

    Where Fluentd stops in the middle of a chunk, the record that it cut comes out marked; the chunk is sent again.
    """
    numbers: Counter[int] = Counter()
    for record in route.came():
        if record["came_tag"] == "calls.unreadable":
            assert record["event"]["kind"] == "pipeline_error"
            numbers[-1] += 1
            continue
        assert record["sip"]["outcome"] == "busy"
        assert {key: record[key] for key in call(0)} == call(record["n"])
        numbers[record["n"]] += 1
    return numbers


@pytest.mark.parametrize("codec", CODECS)
def test_exactly_once(codec: str, tmp_path: Path) -> None:
    """100 000 records arrive, each once, enriched, with its tag."""
    route = Route(tmp_path, codec)
    route.write(*map(call, range(MANY)))
    with run_fluentd(route.config, tmp_path, route.env):
        assert route.settled(MANY, SECONDS)
    assert counted(route) == Counter(range(MANY))
    assert {record["came_tag"] for record in route.came()} == {"calls.in"}
    assert len(route.pids()) == 1


@pytest.mark.parametrize("codec", CODECS)
def test_prompt(codec: str, tmp_path: Path) -> None:
    """A record a second arrives each within two seconds, with Fluentd's default settings for reading."""
    route = Route(tmp_path, codec)
    route.write(call(0))
    with run_fluentd(route.config, tmp_path, route.env):
        assert until(lambda: route.lines() == 1)
        took = []
        for number in range(1, 7):
            begin = time.monotonic()
            route.write(call(number))
            assert until(lambda number=number: route.lines() == number + 1, 2.0)
            took.append(time.monotonic() - begin)
            time.sleep(max(0.0, 1.0 - took[-1]))
    print(f"{codec}: each after {min(took):.2f} to {max(took):.2f} s")


@pytest.mark.parametrize("codec", CODECS)
def test_restart(codec: str, tmp_path: Path) -> None:
    """Fluentd stopped with SIGTERM in mid-stream and started again loses none."""
    route = Route(tmp_path, codec, chunk="256k")
    route.write(*map(call, range(MANY)))
    fluentd = start_fluentd(route.config, tmp_path, route.env)
    try:
        assert until(lambda: route.lines() > MANY // 20, SECONDS)
    finally:
        fluentd.stop(signal.SIGTERM)
    at_stop = route.lines()
    with run_fluentd(route.config, tmp_path, route.env):
        assert route.settled(MANY, SECONDS)
    numbers = counted(route)
    cut = numbers.pop(-1, 0)
    assert sorted(numbers) == list(range(MANY))
    assert cut <= 1
    print(f"{codec}: {at_stop} out at the stop, all after the restart, {sum(numbers.values()) - MANY} twice, {cut} cut")


@pytest.mark.parametrize("codec", CODECS)
def test_killed_child(codec: str, tmp_path: Path) -> None:
    """After SIGKILL the child is started anew and the stream goes on; lost is at most what pipes and child held."""
    route, kills, part = Route(tmp_path, codec, chunk="256k"), 3, 8000
    with run_fluentd(route.config, tmp_path, route.env):
        for kill in range(kills):
            before = route.lines()
            route.write(*map(call, range(kill * part, (kill + 1) * part)))
            assert until(lambda before=before: route.lines() > before, SECONDS)
            children = len(route.pids())
            route.signal_child(signal.SIGKILL)
            assert until(lambda children=children: len(route.pids()) > children)
        route.write(*map(call, range(kills * part, (kills + 1) * part)))
        assert route.settled(kills * part, SECONDS)
    numbers = counted(route)
    assert all(numbers[number] for number in range(kills * part + part // 2, (kills + 1) * part))
    lost = [number for number in range((kills + 1) * part) if not numbers[number]]
    twice = sum(max(0, times - 1) for times in numbers.values())
    print(f"{codec}: {kills} kills in {(kills + 1) * part} records: {len(lost)} lost, {twice} twice")
    # The pipe to the child and what it has read, the pipe from it and what Fluentd has not parsed yet.
    assert len(lost) <= kills * 4 * PIPE // len(json.dumps(call(0)))
    assert len(route.pids()) == kills + 1


def deep(levels: int) -> Any:
    """Return an object of that many levels."""
    value: Any = "end"
    for _ in range(levels):
        value = {"a": [value]} if levels % 2 else {"a": value}
    return value


ODD: list[dict[str, Any]] = [
    {"text": '\u2028\u2029\u0000\u001f\u007f \U0001f600 \u00e9 \\ " /'},
    {"huge": 2**64 - 1, "least": -(2**63), "beyond_double": 2**53 + 1},
    {"float": 0.1, "tiny": 5e-324, "large": 1.7976931348623157e308, "whole": 1.0, "minus": -1.5},
    {"deep": deep(50)},
    {"long": "x" * 1_000_000},
    {"long": ["\u00e9" * 10] * 50_000},
    {"empty": {}, "list": [], "text": "", "null": None, "true": True, "false": False},
    {"a.b": 1, "a": {"b.c": {"d": 2}}, "": {"": ""}},
    {"key \u00e9 \u2028": "value"},
    {str(number): number for number in range(20)},
    {str(number): number for number in range(70_000)},
    {"list": list(range(70_000))},
    {"sip": "taken"},
]


@pytest.mark.parametrize("codec", CODECS)
def test_odd_content(codec: str, tmp_path: Path) -> None:
    """Odd content is equal after parsing, with and without a call log around it."""
    route = Route(tmp_path, codec)
    records = [{"n": n, **odd} for n, odd in enumerate([*ODD, *({**BUSY, **odd} for odd in ODD), {}])]
    route.write(*records)
    with run_fluentd(route.config, tmp_path, route.env):
        assert until(lambda: route.lines() >= len(records))
    came = {record["n"]: record for record in route.came()}
    for record in records:
        after = came[record["n"]]
        assert (after.pop("came_tag"), bool(after.pop("came_time"))) == ("calls.in", True)
        if "sip_code" in record and "sip" not in record:
            assert after.pop("sip")["outcome"] == "busy"
        assert after == record


@pytest.mark.parametrize("codec", CODECS)
def test_event_time(codec: str, tmp_path: Path) -> None:
    """The time of an event is kept to the microsecond."""
    route = Route(tmp_path, codec)
    parts = (0, 1, 999_999, 500_000, 123_456, 100_000, 654_321)
    route.write(*({**call(part), "time_end": f"2026-11-24T10:00:09.{part:06}Z"} for part in parts))
    with run_fluentd(route.config, tmp_path, route.env):
        assert until(lambda: route.lines() == len(parts))
    for record in route.came():
        seconds, nanoseconds = map(int, record["came_time"].split("."))
        came = round((seconds - 1_795_514_409) * 10**6 + nanoseconds / 1000)
        assert came == record["n"]


def test_log_to_itself(tmp_path: Path) -> None:
    """What the child has to say comes into the Fluentd that started it."""
    port = free_port()
    catalog = tmp_path / "my.toml"
    catalog.write_text("")
    route = Route(
        tmp_path, "msgpack", "--catalog", str(catalog), "--log-to", f"forward://127.0.0.1:{port}/sipsense.log"
    )
    own = (
        f"<source>\n@type forward\nbind 127.0.0.1\nport {port}\n</source>\n"
        f"<match sipsense.log>\n@type file\npath {tmp_path}/messages\nappend true\n"
        "<format>\n@type json\n</format>\n<buffer []>\n@type memory\nflush_mode immediate\n</buffer>\n</match>\n"
    )
    route.write(call(0))

    def said(text: str) -> bool:
        return any(text in path.read_text() for path in tmp_path.glob("messages*.log"))

    with run_fluentd(route.config + own, tmp_path, route.env):
        assert until(lambda: route.lines() == 1)
        route.signal_child(signal.SIGHUP)
        assert until(lambda: said("reloaded: catalog"))
        catalog.write_text("[[ro")
        route.signal_child(signal.SIGHUP)
        assert until(lambda: said("not reloaded: "))
        route.write(call(1))
        assert until(lambda: route.lines() == 2)
