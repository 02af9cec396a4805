"""`sipsense --output loki+http://...` as a process, against a stand-in that enforces Loki's limits."""

import json
import signal
import time
from base64 import b64encode
from itertools import pairwise

import pytest
from loki_runs import SECOND, Running, calls, enriched, run, wait_for
from servers import faults
from servers.faults import Faults, in_turn
from servers.loki import Limits, Problem, run_loki

DAY = 24 * 3600 * SECOND
MINUTE = 60 * SECOND


def test_a_run(tmp_path):
    """All records arrive, in order, as lines that are the enriched records byte for byte; counts add up."""
    lines = list(calls(500, "run"))
    with run_loki() as loki:
        done = run(tmp_path, loki.url, "--batch-records", "100", stdin=b"".join(lines))
    assert (done.code, done.said) == (0, "")
    assert sorted(loki.lines) == sorted(enriched(lines))
    for stream in loki.streams.values():
        assert [when for when, _ in stream] == sorted(when for when, _ in stream)
    assert len(loki.streams) == 4
    assert done.sums == (500, 500)
    assert done.delivery["requests"] == len(loki.pushes) == 5


def test_who_we_are(tmp_path):
    """A push says the tenant, the user, and that it is compressed JSON."""
    secret = tmp_path / "secret"
    secret.write_text("p4ss")
    limits = Limits(users={"me": "p4ss"}, tenants=("calls",))
    with run_loki(limits) as loki:
        url = loki.url.replace("//", "//me@")
        access = ("--tenant", "calls", "--password-file", secret, "--compress", "gzip")
        done = run(tmp_path, url, *access, stdin=b"".join(calls(3, "who")))
    assert (done.code, len(loki.lines)) == (0, 3)
    ((headers, _),) = loki.pushes
    assert headers["authorization"] == f"Basic {b64encode(b'me:p4ss').decode()}"
    assert (headers["content-type"], headers["content-encoding"]) == ("application/json", "gzip")


def test_a_bearer_token(tmp_path):
    """A token comes from the environment."""
    with run_loki() as loki:
        assert run(tmp_path, loki.url, stdin=b"".join(calls(1, "who")), SIPSENSE_BEARER="t0k3n").code == 0
    assert loki.pushes[0][0]["authorization"] == "Bearer t0k3n"


def test_who_is_not_known(tmp_path):
    """A server that turns us down from the beginning ends the run with its words; nothing is lost."""
    with run_loki(Limits(tenants=("calls",))) as loki:
        done = run(tmp_path, loki.url, stdin=b"".join(calls(3, "who")))
    assert done.code == 1
    assert "401: no org id" in done.said
    assert done.sums == (3, 3)
    assert len(done.left) == 3


def test_a_path(tmp_path):
    """The path of a URL goes before Loki's own."""
    with run_loki() as loki:
        done = run(tmp_path, f"{loki.url}/prefix", "--drain", "0", stdin=b"".join(calls(1, "path")))
    assert done.code == 1
    assert "404: 404 page not found" in done.said


@pytest.mark.parametrize(("status", "seconds"), [(429, 1), (500, 0), (503, 0)])
def test_a_busy_server(tmp_path, status, seconds):
    """What a busy server refuses comes again, not before it asks for it; nothing is stored twice."""
    refused_at = []

    def before(number: int) -> None:
        if number in (1, 2):
            refused_at.append(time.monotonic())
            raise Problem(status, "Ingestion rate limit exceeded for user fake", {"Retry-After": str(seconds)})
        if number == 3:
            refused_at.append(time.monotonic())

    lines = list(calls(300, "busy"))
    with run_loki(before=before) as loki:
        done = run(tmp_path, loki.url, "--batch-records", "100", stdin=b"".join(lines))
    assert (done.code, sorted(loki.lines)) == (0, sorted(enriched(lines)))
    assert loki.answers == [204, status, status, 204, 204]
    assert min(second - first for first, second in pairwise(refused_at)) >= seconds
    assert done.delivery["retries"] == 2
    assert f"{status}: Ingestion rate limit exceeded" in done.said
    for stream in loki.streams.values():
        assert [when for when, _ in stream] == sorted(when for when, _ in stream)


def test_an_answer_that_was_lost(tmp_path):
    """A push that was stored, but whose answer got lost, comes again the same, so that Loki stores it once."""

    def after(number: int) -> None:
        if number == 0:
            raise Problem(500, "gone")

    lines = list(calls(100, "lost"))
    with run_loki(after=after) as loki:
        done = run(tmp_path, loki.url, stdin=b"".join(lines))
    assert (done.code, loki.answers) == (0, [500, 204])
    assert loki.pushes[0][1] == loki.pushes[1][1]
    assert sorted(loki.lines) == sorted(enriched(lines))


def test_a_body_that_is_too_large(tmp_path):
    """A server with a lower limit for bodies gets smaller ones; a record that is too large alone is kept."""
    lines = [
        *calls(100, "large"),
        json.dumps({"call_id": "huge", "sip_code": 486, "pad": "x" * 20_000}).encode() + b"\n",
    ]
    with run_loki(Limits(body=20_000)) as loki:
        done = run(tmp_path, loki.url, stdin=b"".join(lines))
    assert done.code == 1
    assert len(loki.lines) == 100
    assert [json.loads(left["event"]["original"])["call_id"] for left in done.left] == ["huge"]
    assert "413: request body too large" in done.left[0]["error"]["message"]
    assert done.sums == (101, 101)


def test_partial_acceptance(tmp_path):
    """Of pushes that are taken in part, the rest lies in the dead letter, each record with its reason."""
    lines = list(calls(100, "part"))
    lines[7] = lines[7].replace(b'"trunk"', b'"pad":"%b","trunk"' % (b"x" * 5000))
    old = next(calls(1, "old", time.time_ns() - 2 * DAY))
    with run_loki(Limits(line=4000, age=DAY)) as loki:
        done = run(tmp_path, loki.url, stdin=b"".join([*lines, old]))
    assert done.code == 1
    assert len(loki.lines) == 99
    assert loki.answers == [400, 400]
    assert {left["error"]["type"] for left in done.left} == {"refused"}
    assert sorted(left["error"]["message"].split("'")[0] for left in done.left) == [
        "400: Max entry size ",
        "400: entry for stream ",
    ]
    assert done.sums == (101, 101)


def test_another_sender_in_the_same_stream(tmp_path):
    """What is too far behind what another has sent is refused; what came with it is stored once."""
    lines = [*calls(10, "far", time.time_ns() - 90 * MINUTE), *calls(10, "near")]
    with run_loki() as loki:
        other = next(calls(1, "other"))
        run(tmp_path, loki.url, stdin=other)
        done = run(tmp_path, loki.url, stdin=b"".join(lines))
    assert done.code == 1
    arrived = [line for line in loki.lines if "other-" not in line]
    left = [line["event"]["original"] for line in done.left]
    assert len(arrived) + len(left) == 20
    assert sorted(arrived + left) == sorted(enriched(lines))
    assert all("far-" in line for line in left)
    assert len(left) == 2  # of the one stream in which the other has been
    assert done.sums == (20, 20)


def test_a_stream_that_is_limited(tmp_path):
    """Old records that come again, after a push was stored and yet refused, are stored once, however old they are."""
    months = [line for month in range(6, 0, -1) for line in calls(4, f"m{month}", time.time_ns() - 30 * month * DAY)]

    def after(number: int) -> None:
        if number == 2:
            raise Problem(429, "Per stream rate limit exceeded (limit: 3MB/sec)")

    options = ("--late-age", "none", "--batch-records", "24")
    with run_loki(Limits(age=999 * DAY), after=after) as loki:
        done = run(tmp_path, loki.url, *options, stdin=b"".join(months))
    assert (done.code, done.left) == (0, [])
    assert sorted(loki.lines) == sorted(enriched(months))
    assert loki.answers == [204, 204, 429, 204, 204, 204, 204]
    assert done.sums == (24, 24)


def test_a_connection_that_is_lost_between_spans(tmp_path):
    """What was taken before a connection broke is not sent again, where Loki would no longer take it."""
    months = [line for month in range(3, 0, -1) for line in calls(4, f"m{month}", time.time_ns() - 30 * month * DAY)]
    options = ("--late-age", "none", "--batch-records", "12")
    with (
        run_loki(Limits(age=999 * DAY)) as loki,
        Faults(loki.url.removeprefix("loki+"), in_turn(None, faults.cut, None, None)) as spoiler,
    ):
        done = run(tmp_path, f"loki+{spoiler.url}", *options, stdin=b"".join(months))
    assert (done.code, done.left, loki.answers) == (0, [], [204, 204, 204])
    assert sorted(loki.lines) == sorted(enriched(months))
    assert done.sums == (12, 12)


def test_partial_acceptance_of_a_later_span(tmp_path):
    """Of a push whose first span was taken, the record that is refused in a later one is the one that is kept."""
    lines = [*calls(4, "old", time.time_ns() - 2 * DAY), *calls(4, "new")]
    lines[6] = lines[6].replace(b'"trunk"', b'"pad":"%b","trunk"' % (b"x" * 5000))
    with run_loki(Limits(line=4000)) as loki:
        done = run(tmp_path, loki.url, stdin=b"".join(lines))
    assert (done.code, loki.answers) == (1, [204, 400])
    assert [left["event"]["original"] for left in done.left] == enriched(lines[6:7])
    assert sorted(loki.lines) == sorted(enriched(lines[:6] + lines[7:]))


def test_words_that_nobody_knows(tmp_path):
    """A refusal that is not understood narrows down to the record that causes it; all others are stored once."""
    lines = list(calls(64, "words"))

    def before(number: int) -> None:
        if b"words-13@" in loki.pushes[number][1]:
            raise Problem(400, "a new kind of refusal")

    with run_loki(before=before) as loki:
        done = run(tmp_path, loki.url, stdin=b"".join(lines))
    assert sorted(loki.lines) == sorted(enriched(lines[:13] + lines[14:]))
    assert [left["error"]["message"] for left in done.left] == ["400: a new kind of refusal"]
    assert done.sums == (64, 64)


def test_no_dead_letter(tmp_path):
    """Without a dead letter a record that is refused ends the run, with the reason."""
    with run_loki(Limits(line=100)) as loki:
        done = run(tmp_path, loki.url, "--dead-letter", "", stdin=next(calls(1, "none")))
    assert done.code == 1
    assert "a record was refused: 400: Max entry size '100' bytes" in done.said
    assert not loki.lines


@pytest.mark.parametrize(("late", "said"), [("now", "they get the time of now"), ("label", 'late="true"')])
def test_late(tmp_path, late, said):
    """Records that are too old for the server are treated as --late says, which the run tells."""
    lines = [*calls(5, "new"), *calls(5, "old", time.time_ns() - 8 * DAY)]
    limits = Limits() if late == "now" else Limits(age=999 * DAY)
    with run_loki(limits) as loki:
        done = run(tmp_path, loki.url, "--late", late, stdin=b"".join(lines))
    assert (done.code, len(loki.lines)) == (0, 10)
    old = [entry for entry in loki.entries if "old-" in entry.line]
    assert len(old) == 5
    assert all("sip_time" in entry.metadata for entry in old) == (late == "now")
    assert all(entry.labels.get("late") == "true" for entry in old) == (late == "label")
    assert said in done.said
    assert "refused 5 records for their time" in done.said


def test_late_is_told_once(tmp_path):
    """Late records are told of when the first one comes, and counted at the end."""
    with run_loki() as loki, Running(tmp_path, loki.url) as running:
        for number in range(3):
            running.feed(list(calls(2, f"old{number}", time.time_ns() - 8 * DAY)))
            wait_for(lambda number=number: len(loki.lines) == 2 * number + 2, "records")
        done = running.end()
    assert done.said.count("it would refuse records") == 1
    assert done.said.count("it would have refused 6 records") == 1


def test_late_drop(tmp_path):
    """Dropped records are in the dead letter, and the run says that they were not delivered."""
    old = list(calls(5, "old", time.time_ns() - 8 * DAY))
    with run_loki() as loki:
        done = run(tmp_path, loki.url, "--late", "drop", stdin=b"".join([*calls(3, "new"), *old]))
    assert (done.code, len(loki.lines)) == (1, 3)
    assert [left["event"]["original"] for left in done.left] == enriched(old)
    assert all(left["error"]["message"].startswith("too_old: ") for left in done.left)
    assert done.sums == (8, 8)


def test_invalid_lines(tmp_path):
    """Lines that are no records arrive wrapped, under the time of their arrival, which is counted."""
    with run_loki() as loki:
        done = run(tmp_path, loki.url, "--invalid", "wrap", "--dead-letter", "", stdin=b'{"a":1}\nnonsense\n\xff\n')
    assert done.code == 0
    assert [json.loads(line).get("a") for line in loki.lines] == [1, None, None]
    assert done.counts["arrival_time"] == 3


def test_a_signal_while_the_server_is_away(tmp_path):
    """On a signal delivery is tried for the time of --drain; what is left lies in the dead letter."""
    lines = list(calls(50, "signal"))

    def before(number: int) -> None:
        if number:
            raise Problem(503, "away")

    drain = ("--drain", "0.5", "--batch-records", "10")
    with run_loki(before=before) as loki, Running(tmp_path, loki.url, *drain) as running:
        running.feed(lines)
        wait_for(lambda: len(loki.answers) > 1, "a refusal")
        done = running.end(signal.SIGTERM)
    assert done.code == 1
    assert len(loki.lines) + len(done.left) == 50
    assert sorted(loki.lines + [left["event"]["original"] for left in done.left]) == sorted(enriched(lines))


def test_to_loki(tmp_path):
    """`--to loki` writes the body of a push in each line, ready for curl."""
    lines = list(calls(20, "curl"))
    done = run(tmp_path, str(tmp_path / "pushes"), "--to", "loki", "--label", "trunk=trunk", stdin=b"".join(lines))
    assert (done.code, done.said) == (0, "")
    with run_loki() as loki:
        for body in (tmp_path / "pushes").read_bytes().splitlines():
            loki.push("/loki/api/v1/push", {"content-type": "application/json"}, body)
    assert sorted(loki.lines) == sorted(enriched(lines))
    assert {entry.labels["trunk"] for entry in loki.entries} == {"trunk-0", "trunk-1", "trunk-2"}


def test_to_loki_with_a_long_record(tmp_path):
    """What Loki would refuse ends the run instead of being lost in a file that nobody checks."""
    record = json.dumps({"sip_code": 486, "pad": "x" * 300}).encode() + b"\n"
    done = run(tmp_path, str(tmp_path / "pushes"), "--to", "loki", "--max-entry", "200", stdin=record)
    assert done.code == 1
    assert "a record would be refused by Loki: line_too_long" in done.said
