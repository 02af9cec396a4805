"""Write `tests/cases/<profile>/<name>.expected.jsonl` for every case; look at the diff before you commit it."""

from pathlib import Path

from enricher import Enricher

CASES = Path(__file__).resolve().parents[1] / "tests" / "cases"


def main() -> None:
    """Enrich every case."""
    enricher = Enricher()
    for case in sorted(CASES.glob("*/*.jsonl")):
        if case.name.endswith(".expected.jsonl"):
            continue
        lines = case.read_bytes().splitlines()
        case.with_suffix(".expected.jsonl").write_bytes(b"".join(enricher.enrich_json(line) + b"\n" for line in lines))


if __name__ == "__main__":
    main()
