"""A stand-in for Kibana and OpenSearch Dashboards: their API for saved objects, as its documentation shows it."""

import json
import re
from collections.abc import Collection, Mapping
from email import message_from_bytes
from typing import Any

from servers.fake_server import Asked, Fake, Said


class Kibana(Fake):
    """The saved objects of Kibana or OpenSearch Dashboards.

    Args:
        version: what it says of itself; below 8 it is OpenSearch Dashboards.
        lost: ids that it says to have imported but does not store, as issue 12657 of OpenSearch Dashboards tells.
        unknown: types that it does not know.
    """

    def __init__(
        self, version: str = "9.1.0", lost: Collection[str] = (), unknown: Collection[str] = (), **options: Any
    ) -> None:
        self.version = version
        self.spaces: dict[str, dict[tuple[str, str], Any]] = {}
        self._header = "kbn-xsrf" if int(version.partition(".")[0]) >= 8 else "osd-xsrf"
        self._lost, self._unknown = lost, unknown
        super().__init__(**options)

    def answer(self, asked: Asked) -> Said:
        """Answer as the product does."""
        found = re.fullmatch(r"(?:/s/([^/]+))?/api/(status|saved_objects/(?:_import|_export))", asked.path)
        if not found:
            return 404, {"statusCode": 404, "error": "Not Found", "message": "Not Found"}
        if found[2] == "status":
            return 200, {"name": "kibana", "version": {"number": self.version}, "status": {}}
        if self._header not in asked.headers:
            message = f"Request must contain a {self._header} header."
            return 400, {"statusCode": 400, "error": "Bad Request", "message": message}
        space = found[1] or asked.headers.get("securitytenant") or "default"
        objects = self.spaces.setdefault(space, {})
        return self._import(asked, objects) if found[2].endswith("_import") else self._export(asked.json(), objects)

    def _import(self, asked: Asked, objects: dict[tuple[str, str], Any]) -> Said:
        kind = asked.headers["Content-Type"].encode()
        part = message_from_bytes(b"Content-Type: " + kind + b"\r\n\r\n" + asked.body).get_payload(0)
        if part.get_param("name", header="content-disposition") != "file" or not part.get_filename().endswith(
            ".ndjson"
        ):
            return 415, {"statusCode": 415, "error": "Unsupported Media Type", "message": "Invalid file extension"}
        lines = [json.loads(line) for line in part.get_payload(decode=True).splitlines()]
        new = {(one["type"], one["id"]): one for one in lines if "type" in one}
        errors = [fault for one in new.values() if (fault := self._fault(one, {**objects, **new}, asked.query))]
        taken = [one for one in new.values() if (one["type"], one["id"]) not in {(e["type"], e["id"]) for e in errors}]
        objects |= {(one["type"], one["id"]): one for one in taken if one["id"] not in self._lost}
        said: dict[str, Any] = {"success": not errors, "successCount": len(taken), "warnings": []}
        return 200, said | ({"errors": errors} if errors else {})

    def _fault(self, one: Any, known: Mapping[tuple[str, str], Any], query: Mapping[str, str]) -> Any:
        about = {"type": one["type"], "id": one["id"], "meta": {"title": one["attributes"].get("title")}}
        if one["type"] in self._unknown:
            return about | {"error": {"type": "unsupported_type"}}
        missing = [
            {"type": ref["type"], "id": ref["id"]}
            for ref in one.get("references", ())
            if ref["type"] in ("index-pattern", "search") and (ref["type"], ref["id"]) not in known
        ]
        if missing:
            return about | {"error": {"type": "missing_references", "references": missing}}
        return None if query.get("overwrite") == "true" else about | {"error": {"type": "conflict"}}

    def _export(self, wanted: Any, objects: Mapping[tuple[str, str], Any]) -> Said:
        keys = [(one["type"], one["id"]) for one in wanted["objects"]]
        gone = [key for key in keys if key not in objects]
        if gone:
            why = {"statusCode": 404, "error": "Not Found", "message": "Saved object not found"}
            found = [{"type": kind, "id": name, "error": why} for kind, name in gone]
            return 400, {"statusCode": 400, "error": "Bad Request", "attributes": {"objects": found}}
        lines = [objects[key] | {"updated_at": "2026-02-01T10:00:00.000Z", "version": "WzEsMV0="} for key in keys]
        return 200, b"\n".join(json.dumps(line).encode() for line in lines)
