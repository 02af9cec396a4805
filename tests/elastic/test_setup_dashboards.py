"""`sipsense setup kibana` and `opensearch-dashboards`, on a stand-in for their API."""

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from servers.fake_kibana import Kibana

from filters import cli

PRODUCTS = {"kibana": "9.1.0", "opensearch-dashboards": "2.19.0"}
Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    """Return what runs the command, and gives its exit code and what it said."""

    def ran(what: str, url: str, *options: str) -> tuple[int, str, str]:
        code = cli.main(["setup", what, url, *options])
        return code, *capsys.readouterr()

    return ran


@pytest.fixture
def start() -> Iterator[Callable[..., Kibana]]:
    """Start stand-ins that are gone when the test ends."""
    fakes: list[Kibana] = []

    def started(version: str = "9.1.0", **options: Any) -> Kibana:
        fakes.append(Kibana(version, **options))
        return fakes[-1]

    yield started
    for fake in fakes:
        fake.close()


def actions(out: str) -> set[str]:
    """Return what was done to objects."""
    return {line[2:12].strip() for line in out.splitlines()[1:]}


@pytest.mark.parametrize("what", PRODUCTS)
def test_twice(what: str, start: Callable[..., Kibana], run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    """What `sipsense export` writes is imported whole; a second run finds all unchanged and imports nothing."""
    assert cli.main(["export", what]) == 0
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    wanted = {(line["type"], line["id"]) for line in lines if "type" in line}
    fake = start(PRODUCTS[what])
    code, out, err = run(what, fake.url)
    assert (code, err, actions(out)) == (0, "", {"create"})
    assert set(fake.spaces["default"]) == wanted
    fake.asked.clear()
    code, out, err = run(what, fake.url)
    assert (code, err, actions(out), fake.changes) == (0, "", {"unchanged"}, [])


def test_changed_objects_are_written_again(start: Callable[..., Kibana], run: Run) -> None:
    """An object that differs from ours is named with what differs and written again; the rest is unchanged."""
    fake = start()
    run("kibana", fake.url)
    key = next(key for key in fake.spaces["default"] if key[0] == "dashboard")
    fake.spaces["default"][key]["attributes"]["description"] = "mine"
    code, out, _ = run("kibana", fake.url)
    assert (code, actions(out)) == (0, {"unchanged", "update"})
    assert "differs in description" in out
    assert fake.spaces["default"][key]["attributes"]["description"] != "mine"


def test_dry_run(start: Callable[..., Kibana], run: Run) -> None:
    """A dry run says what would be imported and imports nothing."""
    fake = start()
    code, out, _ = run("kibana", fake.url, "--dry-run", "--json")
    said = json.loads(out)
    assert code == 0
    assert {step["action"] for step in said["steps"]} == {"create"}
    assert {"dashboard", "index-pattern"} <= {step["kind"] for step in said["steps"]}
    assert fake.changes == []


def test_space(start: Callable[..., Kibana], run: Run) -> None:
    """--space is a space of Kibana, in the path, and a tenant of OpenSearch Dashboards, in a header."""
    fake = start()
    assert run("kibana", fake.url, "--space", "voice")[0] == 0
    assert fake.spaces["voice"]
    assert "default" not in fake.spaces
    other = start(PRODUCTS["opensearch-dashboards"])
    assert run("opensearch-dashboards", other.url, "--space", "global")[0] == 0
    assert other.spaces["global"]
    code, _, err = run("kibana", fake.url, "--space", "../x")
    assert (code, "--space: expected small letters" in err) == (2, True)


def test_options_of_the_dashboard(start: Callable[..., Kibana], run: Run) -> None:
    """The data view covers the indices that --index-pattern names."""
    fake = start()
    assert run("kibana", fake.url, "--index-pattern", "calls-*")[0] == 0
    view = next(one for (kind, _), one in fake.spaces["default"].items() if kind == "index-pattern")
    assert view["attributes"]["title"] == "calls-*"


def test_refused_objects(start: Callable[..., Kibana], run: Run) -> None:
    """Each object that the server does not take is named with the reason, though the status is 200."""
    fake = start(unknown=["dashboard", "index-pattern"])
    code, _, err = run("kibana", fake.url)
    assert code == 1
    assert "the server does not know this type" in err
    fake = start()
    errors = [
        {
            "type": "dashboard",
            "id": "1",
            "meta": {"title": "Calls"},
            "error": {"type": "missing_references", "references": [{"type": "index-pattern", "id": "gone"}]},
        }
    ]
    answer = {"success": False, "successCount": 0, "errors": errors}
    fake.refuse = lambda asked: (200, answer) if asked.path.endswith("_import") else None
    code, _, err = run("kibana", fake.url)
    assert code == 1
    assert "dashboard Calls: it refers to what is not there: index-pattern gone" in err


def test_success_that_stored_nothing(start: Callable[..., Kibana], run: Run) -> None:
    """An import that is said to have gone well is looked at: an object that is not there afterwards is an error."""
    fake = start()
    run("kibana", fake.url)
    lost = next(name for kind, name in fake.spaces["default"] if kind == "dashboard")
    code, _, err = run("kibana", start(lost=[lost]).url)
    assert code == 1
    assert "it says that all was imported, but does not have" in err


@pytest.mark.parametrize(
    ("what", "version", "problem"),
    [
        ("kibana", "2.19.0", "expected Kibana 8.12 or newer, got version 2.19.0"),
        ("kibana", "8.11.4", "expected Kibana 8.12 or newer, got version 8.11.4"),
        ("opensearch-dashboards", "9.1.0", "expected OpenSearch Dashboards, got version 9.1.0"),
    ],
)
def test_wrong_product(start: Callable[..., Kibana], run: Run, what: str, version: str, problem: str) -> None:
    """Kibana's objects are not given to OpenSearch Dashboards, nor the other way round."""
    fake = start(version)
    code, _, err = run(what, fake.url)
    assert (code, fake.changes) == (2, [])
    assert problem in err


def test_login_page(start: Callable[..., Kibana], run: Run) -> None:
    """A server that sends to its login page, or refuses, is said to want credentials."""
    fake = start()
    fake.refuse = lambda _: (302, {})
    assert "it wants us to log in" in run("kibana", fake.url)[2]
    fake.refuse = lambda _: (401, {"statusCode": 401, "error": "Unauthorized", "message": "Unauthorized"})
    code, _, err = run("kibana", fake.url)
    assert (code, "it wants to know us" in err) == (1, True)
