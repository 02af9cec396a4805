"""The ingest pipeline on a real server: it adds what the enricher adds, whatever the record."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ingest_records import CATALOG, NUMBERS, PROFILE, all_records, letters, odd_records, shaped, storable, texts_of
from records import CASES, POOL, objects
from servers import cache
from servers.opensearch import OpenSearch
from simulate import assert_same, install, simulate

from enricher import Enricher, custom_profile
from enricher.catalog import load_catalog
from enricher.profiles import builtin_profiles
from filters.cli import main
from filters.elastic.ingest import pipeline

Same = Callable[[str, list[Any]], None]
KINDS = ("plain", "flat", "narrow", "flat-narrow", "named", "custom", "own")


@pytest.fixture(scope="module")
def enrichers(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Enricher]:
    """Return an enricher for each kind of settings."""
    folder = tmp_path_factory.mktemp("settings")
    catalog, profile, numbers = (folder / name for name in ("catalog.toml", "profile.toml", "numbers.toml"))
    catalog.write_text(CATALOG, "utf-8")
    profile.write_text(PROFILE, "utf-8")
    numbers.write_text(NUMBERS, "utf-8")
    return {
        "plain": Enricher(),
        "flat": Enricher(flat=True),
        "narrow": Enricher(target="meaning", fields=("code", "outcome"), guess=True),
        "flat-narrow": Enricher(flat=True, target="call", fields=("reason", "outcome")),
        "named": Enricher(profiles=["kamailio", "freeswitch", "generic"]),
        "custom": Enricher(custom=custom_profile("a.b", "a.c", "d")),
        "own": Enricher(catalog=[catalog], profile_files=[profile, numbers], guess=True),
    }


@pytest.fixture(scope="module")
def pipelines(opensearch: OpenSearch, enrichers: dict[str, Enricher]) -> Iterator[dict[str, str]]:
    """Install the pipeline of each enricher and return their names."""
    names = {key: f"ingest-{key}" for key in enrichers}
    for key, name in names.items():
        install(opensearch, name, enrichers[key])
    yield names
    opensearch.ask("DELETE", "/_ingest/pipeline/ingest-*")


@pytest.fixture(scope="module")
def same(opensearch: OpenSearch, pipelines: dict[str, str], enrichers: dict[str, Enricher]) -> "Same":
    """Check that pipeline and enricher with these settings agree on records."""
    return lambda key, records: assert_same(opensearch, pipelines[key], enrichers[key], records)


def test_cases(same: Same) -> None:
    """It makes of all records in tests/cases, enriched or not, call logs or not, what the golden files say."""
    for kind in KINDS:
        same(kind, [json.loads(line) for line in POOL])


def test_examples(opensearch: OpenSearch, pipelines: dict[str, str], enrichers: dict[str, Enricher]) -> None:
    """It claims each example of each profile, and reads it as the enricher does."""
    records = [json.loads(text) for profile in builtin_profiles() for text in profile.example]
    assert_same(opensearch, pipelines["plain"], enrichers["plain"], records)
    assert all("match" in made["sip"] for made in simulate(opensearch, pipelines["plain"], records))


@pytest.mark.parametrize("kind", ["plain", "narrow", "own"])
def test_texts(kind: str, same: Same, enrichers: dict[str, Enricher]) -> None:
    """Every row, alias and known text is found, with its code, with another code and without one, by every side."""
    catalog = load_catalog(guess=True) if kind == "plain" else enrichers[kind].catalog
    records: list[Any] = []
    for code, text in dict.fromkeys(texts_of(catalog)):
        for other in (code, code + 1, None, "none"):
            records += all_records(other, text)
        records += [{"params": {"sip_reason": text}}, {"sip_code": f"SIP {code} {text}"}]
    for filler in catalog.fillers:
        for code in (200, 403, 480, 487, 500, None):
            records += all_records(code, filler)
    assert len(records) > 10_000
    same(kind, records)


def test_codes(same: Same) -> None:
    """Every code from 99 to 700 is explained, without a text and with one that is not known, by every side."""
    same(
        "plain",
        [record for code in range(99, 701) for text in (None, "Unknown words") for record in all_records(code, text)],
    )


def test_letters(same: Same) -> None:
    """Case, white space, digits and punctuation are what they are to the enricher, in all of Unicode."""
    records: list[Any] = []
    for it in (*letters(), *map(chr, range(128))):
        texts = (
            f"Busy{it}Here",
            f"Bu{it}y{it} Here",
            f"Busy Here (503/T{it}){it}",
            f"Busy Here (50{it}/TM)",
            f"Stra{it}e gesperrt",
        )
        codes = f"{it}SIP{it}486{it}Busy Here{it}", f"4{it}6", f"S{it}P/{it}.0:{it}486", f"486 Busy Here{it}"
        sides = f"call{it}er", f"{it}caller{it}"
        flags = f"{it}yes{it}", f"ye{it}", f"{it}0"
        records += [{"sip_code": 486, "sip_reason": text, "disconnect_initiator": "system"} for text in texts]
        records += [{"sip_code": code} for code in codes]
        records += [{"sip_code": 486, "disconnect_initiator": side} for side in sides]
        records += [{"sip_code": 408, "sip_reason": "NoAck", "success": flag, "duration": flag} for flag in flags]
    same("own", records)


@pytest.mark.parametrize("kind", ["plain", "own", "flat"])
def test_odd_values(kind: str, same: Same) -> None:
    """Values at the edges of what is read are read as the enricher reads them, wherever they stand."""
    same(kind, list(odd_records()))


@given(st.sampled_from(KINDS), st.lists(objects.filter(storable), min_size=1, max_size=40))
def test_any_record(same: Same, kind: str, records: list[Any]) -> None:
    """It makes of any record what the enricher makes of it, with all kinds of settings."""
    same(kind, records)


@given(st.sampled_from(KINDS), st.lists(shaped(), min_size=1, max_size=40))
def test_any_value(same: Same, kind: str, records: list[Any]) -> None:
    """It reads as the enricher does what stands at the paths of the profiles, however odd."""
    same(kind, records)


def test_indexed(opensearch: OpenSearch, unique: Callable[[str], str], capsys: pytest.CaptureFixture[str]) -> None:
    """Records of a real relay, indexed through the exported pipeline, are stored as the golden file says."""
    assert main(["export", "ingest-pipeline"]) == 0
    name = unique("relay")
    opensearch.ask("PUT", f"/_ingest/pipeline/{name}", capsys.readouterr().out.encode())
    opensearch.ask(
        "PUT", f"/{name}", {"settings": {"index.default_pipeline": name, "index.mapping.total_fields.limit": 100}}
    )
    records = (CASES / "kamailio" / "relay-acc.jsonl").read_bytes().splitlines()
    lines = [part for place, record in enumerate(records) for part in (b'{"index":{"_id":"%d"}}' % place, record)]
    assert not opensearch.ask("POST", f"/{name}/_bulk?refresh=true", b"".join(line + b"\n" for line in lines))["errors"]
    found = opensearch.ask("GET", f"/{name}/_search", {"size": 10_000})["hits"]["hits"]
    stored = {int(hit["_id"]): hit["_source"] for hit in found}
    golden = (CASES / "kamailio" / "relay-acc.expected.jsonl").read_bytes().splitlines()
    assert stored == {place: json.loads(line) for place, line in enumerate(golden)}
    (node,) = opensearch.ask("GET", "/_nodes/stats/ingest")["nodes"].values()
    counts = node["ingest"]["pipelines"][name]
    (script,) = counts["processors"]
    assert (counts["count"], script["script:sipsense"]["stats"]["failed"]) == (len(records), 0)


def test_document(opensearch: OpenSearch, unique: Callable[[str], str], tmp_path: Path) -> None:
    """The commands of docs/ingest-pipeline.md work in their order; the last enriches what was stored before."""
    cache.needed("curl", lambda: cache.install(["curl"], ["curl"]))
    root = Path(__file__).parents[2]
    text = (root / "docs" / "ingest-pipeline.md").read_text("utf-8")
    commands = "\n".join(re.findall(r"^ *```sh\n(.*?)```", text, re.DOTALL | re.MULTILINE))
    name = unique("stored")
    for old, new in {
        "http://127.0.0.1:9200": opensearch.url,
        "sip-calls": unique("doc"),
        "logs-sip.calls-default": name,
    }.items():
        assert old in commands
        commands = commands.replace(old, new)
    opensearch.ask("PUT", f"/{name}/_doc/1?refresh=true", {"sip_code": 486})
    command = tmp_path / "sipsense"
    command.write_text(f'#!/bin/sh\nexec {sys.executable} -m filters "$@"\n')
    command.chmod(0o755)
    environment = {**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}", "PYTHONPATH": str(root)}
    done = subprocess.run(
        ["sh", "-ec", commands], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr + done.stdout
    assert opensearch.ask("GET", f"/{name}/_doc/1")["_source"] == Enricher().enrich({"sip_code": 486})


def test_what_fails_is_indexed(opensearch: OpenSearch, unique: Callable[[str], str]) -> None:
    """A document is stored as it came where the script fails, and counted."""
    made = pipeline(Enricher())
    made["processors"][0]["script"]["source"] = "throw new IllegalArgumentException()"
    name = unique("fails")
    opensearch.ask("PUT", f"/_ingest/pipeline/{name}", made)
    opensearch.ask("PUT", f"/{name}/_doc/1?pipeline={name}", {"sip_code": 486})
    assert opensearch.ask("GET", f"/{name}/_doc/1")["_source"] == {"sip_code": 486}


def test_limits_of_clusters() -> None:
    """The script is shorter than clusters allow, and does without regular expressions, which they may forbid."""
    source = pipeline(Enricher())["processors"][0]["script"]["source"]
    assert len(source.encode()) < 65_535 // 2
    assert not re.search(r"=~|Pattern|Matcher|\.split\(|replaceAll", source)
