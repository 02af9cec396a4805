"""Pauses between tries: they grow, and differ from one sender to the next."""

import random

# A server may ask for more patience than the longest pause, but not for any.
_MOST = 3600.0


class Pauses:
    """Says how long to wait before the next try.

    Args:
        first: seconds of the first pause, at most.
        longest: seconds of the longest.
    """

    def __init__(self, first: float = 0.1, longest: float = 30.0) -> None:
        self._first = first
        self._longest = longest
        self._next = first

    def next(self, retry_after: float | None = None) -> float:
        """Return the seconds to wait.

        Args:
            retry_after: seconds that the server asked for; it is waited for at least so long.
        """
        # Many senders that lost one server must not come back at the same moment.
        pause = self._next * random.uniform(0.5, 1)  # noqa: S311
        self._next = min(2 * self._next, self._longest)
        return max(pause, min(retry_after or 0.0, _MOST))

    def reset(self) -> None:
        """Begin anew, after something went well."""
        self._next = self._first
