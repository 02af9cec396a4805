"""Write the `.expected.jsonl` of every case in `tests`; look at the diff before you commit it."""

from pathlib import Path

from enricher import Enricher

TESTS = Path(__file__).resolve().parents[1] / "tests"
KINDS = {"cases/*/*.jsonl": Enricher(), "cases-ecs/*.jsonl": Enricher(ecs=True)}


def main() -> None:
    """Enrich every case."""
    for pattern, enricher in KINDS.items():
        for case in sorted(TESTS.glob(pattern)):
            if case.name.endswith(".expected.jsonl"):
                continue
            lines = case.read_bytes().splitlines()
            found = b"".join(enricher.enrich_json(line) + b"\n" for line in lines)
            case.with_suffix(".expected.jsonl").write_bytes(found)


if __name__ == "__main__":
    main()
