"""What can be wrong with the options of the forward protocol: all of it is told at once, before anything is read."""

import os

import pytest

from filters.cli import main
from filters.endpoints import SINKS


@pytest.fixture
def told(capsys, monkeypatch):
    """Return what runs the command with wrong options, and gives what it says."""
    monkeypatch.delenv("SIPSENSE_SHARED_KEY", raising=False)

    def run(*args: object) -> list[str]:
        assert main([str(arg) for arg in args]) == 2
        captured = capsys.readouterr()
        assert captured.out == ""
        return [line.removeprefix("sipsense: ") for line in captured.err.splitlines()]

    return run


IN, OUT = ("--input", "forward://:1"), ("--output", "forward://log")


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (
            ("--input", "tcp://x"),
            "--input: expected forward://..., forward+tls://..., forward+unix://..., got 'tcp://x'",
        ),
        (
            ("--output", "udp://x"),
            f"--output: expected {', '.join(f'{scheme}://...' for scheme in SINKS)}, got 'udp://x'",
        ),
        (
            ("--input", "x.jsonl"),
            "--input: expected forward://..., forward+tls://..., forward+unix://..., got 'x.jsonl'",
        ),
        (("--input", "forward://a:1,b:2"), "--input: expected one address and no tag, got 'forward://a:1,b:2'"),
        (("--input", "forward://a:1/tag"), "--input: expected one address and no tag, got 'forward://a:1/tag'"),
        (("--input", "forward://a:99999"), "--input: expected HOST or HOST:PORT, got 'a:99999'"),
        (("--output", "forward://"), "--output: expected HOST or HOST:PORT, got ''"),
        (("--output", "forward://a:x"), "--output: expected HOST or HOST:PORT, got 'a:x'"),
        (("--output", "forward+unix://x"), "--output: expected forward+unix:///PATH, got 'forward+unix://x'"),
        (
            ("--output", "forward://u:p@a"),
            "--output: expected no user and no password in the URL: others can see it in the list of processes",
        ),
        ((*IN, "x.jsonl"), "--input: expected no FILE beside it, got x.jsonl"),
        (
            (*IN, "--jobs", "2"),
            "--jobs: expected 1 with a URL for --input, got 2: one process serves the connections",
        ),
        (
            (*OUT, "--jobs", "2"),
            "--jobs: expected 1 with a URL for --output, got 2: one process serves the connections",
        ),
        ((*IN, "--max-message", "x"), "--max-message: expected a size such as 64KiB or 16MiB, got 'x'"),
        ((*IN, "--max-connections", "0"), "--max-connections: expected a whole number above 0, got '0'"),
        ((*IN, "--idle", "x"), "--idle: expected a number of seconds, got 'x'"),
        ((*OUT, "--drain", "-1"), "--drain: expected a number of seconds, got '-1'"),
        ((*OUT, "--ack-timeout", "1e9"), "--ack-timeout: expected a number of seconds, got '1e9'"),
        (("--input", "forward+tls://:1"), "--input: forward+tls needs --tls-cert and --tls-key"),
        (
            ("--input", "forward+tls://:1", "--tls-cert", "/none", "--tls-key", "/none"),
            "--tls-cert: /none or /none cannot be used: No such file or directory",
        ),
        (
            ("--output", "forward+tls://a", "--tls-ca", "/none"),
            "--tls-ca: /none cannot be used: No such file or directory",
        ),
        ((*OUT, "--shared-key-file", "/none"), "--shared-key-file: /none cannot be read: No such file or directory"),
        ((*OUT, "--shared-key-file", os.devnull), "--shared-key-file: /dev/null is empty"),
        ((*OUT, "--user", "anna"), "--user: expected --password-file with a line for anna"),
        ((*OUT, "--tag", "${time}"), "--tag: expected no placeholders but ${tag} and ${tag[N]}, got '${time}'"),
        (
            (*OUT, "--tag", "${tag}"),
            "--tag: expected no placeholders for lines, which come without a tag, got '${tag}'",
        ),
        (
            ("--output", "forward://a/t", "--tag", "x"),
            "--tag: expected no tag in the URL beside it, got 'forward://a/t'",
        ),
        (("--tag", "x"), "--tag: expected a URL for --output, or --tag-key: nothing else has a tag"),
        (
            ("--time-key", "t"),
            "--time-key: expected a URL for --input and none for --output: only there events become lines",
        ),
        (
            (*IN, *OUT, "--tag-key", "t"),
            "--tag-key: expected a URL for --input and none for --output: only there events become lines",
        ),
    ],
)
def test_each(told, args, message):
    """Each mistake is told with what was expected and what came."""
    assert told(*args) == [message]


def test_all_at_once(told):
    """Several mistakes are told together, those of other options too."""
    found = told(
        "--input", "forward://x:y", "--output", "forward://:1", "--idle", "x", "--drain", "y", "--max-line", "z"
    )
    assert [problem.split(":")[0] for problem in found] == ["--max-line", "--input", "--idle", "--output", "--drain"]


def test_users_without_a_key(told, tmp_path):
    """Users are only asked for together with a key, and each has a password."""
    users = tmp_path / "users"
    users.write_text("anna:x\n")
    assert told(*IN, "--password-file", users) == [
        "--password-file: expected --shared-key-file or SIPSENSE_SHARED_KEY beside it"
    ]
    users.write_text("anna\n")
    assert told(*OUT, "--password-file", users) == [f"--password-file: {users}: expected USER:PASSWORD in each line"]
    users.write_text("anna:x\nbert:y\n")
    assert told(*OUT, "--password-file", users) == ["--password-file: expected one user, or --user to say which"]


def test_a_port_that_is_taken(told):
    """Where nobody can listen, it says so and ends."""
    import socket

    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert told("--input", f"forward://:{port}") == [
            f"--input: cannot listen on 127.0.0.1:{port}: Address already in use"
        ]


def test_a_missing_package(told, monkeypatch):
    """Without fluent-logger the output says what to install."""
    import sys

    monkeypatch.setitem(sys.modules, "filters.forward.target", None)
    assert told(*OUT) == ["--output: forward needs one package more: pip install 'sipsense[forward]'"]


def test_the_plain_stream_starts_without_it():
    """Nothing of the forward protocol but its options is imported for lines."""
    import subprocess
    import sys
    from pathlib import Path

    code = (
        "import sys, io; from filters.cli import main; main(['/dev/null'])\n"
        "bad = ('fluent', 'ssl', 'socket', 'filters.forward.wire', 'filters.forward.settings')\n"
        "print([name for name in bad if name in sys.modules], file=sys.stderr)"
    )
    root = Path(__file__).resolve().parents[2]
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=root, capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stderr == "[]\n"
