"""docs/bench.svg and docs/scale.svg: cost per tick, memory per stream and more, against the number of streams."""

from html import escape
from math import ceil, floor, log10
from statistics import median

# Of each panel: its width, where its axes begin and how long they are, with room for names after.
WIDTH, HEIGHT = 430, 380
LEFT, TOP, ACROSS, DOWN = 48, 56, 270, 270

FIGURES = [("CPU time per tick, µs", "cpu_us"), ("Memory per stream, KiB", "memory_kib")]
TITLE = "CPU time per tick and memory per stream, against the number of streams"

# Told apart by a colour-blind reader too: Okabe and Ito's, but for their yellow, dark on white and
# light on black.
COLOURS = {
    "floor": ("#6e7781", "#9198a1"),
    "holdup": ("#d55e00", "#ff8c3a"),
    "axum": ("#0072b2", "#56b4e9"),
    "go": ("#007d5a", "#2fc79c"),
    "node": ("#a8527f", "#e79ac6"),
    "tornado": ("#8a6d00", "#e3b83a"),
}

STYLE = (
    "text{font:12px ui-sans-serif,system-ui,sans-serif;fill:#1f2328}.axis{fill:#59636e}"
    ".title{font-weight:600;font-size:14px}.grid{stroke:#d1d9e0}"
    "polyline{fill:none;stroke-width:2}"
)
DARK = "text{fill:#f0f6fc}.axis{fill:#9198a1}.grid{stroke:#3d444d}"


def draw(runs, servers, names, figures=FIGURES, title=TITLE):
    """`runs` that did not fail; `servers` in the order of the legend; a panel for each of the `figures`."""
    width = WIDTH * len(figures)
    light = "".join(f".{s}{{stroke:{a}}}text.{s},circle.{s}{{fill:{a};stroke:none}}" for s, (a, _) in COLOURS.items())
    dark = "".join(f".{s}{{stroke:{b}}}text.{s},circle.{s}{{fill:{b};stroke:none}}" for s, (_, b) in COLOURS.items())
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {HEIGHT}" width="{width}" '
        f'height="{HEIGHT}" role="img" aria-label="{title}">',
        f"<title>{title}</title>",
        f"<style>{STYLE}{light}@media(prefers-color-scheme:dark){{{DARK}{dark}}}</style>",
    ]
    for place, (heading, figure) in enumerate(figures):
        lines = {server: series(runs, server, figure) for server in servers}
        lines = {server: line for server, line in lines.items() if line}
        if lines:
            parts += panel(place * WIDTH + LEFT, heading, lines, names)
    return "\n".join([*parts, "</svg>"]) + "\n"


def series(runs, server, figure):
    """(streams, median of the figure), by streams."""
    its = [run for run in runs if run["server"] == server]
    counts = sorted({run["streams"] for run in its})
    return [(n, median(max(run[figure], 0) for run in its if run["streams"] == n)) for n in counts]


def panel(left, heading, lines, names):
    points = [point for line in lines.values() for point in line]
    xs, ys = marks(max(x for x, _ in points)), marks(max(y for _, y in points))

    def x(value):
        return left + value / xs[-1] * ACROSS

    def y(value):
        return TOP + DOWN - value / ys[-1] * DOWN

    parts = [f'<text class="title" x="{left - 32}" y="28">{heading}</text>']
    for mark in ys:
        parts.append(f'<line class="grid" x1="{left}" x2="{left + ACROSS}" y1="{y(mark):.1f}" y2="{y(mark):.1f}"/>')
        parts.append(f'<text class="axis" x="{left - 6}" y="{y(mark) + 4:.1f}" text-anchor="end">{mark:,g}</text>')
    for mark in xs:
        parts.append(f'<text class="axis" x="{x(mark):.1f}" y="{TOP + DOWN + 18}" text-anchor="middle">{mark:,g}</text>')
    parts.append(f'<text class="axis" x="{left + ACROSS / 2}" y="{TOP + DOWN + 38}" text-anchor="middle">streams at once</text>')

    for server, line in lines.items():
        path = " ".join(f"{x(n):.1f},{y(value):.1f}" for n, value in line)
        parts.append(f'<polyline class="{server}" points="{path}"/>')
        for n, value in line:
            told = escape(f"{names[server]}, {n:,} streams: {value:.1f}")
            parts.append(f'<circle class="{server}" cx="{x(n):.1f}" cy="{y(value):.1f}" r="3"><title>{told}</title></circle>')
    for server, at in apart({server: y(line[-1][1]) for server, line in lines.items()}).items():
        end = x(lines[server][-1][0])
        name = escape(names[server].split(",")[0])
        parts.append(f'<text class="{server}" x="{end + 8:.1f}" y="{at + 4:.1f}">{name}</text>')
    return parts


def apart(wanted, room=15):
    """Heights near the wanted ones, from the top down, none closer than `room` to the next."""
    placed, lowest = {}, TOP + DOWN
    for server, at in sorted(wanted.items(), key=lambda item: -item[1]):
        placed[server] = lowest = min(at, lowest)
        lowest -= room
    return placed


def marks(most):
    """From 0 to `most` or a little over, four to eight round steps."""
    rough = (most or 1) / 6
    unit = 10 ** floor(log10(rough))
    step = next(unit * n for n in [1, 2, 2.5, 5, 10] if unit * n >= rough)
    return [step * n for n in range(ceil((most or 1) / step) + 1)]
