"""A real OpenSearch for tests: one node, made of the jars at Maven Central and a `main` of our own.

It needs a JDK from 17 on and Maven; the jars are fetched once, into the cache folder of the tests.
"""

import hashlib
import http.client
import json
import subprocess
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

from servers.cache import call, install, locked, needed
from servers.process import Server, free_port, until_left

SOURCE = Path(__file__).parent / "opensearch"
START = 120.0  # seconds
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


class OpenSearch(Server):
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
        super().__init__("OpenSearch", home / "opensearch.log")
        self.home = home
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

    def start(self) -> None:
        """Start it, or start it again, and wait until it answers for its indices.

        It reads its standard input, so that it ends when the tests are killed.
        """
        self.home.mkdir(parents=True, exist_ok=True)
        with open(self.log, "ab") as output:
            self.process = subprocess.Popen(
                self._command, cwd=self.home, stdin=subprocess.PIPE, stdout=output, stderr=output
            )
        self.wait_until(self._ready, START)

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
    with until_left(server):
        server.start()
        yield server


@cache
def find_opensearch() -> Path:
    """Return the folder of what a node needs; fill it if it is not there, else the test is skipped."""
    return needed("OpenSearch", locate)


def locate() -> Path:
    """Return the folder of what a node needs; fetch its jars and compile its `main` if that was not done.

    Raises:
        Missing: that failed.
    """
    digest = hashlib.sha256(b"".join((SOURCE / name).read_bytes() for name in ("pom.xml", "TestNode.java")))
    with locked("opensearch") as cache_folder:
        home = cache_folder / f"opensearch-{digest.hexdigest()[:12]}"
        if not (home / "done").exists():
            _install(home)
    return home


def _install(home: Path) -> None:
    install(TOOLS, DEBIAN)
    home.mkdir(exist_ok=True)
    jars = home / "classpath"
    maven = ["mvn", "-q", "-B", f"-Dmaven.repo.local={home.parent / 'maven'}", "-f", str(SOURCE / "pom.xml")]
    call([*maven, CLASSPATH, f"-Dmdep.outputFile={jars}"])
    call(["javac", "-d", str(home / "classes"), "-cp", jars.read_text(), str(SOURCE / "TestNode.java")])
    call(["jar", "cf", str(home / "node.jar"), "-C", str(home / "classes"), "."])
    # One start without input, which ends at once, leaves its loaded classes: later ones start in half the time.
    with tempfile.TemporaryDirectory() as folder:
        ports = str(free_port()), str(free_port())
        call([*_java(home, f"-XX:ArchiveClassesAtExit={home / 'classes.jsa'}"), folder, *ports, ",".join(MODULES)])
    (home / "done").touch()


def _java(installed: Path, *options: str) -> list[str]:
    path = f"{installed / 'node.jar'}:{(installed / 'classpath').read_text()}"
    return ["java", *JVM, *options, "-cp", path, "TestNode"]
