"""The catalog as a look-up table that other programs can read, so that they do the same as sipsense, nearly.

A key is `code|reason in lower case|initiator`; `*` stands for a text that is not known. What the table leaves out:
finding out which system wrote a record, texts that differ in punctuation, white space or numbers, fillers, codes that
are written as text, connect evidence, records that have the target key, records that are no call logs, bad input.

`mapping.py write FOLDER` writes `mapping.json` for jq and `mapping.mlr` for Miller there.
`mapping.py compare FILE COMMAND...` prints for which part of the records the command adds the same object as sipsense.
"""

import json
import os
import subprocess
import sys
from typing import Any

from enricher import Enricher

HERE = os.path.dirname(os.path.abspath(__file__))
INITIATORS = ("System", "Destination", "Origination")


def table() -> dict[str, Any]:
    """Return what each code, reason and initiator gains."""
    enricher = Enricher()
    texts = {(code, reason) for code in enricher.catalog.names for reason in ("", "*")}
    for row in enricher.catalog.rows:
        aliases = [(alias.code, alias.text) for alias in row.aliases if not alias.pattern]
        texts |= {(code, text.lower()) for code, text in [(row.code, row.reason), *aliases]}
    return {
        f"{code}|{reason}|{initiator}": _gain(enricher, code, reason, initiator)
        for code, reason in sorted(texts)
        for initiator in (*INITIATORS, "")
    }


def _gain(enricher: Enricher, code: int, reason: str, initiator: str) -> Any:
    text = "a text that nobody knows" if reason == "*" else reason
    return enricher.enrich({"sip_code": code, "sip_reason": text, "disconnect_initiator": initiator})["sip"]


def write(folder: str) -> None:
    """Write what jq and Miller read."""
    rows = json.dumps(table(), separators=(",", ":"))
    with open(os.path.join(folder, "mapping.json"), "w", encoding="utf-8") as file:
        file.write(f'{{"rows":{rows}}}')
    with open(os.path.join(HERE, "mapping.mlr"), encoding="utf-8") as file:
        expression = file.read()
    with open(os.path.join(folder, "mapping.mlr"), "w", encoding="utf-8") as file:
        file.write(expression.replace("{}  # TABLE", rows))


def compare(path: str, command: list[str]) -> None:
    """Print how far the command does the same as sipsense."""
    with open(path, "rb") as file:
        lines = file.read().splitlines()
    with open(path, "rb") as file:
        theirs = subprocess.run(command, stdin=file, stdout=subprocess.PIPE, check=True).stdout.splitlines()
    enrich = Enricher().enrich_json
    pairs = zip(lines, theirs, strict=True)
    same = sum(json.loads(enrich(line)).get("sip") == json.loads(their).get("sip") for line, their in pairs)
    print(f"{same / len(lines):.0%}")


if __name__ == "__main__":
    if sys.argv[1] == "write":
        write(sys.argv[2])
    else:
        compare(sys.argv[2], sys.argv[3:])
