"""Elasticsearch and OpenSearch: templates, retention, and the data streams that follow them."""

import re
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from enricher.errors import SettingsError
from filters.elastic.templates import MANAGER, NAMES, Document, Engine, Layout, Product, documents
from filters.errors import OutputFailed
from filters.setup.compare import step_for
from filters.setup.server import Server
from filters.setup.step import IDLE, Step

_ISM = "/_plugins/_ism"


class _Stream(NamedTuple):
    name: str
    digest: str


def find_engine(server: Server, product: Product) -> Engine:
    """Return what the server is.

    Raises:
        SettingsError: it is another product.
        OutputFailed: it cannot be asked.
    """
    said = server.find("/")
    version = said.get("version") if isinstance(said, dict) else None
    number = re.match(r"(\d+)\.(\d+)", str(version.get("number"))) if isinstance(version, dict) else None
    if not version or not number:
        raise SettingsError([f"{server}: expected {NAMES[product]}, got a server of another kind"])
    if version.get("build_flavor") == "serverless":
        raise SettingsError([f"{server}: expected a cluster, got Elasticsearch Serverless, which has no ILM"])
    found: Product = "opensearch" if version.get("distribution") == "opensearch" else "elasticsearch"
    if found != product:
        raise SettingsError(
            [f"{server}: expected {NAMES[product]}, got {NAMES[found]} {number[0]}: use `sipsense setup {found}`"]
        )
    return Engine(found, (int(number[1]), int(number[2])))


def plan(server: Server, engine: Engine, layout: Layout, *, force: bool) -> list[Step]:
    """Return what has to be done, in order; nothing is changed.

    Raises:
        SettingsError: the engine cannot do what is asked.
        OutputFailed: it cannot be asked.
    """
    made = documents(engine, layout)
    ism = engine.product == "opensearch" and layout.policy
    if ism:
        _need_ism(server)
    steps = [step_for(server, document, force=force) for document in made]
    streams = list(_streams(server, layout))
    if ism and streams and steps[0].action not in IDLE:
        steps.append(_attach(layout, steps[0]))
    wanted = index_digest(made)
    return steps + [_roll_over(stream) for stream in streams if stream.digest != wanted]


def apply(server: Server, step: Step) -> None:
    """Do one step.

    Raises:
        OutputFailed: the server refuses.
    """
    if step.action in IDLE:
        return
    said = server.ask(step.method, step.path, step.document)
    if step.action == "attach" and said.get("failures"):
        failed = "; ".join(f"{index['index_name']}: {index['reason']}" for index in said.get("failed_indices", ()))
        step.why = f"not for all of them: {failed}"


def verify(server: Server, layout: Layout, made: Sequence[Document]) -> None:
    """Let the server say what a new index of calls would be like.

    Raises:
        OutputFailed: another template has the last word.
    """
    # OpenSearch fails for a data stream that is there, so one is named that is not.
    said = server.ask("POST", f"/_index_template/_simulate_index/{layout.name}-simulated")
    if _digest(said.get("template", {}).get("mappings", {})) != index_digest(made):
        names = ", ".join(template["name"] for template in said.get("overlapping", ()))
        raise OutputFailed(
            f"{server}: another template has the last word on {layout.pattern}: raise no other above "
            f"{layout.name}, or take its pattern away{names and f' (overlapping: {names})'}"
        )


def index_digest(made: Sequence[Document]) -> str:
    """Return what marks an index that was made by these documents."""
    return next(_digest(document.body["template"]["mappings"]) for document in made if _has_mappings(document))


def _has_mappings(document: Document) -> bool:
    return "mappings" in document.body.get("template", {})


def _digest(mappings: dict[str, Any]) -> str:
    meta = mappings.get("_meta", {})
    return str(meta.get("digest")) if meta.get("managed_by") == MANAGER else ""


def _streams(server: Server, layout: Layout) -> Iterator[_Stream]:
    """Give the data streams of the layout, and the mark of the index that each writes to."""
    said = server.find(f"/_data_stream/{layout.pattern}") or {}
    for stream in said.get("data_streams", ()):
        index = stream["indices"][-1]["index_name"]
        mappings = server.ask("GET", f"/{index}/_mapping")[index]["mappings"]
        yield _Stream(stream["name"], _digest(mappings))


def _roll_over(stream: _Stream) -> Step:
    return Step(
        action="roll over",
        title="data stream",
        name=stream.name,
        why="the index that is written to has an older mapping",
        method="POST",
        path=f"/{stream.name}/_rollover",
    )


def _need_ism(server: Server) -> None:
    """Raise SettingsError where OpenSearch has no index state management, which is a plugin."""
    answer = server.request("GET", f"{_ISM}/policies?size=1")
    if answer.status in (400, 404, 405) and b"no handler found" in answer.body:
        raise SettingsError(
            [f"{server}: expected the plugin for index state management, got a server without: give --no-policy"]
        )


def _attach(layout: Layout, policy: Step) -> Step:
    """Return what gives a policy to indices that are there already: it comes to new ones by itself."""
    return Step(
        action="attach",
        title=policy.title,
        name=layout.name,
        why="to the indices that are there, at the plugin's next turn",
        method="POST",
        path=f"{_ISM}/{'add' if policy.action == 'create' else 'change_policy'}/.ds-{layout.pattern}",
        document={"policy_id": layout.name},
    )
