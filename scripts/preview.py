"""Draw the preview of the dashboard in docs/dashboards/, from its description and a real server's answers.

Usage: python scripts/preview.py

It starts an OpenSearch, indexes the sample calls of the tests, asks what each panel asks, and has Chromium draw the
answers as a page. Debian has what it needs: openjdk-17-jdk-headless, maven, chromium, pngquant.
"""

import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "tests"), str(ROOT / "tests" / "elastic")]

import sample_calls  # noqa: E402
from preview_page import WIDTH, height, page  # noqa: E402
from servers.opensearch import OpenSearch, run_opensearch  # noqa: E402

from enricher.catalog import load_catalog  # noqa: E402
from enricher.profiles import builtin_profiles  # noqa: E402
from filters.dashboards import derived, description, query  # noqa: E402
from filters.elastic import templates  # noqa: E402
from filters.elastic.mapping import Shape  # noqa: E402

PICTURE = ROOT / "docs" / "dashboards" / "calls.png"
SPAN = query.Span(sample_calls.START.isoformat(), sample_calls.END.isoformat(), "30m")
TIMES = range(int(sample_calls.START.timestamp()) * 1000, int(sample_calls.END.timestamp()) * 1000, 1_800_000)
BROWSER = (
    *("chromium", "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-background-networking"),
    *("--disable-component-update", "--disable-sync", "--no-first-run", "--hide-scrollbars"),
)


def main() -> None:
    """Ask, draw, and write the picture."""
    catalog = load_catalog()
    dashboard = description.load(catalog)
    with tempfile.TemporaryDirectory() as home, run_opensearch(Path(home)) as server:
        _index(server)
        answers = _answers(server, dashboard, derived.lookups(catalog, dashboard))
        drawn = Path(home) / "page.html"
        drawn.write_text(page(catalog, dashboard, answers, TIMES), "utf-8")
        PICTURE.parent.mkdir(exist_ok=True)
        size = f"--window-size={WIDTH},{height(dashboard)}"
        command = [*BROWSER, size, f"--screenshot={PICTURE}", drawn.as_uri()]
        subprocess.run(command, check=True, timeout=120, capture_output=True)  # noqa: S603
        subprocess.run(["pngquant", "--force", "--ext", ".png", "--strip", "128", PICTURE], check=True)  # noqa: S603, S607


def _index(server: OpenSearch) -> None:
    layout = templates.Layout(shape=Shape(profiles=tuple(builtin_profiles())))
    for document in templates.documents(templates.Engine("opensearch", (2, 19)), layout):
        if document.kind in ("component", "index"):
            server.ask("PUT", document.path, document.body)
    lines: list[Any] = []
    for call in sample_calls.documents():
        lines += [{"create": {}}, call]
    answer = server.ask("POST", f"/{layout.name}-default/_bulk?refresh=true", lines)
    assert not answer["errors"], "all calls are indexed"


def _answers(
    server: OpenSearch, dashboard: description.Dashboard, lookups: dict[str, derived.Script]
) -> dict[str, list[query.Line]]:
    """Return the lines of each panel by its id."""
    answers = {}
    for panel in dashboard.panels:
        if panel.kind != "text":
            body = query.search(dashboard, panel, lookups, SPAN)
            body["derived"] = body.pop("runtime_mappings", {})  # OpenSearch's name for it
            answer = server.ask("POST", "/logs-sip.calls-default/_search", body)
            answers[panel.id] = query.lines(dashboard, panel, answer)
    return answers


if __name__ == "__main__":
    main()
