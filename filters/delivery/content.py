"""What a request brings."""

import gzip as gzip_format
from collections.abc import Mapping
from typing import NamedTuple

# The cheapest level; call logs shrink to a tenth already.
_LEVEL = 1


class Content(NamedTuple):
    """A body and the headers that go with it."""

    body: bytes
    headers: Mapping[str, str]


def content(body: bytes, headers: Mapping[str, str], *, gzip: bool) -> Content:
    """Return the content of a request, compressed if that is wanted."""
    if not gzip:
        return Content(body, headers)
    return Content(gzip_format.compress(body, _LEVEL), {**headers, "Content-Encoding": "gzip"})
