"""When catalog and profiles are to be loaded again: on SIGHUP, and when a file changes that is watched."""

import os
import time
from collections.abc import Callable, Sequence

from enricher.enrich import Enricher
from enricher.errors import SettingsError
from filters.messages import warn
from filters.signals import Signals

# Seconds between two looks at the files.
WATCH = 1.0


def loaded(make: Callable[[], Enricher]) -> Enricher | None:
    """Return a new enricher, or say why the old one has to stay in place."""
    try:
        enricher = make()
    except SettingsError as error:
        for problem in error.problems:
            warn(f"not reloaded: {problem}")
        return None
    warn(f"reloaded: catalog {enricher.catalog.version}, {len(enricher.catalog.rows)} rows")
    return enricher


class Reload:
    """Tells when to load again.

    Args:
        files: what is watched; nothing is where it is empty.
    """

    def __init__(self, signals: Signals, files: Sequence[str] = ()) -> None:
        self._signals = signals
        self._files = files
        self._seen = self._states()
        self._next = time.monotonic() + WATCH

    def due(self) -> bool:
        """Return whether it is time; once for each change."""
        if self._signals.reload:
            self._signals.reload = False
            self._seen = self._states()
            return True
        if not self._files or time.monotonic() < self._next:
            return False
        self._next = time.monotonic() + WATCH
        before, self._seen = self._seen, self._states()
        return self._seen != before

    def _states(self) -> list[tuple[int, int, int] | None]:
        return [_state(file) for file in self._files]


def _state(file: str) -> tuple[int, int, int] | None:
    """Return what changes when a file is written or replaced; None while it is away."""
    try:
        found = os.stat(file)
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino
