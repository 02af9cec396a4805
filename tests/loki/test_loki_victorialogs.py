"""`sipsense` as a process, into a real server that takes Loki's pushes, also through a proxy that spoils them."""

import signal
import threading
import time
import uuid
from collections import Counter

import pytest
from loki_runs import Running, calls, enriched, run, wait_for
from servers import faults
from servers.faults import Faults, in_turn
from servers.loki import Limits, run_loki

METADATA = "call_id,sip_code,sip_reason,sip_initiator,sip_outcome"


@pytest.fixture
def mark():
    """Return a name for one test on the shared server: that of its service, and part of its Call-IDs."""
    return f"m{uuid.uuid4().hex[:8]}"


def labelled(mark):
    """Return options by which the entries of a test are found again."""
    return "--static-label", f"service_name={mark}", "--label", "trunk=trunk"


def test_a_hundred_thousand(victorialogs, mark, tmp_path):
    """100,000 records arrive once and unchanged, with labels, metadata and their time to the nanosecond."""
    lines = list(calls(100_000, mark))
    done = run(tmp_path, victorialogs.loki, "--compress", "gzip", *labelled(mark), stdin=b"".join(lines))
    assert (done.code, done.said, done.sums) == (0, "", (100_000, 100_000))
    query = f'service_name:="{mark}"'
    assert victorialogs.count(query) == 100_000
    found = victorialogs.query(f"{query} | fields _time, _msg, _stream, {METADATA}")
    arrived = {entry["call_id"]: entry for entry in found}
    assert len(arrived) == 100_000
    for line, expected in zip(lines, enriched(lines), strict=True):
        number = int(line.partition(b"-")[2].partition(b"@")[0])
        entry = arrived[f"{mark}-{number}@192.0.2.1"]
        assert entry["_msg"] == expected
        second, _, fraction = entry["_time"].removesuffix("Z").partition(".")  # it leaves zeros at the end out
        assert f'"time_end": "{second}.{fraction:0<9}Z"' in expected
        assert f'trunk="trunk-{number % 3}"' in entry["_stream"]
    streams = Counter(entry["_stream"] for entry in found)
    assert len(streams) == 12  # four categories on three trunks
    busy = f'{query} sip_outcome:="busy" sip_code:="486" sip_category:="Client Error"'
    assert victorialogs.count(busy) == 20_000


def test_to_loki(victorialogs, mark, tmp_path):
    """What `--to loki` writes is taken by the server as it is."""
    from urllib.request import Request, urlopen

    lines = list(calls(1000, mark))
    done = run(tmp_path, str(tmp_path / "pushes"), "--to", "loki", *labelled(mark), stdin=b"".join(lines))
    assert done.code == 0
    for body in (tmp_path / "pushes").read_bytes().splitlines():
        url = f"{victorialogs.url}/insert/loki/api/v1/push"
        with urlopen(Request(url, body, {"Content-Type": "application/json"}), timeout=30) as answer:
            assert answer.status == 204
    found = victorialogs.query(f'service_name:="{mark}" | fields _msg')
    assert sorted(entry["_msg"] for entry in found) == sorted(enriched(lines))


def test_killed_and_started_again(fresh_victorialogs, mark, tmp_path):
    """What comes while the server is dead waits for it; every record arrives once."""
    server, lines = fresh_victorialogs, list(calls(3000, mark))
    with Running(tmp_path, server.loki, "--batch-records", "100", *labelled(mark)) as running:
        running.feed(lines[:1000])
        wait_for(lambda: server.count() == 1000, "the first records")
        time.sleep(2.5)  # the server writes what it has to the disk each second
        server.kill()
        running.feed(lines[1000:2000])
        wait_for(lambda: "it is sent again" in running.said, "a failure")
        server.start()
        running.feed(lines[2000:])
        done = running.end()
    assert done.code == 0
    assert "takes records again" in done.said
    found = server.query("* | fields _msg")
    assert sorted(entry["_msg"] for entry in found) == sorted(enriched(lines))
    assert done.sums == (3000, 3000)
    assert done.delivery["failures"] > 0


def test_stopped_while_records_come(fresh_victorialogs, mark, tmp_path):
    """A server that is stopped in the middle of the flow, and started again, misses nothing."""
    server, lines = fresh_victorialogs, list(calls(20_000, mark))
    with Running(tmp_path, server.loki, "--batch-records", "500", *labelled(mark)) as running:

        def feed() -> None:
            for first in range(0, len(lines), 100):
                running.feed(lines[first : first + 100])
                time.sleep(0.005)

        feeding = threading.Thread(target=feed)
        feeding.start()
        wait_for(lambda: server.count() > 2000, "the first records")
        server.stop(signal.SIGTERM)
        server.start()
        feeding.join()
        done = running.end()
    assert done.code == 0
    found = Counter(entry["_msg"] for entry in server.query("* | fields _msg"))
    assert found.keys() == set(enriched(lines))
    # Its answer to the push that it took last may have got lost.
    assert found.total() - len(found) <= 500
    assert done.sums == (20_000, 20_000)
    assert done.delivery["failures"] > 0


BEFORE = (
    *(None, faults.status(429, b"rate limited", retry_after=0), faults.status(500), faults.cut),
    *(faults.half, faults.slow(0.05), faults.status(503, b"too many outstanding requests")),
)


def test_faults_on_the_way(victorialogs, mark, tmp_path):
    """With refusals and cut connections between them, every record arrives once at the server."""
    lines = list(calls(5000, mark))
    with Faults(victorialogs.url, in_turn(*BEFORE)) as spoiler:
        url = f"loki+{spoiler.url}/insert"
        done = run(tmp_path, url, "--batch-records", "250", *labelled(mark), stdin=b"".join(lines))
        assert spoiler.faults > len(BEFORE)
    assert done.code == 0
    found = victorialogs.query(f'service_name:="{mark}" | fields _msg')
    assert sorted(entry["_msg"] for entry in found) == sorted(enriched(lines))
    assert done.sums == (5000, 5000)
    assert done.delivery["failures"] >= 4


def test_answers_that_get_lost(tmp_path):
    """Also where answers get lost on the way back, and pushes are taken in part, Loki has every record once."""
    lines = list(calls(3000, "lost"))
    for number in range(0, 3000, 100):
        lines[number] = lines[number].replace(b'"trunk"', b'"pad":"%b","trunk"' % (b"x" * 4000))
    spoil = in_turn(faults.cut_after, None, faults.half, faults.cut, None, faults.cut_after)
    with run_loki(Limits(line=4000)) as loki, Faults(loki.url.removeprefix("loki+"), spoil) as spoiler:
        done = run(tmp_path, f"loki+{spoiler.url}", "--batch-records", "200", stdin=b"".join(lines))
    left = [line["event"]["original"] for line in done.left]
    assert done.code == 1
    assert len(left) == 30
    assert sorted(loki.lines + left) == sorted(enriched(lines))
    assert done.sums == (3000, 3000)
