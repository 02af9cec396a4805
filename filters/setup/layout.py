"""From options to what the index of calls is like; `setup` and `export` share them."""

import argparse
from typing import Any

from filters import options
from filters.elastic.mapping import RECORDS, Shape
from filters.elastic.templates import DATASET, Layout

OPTIONS = ("dataset", "record", "retention", "no_policy", "nanoseconds", "component", "ingest_pipeline")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments that say what the index of calls is like."""
    group = parser.add_argument_group("elasticsearch, opensearch")
    group.add_argument(
        "--dataset", metavar="NAME", default=DATASET, help=f"data streams are logs-NAME-* (default: {DATASET})"
    )
    group.add_argument(
        "--record",
        choices=RECORDS,
        default=RECORDS[0],
        help="what can be searched of the vendor's record: fields that the profiles know (default), its objects as one "
        "flattened field each, every field until there are 1000, or nothing; all of it is kept",
    )
    group.add_argument(
        "--retention", metavar="DAYS", default="90", help="delete calls after so many days, or `never` (default: 90)"
    )
    group.add_argument(
        "--no-policy", action="store_true", help="no ILM or ISM policy: indices are looked after elsewhere"
    )
    group.add_argument(
        "--nanoseconds", action="store_true", help="keep @timestamp to the nanosecond, for times from 1970 to 2262 only"
    )
    group.add_argument(
        "--component",
        metavar="NAME",
        action="append",
        help="component template of your own that has the last word, for example on replicas",
    )
    group.add_argument(
        "--ingest-pipeline",
        action="store_true",
        help="let the cluster enrich what comes, by a pipeline that is installed",
    )


def layout_of(args: argparse.Namespace) -> Layout:
    """Return what the index of calls is to be like.

    Raises:
        SettingsError: with everything that is wrong.
    """
    from enricher import Enricher
    from enricher.profiles import load_profiles

    never: Any = None
    with options.Problems() as problems:
        days = problems.check(lambda: _days(args.retention), None)
        settings = problems.check(lambda: options.enricher_settings(args), never)
        enricher = problems.check(lambda: Enricher(**settings), never) if settings else never
    profiles = [
        reader.profile for reader in load_profiles(settings["profiles"], files=settings["profile_files"]).readers
    ]
    if custom := settings.get("custom"):
        profiles.append(custom)
    shape = Shape(
        target=args.target,
        flat=args.flat,
        ecs=args.ecs,
        nanoseconds=args.nanoseconds,
        record=args.record,
        profiles=tuple(profiles),
    )
    pipeline = None
    if args.ingest_pipeline:
        from filters.elastic.ingest import pipeline as make_pipeline

        pipeline = make_pipeline(enricher)
    return Layout(
        shape=shape,
        dataset=args.dataset,
        retention=days,
        policy=not args.no_policy,
        pipeline=pipeline,
        components=tuple(args.component or ()),
    )


def _days(text: str) -> int | None:
    return None if text == "never" else options.count(text, "--retention")
