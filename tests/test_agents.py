"""The examples for other agents: their programs understand them, and what sipsense does in them works.

Alloy, Vector and Logstash are not run, only read: by the parser of their language where there is one. The Collector is,
on request: `SIPSENSE_TEST_COLLECTOR=1 make test`.
"""

import json
import os
import re
import shlex
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from fluent.sender import FluentSender
from forward.forward_peers import Target
from servers.faults import Asked, HttpServer, Reply, reply
from servers.go_program import complaints, program
from servers.loki import run_loki
from servers.process import free_port

from enricher import Enricher
from filters.cli import options

ROOT = Path(__file__).resolve().parents[1]
EXAMPLES = ROOT / "examples"
FILES = {
    "alloy": EXAMPLES / "alloy" / "config.alloy",
    "logstash": EXAMPLES / "logstash" / "pipeline.conf",
    "otel-collector": EXAMPLES / "otel-collector" / "config.yaml",
    "vector": EXAMPLES / "vector" / "vector.yaml",
}
ALL = pytest.mark.parametrize("name", FILES)
SECONDS = 60.0
COLLECTOR = "SIPSENSE_TEST_COLLECTOR"


def commands(name: str) -> list[list[str]]:
    """Return the commands of sipsense in an example, without what pipes into them."""
    text = FILES[name].read_text()
    return [shlex.split(found.rstrip('"')) for found in re.findall(r"(?<!and )\bsipsense --.*", text)]


def calls(count: int) -> list[dict[str, Any]]:
    """Return call logs with a number each."""
    return [
        {
            "call_id": f"c{number}",
            "time_end": f"2026-11-24T10:{number // 60 % 60:02}:{number % 60:02}Z",
            "sip_code": 480,
            "sip_reason": "DID number overloaded",
            "disconnect_initiator": "System",
        }
        for number in range(count)
    ]


def wait_for(reached: Callable[[], object], what: str) -> None:
    """Wait until it is so; fail after a bounded time."""
    due = time.monotonic() + SECONDS
    while not reached():
        assert time.monotonic() < due, f"waited in vain for {what}"
        time.sleep(0.05)


class Run:
    """A program that runs, and what it says."""

    def __init__(self, command: list[str], folder: Path, stdin: Any = subprocess.DEVNULL) -> None:
        self.log = folder / f"{Path(command[0]).name}.log"
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(command, cwd=folder, stdin=stdin, stdout=log, stderr=log)

    def stop(self, number: int = signal.SIGTERM) -> int:
        """End it, in bounded time."""
        if self.process.poll() is None:
            self.process.send_signal(number)
        try:
            return self.process.wait(SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            return self.process.wait()


@pytest.fixture
def run(tmp_path) -> Iterator[Callable[..., Run]]:
    """Start programs that are gone when the test ends; `sipsense` is the one of this checkout."""
    started: list[Run] = []

    def start(command: list[str], **options: Any) -> Run:
        if command[0] == "sipsense":
            command = [sys.executable, "-m", "filters", *command[1:]]
        started.append(Run(command, tmp_path, **options))
        return started[-1]

    yield start
    for one in started:
        one.stop(signal.SIGKILL)


@ALL
def test_three_places_to_edit(name):
    """Each example is copied and edited in three places, marked in their order."""
    assert re.findall(r"EDIT (\d)", FILES[name].read_text()) == ["1", "2", "3"]


@ALL
def test_options_are_known(name):
    """Each command of sipsense in an example has only options that there are, in the file and beside it."""
    found = commands(name)
    assert found
    for command in found:
        args = options.command_parser("enrich").parse_args(command[1:])
        assert args.output
        assert args.dead_letter, "what is refused has to have a place"


@pytest.mark.parametrize("name", ["alloy", "logstash"])
def test_language_is_understood(name):
    """The parser of the agent's own language understands the example."""
    assert complaints("configs", FILES[name]) == ""


@pytest.mark.parametrize(("name", "mistake"), [("alloy", ("{", "(")), ("logstash", ("=>", "="))])
def test_parsers_find_a_mistake(name, mistake, tmp_path):
    """A mistake in the language is found, so that the test above means something."""
    broken = tmp_path / FILES[name].name
    broken.write_text(FILES[name].read_text().replace(*mistake, 1))
    assert str(broken) in complaints("configs", broken)


def test_vector_asks_for_what_records_have():
    """Labels and metadata of Vector's sink are fields of an enriched record, under the names of our own sink."""
    sink = yaml.safe_load(FILES["vector"].read_text())["sinks"]["loki"]
    record = Enricher().enrich(calls(1)[0])
    shown = {**sink["labels"], **sink["structured_metadata"]}
    for name, text in shown.items():
        if found := re.fullmatch(r"\{\{ (\S+) \}\}", text):
            value: Any = record
            for key in found[1].split("."):
                value = value[key]
            assert name.removeprefix("sip_") == found[1].removeprefix("sip.")
    assert set(shown) == {
        *("service_name", "sip_category", "call_id"),
        *("sip_code", "sip_reason", "sip_initiator", "sip_outcome"),
    }


def test_vector_gets_records(run):
    """What is sent to sipsense leaves it enriched for the port on which Vector listens, acknowledged."""
    command = commands("vector")[0]
    inside, outside = free_port(), free_port()
    source = yaml.safe_load(FILES["vector"].read_text())["sources"]["calls"]["address"]
    assert command[command.index("--output") + 1] == f"forward://{source}"
    with Target(outside) as target:
        run([word.replace("24224", str(inside)).replace("24226", str(outside)) for word in command])
        _send(inside, calls(50))
        wait_for(lambda: len(target.records) == 50, "records")
    assert all(record["sip"]["outcome"] == "capacity" for record in target.records)


def test_alloy_gets_pushes_and_metrics(run):
    """What is sent to sipsense is pushed to the port on which Alloy listens, and Alloy finds the metrics."""
    command, port, metrics = commands("alloy")[0], free_port(), free_port()
    text = FILES["alloy"].read_text()
    assert "127.0.0.1:9464" in text
    assert re.search(r"listen_port\s*= 3101", text)
    with run_loki() as loki:
        words = [word.replace("24224", str(port)).replace("9464", str(metrics)) for word in command]
        words = [word.replace("loki+http://127.0.0.1:3101", loki.url) for word in words]
        run(words)
        _send(port, calls(50))
        wait_for(lambda: len(loki.entries) == 50, "lines")
        with urllib.request.urlopen(f"http://127.0.0.1:{metrics}/metrics", timeout=20) as answer:
            counts = dict(line.rsplit(" ", 1) for line in answer.read().decode().splitlines() if line[0] != "#")
    assert counts["sipsense_records_total"] == counts["sipsense_delivered_records_total"] == "50.0"
    assert float(counts["sipsense_requests_total"]) >= 1
    assert float(counts["sipsense_delivery_seconds_count"]) >= 1


def test_logstash_feeds_sipsense(run, tmp_path):
    """Lines on its standard input are delivered to the server, those that are none are kept, and the end is clean."""
    (command,) = commands("logstash")
    indexed: list[str] = []

    def answer(asked: Asked) -> Reply:
        lines = [json.loads(line) for line in asked.body.splitlines()]
        indexed.extend(record["call_id"] for record in lines[1::2])
        return reply({"errors": False, "items": [{"create": {"status": 201}} for _ in lines[::2]]})

    password = tmp_path / "password"
    password.write_text("secret\n")
    with HttpServer(answer) as server:
        words = [
            word.replace("https://calls@127.0.0.1:9200", f"http://calls@127.0.0.1:{server.port}") for word in command
        ]
        words = [re.sub("^/etc/sipsense/password$", str(password), word) for word in words]
        words = [re.sub("^/var/.*/", f"{tmp_path}/", word) for word in words]
        sipsense = run(words, stdin=subprocess.PIPE)
        lines = [json.dumps(call).encode() for call in calls(50)]
        sipsense.process.communicate(b"\n".join([*lines, b"no record"]) + b"\n", SECONDS)
    assert sipsense.process.returncode == 0, sipsense.log.read_text()
    assert indexed == [f"c{number}" for number in range(50)]
    assert b"no record" in (tmp_path / "left.jsonl").read_bytes()


class Otlp:
    """Takes logs in the JSON of OTLP, when it is open; before that it is busy."""

    def __init__(self) -> None:
        self.open = False
        self.refused = 0
        self.records: list[tuple[dict[str, Any], dict[str, Any]]] = []

    def __call__(self, asked: Asked) -> Reply:
        if not self.open:
            self.refused += 1
            return Reply(503)
        assert asked.path == "/otlp/v1/logs"
        for resource in json.loads(asked.body)["resourceLogs"]:
            for scope in resource["scopeLogs"]:
                self.records += [(_plain(resource["resource"]), record) for record in scope["logRecords"]]
        return reply({})


def _plain(holder: dict[str, Any]) -> dict[str, Any]:
    return {one["key"]: next(iter(one["value"].values())) for one in holder["attributes"]}


@pytest.mark.skipif(
    not os.environ.get(COLLECTOR), reason=f"building the Collector takes minutes: {COLLECTOR}=1 does it"
)
def test_collector_loses_nothing(run, tmp_path):
    """The real Collector keeps what it acknowledged when it is killed while Loki is away, and delivers it then."""
    inside, collector = free_port(), [str(program("collector")), "--config", str(tmp_path / "config.yaml")]
    otlp = Otlp()
    with HttpServer(otlp) as server:
        (tmp_path / "config.yaml").write_text(_collector_config(inside, server.port, tmp_path))
        validated = subprocess.run(
            [collector[0], "validate", *collector[1:]], capture_output=True, text=True, check=False, timeout=SECONDS
        )
        assert validated.returncode == 0, validated.stderr
        first = run(collector)
        wait_for(lambda: "Everything is ready" in first.log.read_text(), "the Collector")
        words = [word.replace("24226", str(inside)) for word in commands("otel-collector")[1]]
        lines = b"".join(json.dumps(call).encode() + b"\n" for call in calls(500))
        sipsense = run(words, stdin=subprocess.PIPE)
        sipsense.process.communicate(lines, SECONDS)
        assert sipsense.process.returncode == 0, "all is acknowledged, though Loki has nothing"
        wait_for(lambda: otlp.refused, "a try")
        first.stop(signal.SIGKILL)
        otlp.open = True
        run(collector)
        wait_for(lambda: len({_plain(record)["call_id"] for _, record in otlp.records}) == 500, "records")
    resource, record = otlp.records[0]
    assert resource["service.name"] == "sipsense"
    assert _plain(record) | {"call_id": ""} == {
        "call_id": "",
        "sip_category": "Client Error",
        "sip_code": "480",
        "sip_initiator": "System",
        "sip_outcome": "capacity",
        "sip_reason": "Capacity limit for DID exceeded",
    }
    body = {one["key"] for one in record["body"]["kvlistValue"]["values"]}
    assert {"call_id", "time_end", "disconnect_initiator", "sip_reason", "sip"} <= body
    assert int(record["timeUnixNano"]) % 10**9 == 0, "the time of the call, not the time when it was read"


def _collector_config(inside: int, outside: int, folder: Path) -> str:
    """Return the example with other ports and folder, and with JSON where the test reads it."""
    config = yaml.safe_load(FILES["otel-collector"].read_text())
    assert config["receivers"]["fluent_forward"]["endpoint"] == "127.0.0.1:24226"
    config["receivers"]["fluent_forward"]["endpoint"] = f"127.0.0.1:{inside}"
    config["extensions"]["file_storage"]["directory"] = str(folder / "storage")
    exporter = config["exporters"]["otlp_http/loki"]
    assert exporter["endpoint"] == "http://127.0.0.1:3100/otlp"
    exporter |= {"endpoint": f"http://127.0.0.1:{outside}/otlp", "encoding": "json", "compression": "none"}
    exporter["retry_on_failure"]["initial_interval"] = "100ms"
    config["service"]["telemetry"] = {"metrics": {"level": "none"}}
    return yaml.safe_dump(config)


def _send(port: int, records: list[dict[str, Any]]) -> None:
    sender = FluentSender("calls", host="127.0.0.1", port=port)
    due = time.monotonic() + SECONDS
    for record in records:
        while not sender.emit("test", record):
            assert time.monotonic() < due, sender.last_error
            sender.clear_last_error()
            time.sleep(0.05)
            sender.pendings = None  # emit keeps what it could not send
    sender.close()
