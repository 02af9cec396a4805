"""Two commands, one behind the other: both sides of the protocol are ours."""

import json
import subprocess

import certificates
import pytest
from forward_messages import packed
from forward_peers import connect, receive, sipsense, wait_for
from servers.cache import absent
from servers.process import free_port

LINES = b"".join(b'{"sip_code":486,"n":%d}\n' % number for number in range(5000))


def by_unix(folder):
    """Return the URLs and options of both sides over a unix socket."""
    return f"forward+unix://{folder}/s.sock", (), f"forward+unix://{folder}/s.sock", ()


def by_ipv6(folder):
    """Return them for IPv6."""
    port = free_port()
    return f"forward://[::1]:{port}", (), f"forward://[::1]:{port}", ()


def with_key_and_tls(folder):
    """Return them for TLS, a key and a user, compressed."""
    port = free_port()
    certificate, key = certificates.make(folder)
    (folder / "key").write_text("k")
    (folder / "users").write_text("anna:one\nbert:two\n")
    both = ("--shared-key-file", folder / "key", "--password-file", folder / "users")
    source = (*both, "--tls-cert", certificate, "--tls-key", key)
    sink = (*both, "--user", "bert", "--tls-ca", certificate, "--compress", "gzip")
    return f"forward+tls://127.0.0.1:{port}", source, f"forward+tls://127.0.0.1:{port}", sink


@pytest.mark.parametrize("way", [by_unix, by_ipv6, with_key_and_tls])
def test_from_one_to_the_other(tmp_path, way):
    """All records arrive once and in order; enriched twice they are as enriched once."""
    if way is by_ipv6 and not has_ipv6():
        absent("no IPv6 here")
    source, source_args, sink, sink_args = way(tmp_path)
    (tmp_path / "sender").mkdir()
    with (
        sipsense(tmp_path, "--input", source, *source_args) as receiver,
        sipsense(tmp_path / "sender", "--output", sink, *sink_args, stdin=subprocess.PIPE) as sender,
    ):
        sender.process.stdin.write(LINES)
        sender.process.stdin.close()
        assert sender.process.wait(30) == 0, sender.said
        assert receiver.stop() == 143
    records = [json.loads(line) for line in receiver.lines]
    assert [record["n"] for record in records] == list(range(5000))
    assert all(record["sip"]["outcome"] == "busy" for record in records)


def has_ipv6() -> bool:
    """Return whether the loopback address of IPv6 is there."""
    import socket

    try:
        with socket.create_server(("::1", 0), family=socket.AF_INET6):
            return True
    except OSError:
        return False


@pytest.mark.parametrize(
    ("options", "why"),
    [((), "TLS: self-signed certificate"), (("--tls-insecure",), "")],
)
def test_a_certificate_that_nobody_vouches_for(tmp_path, options, why):
    """It is refused, unless that is asked for."""
    port = free_port()
    certificate, key = certificates.make(tmp_path)
    url = f"forward+tls://127.0.0.1:{port}"
    (tmp_path / "sender").mkdir()
    with (
        sipsense(tmp_path, "--input", url, "--tls-cert", certificate, "--tls-key", key) as receiver,
        sipsense(tmp_path / "sender", "--output", url, "--drain", "0", *options, stdin=subprocess.PIPE) as sender,
    ):
        sender.process.stdin.write(b'{"n":1}\n')
        if why:
            sender.wait_until_it_says(why)
            assert sender.stop() == 1
            assert receiver.lines == []
        else:
            wait_for(lambda: receiver.lines, "the record")


def test_a_key_for_the_input_alone(tmp_path):
    """The output may go without the key that the input asks for."""
    first, second = free_port(), free_port()
    (tmp_path / "middle").mkdir()
    middle = ("--input", f"forward://:{first}", "--output", f"forward://127.0.0.1:{second}")
    with (
        sipsense(tmp_path, "--input", f"forward://:{second}") as last,
        sipsense(
            tmp_path / "middle", *middle, "--output-shared-key-file", "none", env={"SIPSENSE_SHARED_KEY": "k"}
        ) as running,
        connect(first) as client,
    ):
        client.sendall(packed(1, chunk="x"))
        assert receive(client, 1)[0][0] == "HELO"
        running.wait_until_it_says("expected PING")
        assert last.lines == []


@pytest.mark.parametrize(
    ("mode", "out", "code"),
    [("pass", [0, 5, 1], 143), ("drop", [0, 1], 143), ("fail", [0], 3)],
)
def test_records_that_are_no_maps(tmp_path, mode, out, code):
    """`--invalid` means for events what it means for lines; `fail` ends the run and acknowledges nothing."""
    import msgpack

    port = free_port()
    with sipsense(tmp_path, "--input", f"forward://:{port}", "--invalid", mode) as running, connect(port) as client:
        client.sendall(msgpack.packb(["t", [[1, {"n": 0}], [1, 5], [1, {"n": 1}]], {"chunk": "x"}]))
        answer = receive(client)
        assert answer == ([] if mode == "fail" else [{"ack": "x"}])
        assert (running.process.wait(30) if mode == "fail" else running.stop()) == code
    values = [json.loads(line) for line in running.lines]
    assert [value["n"] if isinstance(value, dict) else value for value in values] == out
