"""Write dashboards and alerts for Grafana, Loki and Prometheus; with `--check` only tell which file is not current."""

import sys
from collections.abc import Iterator
from pathlib import Path

import alerts
import loki_board
import prometheus_board
from grafana_foundation_sdk.cog.encoder import JSONEncoder

ROOT = Path(__file__).resolve().parents[2]
# For `sipsense export`, and to be copied.
PACKAGE, EXAMPLES = ROOT / "filters" / "grafana", ROOT / "examples" / "grafana"


def files() -> Iterator[tuple[str, str]]:
    """Give name and text of each file."""
    for name, board in (("loki", loki_board), ("prometheus", prometheus_board)):
        text = JSONEncoder(sort_keys=True, indent=2).encode(board.build().build())
        yield f"dashboards/{name}.json", text + "\n"
    for name, text in alerts.files():
        yield f"alerts/{name}", text


def main(argv: list[str]) -> int:
    """Write the files, or name those that are not current."""
    stale = []
    for name, text in files():
        for path in (EXAMPLES / name, PACKAGE / Path(name).name):
            if "--check" not in argv:
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(text)
            elif not path.exists() or path.read_text() != text:
                stale.append(str(path.relative_to(ROOT)))
    for path in stale:
        print(f"{path}: not current, run `python scripts/grafana`", file=sys.stderr)
    return 1 if stale else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
