"""Charts of the preview as SVG: bars over time with a line, and lying bars."""

from collections.abc import Mapping, Sequence
from html import escape
from typing import NamedTuple

CHARACTER = 6.6  # pixels, about
STEPS = (1, 2, 2.5, 5, 10)


class Series(NamedTuple):
    """Values over time; None where there is none."""

    name: str
    colour: str
    values: Sequence[float | None]


class Part(NamedTuple):
    """A part of a lying bar."""

    name: str
    colour: str
    value: float


def time_bars(width: int, height: int, labels: Sequence[str], series: Sequence[Series], line: Series | None) -> str:
    """Return stacked bars, and a line between 0 and 100 % on an axis of its own.

    Args:
        width, height: of the chart in pixels.
        labels: the time of each bar.
        series: from the lowest part of a bar to the highest.
        line: on the right axis.
    """
    shown = [*series, *([line] if line else [])]
    legend = _legend_width([one.name for one in shown])
    left, right, top, bottom = 44, legend + (50 if line else 10), 12, height - 26
    inner = width - left - right
    totals = [sum(one.values[at] or 0 for one in series) for at in range(len(labels))]
    ticks = _ticks(max(totals))
    scale = (bottom - top) / ticks[-1]
    step = inner / len(labels)
    drawn = [_gridline(left, left + inner, bottom - tick * scale, f"{tick:,.0f}") for tick in ticks]
    for at, label in enumerate(labels):
        y = float(bottom)
        for one in series:
            tall = (one.values[at] or 0) * scale
            y -= tall
            if tall:
                drawn.append(_rect(left + at * step + 1, y, step - 2, tall, one.colour))
        if label.endswith(":00") and int(label[:2]) % (3 if inner > 400 else 6) == 0:
            drawn.append(f'<text x="{left + at * step:.0f}" y="{bottom + 16}" text-anchor="middle">{label}</text>')
    if line:
        points = " ".join(
            f"{left + (at + 0.5) * step:.1f},{bottom - value * (bottom - top):.1f}"
            for at, value in enumerate(line.values)
            if value is not None
        )
        drawn.append(f'<polyline points="{points}" fill="none" stroke="{line.colour}" stroke-width="2.5"/>')
        for share in (0, 0.25, 0.5, 0.75, 1):
            y = bottom - share * (bottom - top) + 4
            drawn.append(f'<text x="{left + inner + 8}" y="{y:.0f}">{share:.0%}</text>')
    drawn.append(_legend(width - legend + 8, top, bottom, [(one.name, one.colour) for one in shown]))
    return _svg(width, height, drawn)


def lying_bars(width: int, height: int, rows: Mapping[str, Sequence[Part]]) -> str:
    """Return a lying bar for each row, its parts side by side."""
    names = {part.name: part.colour for parts in rows.values() for part in parts}
    legend = _legend_width(list(names))
    left, top, bottom = int(max(map(len, rows)) * CHARACTER) + 24, 8, height - 24
    inner = width - left - legend - 46
    ticks = _ticks(max(sum(part.value for part in parts) for parts in rows.values()))
    scale = inner / ticks[-1]
    step = (bottom - top) / len(rows)
    drawn = []
    for tick in ticks:
        x = left + tick * scale
        drawn.append(f'<line x1="{x:.1f}" x2="{x:.1f}" y1="{top}" y2="{bottom}" stroke="#e4e9f0"/>')
        drawn.append(f'<text x="{x:.0f}" y="{bottom + 15}" text-anchor="middle">{tick:,.0f}</text>')
    for at, (name, parts) in enumerate(rows.items()):
        x, y = float(left), top + at * step
        thick = min(step - 5, 30)
        for part in parts:
            drawn.append(_rect(x, y + (step - thick) / 2, part.value * scale, thick, part.colour))
            x += part.value * scale
        middle = y + step / 2 + 4
        drawn.append(f'<text x="{left - 8}" y="{middle:.0f}" text-anchor="end">{escape(name)}</text>')
        total = sum(part.value for part in parts)
        drawn.append(f'<text x="{x + 6:.0f}" y="{middle:.0f}">{total:,.0f}</text>')
    drawn.append(_legend(width - legend + 8, top + 2, height - 8, list(names.items())))
    return _svg(width, height, drawn)


def _svg(width: int, height: int, drawn: Sequence[str]) -> str:
    return f'<svg width="{width}" height="{height}">{"".join(drawn)}</svg>'


def _rect(x: float, y: float, width: float, height: float, colour: str) -> str:
    return f'<rect x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{height:.1f}" fill="{colour}"/>'


def _gridline(left: float, right: float, y: float, label: str) -> str:
    return (
        f'<line x1="{left}" x2="{right:.0f}" y1="{y:.1f}" y2="{y:.1f}" stroke="#e4e9f0"/>'
        f'<text x="{left - 6}" y="{y + 4:.0f}" text-anchor="end">{label}</text>'
    )


def _legend(x: float, top: float, bottom: float, names: Sequence[tuple[str, str]]) -> str:
    step = min(17, (bottom - top) / max(len(names) - 1, 1))
    return "".join(
        f'<circle cx="{x}" cy="{top + at * step:.1f}" r="4.5" fill="{colour}"/>'
        f'<text x="{x + 10}" y="{top + at * step + 4:.1f}">{escape(name)}</text>'
        for at, (name, colour) in enumerate(names)
    )


def _legend_width(names: Sequence[str]) -> int:
    return int(max(map(len, names)) * CHARACTER) + 30


def _ticks(most: float) -> list[float]:
    """Return about five round numbers from 0 to at least the most."""
    size = 1.0
    while size * 10 * 5 < most:
        size *= 10
    step = next(size * one for one in STEPS if size * one * 5 >= most)
    return [step * at for at in range(int(-(-most // step)) + 1)]
