import itertools
import re
import subprocess
import sys

import pytest
from grafana_files import BOARDS, FOLDER, LANGUAGES, ROOT, filled_in, panels, queries, variables
from servers.go_program import complaints
from servers.lezer import errors

from enricher.catalog import load_catalog

BOTH = pytest.mark.parametrize("name", BOARDS)
CATALOG = load_catalog()


def test_generated_files_are_current():
    """What lies in the repository is what the generator makes of the catalog and the thresholds."""
    done = subprocess.run(
        [sys.executable, "scripts/grafana", "--check"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")


@BOTH
def test_model_of_grafana_reads_it(name):
    """Grafana's own model knows every field, and finds none missing or of another type."""
    assert complaints("grafana-model", FOLDER / "dashboards" / f"{name}.json") == ""


def test_model_of_grafana_finds_a_mistake(tmp_path):
    """A field that Grafana does not know is found, so that the test above means something."""
    path = tmp_path / "wrong.json"
    path.write_text((FOLDER / "dashboards" / "loki.json").read_text().replace('"fillOpacity"', '"fillOpacities"'))
    assert "fillOpacities" in complaints("grafana-model", path)


@BOTH
def test_head(name):
    """A dashboard can be provisioned anywhere: a stable uid, no id, nothing to be edited."""
    board = BOARDS[name]
    assert board["uid"] == f"sipsense-{name}"
    assert board.get("id") is None
    assert board["editable"] is False
    assert board["schemaVersion"] >= 36
    assert board["title"]
    assert board["description"]
    assert "sipsense" in board["tags"]


@BOTH
def test_data_source_is_a_variable(name):
    """Every query, panel and variable asks the data source that the user picks."""
    first = BOARDS[name]["templating"]["list"][0]
    assert (first["name"], first["type"], first["query"]) == ("datasource", "datasource", name)
    asked = {"type": name, "uid": "${datasource}"}
    for panel, target in queries(name):
        assert panel["datasource"] == target["datasource"] == asked
    for variable in BOARDS[name]["templating"]["list"]:
        if variable["type"] == "query":
            assert variable["datasource"] == asked
            assert variable["refresh"] == 2, "anew when the time range changes"


@BOTH
def test_panels_explain_themselves(name):
    """Each panel has a title of its own, a description in sentences and a unit."""
    titles = [panel["title"] for panel in panels(name)]
    assert len(set(titles)) == len(titles)
    for panel in panels(name):
        assert panel["description"].endswith("."), panel["title"]
        if panel["type"] != "text":
            assert panel["fieldConfig"]["defaults"]["unit"], panel["title"]
            assert panel["targets"], panel["title"]


@BOTH
def test_layout(name):
    """No panel overlaps another or leaves the grid, and each has an id of its own."""
    places = [panel["gridPos"] for panel in BOARDS[name]["panels"]]
    cells = [
        (x, y)
        for place in places
        for x, y in itertools.product(
            range(place["x"], place["x"] + place["w"]), range(place["y"], place["y"] + place["h"])
        )
    ]
    assert len(set(cells)) == len(cells)
    assert max(x for x, _ in cells) < 24
    ids = [panel["id"] for panel in BOARDS[name]["panels"]]
    assert ids == list(range(1, len(ids) + 1))


@BOTH
def test_queries_parse(name):
    """Every query is understood by the parser of Grafana's editor."""
    exprs = [filled_in(target["expr"]) for _, target in queries(name)]
    assert len(exprs) >= 15
    found = errors(LANGUAGES[name], exprs)
    assert [(expr, wrong) for expr, wrong in zip(exprs, found, strict=True) if wrong] == []


def test_parsers_find_mistakes():
    """The parsers find what is no query, so that the test above means something."""
    assert all(errors("logql", ['sum(count_over_time({a="b"} [5m])', "{}", 'rate({a="b"})']))
    assert all(errors("promql", ["sum(rate(x[5m])", "x{a=b}", "sum by rate(x[5m])"]))


def test_ranges():
    """Graphs use the step that Grafana finds, so that no call is left out or counted by two points of Loki."""
    for _, target in queries("loki"):
        assert set(re.findall(r"\[([^\]]+)\]", target["expr"])) <= {"$__auto"}
    for _, target in queries("prometheus"):
        wanted = "$__range" if target.get("instant") else "$__rate_interval"
        assert set(re.findall(r"\[([^\]]+)\]", target["expr"])) <= {wanted}, target["expr"]


def test_counters_are_never_shown_raw():
    """A counter is only ever asked for its growth: its value says how long a process has run."""
    for _, target in queries("prometheus"):
        expr = target["expr"]
        counters = re.findall(r"\w+_(?:total|sum|count|bucket)\{", expr)
        grown = re.findall(r"(?:rate|increase)\((\w+_(?:total|sum|count|bucket)\{)", expr)
        assert counters == grown, expr


@BOTH
def test_variables_are_declared_and_used(name):
    """Each variable that a query names is declared, and each that is declared is used."""
    declared = {variable["name"] for variable in BOARDS[name]["templating"]["list"]}
    used = set().union(*(variables(target["expr"]) for _, target in queries(name)))
    assert used | {"datasource"} == declared
    for variable in BOARDS[name]["templating"]["list"]:
        if variable["type"] == "query":
            assert variables(str(variable["query"])) <= declared


@BOTH
def test_panels_of_calls_obey_the_filters(name):
    """Every panel on calls can be narrowed by every variable."""
    everything = {"loki": {"service", "category", "initiator", "outcome", "reason", "trunk", "number"}}
    of_processes = {"job", "instance"}
    for panel, target in queries(name):
        used = variables(target["expr"])
        if name == "loki":
            assert used == everything["loki"], panel["title"]
        elif "sipsense_calls_total" in target["expr"]:
            assert used == of_processes | {"category", "initiator"}, panel["title"]
        else:
            assert used == of_processes, panel["title"]


def test_choices_are_the_catalogs():
    """The values to choose from are the words of the catalog, and none is read as two."""
    found = {variable["name"]: variable for variable in BOARDS["loki"]["templating"]["list"]}
    assert found["initiator"]["query"].split(",") == list(CATALOG.initiators)
    assert found["outcome"]["query"].split(",") == list(CATALOG.outcomes)
    reasons = set(re.split(r"(?<!\\),", found["reason"]["query"]))
    assert {row.reason for row in CATALOG.rows} <= reasons
    assert not any(" : " in reason for reason in reasons), "text and value are parted by it"


def test_reasons_lead_to_calls():
    """The reason in the table of failures leads to the calls with that reason, in both dashboards."""
    for name in BOARDS:
        table = next(panel for panel in panels(name) if panel["title"] == "Top failure reasons")
        urls = [
            link["url"]
            for override in table["fieldConfig"]["overrides"]
            for found in override["properties"]
            if found["id"] == "links"
            for link in found["value"]
        ]
        assert len(urls) == 1
        assert urls[0].startswith(f"/d/{BOARDS['loki']['uid']}?${{__url_time_range}}")
        assert "var-reason=${__data.fields.Reason:percentencode}" in urls[0]
        declared = {variable["name"] for variable in BOARDS["loki"]["templating"]["list"]}
        assert set(re.findall(r"\$\{(\w+):queryparam\}", urls[0])) <= declared - {"reason"}


def test_advice_is_the_catalogs():
    """The table of failures says for each reason of the catalog who can act and what to do."""
    table = next(panel for panel in panels("loki") if panel["title"] == "Top failure reasons")
    said = {}
    for override in table["fieldConfig"]["overrides"]:
        for found in override["properties"]:
            if found["id"] == "mappings":
                said[override["matcher"]["options"]] = found["value"][0]["options"]
    for row in CATALOG.rows:
        alone = sum(other.reason == row.reason for other in CATALOG.rows) == 1
        assert row.hint in said["What to do"][row.reason]["text"]
        if alone:
            assert said["What to do"][row.reason] == {"text": row.hint}
            assert said["Who has to act"][row.reason]["text"].split(" or ")[0] == row.owner


def test_table_columns_are_labels_of_the_query():
    """Each column of a table is a label that its queries keep, or the number that they give."""
    for name in BOARDS:
        for panel in panels(name):
            if panel["type"] != "table":
                continue
            names = next(
                one["options"]["include"]["names"] for one in panel["transformations"] if "include" in one["options"]
            )
            values = {f"Value #{target['refId']}" for target in panel["targets"]} | {"Value"}
            labels = set()
            for target in panel["targets"]:
                labels |= {label for by in re.findall(r"by \(([^)]*)\)", target["expr"]) for label in by.split(", ")}
                labels |= set(re.findall(r'"(\w+)", "\$1"', target["expr"]))
            assert set(names) <= values | labels, panel["title"]
