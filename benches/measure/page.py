"""BENCHMARKS.md, from what was kept."""

import markdown
from sections import SECTIONS

PAGE = """\
# Benchmarks

What does it cost to stream countdowns of one tick per second? This page compares `holdup serve` as shipped,
with `Watch` and the console on, with the same countdown in the frameworks that people would use instead
([`benches/peers`](benches/peers)), and says what `Watch`, the console and the prober cost. All figures come
from one run of `scripts/bench` on one machine. Times differ between machines, and on this one from hour to
hour, so compare the ratios.

```console
{command}
```

{date}, {minutes:.0f} minutes. {machine}

{versions}

## Against the targets

A ratio is taken within a round, of figures that were measured one after the other. The table shows the median
of the rounds, and the smallest and the largest, or the 95 % interval of the median where there are many rounds.
The sections below say how each is measured.

{bars}

{sections}

`scripts/instructions` counts instructions. These repeat exactly where times do not.
"""


def write(results):
    machine = results["machine"]
    return PAGE.format(
        command=" ".join(["scripts/bench", *results["flags"]]),
        date=results["date"],
        minutes=results["minutes"],
        machine=f"{machine['processor']}, {machine['cores']} cores, {machine['memory_gib']:.0f} GiB, "
        f"{machine['kernel']}, {machine['open_files']:,} open files allowed.",
        versions="\n".join(f"- {key} {value or 'not there'}" for key, value in results["versions"].items()),
        bars=bars(results),
        sections="\n\n".join(
            f"## {SECTIONS[name].TITLE}\n\n{section(SECTIONS[name], found)}"
            for name, found in results["sections"].items()
        ),
    )


def section(module, found):
    if "left_out" in found:
        return f"Not measured in this run: {found['left_out']}"
    if "failed" in found:
        return f"The measurement failed: {found['failed']}"
    return module.report(found["data"]).strip()


def bars(results):
    rows = []
    for name, found in measured(results):
        rows += [row(bar) for bar in SECTIONS[name].bars(found["data"])]
    return markdown.table(["", "target", "figure", "between", ""], rows)


def row(bar):
    sign, bound = ("≤", bar.most) if bar.most is not None else ("≥", bar.least)
    decimals = 3 if bar.least is not None else 2 if bound < 10 else 0
    target = f"{sign} {bound:.{decimals}f}{bar.unit}"
    if bar.figure is None:
        return [bar.what, target, "—", "—", "not measured"]
    missed = bar.missed_by()
    verdict = f"missed by {missed:.1f} %" if missed else "met"
    between = markdown.span(bar.spread, decimals) if bar.spread else "—"
    return [bar.what, target, f"{bar.figure:,.{decimals}f}{bar.unit}", between, verdict]


def pictures(results):
    """SVG by file name."""
    drawn = {}
    for name, found in measured(results):
        if hasattr(SECTIONS[name], "pictures"):
            drawn |= SECTIONS[name].pictures(found["data"])
    return drawn


def measured(results):
    sections = results["sections"].items()
    return [(name, found) for name, found in sections if "left_out" not in found and "failed" not in found]
