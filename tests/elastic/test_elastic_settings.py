"""Elasticsearch as an output: who we are, and what of the settings can be wrong."""

import base64
import sys

import pytest
from sending import call, sipsense, took
from servers.faults import HttpServer, reply

from filters.cli import main

pytestmark = pytest.mark.usefixtures("patience")


class TestCredentials:
    @pytest.mark.parametrize(
        ("args", "file", "sent"),
        [
            (("--user", "me", "--password-file"), "s3cret", "Basic " + base64.b64encode(b"me:s3cret").decode()),
            (("--api-key-file",), "id:s3cret", "ApiKey " + base64.b64encode(b"id:s3cret").decode()),
            (("--bearer-file",), "s3cret", "Bearer s3cret"),
        ],
    )
    def test_each_kind(self, tmp_path, args, file, sent):
        """Credentials of each kind go with every request, and nowhere else."""
        (tmp_path / "file").write_text(file)
        with HttpServer(took) as server:
            done = sipsense("-o", server.url, *args, tmp_path / "file", "--stats", stdin=call(1))
            assert done.returncode == 0, done.stderr
            assert {asked.headers.get("Authorization") for asked in server.asked} == {sent}
            assert any("_bulk" in asked.path for asked in server.asked)
        assert "s3cret" not in done.stdout + done.stderr

    def test_wrong_from_the_start(self):
        """Wrong credentials are told before anything is read, without showing them."""
        with HttpServer(lambda _: reply({"error": {"type": "security_exception"}}, 401)) as server:
            url = server.url.replace("://", "://me@")
            done = sipsense("-o", url, stdin=call(1), SIPSENSE_PASSWORD="s3cret")
            assert (done.returncode, len(server.asked)) == (2, 1)
            assert done.stderr == f"sipsense: --output: {server.url}: 401: the credentials are wrong\n"
            done = sipsense("-o", server.url, stdin=call(1))
            assert "401: expected --user, --api-key-file or --bearer-file" in done.stderr

    def test_not_allowed(self):
        """A right that is missing ends the run when the first records come, with the server's reason."""
        refused = {"error": {"type": "security_exception", "reason": "no create_doc"}, "status": 403}
        with HttpServer(lambda asked: reply(refused, 403) if "_bulk" in asked.path else took(asked)) as server:
            done = sipsense("-o", server.url, stdin=call(1))
        assert done.returncode == 1
        said = f"sipsense: {server.url}: 403: security_exception: no create_doc; 1 records were not delivered\n"
        assert done.stderr.endswith(said)

    def test_in_the_url(self):
        """A password in the URL is refused."""
        done = sipsense("-o", "https://me:s3cret@127.0.0.1", stdin=call(1))
        assert done.returncode == 2
        assert "expected no password in the URL" in done.stderr
        assert "s3cret" not in done.stderr


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (("-o", "http://a", "--index", "Calls"), "--index: expected at most 255 bytes in lower case"),
        (
            ("-o", "http://a", "--index", "c", "--data-stream", "d"),
            "--index: expected no --data-stream beside it, got 'd'",
        ),
        (("-o", "http://a", "--data-stream", "a-{%Y}"), "--data-stream: expected at most"),
        (("-o", "http://a", "--invalid", "pass"), "--invalid: expected wrap, drop or fail with --output"),
        (("--to", "bulk", "--invalid", "pass"), "--invalid: expected wrap, drop or fail with --to bulk"),
        (("-o", "http://a", "--to", "bulk"), "--to: expected no URL for --output beside it, got bulk"),
        (("-o", "http://a", "--jobs", "2"), "--jobs: expected 1 with a URL for --output"),
        (("-o", "http://a", "--in-flight", "65"), "--in-flight: expected at most 64, got 65"),
        (("-o", "http://a", "--batch-records", "0"), "--batch-records: expected a whole number above 0, got '0'"),
        (("-o", "http://a", "--batch-size", "x"), "--batch-size: expected a size such as"),
        (("-o", "http://a", "--batch-time", "x"), "--batch-time: expected a number of seconds, got 'x'"),
    ],
)
def test_settings(args, message):
    """What is wrong with settings is told before the first record."""
    done = sipsense(*args, stdin=call(1))
    assert (done.returncode, done.stdout) == (2, "")
    assert f"sipsense: {message}" in done.stderr


def test_without_the_package(monkeypatch, capsys):
    """Where the package for HTTP is missing, its name is told."""
    monkeypatch.setitem(sys.modules, "filters.delivery.http", None)
    assert main(["-o", "https://a"]) == 2
    assert "--output: HTTP needs one package more: pip install 'sipsense[http]'" in capsys.readouterr().err
