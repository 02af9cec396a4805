"""A progress bar on stderr, while files are read and somebody looks."""

import os
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

# Seconds between two looks of the bar.
_PAUSE = 0.1


@contextmanager
def progress(paths: Sequence[str], *, hidden: bool) -> Iterator[Callable[[int], None] | None]:
    """Show how far the files are read; gives the function that is told of read bytes, None where nobody looks.

    Args:
        hidden: whether the records themselves go to the terminal.
    """
    total = _total(paths)
    if hidden or not total or not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True, auto_refresh=False) as bar:
        task = bar.add_task("enriching", total=total)
        done, shown = 0, time.monotonic()

        def on_read(count: int) -> None:
            nonlocal done, shown
            done += count
            now = time.monotonic()
            if now - shown > _PAUSE:
                shown = now
                bar.update(task, completed=done, refresh=True)

        yield on_read


def _total(paths: Sequence[str]) -> int:
    """Return how many bytes there are to read, 0 where that is not known."""
    try:
        return sum(os.path.getsize(path) for path in paths) if "-" not in paths else 0
    except OSError:
        return 0
