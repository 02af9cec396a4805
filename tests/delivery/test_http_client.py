"""The HTTP client, against servers that behave and servers that do not."""

import argparse
import gzip
import threading
import time
from email.utils import formatdate

import certs
import pytest
from servers.faults import HttpServer, Reply, reply
from servers.process import free_port

from filters.delivery.access import Access, access_of
from filters.delivery.content import content
from filters.delivery.http import Http, Unreachable
from filters.delivery.options import add_http
from filters.delivery.pauses import Pauses
from filters.forward.address import Tcp


def client(*ports: int, **options) -> Http:
    """Return a client of these ports."""
    hosts = tuple(Tcp("127.0.0.1", port) for port in ports)
    return Http(Access(hosts, **{"timeout": (5.0, 5.0)} | options))


def by_url(url: str, *words: str) -> Http:
    """Return a client as URL and options want it."""
    parser = argparse.ArgumentParser()
    add_http(parser)
    return Http(access_of(url, parser.parse_args(words)))


class TestRequests:
    def test_what_is_sent(self):
        """Path, body and headers arrive, those of the access and our name too; on request the body is compressed."""
        with HttpServer(lambda asked: reply({"ok": 1}, 201)) as server:
            http = client(server.port, path="/p", headers={"Authorization": "x"})
            answer = http.request("PUT", "/a?b=c", *content(b"body" * 100, {"Content-Type": "t"}, gzip=True))
            http.close()
        (asked,) = server.asked
        assert (asked.method, asked.path, asked.body) == ("PUT", "/p/a?b=c", b"body" * 100)
        assert asked.headers["Authorization"] == "x"
        assert asked.headers["Content-Type"] == "t"
        assert asked.headers["User-Agent"].startswith("sipsense/")
        assert int(asked.headers["Content-Length"]) < 400
        assert (answer.status, answer.body) == (201, b'{"ok": 1}')

    def test_compressed_answer(self):
        """An answer that comes compressed is decompressed."""
        packed = gzip.compress(b"text")
        with HttpServer(lambda asked: Reply(200, packed, {"Content-Encoding": "gzip"})) as server:
            http = client(server.port)
            assert http.request("GET", "/").body == b"text"
            http.close()

    def test_one_connection(self):
        """Requests one after the other share a connection, also behind an error and an empty answer."""
        with HttpServer(lambda asked: Reply((200, 500, 204)[asked.number % 3], b"x")) as server:
            http = client(server.port)
            assert [http.request("POST", "/", b"").status for _ in range(6)] == [200, 500, 204] * 2
            assert http._hosts[0].pool.num_connections == 1
            http.close()

    def test_redirects(self):
        """A redirect is an answer; credentials are not carried elsewhere."""
        with HttpServer(lambda asked: Reply(302, b"", {"Location": "http://127.0.0.1:1/"})) as server:
            http = client(server.port)
            assert http.request("GET", "/").status == 302
            http.close()

    @pytest.mark.parametrize(("header", "least", "most"), [("7", 7, 7), ("nonsense", None, None), ("0", 0, 0)])
    def test_retry_after(self, header, least, most):
        """The header is understood as seconds."""
        with HttpServer(lambda asked: Reply(429, b"", {"Retry-After": header})) as server:
            http = client(server.port)
            asked = http.request("GET", "/").retry_after
            http.close()
        assert asked is None if least is None else least <= asked <= most

    def test_retry_after_a_date(self):
        """Or as a date; one that has passed is no time."""
        dates = [formatdate(time.time() + 1000, usegmt=True), formatdate(0, usegmt=True)]
        with HttpServer(lambda asked: Reply(503, b"", {"Retry-After": dates[asked.number]})) as server:
            http = client(server.port)
            assert 900 < http.request("GET", "/").retry_after <= 1000
            assert http.request("GET", "/").retry_after == 0
            http.close()


class TestFailures:
    @pytest.mark.parametrize(
        ("answer", "why"),
        [
            (Reply(end="cut"), "Remote end closed connection without response"),
            (Reply(200, b"abcdef", end="half"), "its answer was cut off"),
            (Reply(200, b"no gzip", {"Content-Encoding": "gzip"}), "incorrect header check"),
        ],
    )
    def test_half_answers(self, answer, why):
        """What is not a whole answer is none, and said in few words."""
        with HttpServer(lambda asked: answer) as server:
            http = client(server.port)
            with pytest.raises(Unreachable) as caught:
                http.request("POST", "/", b"")
            http.close()
        assert f"127.0.0.1:{server.port}: " in str(caught.value)
        assert why in str(caught.value)

    def test_silence(self):
        """A server that says nothing for too long is left."""
        silent = threading.Event()

        def answer(_) -> Reply:
            silent.wait(30)
            return Reply()

        with HttpServer(answer) as server:
            http = client(server.port, timeout=(5.0, 0.2))
            with pytest.raises(Unreachable, match="it does not answer in time"):
                http.request("GET", "/")
            silent.set()
            http.close()

    def test_nobody(self):
        """All hosts that were tried are named."""
        ports = free_port(), free_port()
        with pytest.raises(Unreachable) as caught:
            client(*ports).request("GET", "/")
        assert sorted(str(caught.value).split("; ")) == sorted(
            f"127.0.0.1:{port}: Connection refused" for port in ports
        )

    def test_unknown_name(self):
        """A name that nobody knows is told as such."""
        with pytest.raises(Unreachable, match=r"^no-such-host\.invalid:80: its name cannot be resolved$"):
            by_url("http://no-such-host.invalid").request("GET", "/")


class TestHosts:
    def test_turns(self):
        """Hosts that answer take turns."""
        with HttpServer(lambda _: Reply()) as first, HttpServer(lambda _: Reply()) as second:
            http = client(first.port, second.port)
            for _ in range(10):
                http.request("GET", "/")
            http.close()
        assert (len(first.asked), len(second.asked)) == (5, 5)

    def test_fail_over(self, capsys):
        """The next host is asked where one fails, which is left out for a while and told once, as is its return."""
        broken = True

        def answer(_) -> Reply:
            return Reply(end="cut") if broken else Reply()

        with HttpServer(answer) as first, HttpServer(lambda _: Reply()) as second:
            http = client(first.port, second.port)
            assert [http.request("POST", "/", b"").status for _ in range(20)] == [200] * 20
            assert 0 < len(first.asked) < 10
            broken, asked = False, len(first.asked)
            http._hosts[0].until = 0.0
            for _ in range(4):
                http.request("GET", "/")
            assert len(first.asked) == asked + 2
            http.close()
        assert capsys.readouterr().err == (
            f"sipsense: 127.0.0.1:{first.port}: Remote end closed connection without response; another host stands in\n"
            f"sipsense: 127.0.0.1:{first.port}: answers again\n"
        )

    def test_the_only_one(self, capsys):
        """A host that fails is asked again by the next request; that nobody answers is left to the caller to tell."""
        with HttpServer(lambda asked: Reply(end="whole" if asked.number else "cut")) as server:
            http = client(server.port)
            with pytest.raises(Unreachable):
                http.request("GET", "/")
            assert http.request("GET", "/").status == 200
            http.close()
        assert capsys.readouterr().err == ""


@pytest.fixture(scope="module")
def signed(tmp_path_factory):
    """Return certificates."""
    return certs.make(tmp_path_factory.mktemp("tls"))


class TestTls:
    def test_own_authority(self, signed):
        """A server whose certificate an own authority signed is trusted by --tls-ca, and not without."""
        with HttpServer(lambda _: reply(1), context=certs.server_context(signed)) as server:
            http = by_url(server.url, "--tls-ca", str(signed.ca))
            assert http.request("GET", "/").body == b"1"
            http.close()
            with pytest.raises(Unreachable, match="TLS: unable to get local issuer certificate"):
                by_url(server.url).request("GET", "/")
            http = by_url(server.url, "--tls-insecure")
            assert http.request("GET", "/").status == 200
            http.close()

    def test_another_name(self, signed):
        """A certificate for another name is refused."""
        with HttpServer(lambda _: reply(1), context=certs.server_context(signed)) as server:
            url = server.url.replace("127.0.0.1", "localhost")
            with pytest.raises(Unreachable, match="TLS: Hostname mismatch"):
                by_url(url, "--tls-ca", str(signed.ca)).request("GET", "/")

    def test_client_certificate(self, signed):
        """Where the server asks for it, ours is shown."""
        with HttpServer(lambda _: reply(1), context=certs.server_context(signed, client=True)) as server:
            trust = ("--tls-ca", str(signed.ca))
            with pytest.raises(Unreachable):
                by_url(server.url, *trust).request("GET", "/")
            http = by_url(server.url, *trust, "--tls-client-cert", str(signed.client))
            assert http.request("GET", "/").status == 200
            http.close()

    def test_no_tls(self, signed):
        """A server that speaks no TLS is told as such."""
        with HttpServer(lambda _: reply(1)) as server:
            url = server.url.replace("http:", "https:")
            with pytest.raises(Unreachable, match="TLS: "):
                by_url(url, "--tls-ca", str(signed.ca)).request("GET", "/")


class TestPauses:
    def test_they_grow_and_differ(self):
        """Each is up to twice the one before, none is longer than the longest, and two senders do not agree."""
        pauses, others = Pauses(1.0, 8.0), Pauses(1.0, 8.0)
        found = [pauses.next() for _ in range(10)]
        for pause, most in zip(found, [1, 2, 4, 8, 8, 8, 8, 8, 8, 8], strict=True):
            assert most / 2 <= pause <= most
        assert found != [others.next() for _ in range(10)]
        pauses.reset()
        assert pauses.next() <= 1

    def test_retry_after(self):
        """A server's wish for more patience is met, within reason."""
        assert Pauses().next(7.5) == 7.5
        assert Pauses(4.0).next(0.5) >= 2
        assert Pauses().next(1e9) == 3600
