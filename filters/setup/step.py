"""One thing that a setup finds or does."""

from typing import Any, Literal, TypeAlias

import msgspec

Action: TypeAlias = Literal["create", "update", "unchanged", "refuse", "roll over", "attach", "check"]
# What changes nothing.
IDLE: frozenset[Action] = frozenset({"unchanged", "refuse"})


class Step(msgspec.Struct, kw_only=True):
    """One thing and what becomes of it.

    Args:
        why: the reason, or what is in the way.
        method: with `path` and `document` the request that does it; "" where there is nothing to do.
    """

    action: Action
    title: str
    name: str
    why: str = ""
    method: str = ""
    path: str = ""
    document: dict[str, Any] | None = None

    def __str__(self) -> str:
        return f"{self.action:<10} {self.title} {self.name}{f': {self.why}' if self.why else ''}"
