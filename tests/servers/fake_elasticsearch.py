"""Stand-ins for Elasticsearch with ILM, and for the ISM plugin in front of a real OpenSearch.

They answer in the form of the products, as their documentation and source show it, and refuse what those refuse.
"""

import http.client
import json
import re
from collections.abc import Mapping
from typing import Any

from servers.fake_server import Asked, Fake, Said, error


class Elasticsearch(Fake):
    """Templates, ILM, pipelines and data streams of Elasticsearch; it takes no records.

    Args:
        version: what it says of itself.
    """

    _INDEX = ("index_patterns", "template", "composed_of", "priority", "version", "_meta", "data_stream")
    _COMPONENT = ("template", "version", "_meta")

    def __init__(self, version: str = "9.1.0", **options: Any) -> None:
        self.version = version
        self.policies: dict[str, Any] = {}
        self.pipelines: dict[str, Any] = {}
        self.templates: dict[str, dict[str, Any]] = {"component": {}, "index": {}}
        self.streams: dict[str, list[Any]] = {}
        super().__init__(**options)

    def answer(self, asked: Asked) -> Said:
        """Answer as Elasticsearch does."""
        _, first, *rest = asked.path.split("/")
        name = rest[-1] if rest else ""
        if not first:
            version = {"number": self.version, "build_flavor": "default", "lucene_version": "10.2.2"}
            return 200, {"name": "es1", "version": version, "tagline": "You Know, for Search"}
        if first == "_ilm":
            return self._policy(asked, name)
        if first == "_ingest":
            return self._pipeline(asked, name)
        if first in ("_component_template", "_index_template"):
            if rest[0] == "_simulate_index":
                return 200, {"template": {"mappings": self.mappings(name), "settings": {}}, "overlapping": []}
            return self._template(asked, first.split("_")[1], name)
        if first == "_data_stream":
            return 200, {"data_streams": [self._stream(each) for each in self.streams if _fits(name, each)]}
        if name == "_mapping":
            stream, _, place = first.removeprefix(".ds-").rpartition("-")
            return 200, {first: {"mappings": self.streams[stream][int(place) - 1]}}
        if name == "_rollover" and asked.method == "POST":
            self.streams[first].append(self.mappings(first))
            return 200, {"acknowledged": True, "rolled_over": True}
        return error(400, "illegal_argument_exception", f"no handler found for uri [{asked.path}]")

    def write(self, stream: str) -> None:
        """Make a data stream, as its first record does."""
        self.streams[stream] = [self.mappings(stream)]

    def mappings(self, index: str) -> Any:
        """Return the mappings that a new index has."""
        fitting = [
            one for one in self.templates["index"].values() if any(_fits(p, index) for p in one["index_patterns"])
        ]
        if not fitting:
            return {}
        chosen, mappings = max(fitting, key=lambda one: one["priority"]), {}
        for part in (*(self.templates["component"][name] for name in chosen["composed_of"]), chosen):
            mappings |= part.get("template", {}).get("mappings", {})
        return mappings

    def _stream(self, name: str) -> Any:
        indices = [{"index_name": f".ds-{name}-{n:06}"} for n in range(1, 1 + len(self.streams[name]))]
        return {"name": name, "timestamp_field": {"name": "@timestamp"}, "indices": indices}

    def _policy(self, asked: Asked, name: str) -> Said:
        if asked.method == "PUT":
            body = asked.json()
            if set(body) != {"policy"} or not set(body["policy"]) <= {"phases", "_meta", "deprecated"}:
                return error(400, "x_content_parse_exception", "[1:1] [put_lifecycle_request] unknown field")
            self.policies[name] = body["policy"]
            return 200, {"acknowledged": True}
        if name not in self.policies:
            return error(404, "resource_not_found_exception", f"Lifecycle policy not found: {name}")
        policy = json.loads(json.dumps(self.policies[name]))
        policy["phases"]["hot"]["actions"]["rollover"] |= {"min_docs": 1, "max_primary_shard_docs": 200000000}
        if "delete" in policy["phases"]:
            policy["phases"]["delete"]["actions"]["delete"]["delete_searchable_snapshot"] = True
        users = {"indices": [], "data_streams": [], "composable_templates": []}
        return 200, {name: {"version": 1, "modified_date": "2026-02-01", "policy": policy, "in_use_by": users}}

    def _pipeline(self, asked: Asked, name: str) -> Said:
        if asked.method == "PUT":
            self.pipelines[name] = asked.json()
            return 200, {"acknowledged": True}
        return (200, {name: self.pipelines[name]}) if name in self.pipelines else (404, {})

    def _template(self, asked: Asked, kind: str, name: str) -> Said:
        there = self.templates[kind]
        if asked.method == "GET":
            if name not in there:
                return error(404, "resource_not_found_exception", f"{kind} template matching [{name}] not found")
            return 200, {f"{kind}_templates": [{"name": name, f"{kind}_template": there[name]}]}
        body = asked.json()
        if unknown := set(body) - set(self._COMPONENT if kind == "component" else self._INDEX):
            return error(400, "x_content_parse_exception", f"[{kind}_template] unknown field {unknown}")
        for part in body.get("composed_of", ()):
            if part not in self.templates["component"]:
                return error(400, "invalid_index_template_exception", f"component template [{part}] does not exist")
        if "settings" in body.get("template", {}):
            body["template"]["settings"] = _nested(body["template"]["settings"])
        if "data_stream" in body:
            body["data_stream"] = {"hidden": False, "allow_custom_routing": False}
        there[name] = body
        return 200, {"acknowledged": True}


class Ism(Fake):
    """The ISM plugin in front of a real OpenSearch (index-management: Policy.kt, RestIndexPolicyAction.kt)."""

    def __init__(self, port: int, **options: Any) -> None:
        self.policies: dict[str, Any] = {}
        self._numbers = iter(range(1_000_000))
        self._port = port
        super().__init__(**options)

    def answer(self, asked: Asked) -> Said:
        """Answer for the plugin, or pass the request on."""
        if not asked.path.startswith("/_plugins/_ism/"):
            return self._pass(asked)
        _, _, _, what, *name = asked.path.split("/")
        if what in ("add", "change_policy"):
            return 200, {"updated_indices": 1, "failures": False, "failed_indices": []}
        if not name:
            return 200, {"policies": list(self.policies.values()), "total_policies": len(self.policies)}
        there = self.policies.get(name[0])
        if asked.method == "GET":
            return (200, there) if there else error(404, "status_exception", "Policy not found")
        if there and asked.query != {k.replace("_", "if_", 1): str(there[k]) for k in ("_seq_no", "_primary_term")}:
            reason = f"[{name[0]}]: version conflict, document already exists"
            return error(409, "version_conflict_engine_exception", reason)
        return self._put(name[0], asked.json()["policy"], new=not there)

    def _put(self, name: str, policy: Any, *, new: bool) -> Said:
        known = {"description", "default_state", "states", "ism_template", "schema_version", "error_notification"}
        if unknown := set(policy) - known:
            return error(400, "illegal_argument_exception", f"Invalid field: {unknown} found in Policy.")
        names = [state["name"] for state in policy["states"]]
        for state in policy["states"]:
            state["actions"] = [
                {"retry": {"count": 3, "backoff": "exponential", "delay": "1m"}} | action for action in state["actions"]
            ]
            if any(transition["state_name"] not in names for transition in state["transitions"]):
                return error(400, "illegal_argument_exception", "Policy contains a transition to a nonexistent state")
        kept = {"policy_id": name, "last_updated_time": 1769940000000, "schema_version": 21, "error_notification": None}
        number = next(self._numbers)
        said = {"_id": name, "_version": 1, "_seq_no": number, "_primary_term": 1, "policy": policy | kept}
        self.policies[name] = said
        return 201 if new else 200, said

    def _pass(self, asked: Asked) -> Said:
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=60)
        try:
            query = "&".join(f"{key}={value}" for key, value in asked.query.items())
            kind = {"Content-Type": asked.headers["Content-Type"]} if asked.body else {}
            connection.request(asked.method, asked.path + (query and f"?{query}"), asked.body or None, kind)
            answer = connection.getresponse()
            return answer.status, answer.read()
        finally:
            connection.close()


def _fits(pattern: str, name: str) -> bool:
    return re.fullmatch(re.escape(pattern).replace(r"\*", ".*"), name) is not None


def _nested(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return settings as Elasticsearch gives them back: in objects, and as texts."""
    nested: dict[str, Any] = {}
    for path, value in settings.items():
        *parents, name = path.split(".")
        place = nested
        for parent in parents:
            place = place.setdefault(parent, {})
        place[name] = str(value).lower() if isinstance(value, bool) else str(value)
    return nested
