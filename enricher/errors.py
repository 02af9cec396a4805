"""What a caller can catch.

SipsenseError
├── SettingsError     a catalog, a profile or an option is wrong; carries every finding at once
└── InvalidRecord     a record is no JSON object or no MessagePack map
"""

from collections.abc import Iterable


class SipsenseError(Exception):
    """Base of all errors that this package raises on purpose."""


class SettingsError(SipsenseError):
    """A catalog, a profile or an option is wrong.

    Args:
        problems: one sentence each: where, what was expected, what came.
    """

    def __init__(self, problems: Iterable[str]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(self.problems))


class InvalidRecord(SipsenseError):
    """A record cannot be read.

    Args:
        kind: a short name for machines, such as `not_json`.
        message: what was expected, what came and where.
    """

    def __init__(self, kind: str, message: str) -> None:
        self.kind = kind
        super().__init__(message)
