"""What is said of the steps of a setup."""

import argparse
from collections.abc import Callable, Sequence
from typing import Any

from filters import render
from filters.setup.server import Server
from filters.setup.step import Step


class Report:
    """Tells of each step once it is done, as lines or, at the end, as JSON.

    Args:
        title: what kind of server it is.
    """

    def __init__(self, args: argparse.Namespace, server: Server, title: str) -> None:
        self._json: bool = args.json
        self._dry_run: bool = args.dry_run
        self._server = server
        self._title = title

    def tell(self, steps: Sequence[Step], apply: Callable[[Step], None]) -> None:
        """Do the steps, or nothing on a dry run, and tell of them."""
        done: list[Step] = []
        self._begin()
        try:
            for step in steps:
                if not self._dry_run:
                    apply(step)
                done.append(step)
                self._line(step)
        finally:
            self._end(done)

    def refuse(self, steps: Sequence[Step]) -> None:
        """Tell of steps that are not done, since something is in the way."""
        self._begin()
        for step in steps:
            self._line(step)
        self._end(steps)

    def _begin(self) -> None:
        if not self._json:
            print(f"{self._title} at {self._server}{', nothing is changed' if self._dry_run else ''}", flush=True)

    def _line(self, step: Step) -> None:
        if not self._json:
            print(f"  {step}", flush=True)

    def _end(self, steps: Sequence[Step]) -> None:
        if self._json:
            about = {"server": self._title, "url": str(self._server), "dry_run": self._dry_run}
            render.json(about | {"steps": [self._entry(step) for step in steps]})

    def _entry(self, step: Step) -> dict[str, Any]:
        entry: dict[str, Any] = {"action": step.action, "kind": step.title, "name": step.name, "why": step.why}
        if self._dry_run and step.method:
            entry |= {"method": step.method, "path": step.path, "document": step.document}
        return entry
