"""How a server is reached: what of URL, options, files and environment is taken, and what is refused."""

import argparse
import base64
from pathlib import Path

import pytest

from enricher.errors import SettingsError
from filters.delivery.access import Access, access_of
from filters.delivery.options import add_http


@pytest.fixture(autouse=True)
def no_secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave no credentials in the environment."""
    for name in ("SIPSENSE_PASSWORD", "SIPSENSE_API_KEY", "SIPSENSE_BEARER"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def secret(tmp_path: Path):
    """Return what makes a file with a secret."""

    def make(text: str, name: str = "secret") -> str:
        (tmp_path / name).write_text(text)
        return str(tmp_path / name)

    return make


def access(url: str, *words: str, **options) -> Access:
    """Return the access that URL and options lead to."""
    parser = argparse.ArgumentParser()
    add_http(parser)
    return access_of(url, parser.parse_args(words), **options)


def problems(url: str, *words: str) -> list[str]:
    """Return what is wrong with URL and options."""
    with pytest.raises(SettingsError) as caught:
        access(url, *words)
    return list(caught.value.problems)


def authorization(*args: str) -> str:
    """Return what says who we are."""
    return access(*args).headers["Authorization"]


def basic(text: str) -> str:
    """Return the header for a user and a password."""
    return "Basic " + base64.b64encode(text.encode()).decode()


class TestHosts:
    @pytest.mark.parametrize(
        ("url", "shown"),
        [
            ("https://a", "https://a:443"),
            ("http://a", "http://a:80"),
            ("loki+http://a:1,b:2", "http://a:1,b:2"),
            ("elasticsearch://a/x/y/", "https://a:443/x/y"),
            ("https://[::1]:9200,b", "https://[::1]:9200,b:443"),
            ("https://a:1/tief%20er/ä", "https://a:1/tief%20er/%C3%A4"),
        ],
    )
    def test_urls(self, url, shown):
        """Hosts, ports, path and whether there is TLS follow from the URL."""
        assert str(access(url)) == shown

    def test_own_port(self):
        """A kind of target may have a port of its own."""
        assert str(access("opensearch://a,b:1", port=9200)) == "https://a:9200,b:1"

    @pytest.mark.parametrize(
        "url", ["https://", "https://a:x", "https://a,,b", "https://a:0", "https://a/x?y", "https://a/b c"]
    )
    def test_no_urls(self, url):
        """What is no URL is refused."""
        assert problems(url)

    def test_all_at_once(self):
        """All that is wrong is said at once, with the option that the URL stands for."""
        found = problems("http://u@a:x/?q", "--request-timeout", "0", "--tls-client-key", "k", "--tls-insecure")
        assert found == [
            "--output: expected no query, fragment or white space in the URL, got '?q'",
            "--output: expected HOST or HOST:PORT, got 'a:x'",
            "expected a password for u: give --password-file or SIPSENSE_PASSWORD",
            "--request-timeout: expected more than 0 seconds, got '0'",
            "--tls-insecure: expected --output with TLS, got one without",
            "--tls-client-key: expected --output with TLS, got one without",
        ]


class TestCredentials:
    def test_nobody(self):
        """Without credentials there is no header."""
        assert access("https://a").headers == {}

    def test_user_in_the_url(self, monkeypatch):
        """A user in the URL, percent-encoded, gets the password of the environment."""
        monkeypatch.setenv("SIPSENSE_PASSWORD", "pä ss")
        assert authorization("https://us%40er@a") == basic("us@er:pä ss")

    @pytest.mark.parametrize("text", ["other:no\nme:se:cret\n", "me:se:cret"])
    def test_password_file(self, secret, text):
        """A file has a line for the user."""
        assert authorization("https://a", "--user", "me", "--password-file", secret(text)) == basic("me:se:cret")

    def test_lone_password(self, secret):
        """Or it holds nothing but the password."""
        assert authorization("https://me@a", "--password-file", secret("s3cret\n")) == basic("me:s3cret")

    @pytest.mark.parametrize(
        ("text", "sent"), [("id:key\n", base64.b64encode(b"id:key").decode()), ("aWQ6a2V5", "aWQ6a2V5")]
    )
    def test_api_key(self, secret, monkeypatch, text, sent):
        """An API key is taken as its two parts or encoded, from a file or the environment."""
        assert authorization("https://a", "--api-key-file", secret(text)) == f"ApiKey {sent}"
        monkeypatch.setenv("SIPSENSE_API_KEY", text)
        assert authorization("https://a") == f"ApiKey {sent}"

    def test_bearer(self, secret, monkeypatch):
        """A bearer token comes from a file or the environment."""
        assert authorization("https://a", "--bearer-file", secret("t.o.k")) == "Bearer t.o.k"
        monkeypatch.setenv("SIPSENSE_BEARER", "t.o.k")
        assert authorization("https://a") == "Bearer t.o.k"

    def test_never_shown(self, monkeypatch):
        """No way to print it shows the credentials."""
        monkeypatch.setenv("SIPSENSE_PASSWORD", "s3cret")
        found = access("https://me@a")
        for text in (str(found), repr(found), f"{found!r}", repr(found.__rich_repr__())):
            assert "s3cret" not in text
            assert "Basic" not in text

    def test_refused(self, secret, monkeypatch):
        """A password in the URL, contradictions and what cannot be sent are refused without showing a secret."""
        said = [
            *problems("https://me:s3cret@a"),
            *problems("https://me@a", "--user", "you"),
            *problems("https://me@a", "--password-file", secret("you:s3cret")),
            *problems("https://a", "--password-file", secret("me:s3cret")),
            *problems("https://a", "--api-key-file", secret("s3cret s3cret")),
            *problems("https://a", "--bearer-file", secret("s3cret\nmore")),
            *problems("https://a", "--bearer-file", "/nowhere"),
            *problems("https://a", "--api-key-file", secret("")),
        ]
        monkeypatch.setenv("SIPSENSE_PASSWORD", "s3cret")
        monkeypatch.setenv("SIPSENSE_BEARER", "s3cret")
        said += problems("https://me@a", "--api-key-file", secret("s3cret", "key"))
        assert not [text for text in said if "s3cret" in text]
        assert said[0].startswith("--output: expected no password in the URL")
        assert (
            said[-1] == "expected one of user, API key and bearer token, got a user and an API key and a bearer token"
        )
        assert len(said) == 9

    def test_far_without_tls(self, monkeypatch, capsys):
        """Credentials that leave the machine in the clear are a reason to warn."""
        monkeypatch.setenv("SIPSENSE_BEARER", "s3cret")
        access("http://127.0.0.1")
        access("https://far.example")
        assert capsys.readouterr().err == ""
        access("http://127.0.0.1,far.example")
        assert "credentials go to far.example:80 without TLS" in capsys.readouterr().err
