"""What tests of `--metrics` share: how they ask a process, and how they wait for it."""

import time
import urllib.error
import urllib.request
from collections.abc import Callable

from prometheus_client.parser import text_string_to_metric_families

Sample = tuple[str, tuple[tuple[str, str], ...]]


def get(port: int, path: str = "/metrics", method: str = "GET") -> tuple[int, str]:
    """Return status and body."""
    request = urllib.request.Request(f"http://127.0.0.1:{port}{path}", method=method)
    try:
        with urllib.request.urlopen(request, timeout=20) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode()


def samples(port: int) -> dict[Sample, float]:
    """Return the values of all metrics, those that are 0 left out."""
    families = text_string_to_metric_families(get(port)[1])
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in families
        for sample in family.samples
        if sample.value
    }


def value(port: int, name: str, **labels: str) -> float:
    """Return one value, 0 where there is none."""
    return samples(port).get((f"sipsense_{name}", tuple(sorted(labels.items()))), 0.0)


def wait_for(reached: Callable[[], object]) -> None:
    """Wait until it is so; a test that waits for ever is ended from outside."""
    while not reached():
        time.sleep(0.02)


def reachable(port: int) -> bool:
    """Return whether it answers."""
    try:
        return get(port, "/healthz")[0] == 200
    except OSError:
        return False


def feed(process, lines: list[bytes]) -> None:
    """Send lines to standard input."""
    process.stdin.write(b"".join(line + b"\n" for line in lines))
