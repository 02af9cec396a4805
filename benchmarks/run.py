"""Measures sipsense against other ways to do the same, all in one run, and prints one table.

Each number is the median of several rounds that take the ways in turn. Input is a file on standard input; output goes
to /dev/null and, in the column "to a pipe", to a program that reads it. Nothing is asserted: machines differ.
"""

import argparse
import json
import platform
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks.rows import GROUPS, QUICK, Inputs, Row, Sizes

_COLUMNS = ("what is compared with sipsense", "ours", "theirs", "", "ratio", "to a pipe", "target", "")
_GOALS = {"at least": ">=", "below": "<"}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--quick", action="store_true", help="small inputs, one round: only shows that all of it runs")
    parser.add_argument("--only", choices=GROUPS, action="append", help="measure this group of rows alone")
    parser.add_argument("--json", metavar="FILE", help="write the rows there, too")
    args = parser.parse_args()
    rows: list[Row] = []
    with tempfile.TemporaryDirectory() as folder:
        inputs = Inputs(folder)
        for name in args.only or GROUPS:
            print(f"measuring {name} ...", file=sys.stderr, flush=True)
            rows += GROUPS[name](inputs, QUICK if args.quick else Sizes())
            inputs.forget()
    _print(rows)
    if args.json:
        dicts = [{**row._asdict(), "met": row.met} for row in rows]
        Path(args.json).write_text(json.dumps(dicts, indent=2) + "\n", encoding="utf-8")


def _print(rows: Sequence[Row]) -> None:
    cells = [_COLUMNS, *map(_cells, rows)]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    for what, *numbers in cells:
        aligned = [number.rjust(width) for number, width in zip(numbers, widths[1:], strict=True)]
        print("  ".join([what.ljust(widths[0]), *aligned]).rstrip())
    print(
        f"\nPython {platform.python_version()}, {platform.machine()}. Ratio: how many times less ours takes; "
        "in rows with < how many times more."
    )


def _cells(row: Row) -> tuple[str, ...]:
    target = "" if row.target is None else f"{_GOALS[row.goal]} {row.target:.3g}"
    if row.note:
        return (row.what, "", "", row.note, "", "", target, "")
    digits = 1 if row.unit == "MiB" else 3
    met = {None: "", True: "met", False: "missed"}[row.met]
    theirs = f"{row.theirs:.{digits}f}" if row.theirs else ""
    return (row.what, f"{row.ours:.{digits}f}", theirs, row.unit, _number(row.ratio), _number(row.pipe), target, met)


def _number(ratio: float | None) -> str:
    return "" if ratio is None else f"{ratio:.2f}"


if __name__ == "__main__":
    main()
