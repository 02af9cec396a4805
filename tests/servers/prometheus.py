"""A real Prometheus for tests, over values of the past that are given to it as a file."""

import json
import subprocess
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from servers.process import free_port
from servers.promtool import find, promtool

START = 60.0
Vector = list[tuple[dict[str, str], float]]


class Prometheus:
    """Answers queries; labels that all series have are left out."""

    def __init__(self, url: str) -> None:
        self._url = url

    def at(self, expr: str, moment: float) -> Vector:
        """Return the value of each series at one moment, in seconds since 1970."""
        found = self.ask("query", query=expr, time=moment)
        return [(_labels(one), float(one["value"][1])) for one in found]

    def over(self, expr: str, begin: float, end: float, step: float) -> list[tuple[dict[str, str], dict[float, float]]]:
        """Return the values of each series by their time."""
        found = self.ask("query_range", query=expr, start=begin, end=end, step=step)
        return [(_labels(one), {at: float(value) for at, value in one["values"]}) for one in found]

    def ask(self, path: str, **arguments: Any) -> list[dict[str, Any]]:
        """Return the result of a query; a query that is wrong fails the test."""
        body = urllib.parse.urlencode(arguments).encode()
        try:
            with urllib.request.urlopen(f"{self._url}/api/v1/{path}", body, timeout=30) as answer:
                result: list[dict[str, Any]] = json.load(answer)["data"]["result"]
                return result
        except urllib.error.HTTPError as error:
            with error:
                pytest.fail(f"{arguments['query']}: {error.read().decode()}")


def _labels(series: dict[str, Any]) -> dict[str, str]:
    return {name: value for name, value in series["metric"].items() if name != "__name__"}


@contextmanager
def run_prometheus(folder: Path, openmetrics: str) -> Iterator[Prometheus]:
    """Run Prometheus over these values, each with its time, until the block is left."""
    values, data, config = folder / "values.txt", folder / "data", folder / "prometheus.yml"
    values.write_text(openmetrics)
    done = promtool("tsdb", "create-blocks-from", "openmetrics", values, data)
    assert done.returncode == 0, done.stderr.decode()
    config.write_text("")
    port = free_port()
    options = {
        "config.file": config,
        "storage.tsdb.path": data,
        "storage.tsdb.retention.time": "100y",
        "web.listen-address": f"127.0.0.1:{port}",
    }
    with open(folder / "prometheus.log", "wb") as log:
        process = subprocess.Popen(
            [find("prometheus"), *(f"--{name}={value}" for name, value in options.items())], stdout=log, stderr=log
        )
    try:
        _wait(process, f"http://127.0.0.1:{port}/-/ready", folder / "prometheus.log")
        yield Prometheus(f"http://127.0.0.1:{port}")
    finally:
        process.terminate()
        process.wait(30)


def _wait(process: "subprocess.Popen[bytes]", url: str, log: Path) -> None:
    due = time.monotonic() + START
    while process.poll() is None and time.monotonic() < due:
        try:
            with urllib.request.urlopen(url, timeout=5):
                return
        except OSError:
            time.sleep(0.05)
    pytest.fail(f"Prometheus did not start: {log.read_text()[-1000:]}")
