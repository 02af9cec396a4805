"""Entries of records as the command line would have them made."""

import argparse
import json
from itertools import repeat

from enricher import Enricher
from filters.loki.entries import Encoder, Entry, push_body
from filters.loki.kinds import Kinds
from filters.loki.options import add_arguments
from filters.loki.settings import Settings, settings_of

ENRICHER = Enricher()
SECOND = 10**9
HOUR = 3600 * SECOND
DAY = 24 * HOUR
# 2026-11-24T12:00:00Z
NOW = 1795521600 * SECOND


def settings(*options: str, target: str = "sip", flat: bool = False) -> Settings:
    """Return the settings that options make."""
    parser = argparse.ArgumentParser(exit_on_error=False)
    add_arguments(parser)
    return settings_of(argparse.Namespace(**vars(parser.parse_args(options)), target=target, flat=flat))


def call(number: int = 1, when: int | None = NOW, **more: object) -> dict:
    """Return a record of a call that was busy at that time."""
    time = {} if when is None else {"time_end": written(when)}
    meaning = {"sip_code": 486, "sip_reason": "Busy Here", "disconnect_initiator": "Destination"}
    return {"call_id": f"c{number}@192.0.2.1", **time, **meaning, **more}


def written(when: int) -> str:
    """Return a time as a record says it, with its nanoseconds."""
    from filters.codecs.convert import rfc3339

    return rfc3339(*divmod(when, SECOND))


def enriched(*records: dict | bytes) -> list[bytes]:
    """Return records as lines that come to a sink."""
    lines = [record if isinstance(record, bytes) else json.dumps(record).encode() for record in records]
    return [ENRICHER.enrich_json(line) + b"\n" for line in lines]


class Made:
    """What an encoder makes.

    Args:
        options: of the command line.
        now: the time of all that happens.
    """

    def __init__(self, *options: str, now: int = NOW, enricher: Enricher = ENRICHER, **places: object) -> None:
        self.encoder = Encoder(settings(*options, **places), enricher.identify, lambda: now)
        self.refused: list[tuple[bytes, str]] = []
        self._now = now

    @property
    def kinds(self) -> Kinds:
        """Return what finds the kind of a record."""
        return self.encoder._kind_of.__self__

    def entries(self, *lines: bytes) -> list[Entry]:
        """Return the entries of lines that arrive now."""
        return self.encoder.entries(lines, repeat(self._now), self.refused)

    def of(self, *records: dict) -> list[Entry]:
        """Return the entries of records, enriched."""
        return self.entries(*enriched(*records))


def pushed(entries: list[Entry]) -> list[tuple[dict, list]]:
    """Return the streams of a push with their values."""
    return [(one["stream"], one["values"]) for one in json.loads(push_body(entries))["streams"]]


def metadata(entry: Entry) -> dict:
    """Return the structured metadata that a push says."""
    return json.loads(entry.text)[2]
