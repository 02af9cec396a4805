"""Where messages go: standard error, and where that is thrown away, a file or Fluentd itself.

No target ever blocks the stream or ends it.
"""

import sys
import time
from collections.abc import Callable, Mapping
from typing import Any

from enricher.errors import SettingsError

Target = Callable[[str, Mapping[str, Any]], None]

# Seconds that messages on their way to Fluentd may take when the run ends.
_LAST = 3.0


def _to_stderr(message: str, extra: Mapping[str, Any]) -> None:
    if not extra:  # numbers are for machines
        print(f"sipsense: {message}", file=sys.stderr, flush=True)


_targets: list[Target] = [_to_stderr]
_closers: list[Callable[[], None]] = []


def warn(message: str, **extra: Any) -> None:
    """Say something, as far as anybody can hear it.

    Args:
        extra: numbers that belong to it, for targets that take records.
    """
    for target in _targets:
        try:
            target(message, extra)
        except OSError:
            pass


def add_file(path: str) -> None:
    """Send messages to a file too.

    Raises:
        SettingsError: the file cannot be written.
    """
    import orjson

    try:
        file = open(path, "a", encoding="utf-8", errors="backslashreplace")  # noqa: SIM115  # open until the end
    except OSError as error:
        raise SettingsError([f"--log-file: {path} cannot be written: {error.strerror}"]) from None

    def to_file(message: str, extra: Mapping[str, Any]) -> None:
        now = time.strftime("%Y-%m-%dT%H:%M:%S%z")
        numbers = f" {orjson.dumps(dict(extra)).decode()}" if extra else ""
        file.write(f"{now} sipsense: {message}{numbers}\n")
        file.flush()

    _targets.append(to_file)
    _closers.append(file.close)


def add_forward(url: str) -> None:
    """Send messages to Fluentd too, as records; while it is away they are kept, the oldest give way.

    Args:
        url: such as `forward://127.0.0.1:24224/sipsense.log`.

    Raises:
        SettingsError: the URL is none, or fluent-logger is not installed.
    """
    from urllib.parse import urlsplit

    parts = urlsplit(url)
    tag = parts.path.strip("/")
    try:
        port = parts.port or 24224
    except ValueError:
        port = 0
    if parts.scheme != "forward" or not parts.hostname or not tag or not port:
        raise SettingsError([f"--log-to: expected forward://HOST:PORT/TAG, got {url!r}"])
    try:
        from fluent.asynchandler import FluentHandler
        from fluent.handler import FluentRecordFormatter
    except ImportError:
        raise SettingsError(["--log-to needs one package more: pip install 'sipsense[forward]'"]) from None
    import logging
    import threading

    class Handler(FluentHandler):  # type: ignore[misc]  # ships no types
        """Closes in bounded time: the library waits for its target without end, under a lock that the exit needs."""

        _sender: Any

        def close(self) -> None:
            sender, self._sender = self._sender, None
            if sender:
                waiting = threading.Thread(target=sender.close, daemon=True)
                waiting.start()
                waiting.join(_LAST)
            logging.Handler.close(self)

    handler = Handler(
        tag,
        host=parts.hostname,
        port=port,
        timeout=1.0,
        nanosecond_precision=True,
        queue_maxsize=1000,
        queue_circular=True,
    )
    handler.setFormatter(FluentRecordFormatter({"host": "%(hostname)s", "level": "%(levelname)s"}))
    logger = logging.getLogger("sipsense")
    logger.propagate = False
    logger.setLevel(logging.INFO)
    logger.addHandler(handler)

    def to_forward(message: str, extra: Mapping[str, Any]) -> None:
        logger.log(logging.INFO if extra else logging.WARNING, {"message": message, **extra})

    _targets.append(to_forward)
    _closers.append(handler.close)


def close() -> None:
    """Send what is on its way, and close what was added."""
    while _closers:
        _closers.pop()()
    del _targets[1:]
