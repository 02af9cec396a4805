"""A real OpenSearch for tests: one node, made of the jars at Maven Central and a `main` of our own.

It needs a JDK from 17 on and Maven; the jars are fetched once, into the cache folder of the tests.
"""

import fcntl
import hashlib
import http.client
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from servers.fluentd import CACHE, free_port

SOURCE = Path(__file__).parent / "opensearch"
START, STOP = 120.0, 30.0
TOOLS = ("javac", "jar", "mvn")
DEBIAN = ("openjdk-17-jdk-headless", "maven")
CLASSPATH = "org.apache.maven.plugins:maven-dependency-plugin:3.8.1:build-classpath"
MODULES = (
    "org.opensearch.transport.Netty4Plugin",
    "TestNode$Painless",
    "org.opensearch.ingest.common.IngestCommonPlugin",
    "org.opensearch.analysis.common.CommonAnalysisPlugin",
    "org.opensearch.index.reindex.ReindexPlugin",
    "org.opensearch.index.mapper.MapperExtrasPlugin",
)
# As few threads and as little memory off the heap as a test needs; no native access, no console of Log4j over JMX.
JVM = (
    "-Xms256m",
    "-Xss1m",
    "-XX:+UseSerialGC",
    "-Dfile.encoding=UTF-8",
    "-Djava.awt.headless=true",
    "-Djna.nosys=true",
    "-Dio.netty.noUnsafe=true",
    "-Dio.netty.noKeySetOptimization=true",
    "-Dio.netty.recycler.maxCapacityPerThread=0",
    "-Dio.netty.allocator.numDirectArenas=0",
    "-Dlog4j2.disable.jmx=true",
    "-Dlog4j.shutdownHookEnabled=false",
)


class NoOpenSearch(Exception):
    """There is no Java, no Maven, or the jars could not be fetched."""


class OpenSearch:
    """A node that can be ended and started again on the same data and the same port.

    Args:
        home: its data and its log lie there.
        modules: the classes of the modules and plugins that it loads.
        settings: settings of the node beside those that `TestNode.java` makes.
        heap: the largest heap of its Java.
        optimize: let Java compile for the best speed, as a benchmark wants it, and start slowly.
    """

    def __init__(
        self, home: Path, modules: Sequence[str], settings: Mapping[str, str], heap: str, optimize: bool
    ) -> None:
        self.home = home
        self.log = home / "opensearch.log"
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        installed = find_opensearch()
        speed = () if optimize else ("-XX:TieredStopAtLevel=1",)  # halves the time to start
        archive = f"-XX:SharedArchiveFile={installed / 'classes.jsa'}"
        self._command = [
            *_java(installed, f"-Xmx{heap}", f"-Djna.tmpdir={home}", archive, *speed),
            *(str(home), str(self.port), str(free_port()), ",".join(modules)),
            *(f"{key}={value}" for key, value in settings.items()),
        ]
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        """Return the id of its process."""
        assert self.process is not None
        return self.process.pid

    @property
    def said(self) -> str:
        """Return what it said so far."""
        return self.log.read_text(errors="replace") if self.log.exists() else ""

    def start(self) -> None:
        """Start it, or start it again, and wait until it answers for its indices.

        It reads its standard input, so that it ends when the tests are killed.
        """
        self.home.mkdir(parents=True, exist_ok=True)
        with open(self.log, "ab") as output:
            self.process = subprocess.Popen(
                self._command, cwd=self.home, stdin=subprocess.PIPE, stdout=output, stderr=output
            )
        due = time.monotonic() + START
        while not self._ready():
            if self.process.poll() is not None or time.monotonic() > due:
                self.kill()
                pytest.fail(f"OpenSearch did not start (exit code {self.process.returncode}):\n{_tail(self.said)}")
            time.sleep(0.1)

    def stop(self, number: int = signal.SIGTERM, seconds: float = STOP) -> int:
        """End it with a signal, after that time with SIGKILL; return its exit code."""
        assert self.process is not None
        if self.process.poll() is None:
            self.process.send_signal(number)
        try:
            return self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.process.kill()
            return self.process.wait(10)
        finally:
            if self.process.stdin:
                self.process.stdin.close()

    def kill(self) -> None:
        """End it with SIGKILL."""
        self.stop(signal.SIGKILL, 10)

    def request(self, method: str, path: str, body: Any = None) -> tuple[int, Any]:
        """Send one request and return its status and what the JSON of the answer says.

        Args:
            method: GET, POST, PUT, DELETE or HEAD.
            path: path and query.
            body: bytes as they are; a list as lines of JSON; anything else as JSON.
        """
        kind = "application/x-ndjson" if isinstance(body, bytes | list) else "application/json"
        if isinstance(body, list):
            body = b"".join(json.dumps(line).encode() + b"\n" for line in body)
        elif body is not None and not isinstance(body, bytes):
            body = json.dumps(body).encode()
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        try:
            connection.request(method, path, body, {} if body is None else {"Content-Type": kind})
            answer = connection.getresponse()
            text = answer.read()
        finally:
            connection.close()
        if (answer.getheader("Content-Type") or "").startswith("application/json"):
            return answer.status, json.loads(text or b"null")
        return answer.status, text.decode()

    def ask(self, method: str, path: str, body: Any = None) -> Any:
        """Send one request and return what its answer says; the test fails where the status is no 2xx."""
        status, answer = self.request(method, path, body)
        assert 200 <= status < 300, f"{method} {path}: {status} {answer}"
        return answer

    def _ready(self) -> bool:
        try:
            return self.request("GET", "/_cluster/health?wait_for_status=yellow&timeout=30s")[0] == 200
        except OSError:
            return False


@contextmanager
def run_opensearch(
    workdir: Path,
    modules: Sequence[str] = (),
    settings: Mapping[str, str] | None = None,
    heap: str = "768m",
    optimize: bool = False,
) -> Iterator[OpenSearch]:
    """Run OpenSearch with its data in `workdir/opensearch` until the block is left; wait until it is ready.

    The end of its log is printed when the block is left by an exception.

    Args:
        workdir: where its data and its log go.
        modules: the classes of plugins to load beside `MODULES`.
        settings: settings of the node, such as `{"http.max_content_length": "1mb"}`.
        heap: the largest heap of its Java.
        optimize: let Java compile for the best speed, as a benchmark wants it, and start slowly.
    """
    server = OpenSearch(workdir / "opensearch", (*MODULES, *modules), settings or {}, heap, optimize)
    server.start()
    try:
        yield server
    except BaseException:
        print(_tail(server.said))
        raise
    finally:
        server.stop()


_found: list[Path] = []


def find_opensearch() -> Path:
    """Return the folder of what a node needs; fill it if it is not there.

    A test is skipped, with the reason printed, where that fails; with CI in the environment it fails.
    """
    if not _found:
        try:
            _found.append(locate())
        except NoOpenSearch as reason:
            print(f"no OpenSearch: {reason}", file=sys.stderr)
            if os.environ.get("CI", "").lower() in ("true", "1"):
                pytest.fail(f"no OpenSearch: {reason}")
            pytest.skip(f"no OpenSearch: {reason}")
    return _found[0]


def locate() -> Path:
    """Return the folder of what a node needs; fetch its jars and compile its `main` if that was not done.

    Raises:
        NoOpenSearch: that failed.
    """
    digest = hashlib.sha256(b"".join((SOURCE / name).read_bytes() for name in ("pom.xml", "TestNode.java")))
    home = CACHE / f"opensearch-{digest.hexdigest()[:12]}"
    CACHE.mkdir(parents=True, exist_ok=True)
    with open(CACHE / "opensearch.lock", "w") as lock:  # several sessions may start at once
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (home / "done").exists():
            _install(home)
    return home


def _install(home: Path) -> None:
    if missing := [tool for tool in TOOLS if not shutil.which(tool)]:
        if os.geteuid() or not shutil.which("apt-get"):
            raise NoOpenSearch(f"{' and '.join(missing)} not on the PATH (Debian: {', '.join(DEBIAN)})")
        _call(["apt-get", "update", "-q"])
        _call(["apt-get", "install", "-y", "-q", "--no-install-recommends", *DEBIAN])
    home.mkdir(exist_ok=True)
    jars = home / "classpath"
    maven = ["mvn", "-q", "-B", f"-Dmaven.repo.local={CACHE / 'maven'}", "-f", str(SOURCE / "pom.xml")]
    _call([*maven, CLASSPATH, f"-Dmdep.outputFile={jars}"])
    _call(["javac", "-d", str(home / "classes"), "-cp", jars.read_text(), str(SOURCE / "TestNode.java")])
    _call(["jar", "cf", str(home / "node.jar"), "-C", str(home / "classes"), "."])
    # One start without input, which ends at once, leaves its loaded classes: later ones start in half the time.
    with tempfile.TemporaryDirectory() as folder:
        ports = str(free_port()), str(free_port())
        _call([*_java(home, f"-XX:ArchiveClassesAtExit={home / 'classes.jsa'}"), folder, *ports, ",".join(MODULES)])
    (home / "done").touch()


def _java(installed: Path, *options: str) -> list[str]:
    path = f"{installed / 'node.jar'}:{(installed / 'classpath').read_text()}"
    return ["java", *JVM, *options, "-cp", path, "TestNode"]


def _call(command: list[str]) -> None:
    try:
        done = subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, check=False, text=True, timeout=900
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise NoOpenSearch(f"{command[0]}: {error}") from None
    if done.returncode:
        raise NoOpenSearch(f"{command[0]} failed: {_tail(done.stderr or done.stdout, 5)}")


def _tail(text: str, lines: int = 40) -> str:
    return "\n".join(text.splitlines()[-lines:])
