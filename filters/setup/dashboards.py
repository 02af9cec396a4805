"""Kibana and OpenSearch Dashboards: saved objects through their API.

https://www.elastic.co/docs/api/doc/kibana/operation/operation-post-saved-objects-import
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import msgspec

from enricher.errors import SettingsError
from filters.delivery.access import Access
from filters.errors import OutputFailed
from filters.setup.compare import differences
from filters.setup.server import Server
from filters.setup.step import Step

if TYPE_CHECKING:
    from filters.delivery.http import Http

Dashboards: TypeAlias = Literal["kibana", "opensearch-dashboards"]
Object: TypeAlias = dict[str, Any]
Key: TypeAlias = tuple[str, str]

NAMES: Mapping[Dashboards, str] = {"kibana": "Kibana", "opensearch-dashboards": "OpenSearch Dashboards"}
_IMPORT, _EXPORT = "/api/saved_objects/_import?overwrite=true", "/api/saved_objects/_export"
# What `filters.dashboards.kibana` is made for. OpenSearch Dashboards began anew with 1, when Kibana was at 7.
_OLDEST_KIBANA = (8, 12)
_SPACE = re.compile(r"[a-z0-9_-]{1,100}")
# Attributes that hold JSON as text; servers may write it anew.
_JSON_TEXTS = frozenset(
    ("optionsJSON", "panelsJSON", "searchSourceJSON", "uiStateJSON", "visState", "fieldFormatMap", "fields")
)


def dashboards_server(http: "Http", access: Access, product: Dashboards, space: str | None) -> Server:
    """Return the server with what its API wants.

    Args:
        space: a space of Kibana, or a tenant of OpenSearch Dashboards.

    Raises:
        SettingsError: there can be no such space.
    """
    if space is not None and not (_SPACE.fullmatch(space) if product == "kibana" else space.isprintable() and space):
        raise SettingsError([f"--space: expected small letters, digits, hyphens and underscores, got {space!r}"])
    if product == "kibana":
        return Server(http, access, {"kbn-xsrf": "true"}, f"/s/{space}" if space else "")
    return Server(http, access, {"osd-xsrf": "true"} | ({"securitytenant": space} if space else {}))


def find_version(server: Server, product: Dashboards) -> str:
    """Return the server's version.

    Raises:
        SettingsError: it is another product.
        OutputFailed: it cannot be asked.
    """
    answer = server.request("GET", "/api/status")
    if 300 <= answer.status < 400:
        raise OutputFailed(f"{server}: it wants us to log in: give --user and --password-file, or --api-key-file")
    if answer.status in (401, 403):
        server.check("GET", "/api/status", answer)
    number = _number(answer.body)
    found = re.match(r"(\d+)\.(\d+)", number)
    if not found:
        raise SettingsError([f"{server}: expected {NAMES[product]}, got a server of another kind"])
    version = (int(found[1]), int(found[2]))
    fits = version >= _OLDEST_KIBANA if product == "kibana" else version < (_OLDEST_KIBANA[0],)
    if not fits:
        raise SettingsError([f"{server}: expected {_expected(product)}, got version {number}"])
    return number


def _number(body: bytes) -> str:
    try:
        said = msgspec.json.decode(body)
        return str(said["version"]["number"])
    except (msgspec.DecodeError, TypeError, KeyError):
        return ""


def _expected(product: Dashboards) -> str:
    return "Kibana 8.12 or newer" if product == "kibana" else "OpenSearch Dashboards"


def plan(server: Server, data: bytes) -> list[Step]:
    """Return what has to be done about each object of an NDJSON; nothing is changed.

    Raises:
        OutputFailed: the server cannot be asked.
    """
    objects = _objects(data)
    there = _there(server, list(objects))
    steps = []
    for key, wanted in objects.items():
        changed = list(_changes(there[key], wanted)) if key in there else []
        action: Literal["create", "update", "unchanged"] = "create" if key not in there else "unchanged"
        step = Step(action="update" if changed else action, title=key[0], name=_title(wanted))
        if changed:
            step.why = f"differs in {', '.join(changed[:3])}"
        steps.append(step)
    return steps


def load(server: Server, data: bytes) -> None:
    """Import all objects in one request, over those that are there, and look whether they arrived.

    Raises:
        OutputFailed: with what the server says of each object that it did not take.
    """
    from urllib3.filepost import encode_multipart_formdata

    body, kind = encode_multipart_formdata({"file": ("sipsense.ndjson", data, "application/ndjson")})
    said = server.send("POST", _IMPORT, body, {"Content-Type": kind})
    objects = _objects(data)
    problems = [_problem(error) for error in said.get("errors") or ()]
    if problems or not said.get("success"):
        raise OutputFailed(f"{server}: not imported: {'; '.join(problems) or 'no reason was given'}")
    there = _there(server, list(objects))
    # OpenSearch Dashboards may say success and store nothing: its issue 12657.
    lost = [_title(wanted) for key, wanted in objects.items() if key not in there]
    if lost:
        raise OutputFailed(f"{server}: it says that all was imported, but does not have {', '.join(lost)}")


def _objects(data: bytes) -> dict[Key, Object]:
    lines = [msgspec.json.decode(line) for line in data.splitlines() if line.strip()]
    return {(line["type"], line["id"]): line for line in lines if "type" in line}  # the last one may be a summary


def _there(server: Server, keys: Sequence[Key]) -> dict[Key, Object]:
    """Return which of the objects the server has, as it writes them."""
    wanted = {"objects": [{"type": kind, "id": name} for kind, name in keys], "excludeExportDetails": True}
    answer = server.request("POST", _EXPORT, msgspec.json.encode(wanted), {"Content-Type": "application/json"})
    if answer.status != 400:
        if answer.status != 200:
            server.check("POST", _EXPORT, answer)
        return _objects(answer.body)
    # It refuses the whole if it lacks some of them, and names those.
    missing = set(_missing(answer.body))
    if not missing & set(keys):
        server.check("POST", _EXPORT, answer)
    left = [key for key in keys if key not in missing]
    return _there(server, left) if left else {}


def _missing(body: bytes) -> Iterator[Key]:
    try:
        said = msgspec.json.decode(body)
    except msgspec.DecodeError:
        return
    for entry in (said.get("attributes") or {}).get("objects") or ():
        if entry.get("error", {}).get("statusCode", 404) == 404:
            yield entry["type"], entry["id"]


def _changes(there: Object, wanted: Object) -> Iterator[str]:
    """Give the parts of an object in which the server's differs from ours."""
    yield from differences(_decoded(there.get("attributes", {})), _decoded(wanted.get("attributes", {})))
    if _references(there) != _references(wanted):
        yield "references"


def _references(found: Object) -> list[tuple[str, ...]]:
    return sorted((entry["name"], entry["type"], entry["id"]) for entry in found.get("references") or ())


def _decoded(value: Any, key: str = "") -> Any:
    if isinstance(value, dict):
        return {name: _decoded(inner, name) for name, inner in value.items()}
    if isinstance(value, list):
        return [_decoded(inner) for inner in value]
    return msgspec.json.decode(value) if key in _JSON_TEXTS and isinstance(value, str) and value else value


def _title(found: Object) -> str:
    return str(found.get("attributes", {}).get("title") or found["id"])


def _problem(entry: Mapping[str, Any]) -> str:
    """Return what is said of one object that was not imported."""
    error = entry.get("error") or {}
    kind = str(error.get("type", "unknown"))
    said = {
        "missing_references": "it refers to what is not there: "
        + ", ".join(f"{one.get('type')} {one.get('id')}" for one in error.get("references") or ()),
        "unsupported_type": "the server does not know this type",
        "conflict": "there is another one with its id",
    }.get(kind, str(error.get("message") or error.get("reason") or kind))
    return (
        f"{entry.get('type')} {(entry.get('meta') or {}).get('title') or entry.get('title') or entry.get('id')}: {said}"
    )
