"""How commands print what they found: tables and labelled sentences for people, JSON and CSV for machines.

On a terminal rich lays it out; what goes into a pipe is plain and has no line breaks of its own.
"""

import sys
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text

FORMATS = ("table", "json", "csv", "markdown")

_STYLES = {
    "code": "bold",
    "name": "bold",
    "profile": "bold",
    "answered": "green",
    "cancelled": "yellow",
    "busy": "yellow",
    "no_answer": "yellow",
    "rejected": "yellow",
    "redirected": "yellow",
    "challenged": "yellow",
    "dropped": "red",
    "bad_number": "red",
    "blocked": "red",
    "capacity": "red",
    "misconfigured": "red",
    "fault": "red",
}


def table(
    rows: Sequence[Mapping[str, Any]], columns: Sequence[str], format: str, *, under: Mapping[str, str] | None = None
) -> None:
    """Print the rows in one of the FORMATS.

    Args:
        rows: a value may be a text, a number, a list of texts or None.
        under: columns that a terminal shows under another one, which keeps a table with long texts narrow.
    """
    if format == "json":
        json([{column: row.get(column) for column in columns} for row in rows])
        return
    cells = [[_cell(row.get(column)) for column in columns] for row in rows]
    if format == "csv":
        import csv

        csv.writer(sys.stdout).writerows([columns, *cells])
    elif format == "markdown":
        for line in (columns, ["---"] * len(columns), *([_escaped(cell) for cell in row] for row in cells)):
            print(f"| {' | '.join(line)} |")
    elif cells:
        numeric = [all(isinstance(row.get(column), int | None) for row in rows) for column in columns]
        cells = [[visible(cell) for cell in row] for row in cells]
        if sys.stdout.isatty():
            _draw_rich(columns, cells, numeric, under or {})
        else:
            draw_plain(columns, cells, numeric)


def json(value: Any) -> None:
    """Print a value as JSON for people and machines."""
    import msgspec

    text = msgspec.json.format(msgspec.json.encode(value), indent=2).decode()
    print(text.replace("\x7f", "\\u007f"))


def heading(text: str) -> None:
    """Print a line that stands over what follows."""
    if not sys.stdout.isatty():
        print(visible(text))
        return
    _console().print(_text(text, "bold"))


def sentence(text: str) -> None:
    """Print a text that may be wrapped."""
    if not sys.stdout.isatty():
        print(visible(text))
        return
    _console().print(_text(text))


def block(pairs: Sequence[tuple[str, str]]) -> None:
    """Print each label with what is to be said of it; a label may be empty."""
    width = max(len(label) for label, _ in pairs)
    if not sys.stdout.isatty():
        for label, value in pairs:
            print(f"{label:<{width}}  {visible(value)}")
        return
    from rich.table import Table

    grid = Table.grid(padding=(0, 2, 0, 0))
    grid.add_column(style="dim", no_wrap=True)
    grid.add_column(overflow="fold")
    for label, value in pairs:
        shown = _text(value)
        word = value.partition(":")[0]
        if word in _STYLES:
            shown.stylize(_STYLES[word], 0, len(word))
        grid.add_row(label, shown)
    _console().print(grid)


def visible(text: str) -> str:
    """Return the text with every character that could move a terminal's cursor spelled out."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def draw_plain(columns: Sequence[str], cells: Sequence[Sequence[str]], numeric: Sequence[bool]) -> None:
    """Print aligned columns, one line a row, however long."""
    lines = [columns, *cells]
    widths = [max(_width(line[place]) for line in lines) for place in range(len(columns))]
    for line in lines:
        padded = [
            _padding(text, width) + text if right else text + _padding(text, width)
            for text, width, right in zip(line, widths, numeric, strict=True)
        ]
        print("  ".join(padded).rstrip())


def _draw_rich(
    columns: Sequence[str], cells: Sequence[Sequence[str]], numeric: Sequence[bool], under: Mapping[str, str]
) -> None:
    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    grid = Table(box=SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False, show_edge=False, header_style="bold")
    stacks = [
        [place, *(below for below, other in enumerate(columns) if under.get(other) == column)]
        for place, column in enumerate(columns)
        if column not in under
    ]
    for stack in stacks:
        title, column = " / ".join(columns[place] for place in stack), columns[stack[0]]
        justify: Literal["left", "right"] = "right" if numeric[stack[0]] else "left"
        grid.add_column(title, justify=justify, style=_STYLES.get(column), overflow="fold")
    for row in cells:
        grid.add_row(*(_stacked([row[place] for place in stack]) for stack in stacks))
    _console().print(grid)


def _stacked(texts: Sequence[str]) -> "Text":
    """Return a cell with the other texts under the first one."""
    shown = _text(texts[0], _STYLES.get(texts[0], ""))
    for line in filter(None, texts[1:]):
        shown.append("\n" + line, "dim")
    return shown


def _console() -> "Console":
    from rich.console import Console

    return Console(file=sys.stdout, highlight=False)


def _text(text: str, style: str = "") -> "Text":
    from rich.text import Text

    return Text(visible(text), style)


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, list | tuple):
        return ", ".join(map(str, value))
    return str(value)


def _escaped(text: str) -> str:
    """Return the text as a cell of a Markdown table."""
    for character in "\\|*<`":
        text = text.replace(character, "\\" + character)
    return visible(" ".join(text.split()))


def _width(text: str) -> int:
    if text.isascii():
        return len(text)
    from rich.cells import cell_len

    return cell_len(text)


def _padding(text: str, width: int) -> str:
    return " " * (width - _width(text))
