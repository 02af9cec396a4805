"""`--metrics`: what a process tells of itself over HTTP, compared with what was sent to it."""

import json
import re
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator

import msgspec
import pytest
from scrape import feed, get, reachable, samples, value, wait_for
from servers.process import free_port
from servers.promtool import promtool
from spawn import BUSY, ROOT, STRANGER, sipsense, start

from enricher import Enricher
from enricher.blocks import Tally
from filters import __version__
from filters.delivery.counts import Counts
from filters.metrics import Collector
from filters.monitor import Monitor
from filters.pipeline import State

ENRICHER = Enricher()
PAGE = ROOT / "docs" / "metrics.md"
LINES = [
    *[BUSY] * 3,
    b'{"sip_code":200,"sip_reason":"Bye","disconnect_initiator":"Origination"}',
    b'{"sip_code":480,"sip_reason":"DID number overloaded","disconnect_initiator":"System"}',
    b'{"sip_code":403,"sip_reason":"Something new","disconnect_initiator":"System"}',
    b'{"sip_code":455}',
    b'{"time":1795533705,"method":"REGISTER","callid":"c4","sip_code":"401","sip_reason":"Unauthorized"}',
    b'{"sip_code":486,"sip":"mine"}',
    STRANGER,
    b"no record",
    b"",
]


@pytest.fixture
def run(tmp_path) -> Iterator[Callable[..., tuple[int, object]]]:
    """Start the command with metrics; return their port and the process."""
    processes = []

    def started(*args: object) -> tuple[int, object]:
        port = free_port()
        with (tmp_path / "out").open("wb") as out:
            processes.append(start(*args, "--metrics", port, stdout=out))
        wait_for(lambda: reachable(port))
        return port, processes[-1]

    yield started
    for process in processes:
        process.kill()
        with process:  # its pipes are closed
            pass


def test_counts_are_what_was_sent(run):
    """Each record is counted once under what was found out of it; strangers, bad lines and conflicts apart."""
    port, process = run()
    feed(process, LINES)
    wait_for(lambda: value(port, "records_total") == 11)
    calls = {labels: number for (name, labels), number in samples(port).items() if name == "sipsense_calls_total"}
    named = {(dict(key)["outcome"], dict(key)["category"], dict(key)["initiator"]): n for key, n in calls.items()}
    assert named == {
        ("busy", "Client Error", "Destination"): 4,  # the conflict is a call as well
        ("answered", "Successful", "Origination"): 1,
        ("capacity", "Client Error", "System"): 1,
        ("unknown", "Client Error", "System"): 1,
        ("unknown", "Client Error", "unknown"): 1,
    }
    reasons = {
        (dict(labels)["code"], dict(labels)["reason"]): number
        for (name, labels), number in samples(port).items()
        if name == "sipsense_reasons_total"
    }
    assert reasons == {
        ("486", "Busy Here"): 4,
        ("200", "Bye"): 1,
        ("480", "Capacity limit for DID exceeded"): 1,
        ("403", "Forbidden"): 1,
        ("4xx", "other"): 1,
    }
    degrees = {degree: value(port, "matched_records_total", match=degree) for degree in ("reason", "alias", "code")}
    assert degrees == {"reason": 4, "alias": 1, "code": 3}, "what is no call has a match too"
    assert value(port, "matched_records_total", match="class") == 1
    assert value(port, "unmatched_records_total") == 1
    assert value(port, "invalid_records_total") == 1
    assert value(port, "conflict_records_total") == 1
    assert value(port, "output_records_total") == value(port, "delivered_records_total") == 11
    assert value(port, "catalog_info", version=ENRICHER.catalog.version) == 1
    assert value(port, "build_info", version=__version__) == 1
    assert value(port, "last_reload_successful") == 1
    assert value(port, "last_reload_timestamp_seconds") == pytest.approx(time.time(), abs=300)


@pytest.mark.parametrize(("options", "written"), [(["--invalid", "drop"], 10), (["--dead-letter", "LEFT"], 10)])
def test_lines_that_are_not_written(run, tmp_path, options, written):
    """A line that is dropped or goes to the dead letter was read, and not handed to the output."""
    port, process = run(*[str(tmp_path / "left") if word == "LEFT" else word for word in options])
    feed(process, LINES)
    wait_for(lambda: value(port, "records_total") == 11)
    wait_for(lambda: value(port, "delivered_records_total") == written)
    assert value(port, "output_records_total") == written
    assert value(port, "dead_letter_records_total") == (1 if "--dead-letter" in options else 0)


def test_metrics_please_promtool(run):
    """Names, units and help texts are as Prometheus asks, before and after the first record."""
    port, process = run()
    for _ in range(2):
        done = promtool("check", "metrics", stdin=get(port)[1].encode())
        assert (done.returncode, done.stdout + done.stderr) == (0, b"")
        feed(process, LINES)
        wait_for(lambda: value(port, "records_total"))


def test_what_is_foreseen_begins_with_zero(run):
    """A row of the catalog has its series before its first call: what comes into being with a call never grew."""
    port, _ = run()
    text = get(port)[1]
    for row in ENRICHER.catalog.rows:
        assert f'sipsense_reasons_total{{code="{row.code}",reason="{row.reason}"}} 0.0' in text
    assert 'sipsense_calls_total{category="Client Error",initiator="System",outcome="capacity"} 0.0' in text


def test_values_of_labels_are_bounded(run):
    """Codes and texts that nobody knows, however many, share a few series."""
    port, process = run()
    series = set(samples(port))
    feed(process, [b'{"sip_code":%d,"sip_reason":"text %d"}' % (100 + n % 600, n) for n in range(5000)])
    wait_for(lambda: value(port, "records_total") == 5000)
    new = {labels for name, labels in set(samples(port)) - series if name == "sipsense_reasons_total"}
    assert {dict(labels)["reason"] for labels in new} <= {
        "other",
        *(row.reason for row in ENRICHER.catalog.rows),
        *ENRICHER.catalog.names.values(),
    }
    assert len(new) < 120


def test_fields_change_nothing(run):
    """What is counted does not depend on what a record gains."""
    port, process = run("--fields", "reason", "--flat")
    feed(process, LINES)
    wait_for(lambda: value(port, "records_total") == 11)
    assert value(port, "calls_total", outcome="capacity", category="Client Error", initiator="System") == 1


def test_health_and_other_paths(run):
    """The process says that it is alive and ready; a path that is none is told so, and nothing but GET is taken."""
    port, _ = run()
    assert get(port, "/healthz") == (200, "alive\n")
    assert get(port, "/readyz") == (200, "ready\n")
    assert get(port, "/")[0] == 200
    status, text = get(port, "/nothing")
    assert status == 404
    assert "/metrics" in text
    assert get(port, "/metrics", "POST")[0] == 405


def test_events_by_forward_are_counted(run, tmp_path):
    """Records that come by the forward protocol are counted as they are, and their delivery too."""
    from fluent.sender import FluentSender

    source = free_port()
    port, _ = run("--input", f"forward://127.0.0.1:{source}")
    records = [json.loads(line) for line in LINES if line.startswith(b"{")]
    sender = FluentSender("calls", host="127.0.0.1", port=source)
    for record in records:
        assert sender.emit("test", record)
    sender.close()
    wait_for(lambda: value(port, "delivered_records_total") == len(records))
    assert value(port, "records_total") == len(records)
    assert value(port, "calls_total", outcome="busy", category="Client Error", initiator="Destination") == 4
    assert value(port, "unmatched_records_total") == 1
    assert get(port, "/readyz")[0] == 200


@pytest.mark.parametrize("codec", ["json", "msgpack", "json:msgpack", "msgpack:json"])
def test_child_of_fluentd(run, tmp_path, codec):
    """The child of an exec_filter counts what it reads and writes, and tells of a catalog that cannot be loaded."""
    catalog = tmp_path / "my.toml"
    catalog.write_text("")
    port, process = run("fluentd", "--codec", codec, "--catalog", catalog, "--watch")
    packed = codec.startswith("msgpack")
    process.stdin.write(
        b"".join(msgspec.msgpack.encode({"sip_code": 486}) if packed else BUSY + b"\n" for _ in range(5))
    )
    wait_for(lambda: value(port, "delivered_records_total") == 5)
    assert value(port, "records_total") == value(port, "output_records_total") == 5
    assert sum(number for (name, _), number in samples(port).items() if name == "sipsense_calls_total") == 5
    assert get(port, "/readyz")[0] == 200
    catalog.write_text("no catalog")
    wait_for(lambda: value(port, "last_reload_successful") == 0)


def test_target_that_takes_nothing(run, tmp_path):
    """Records that a target does not acknowledge wait, and are counted as waiting and not as delivered."""
    with socket.create_server(("127.0.0.1", 0)) as target:
        port, process = run("--output", f"forward://127.0.0.1:{target.getsockname()[1]}")
        feed(process, LINES[:4])
        wait_for(lambda: value(port, "output_records_total") == 4)
        assert value(port, "records_total") == 4
        assert value(port, "delivered_records_total") == 0
        assert value(port, "queue_records") == 4
        assert value(port, "queue_bytes") > 100
        assert get(port, "/readyz")[0] == 200, "it is given time"


def test_reload_is_told(run, tmp_path):
    """A broken catalog is told until it is mended, and the version is that of the catalog in use."""
    catalog = tmp_path / "mine.toml"
    catalog.write_text("")
    port, process = run("--watch", "--catalog", catalog)
    loaded, before = value(port, "last_reload_timestamp_seconds"), samples(port)
    versions = [dict(labels)["version"] for name, labels in before if name == "sipsense_catalog_info"]
    feed(process, LINES[:1])
    catalog.write_text("row = 1\n")
    wait_for(lambda: value(port, "last_reload_successful") == 0)
    assert value(port, "catalog_info", version=versions[0]) == 1
    assert value(port, "last_reload_timestamp_seconds") == loaded
    catalog.write_text(
        '[[row]]\ncode = 486\nreason = "Engaged"\noutcome = "busy"\nowner = "callee"\nhint = "Wait."\nsource = "mine"\n'
    )
    wait_for(lambda: value(port, "last_reload_successful") == 1)
    assert value(port, "catalog_info", version=versions[0]) == 0
    assert value(port, "last_reload_timestamp_seconds") > loaded
    assert value(port, "records_total") == 1, "what was counted before stays"


def test_end_of_the_run(run):
    """The end of the input ends the process at once, also while a client of the metrics is connected."""
    port, process = run()
    with socket.create_connection(("127.0.0.1", port)):
        feed(process, LINES[:1])
        process.stdin.close()
        assert process.wait(60) == 0
    assert not reachable(port)


def test_silent_clients_block_nobody(run):
    """Clients that say nothing take no place from others for ever, and more than a few are turned away."""
    port, process = run()
    silent = [socket.create_connection(("127.0.0.1", port)) for _ in range(40)]
    feed(process, LINES)
    for connection in silent:
        connection.close()
    wait_for(lambda: reachable(port) and value(port, "records_total") == 11)


@pytest.mark.parametrize("address", ["127.0.0.1", "x", "127.0.0.1:0", "127.0.0.1:99999", "::1:9464", "http://x:1/"])
def test_address_that_is_none(address):
    """An address that is none is a wrong setting, told with what was expected."""
    done = sipsense("--metrics", address, stdin=BUSY)
    assert done.returncode == 2
    assert (
        done.stderr.decode()
        == f"sipsense: --metrics: expected HOST:PORT or PORT, such as 127.0.0.1:9464, got {address!r}\n"
    )


def test_port_that_is_taken():
    """A port that is taken is a wrong setting, told with all others."""
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        done = sipsense("--metrics", f":{port}", "--max-line", "none", stdin=BUSY)
    assert done.returncode == 2
    assert f"--metrics: cannot listen on 127.0.0.1:{port}: Address already in use" in done.stderr.decode()
    assert "--max-line" in done.stderr.decode()
    assert done.stdout == b""


def test_not_with_jobs():
    """Several processes would count alone, so that they are refused."""
    done = sipsense("--metrics", ":9464", "--jobs", "2", stdin=BUSY)
    assert done.returncode == 2
    assert "--metrics: expected --jobs 1 beside it, got 2" in done.stderr.decode()


def test_library_that_is_missing(monkeypatch):
    """Without prometheus-client, the message says what to install."""
    from enricher.errors import SettingsError

    monkeypatch.setitem(sys.modules, "prometheus_client", None)
    with pytest.raises(SettingsError, match=r"pip install 'sipsense\[metrics\]'"):
        Monitor(f":{free_port()}")


def test_counts_of_a_sink():
    """What a sink counts is told as it counts it, and lines in the dead letter are added to what its target refused."""
    flow, sink = Counts(), Counts()
    flow.records, flow.refused = 20, 2
    sink.delivered, sink.present, sink.refused, sink.undelivered = 11, 3, 5, 1
    sink.requests, sink.retries, sink.failures, sink.in_flight = 9, 4, 6, 2
    flow.waiting_records, flow.waiting_bytes = 7, 700
    for seconds in (0.001, 0.2, 100.0):
        sink.latency_seconds.observe(seconds)
    state = State(Tally(), ENRICHER.catalog, 1.0, True)
    found = {
        (sample.name, sample.labels.get("le", "")): sample.value
        for family in Collector(lambda: state, flow, sink).collect()
        for sample in family.samples
    }
    wanted = {
        "output_records_total": 20,
        "delivered_records_total": 11,
        "present_records_total": 3,
        "dead_letter_records_total": 7,
        "undelivered_records_total": 1,
        "requests_total": 9,
        "retries_total": 4,
        "request_failures_total": 6,
        "requests_in_flight": 2,
        "queue_records": 7,
        "queue_bytes": 700,
    }
    assert {name: found[f"sipsense_{name}", ""] for name in wanted} == wanted
    buckets = {le: number for (name, le), number in found.items() if name == "sipsense_delivery_seconds_bucket"}
    assert (buckets["0.01"], buckets["0.25"], buckets["60.0"], buckets["+Inf"]) == (1, 2, 2, 3)
    assert found["sipsense_delivery_seconds_sum", ""] == pytest.approx(100.201)


def test_state_while_records_flow(run):
    """Whoever asks while records flow gets counts that fit together, and never fewer than before."""
    port, process = run()
    writer = threading.Thread(target=lambda: [feed(process, LINES * 50) for _ in range(200)])
    writer.start()
    last, degrees = 0.0, ("reason", "alias", "code", "class")
    while last < 11 * 50 * 200:
        found = samples(port)
        records = found.get(("sipsense_records_total", ()), 0.0)
        parts = [found.get(("sipsense_matched_records_total", (("match", degree),)), 0.0) for degree in degrees]
        parts += [found.get((f"sipsense_{name}_records_total", ()), 0.0) for name in ("unmatched", "invalid")]
        assert sum(parts) == records >= last
        last = records
    writer.join()


def test_page_of_the_metrics():
    """The page lists each metric with its kind and its labels, and no other."""
    listed = set(re.findall(r"^\| `(sipsense_\w+)(?:\{([\w,]+)\})?` \| (\w+) \|", PAGE.read_text(), re.MULTILINE))
    state = State(Tally(), ENRICHER.catalog, 1.0, True)
    made = set()
    for family in Collector(lambda: state, Counts(), Counts()).collect():
        name = family.name + {"counter": "_total", "info": "_info"}.get(family.type, "")
        kind = "gauge" if family.type == "info" else family.type
        labels = family.samples[0].labels if family.type != "histogram" else {}
        made.add((name, ",".join(labels), kind))
    assert listed == made
