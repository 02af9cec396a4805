"""What becomes of records in Loki, from the command line; checked by Loki's own rules before anything is sent."""

import argparse
import re
from collections.abc import Mapping, Sequence
from typing import Literal

import msgspec

from enricher.errors import SettingsError
from enricher.profiles import Path, parse_path
from filters import options
from filters.loki.streams import LONGEST_VALUE
from filters.options import Problems

Late = Literal["now", "label", "drop"]
Named = tuple[str, Path]

# What `sip_...` of structured metadata says; the names are part of what dashboards and alerts rely on.
METADATA = ("code", "reason", "initiator", "outcome")
CALL_ID, LATE, TIME = "call_id", "late", "sip_time"
_OWN = ("sip_category", *(f"sip_{key}" for key in METADATA), CALL_ID, LATE, TIME)

# https://grafana.com/docs/loki/latest/operations/request-validation-rate-limits/#invalid_labels
_NAME = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*")
# https://grafana.com/docs/loki/latest/operations/multi-tenancy/; with | several tenants are named, which only reads.
_TENANT = re.compile(r"[A-Za-z0-9!_.*'()-]{1,150}")
# By default Loki takes 15 labels, of which sip_category and late are ours; service_name does not count.
_MOST_LABELS = 13
# And 128 entries and 64 KB of metadata; these never exceed that, with our own and the labels that became metadata.
_MOST_METADATA, LONGEST_METADATA, _LONGEST_NAME = 10, 2000, 64

_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}


class Limits(msgspec.Struct, frozen=True):
    """What the server takes, in bytes and nanoseconds; None for no limit.

    Args:
        line: the longest line.
        age: how old an entry may be.
        ahead: how far ahead of now it may be.
        behind: how far behind the newest of its stream.
    """

    line: int = 256 * 1024
    age: int | None = None
    ahead: int | None = None
    behind: int | None = None


class Settings(msgspec.Struct, frozen=True):
    """What becomes of a record.

    Args:
        meaning: where it keeps what the names of METADATA say; empty for no such metadata.
        fixed: labels that all records have.
        labels: names of labels and where their values are; sip_category is one of them.
        label_limit: how many values each of these may have.
        metadata: names of further structured metadata and where the values are.
        late: what becomes of entries that the server would refuse for their time.
    """

    meaning: tuple[Path, ...]
    fixed: Mapping[str, str]
    labels: tuple[Named, ...]
    label_limit: int = 30
    metadata: tuple[Named, ...] = ()
    late: Late = "now"
    limits: Limits = Limits()


def settings_of(args: argparse.Namespace) -> Settings:
    """Return the settings that the command line asks for.

    Raises:
        SettingsError: with everything that is wrong.
    """
    words = [word.strip() for text in args.metadata or () for word in text.split(",")]
    with Problems() as problems:
        labels = _named(args.label or (), "--label", problems.found)
        metadata = _named([word for word in words if word != "none"], "--metadata", problems.found)
        fixed = _fixed(args.static_label or (), problems.found)
        problems.found += _clashes([*fixed, *(name for name, _ in (*labels, *metadata))])
        if len(fixed) + len(labels) > _MOST_LABELS:
            problems.found.append(f"--label: expected at most {_MOST_LABELS}, got {len(fixed) + len(labels)}")
        if len(metadata) > _MOST_METADATA:
            problems.found.append(f"--metadata: expected at most {_MOST_METADATA} names, got {len(metadata)}")
        limit = problems.check(lambda: options.count(args.label_limit, "--label-limit"), 1)
        limits = problems.check(lambda: _limits(args), Limits())
    return Settings(
        meaning=() if "none" in words else tuple(_sip(args, key) for key in METADATA),
        fixed={"service_name": "sipsense"} | fixed,
        labels=(("sip_category", _sip(args, "category")), *labels),
        label_limit=limit,
        metadata=metadata,
        late=args.late,
        limits=limits,
    )


def _sip(args: argparse.Namespace, key: str) -> Path:
    return (f"{args.target}_{key}",) if args.flat else (args.target, key)


def _named(texts: Sequence[str], option: str, problems: list[str]) -> tuple[Named, ...]:
    """Return names and paths; what is wrong with them is added to the problems."""
    named = []
    for text in texts:
        name, _, path = text.partition("=")
        if not path:
            problems.append(f"{option}: expected NAME=PATH, such as trunk=attributes.trunk_name, got {text!r}")
        problems += _wrong_name(name, option)
        named.append((name, parse_path(path)))
    return tuple(named)


def _fixed(texts: Sequence[str], problems: list[str]) -> dict[str, str]:
    option, fixed = "--static-label", {}
    for text in texts:
        name, _, value = text.partition("=")
        if not 0 < len(value.encode()) <= LONGEST_VALUE:
            problems.append(f"{option}: expected NAME=VALUE, such as env=production, got {text!r}")
        if name in fixed:
            problems.append(f"{option}: expected each name once, got {name!r} again")
        problems += _wrong_name(name, option)
        fixed[name] = value
    return fixed


def _wrong_name(name: str, option: str) -> list[str]:
    if not _NAME.fullmatch(name) or name.startswith("__") or len(name) > _LONGEST_NAME:
        what = (
            f"a name of at most {_LONGEST_NAME} ASCII letters, digits and _, which begins with no digit and not with __"
        )
        return [f"{option}: expected {what}, got {name!r}"]
    taken = f"{option}: expected another name than {', '.join(_OWN)}, which are taken, got {name!r}"
    return [taken] if name in _OWN else []


def _clashes(names: Sequence[str]) -> list[str]:
    twice = dict.fromkeys(name for name in names if names.count(name) > 1)
    return [f"--label, --static-label, --metadata: expected each name once, got {name!r} again" for name in twice]


def _limits(args: argparse.Namespace) -> Limits:
    with Problems() as problems:
        check = problems.check
        return Limits(
            line=check(lambda: options.size(args.max_entry, "--max-entry"), 1),
            age=check(lambda: duration(args.late_age, "--late-age"), None),
            ahead=check(lambda: duration(args.late_ahead, "--late-ahead"), None),
            behind=check(lambda: duration(args.late_behind, "--late-behind"), None),
        )


def duration(text: str, option: str) -> int | None:
    """Return nanoseconds, None for `none`.

    Args:
        text: such as `90s`, `10m`, `1h`, `7d` or `1w`.

    Raises:
        SettingsError: it is no such time.
    """
    if text == "none":
        return None
    number, unit = text[:-1], text[-1:]
    if number.isdecimal() and unit in _UNITS:
        return int(number) * _UNITS[unit] * 10**9
    raise SettingsError([f"{option}: expected a time such as 90s, 10m, 1h or 7d, or none, got {text!r}"])


def tenant_of(args: argparse.Namespace) -> str:
    """Return the tenant, "" for none.

    Raises:
        SettingsError: it is no name of one.
    """
    tenant: str = args.tenant or ""
    if not tenant or (_TENANT.fullmatch(tenant) and tenant not in (".", "..")):
        return tenant
    raise SettingsError([f"--tenant: expected at most 150 letters, digits and some of !-_.*'(), got {tenant!r}"])
