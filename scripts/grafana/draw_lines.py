"""Lines over time as SVG, beside the bars of `preview_charts`."""

from collections.abc import Callable, Sequence

import preview_charts as charts


def time_lines(
    width: int, height: int, labels: Sequence[str], series: Sequence[charts.Series], unit: Callable[[float], str]
) -> str:
    """Return a line for each series.

    Args:
        width, height: of the chart in pixels.
        labels: the time of each point.
        series: their lines.
        unit: writes a value.
    """
    legend = charts._legend_width([one.name for one in series])
    left, right, top, bottom = 64, legend + 10, 12, height - 26
    inner = width - left - right
    most = max((value for one in series for value in one.values if value is not None), default=0) or 1
    scale, step = (bottom - top) / most, inner / max(len(labels) - 1, 1)
    drawn = [
        charts._gridline(left, left + inner, bottom - share * (bottom - top), unit(most * share))
        for share in (0, 0.25, 0.5, 0.75, 1)
    ]
    for at, label in enumerate(labels):
        if label.endswith(":00") and int(label[:2]) % 6 == 0:
            drawn.append(f'<text x="{left + at * step:.0f}" y="{bottom + 16}" text-anchor="middle">{label}</text>')
    for one in series:
        points = " ".join(
            f"{left + at * step:.1f},{bottom - value * scale:.1f}"
            for at, value in enumerate(one.values)
            if value is not None
        )
        drawn.append(f'<polyline points="{points}" fill="none" stroke="{one.colour}" stroke-width="1.8"/>')
    drawn.append(charts._legend(width - legend + 8, top, bottom, [(one.name, one.colour) for one in series]))
    return charts._svg(width, height, drawn)
