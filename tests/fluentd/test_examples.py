"""The example configurations: Fluentd accepts them, and records come out at their end."""

import json
import os
import re
import socket
import struct
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import msgpack
import pytest
from child import ROOT, done, environment, known_options, until
from servers.fluentd import dry_run, run_fluentd
from servers.process import free_port
from targets import Elasticsearch, Events, Http, Loki, OpenSearch

EXAMPLES = ROOT / "examples"
CONFIGS = sorted((EXAMPLES / "fluentd").glob("*.conf"))
EDIT = re.compile(r"EDIT (\d)")
SECONDS = 40.0


@pytest.fixture
def env(tmp_path: Path) -> Mapping[str, str]:
    """An environment in which `sipsense` is the one of this checkout."""
    script = tmp_path / "bin" / "sipsense"
    script.parent.mkdir()
    script.write_text(f'#!/bin/sh\nexec {sys.executable} -m filters "$@"\n')
    script.chmod(0o755)
    return {"PATH": f"{script.parent}{os.pathsep}{os.environ['PATH']}", "PYTHONPATH": environment()["PYTHONPATH"]}


def placed(config: Path, folder: Path, **values: int) -> str:
    """Return an example with its folders below this one, and with these ports.

    Args:
        values: a port for each that stands in the example, as `port_9200=...`.
    """
    text = config.read_text("utf-8")
    for path in ("/var/lib/fluent/sipsense", "/var/log/fluent", "/var/log/calls"):
        target = folder / Path(path).name
        target.mkdir(exist_ok=True)
        text = text.replace(path, str(target))
    for name, port in values.items():
        text = re.sub(rf"\b{name.removeprefix('port_')}\b", str(port), text)
    return text


def calls(begin: int, count: int) -> list[dict[str, Any]]:
    """Return call logs, each with its own number and time."""
    return [
        {
            "call_id": f"c{number}",
            "time_end": f"2026-11-24T10:{number // 60 % 60:02}:{number % 60:02}.123456Z",
            "caller": "Zo\u00eb \u2028",
            "sip_code": 480,
            "sip_reason": "DID number overloaded",
            "disconnect_initiator": 1,
        }
        for number in range(begin, begin + count)
    ]


def written(folder: Path, records: list[dict[str, Any]]) -> None:
    """Append call logs to the file that Fluentd follows."""
    with open(folder / "calls" / "today.jsonl", "a", encoding="utf-8") as file:
        file.writelines(json.dumps(record, ensure_ascii=False) + "\n" for record in records)


@pytest.mark.parametrize("config", CONFIGS, ids=lambda path: path.stem)
def test_dry_run(config: Path, tmp_path: Path, env: Mapping[str, str]) -> None:
    """Fluentd accepts the example and warns of nothing in it."""
    checked = dry_run(placed(config, tmp_path), tmp_path, env)
    assert checked.returncode == 0, checked.stdout + checked.stderr
    assert "[warn]" not in checked.stdout + checked.stderr


@pytest.mark.parametrize("config", [*CONFIGS, *EXAMPLES.glob("fluent-bit/*"), *EXAMPLES.glob("systemd/*")], ids=str)
def test_places(config: Path) -> None:
    """A user edits three places at most, and they are marked."""
    edits = EDIT.findall(config.read_text("utf-8"))
    assert 1 <= len(set(edits)) <= 3
    assert set(edits) == set(map(str, range(1, len(set(edits)) + 1)))


def run_twice(config: str, folder: Path, env: Mapping[str, str], came: Callable[[], int]) -> None:
    """Run the route, stop it, write more meanwhile, and run it again until all is there."""
    written(folder, calls(0, 500))
    with run_fluentd(config, folder, env):
        assert until(lambda: came() >= 500, SECONDS)
        written(folder, calls(500, 500))
    written(folder, calls(1000, 500))
    with run_fluentd(config, folder, env):
        assert until(lambda: came() >= 1500, SECONDS)
    assert came() == 1500


@pytest.mark.parametrize(("name", "server"), [("elasticsearch", Elasticsearch), ("opensearch", OpenSearch)])
def test_search(name: str, server: Any, tmp_path: Path, env: Mapping[str, str]) -> None:
    """Call logs arrive enriched, each once over a restart and a refused request, with the time of the event."""
    with Http(server) as target:
        config = placed(EXAMPLES / "fluentd" / f"tail-{name}.conf", tmp_path, port_9200=target.port)
        run_twice(config, tmp_path, env, lambda: len(target.records))
        came = {record["call_id"]: record for record in target.records.values()}
    for sent in calls(0, 1500):
        record = came[sent["call_id"]]
        assert record.pop("sip")["outcome"] == "capacity"
        assert record.pop("@timestamp")[:26] == sent["time_end"][:26]
        assert record.pop("record_id")
        assert record == sent


def test_loki(tmp_path: Path, env: Mapping[str, str]) -> None:
    """Call logs arrive enriched, each once over a restart and a refused request, with few labels."""
    with Http(Loki) as target:
        config = placed(EXAMPLES / "fluentd" / "tail-loki.conf", tmp_path, port_3100=target.port)
        run_twice(config, tmp_path, env, lambda: len(target.records))
        came = dict(target.records)
    for sent in calls(0, 1500):
        labels, nanoseconds, record = came[sent["call_id"]]
        assert labels == {"job": "calls", "sip_category": "Client Error"}
        assert nanoseconds // 1000 % 1_000_000 == 123_456
        assert record.pop("sip")["outcome"] == "capacity"
        assert record == sent


def test_forward(tmp_path: Path, env: Mapping[str, str]) -> None:
    """Call logs from a Fluentd arrive enriched at the next one, with their tag and time."""
    port, records = free_port(), calls(0, 500)
    with Events() as target:
        config = placed(
            EXAMPLES / "fluentd" / "forward-forward.conf", tmp_path, port_24224=port, port_24225=target.port
        )
        with run_fluentd(config, tmp_path, env):
            when = msgpack.ExtType(0, struct.pack(">II", 1_795_533_609, 123_456_000))
            with socket.create_connection(("127.0.0.1", port)) as client:
                client.sendall(msgpack.packb(["calls.a", [[when, record] for record in records], {}]))
            assert until(lambda: len(target.events) >= 500, SECONDS)
        came = target.events
    assert len(came) == 500
    for (tag, time, record), sent in zip(came, records, strict=True):
        seconds, nanoseconds = struct.unpack(">II", time.data)
        assert (tag, seconds, round(nanoseconds, -3)) == ("calls.a", 1_795_533_609, 123_456_000)
        assert record.pop("sip")["outcome"] == "capacity"
        assert record == sent


def test_systemd(tmp_path: Path) -> None:
    """The unit is accepted by systemd, and its command by sipsense."""
    text = (EXAMPLES / "systemd" / "sipsense.service").read_text("utf-8")
    command = re.search(r"^ExecStart=(.*?[^\\])$", text.replace("\\\n", " "), re.MULTILINE)[1].split()
    assert command[0] == "/usr/local/bin/sipsense"
    assert {word for word in command if word.startswith("--")} <= known_options("enrich")
    unit = tmp_path / "sipsense.service"
    unit.write_text(text.replace(command[0], sys.executable), "utf-8")
    try:
        verified = done("systemd-analyze", "verify", unit, timeout=30)
    except FileNotFoundError:
        sections = re.findall(r"^\[(\w+)\]$", text, re.MULTILINE)
        assert sections == ["Unit", "Service", "Install"]
        assert all(re.match(r"(#.*|\[\w+\]|\w+=.*|    .*|)$", line) for line in text.splitlines())
    else:
        assert verified.returncode == 0, verified.stderr
        assert not verified.stderr
