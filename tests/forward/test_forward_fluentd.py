"""The forward source and sink between real Fluentds."""

import json
import re
import subprocess
import time
from collections import Counter
from pathlib import Path

import certificates
import pytest
from forward_messages import packed
from forward_peers import connect, receive, sipsense, wait_for
from servers.fluentd import run_fluentd, start_fluentd
from servers.process import free_port

KEY = "s3cret"
MANY = 200_000

BEHIND = """
<system>
  log_level info
</system>
<source>
  @type forward
  bind 127.0.0.1
  port {port}
  {source}
</source>
<match calls.**>
  @type file
  path {out}
  append true
  <format>
    @type json
  </format>
  <inject>
    tag_key tag
    time_key at
    time_type string
    time_format %s.%N
  </inject>
  <buffer []>
    @type file
    path {out}.buffer
    flush_mode interval
    flush_interval 3600
    flush_at_shutdown true
  </buffer>
</match>
<match **>
  @type null
</match>
"""

IN_FRONT = """
<source>
  @type forward
  bind 127.0.0.1
  port {port}
</source>
<match calls.**>
  @type forward
  require_ack_response true
  ack_response_timeout 20
  {options}
  <server>
    host 127.0.0.1
    port {target}
    {server}
  </server>
  <buffer>
    @type memory
    flush_mode interval
    flush_interval 0.2
    flush_thread_interval 0.05
    flush_thread_burst_interval 0.01
    chunk_limit_size 256k
    flush_at_shutdown true
  </buffer>
</match>
<match **>
  @type null
</match>
"""


def arrived(folder: Path) -> list[dict]:
    """Return what the Fluentd behind has written."""
    return [json.loads(line) for path in sorted(folder.glob("out*.log")) for line in path.read_text().splitlines()]


def plain(folder: Path) -> dict:
    """Return the settings of a route without keys, with UDP heartbeats."""
    return {"scheme": "forward", "front": {"options": "heartbeat_type udp", "server": ""}, "behind": "", "args": ()}


def keyed(folder: Path) -> dict:
    """Return the settings of a route with a shared key and users, compressed."""
    (folder / "key").write_text(KEY)
    (folder / "passwords").write_text("anna:one\nbert:two\n")
    users = "<user>\n username bert\n password two\n </user>"
    return {
        "scheme": "forward",
        "front": {
            "options": f"compress gzip\n<security>\n self_hostname front\n shared_key {KEY}\n</security>",
            "server": "username anna\npassword one",
        },
        "behind": f"<security>\n self_hostname behind\n shared_key {KEY}\n user_auth true\n {users}\n</security>",
        "args": (
            *("--shared-key-file", folder / "key", "--password-file", folder / "passwords", "--user", "bert"),
            *("--compress", "gzip"),
        ),
    }


def by_tls(folder: Path) -> dict:
    """Return the settings of a route with TLS."""
    certificate, key = certificates.make(folder)
    return {
        "scheme": "forward+tls",
        "front": {
            "options": f"transport tls\ntls_cert_path {certificate}\ntls_allow_self_signed_cert true"
            # Ruby compares addresses in another way.
            "\ntls_verify_hostname false",
            "server": "",
        },
        "behind": f"<transport tls>\n cert_path {certificate}\n private_key_path {key}\n</transport>",
        "args": ("--tls-cert", certificate, "--tls-key", key, "--tls-ca", certificate),
    }


@pytest.mark.parametrize("route", [plain, keyed, by_tls])
def test_between_two_fluentds(tmp_path, route):
    """Each record passes once, with its tag and its nanoseconds, enriched."""
    front, middle, behind = free_port(), free_port(), free_port()
    settings = route(tmp_path)
    out, count = tmp_path / "out", 20_000
    urls = [f"{settings['scheme']}://127.0.0.1:{port}" for port in (middle, behind)]
    with (
        run_fluentd(BEHIND.format(port=behind, out=out, source=settings["behind"]), tmp_path / "behind"),
        sipsense(tmp_path, "--input", urls[0], "--output", urls[1], *settings["args"]) as running,
    ):
        config = IN_FRONT.format(port=front, target=middle, **settings["front"])
        with run_fluentd(config, tmp_path / "front"), connect(front) as client:
            for first in range(0, count, 1000):
                client.sendall(packed(1000, first, f"calls.{first}", chunk=str(first)))
                assert receive(client) == [{"ack": str(first)}]
        # The one in front has delivered everything when it has ended.
        assert running.stop() == 143, running.said
    assert "ended" not in running.said
    records = sorted(arrived(tmp_path), key=lambda record: record["n"])
    assert [record["n"] for record in records] == list(range(count))
    assert all(record["tag"] == f"calls.{record['n'] // 1000 * 1000}" for record in records)
    assert all(record["at"] == f"1700000000.{record['n']:09d}" for record in records)
    assert all(record["sip"]["outcome"] == "busy" for record in records)


def test_a_target_that_is_killed(tmp_path):
    """None of 200 000 records is lost, and only those of the batch in flight may come twice."""
    port, out = free_port(), tmp_path / "out"
    lines = tmp_path / "calls.jsonl"
    with open(lines, "w") as file:
        file.writelines(f'{{"sip_code":486,"sip_reason":"Busy Here","n":{number}}}\n' for number in range(MANY))
    config = BEHIND.format(port=port, out=out, source="")
    fluentd = start_fluentd(config, tmp_path / "behind")
    try:
        args = (lines, "--fields", "outcome", "-o", f"forward://127.0.0.1:{port}/calls.x", "--ack-timeout", "20")
        with sipsense(tmp_path, *args) as running:
            for share in (0.2, 0.5):
                wait_for(lambda share=share: buffered(tmp_path) > share * MANY * 80, "records in the buffer", 120)
                fluentd.kill()
                time.sleep(0.3)  # some attempts are to meet nobody
                fluentd = start_fluentd(config, tmp_path / "behind")
            assert running.process.wait(120) == 0, running.said
        assert running.said.count("takes records again") == 2  # each kill was in mid-stream
    finally:
        fluentd.stop()
    # Half a record may lie where the process was killed, so this looks for numbers, not for lines.
    written = b"".join(path.read_bytes() for path in tmp_path.glob("out*.log"))
    counts = Counter(map(int, re.findall(rb'"n":(\d+),"sip"', written)))
    twice = sorted(number for number, count in counts.items() if count > 1)
    print(f"came twice: {len(twice)} of {MANY}")
    assert set(range(MANY)) <= set(counts)
    batch = (64 * 1024) // len('{"sip_code":486,"sip_reason":"Busy Here","n":0}') + 1
    assert len(twice) <= 2 * batch
    assert all(count <= 3 for count in counts.values())


def buffered(folder: Path) -> int:
    """Return how many bytes the Fluentd behind has in its buffer."""
    return sum(path.stat().st_size for path in folder.glob("out.buffer/*.log"))


def test_a_key_that_is_missing(tmp_path):
    """A Fluentd that asks for a key is named as the reason, and nothing is lost."""
    port, out = free_port(), tmp_path / "out"
    source = "<security>\n self_hostname behind\n shared_key k\n</security>"
    with run_fluentd(BEHIND.format(port=port, out=out, source=source), tmp_path / "behind"):
        args = ("-o", f"forward://127.0.0.1:{port}", "--drain", "0.1", "--dead-letter", tmp_path / "left")
        with sipsense(tmp_path, *args, stdin=subprocess.PIPE) as running:
            running.process.stdin.write(b'{"sip_code":486}\n')
            running.wait_until_it_says("asks for a shared key")
            assert running.stop() == 1
        with sipsense(tmp_path, *args, stdin=subprocess.PIPE, env={"SIPSENSE_SHARED_KEY": "wrong"}) as running:
            running.process.stdin.write(b'{"sip_code":486}\n')
            running.wait_until_it_says("shared_key mismatch")
            assert running.stop() == 1
    assert len((tmp_path / "left").read_text().splitlines()) == 2
