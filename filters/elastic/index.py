"""Where records go: a data stream, or an index, whose name may hold the date of the record."""

import re
import time
from collections.abc import Callable
from fnmatch import fnmatchcase
from typing import Any

import msgspec

from enricher.errors import SettingsError

STREAM = "logs-sip.calls-default"

_PLACEHOLDER = re.compile(r"\{([^{}]*)\}")
# The parts of a date that only grow, in UTC; ISO week and its year too.
_PARTS = re.compile(r"(?:%[YmdHjGV]|[._-])+")
# https://www.elastic.co/docs/api/doc/elasticsearch/operation/operation-indices-create
_NAME = re.compile(r"(?![-_+])[^A-Z\\/*?\"<>| ,#:\x00-\x1f]+")
_BARRED = '\\ / * ? " < > | , # :'
_LONGEST = 255
_HOUR = 3600 * 10**9
# Dates are remembered by the hour; a record can name any.
_REMEMBERED = 4096


# What of the index templates is looked at.
TEMPLATE_FILTER = "index_templates.index_template.index_patterns,index_templates.index_template.data_stream"


class _Template(msgspec.Struct):
    index_patterns: list[str] = []
    data_stream: Any = None


class _Named(msgspec.Struct):
    index_template: _Template


class _Templates(msgspec.Struct):
    index_templates: list[_Named] = []


def makes_stream(templates: bytes, name: str) -> bool:
    """Return whether one of the server's templates makes a data stream of that name; True if that cannot be told."""
    try:
        found = msgspec.json.decode(templates or b"{}", type=_Templates).index_templates
    except (msgspec.DecodeError, RecursionError):
        return True
    return any(
        one.index_template.data_stream is not None
        and any(fnmatchcase(name, pattern) for pattern in one.index_template.index_patterns)
        for one in found
    )


def check_name(name: str, option: str) -> None:
    """Check the name of an index or a data stream.

    Raises:
        SettingsError: the server would refuse it.
    """
    if not _NAME.fullmatch(name) or name in (".", "..") or len(name.encode()) > _LONGEST:
        expected = f"at most {_LONGEST} bytes in lower case, without blanks and any of {_BARRED}, no - _ + in front"
        raise SettingsError([f"{option}: expected {expected}, got {name!r}"])


def name_maker(template: str) -> Callable[[int], str] | None:
    """Return what makes the name of an index of a time in nanoseconds; None if the name is always the same.

    Args:
        template: such as `calls-{%Y.%m.%d}`.

    Raises:
        SettingsError: it makes no name.
    """
    for part in _PLACEHOLDER.findall(template):
        if not _PARTS.fullmatch(part):
            expected = "such as {%Y.%m.%d} with %Y %m %d %H %j %G %V and . _ - between them"
            raise SettingsError([f"--index: expected a date {expected}, got {{{part}}} in {template!r}"])
    check_name(_PLACEHOLDER.sub(lambda found: time.strftime(found[1], time.gmtime(0)), template), "--index")
    if not _PLACEHOLDER.search(template):
        return None
    known: dict[int, str] = {}

    def name(nanoseconds: int) -> str:
        hour = nanoseconds // _HOUR
        made = known.get(hour)
        if made is None:
            if len(known) >= _REMEMBERED:
                known.clear()
            date = time.gmtime(hour * 3600)
            made = known[hour] = _PLACEHOLDER.sub(lambda found: time.strftime(found[1], date), template)
        return made

    return name
