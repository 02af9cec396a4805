"""What a server has of a document, and what has to be done about it."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from filters import __version__
from filters.elastic.templates import Document, Kind, read_mark
from filters.setup.server import Server
from filters.setup.step import Action, Step

_LISTS = {"component": "component_template", "index": "index_template"}
_SHOWN = 3


class Found(msgspec.Struct, frozen=True):
    """What is there.

    Args:
        query: what a request that replaces it has to carry.
    """

    body: dict[str, Any]
    query: str = ""


def step_for(server: Server, document: Document, *, force: bool) -> Step:
    """Return what has to be done about a document.

    Args:
        force: replace what is not ours, or is newer than we are.
    """
    found = find(server, document)
    action: Action = "create"
    why = ""
    if found:
        action, why = _judge(document, found.body, force=force)
    step = Step(action=action, title=document.title, name=document.name, why=why)
    if action in ("create", "update"):
        step.method, step.path, step.document = "PUT", document.path + (found.query if found else ""), document.body
    return step


def find(server: Server, document: Document) -> Found | None:
    """Return what is there under the document's name, in the document's form."""
    said = server.find(document.path)
    if said is None:
        return None
    if key := _LISTS.get(document.kind):
        return Found(said[f"{key}s"][0][key])
    if "_seq_no" in said:  # an ISM policy, which only who has read it may replace
        return Found(said, f"?if_seq_no={said['_seq_no']}&if_primary_term={said['_primary_term']}")
    return Found(said[document.name])


def _judge(document: Document, there: Mapping[str, Any], *, force: bool) -> tuple[Action, str]:
    mark, ours = read_mark(document.kind, there), document.mark
    if mark is None:
        return ("update" if force else "refuse"), "it is there and not from sipsense"
    if _order(mark.version) > _order(ours.version):
        return ("update" if force else "refuse"), f"it was made by a newer sipsense, {mark.version}"
    found = differences(_plain(document.kind, there), _plain(document.kind, document.body))
    changed = [path for path in found if "._meta." not in path]
    shown = ", ".join(changed[:_SHOWN]) + (f" and {len(changed) - _SHOWN} more" if len(changed) > _SHOWN else "")
    if mark.digest == ours.digest:
        return ("update", f"it was changed by hand: {shown}") if changed else ("unchanged", "")
    if mark.version != __version__:
        return "update", f"it was made by sipsense {mark.version}"
    return "update", f"it was made with other options{shown and f': {shown}'}"


def _order(version: str) -> list[int]:
    return [int(number) for number in re.findall(r"\d+", version)]


def _plain(kind: Kind, body: Mapping[str, Any]) -> dict[str, Any]:
    """Return a document without our mark, its settings in one form."""
    if kind == "policy":
        body = body["policy"]
    plain = {key: value for key, value in body.items() if key not in ("_meta", "description")}
    template = plain.get("template") or {}
    if "settings" in template:
        plain["template"] = template | {"settings": dict(_flat(template["settings"]))}
    return plain


def _flat(settings: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in settings.items():
        if isinstance(value, dict):
            yield from _flat(value, f"{prefix}{key}.")
        else:
            yield prefix + key, value


def differences(there: Any, wanted: Any, path: str = "") -> Iterator[str]:
    """Give the paths where something wanted is missing or different; servers add defaults of their own.

    A list has to have the same length; numbers and booleans may be texts.
    """
    if isinstance(wanted, dict):
        if not isinstance(there, dict):
            yield path
            return
        for key, value in wanted.items():
            inner = f"{path}.{key}" if path else key
            if key in there:
                yield from differences(there[key], value, inner)
            elif value != {}:
                yield inner
    elif isinstance(wanted, list):
        if not isinstance(there, list) or len(there) != len(wanted):
            yield path
            return
        for place, value in enumerate(wanted):
            yield from differences(there[place], value, f"{path}.{place}")
    elif _scalar(there) != _scalar(wanted):
        yield path


def _scalar(value: Any) -> Any:
    if isinstance(value, bool):
        return str(value).lower()
    return str(value) if isinstance(value, int | float) else value
