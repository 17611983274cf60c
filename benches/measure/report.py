"""BENCHMARKS.md, from what `main` kept."""

from statistics import median

NAMES = {
    "holdup": "holdup, as shipped",
    "lab": "lab without `Watch`",
    "lab-watched": "lab with `Watch`",
    "floor": "floor",
    "axum": "axum",
    "go": "Go net/http",
    "node": "Node http",
    "tornado": "Tornado",
}

FRAMEWORKS = ["axum", "go", "node", "tornado"]

# A figure, whose, divided by whose, and the most that it should be.
TARGETS = [
    ("CPU per tick", "cpu_us", "holdup", "floor", 1.25),
    ("CPU per tick", "cpu_us", "holdup", "axum", 0.70),
    ("CPU per tick", "cpu_us", "holdup", "go", 0.55),
    ("CPU per tick", "cpu_us", "holdup", "node", 0.55),
    ("CPU per tick", "cpu_us", "holdup", "tornado", 0.25),
    ("memory per stream", "memory_kib", "holdup", "axum", 0.60),
    ("memory per stream", "memory_kib", "holdup", "go", 0.30),
    ("memory per stream", "memory_kib", "holdup", "node", 0.75),
    ("p99 lateness", "p99", "holdup", "best", 1.00),
    ("CPU per tick", "cpu_us", "lab-watched", "lab", 1.03),
]

PAGE = """\
# Benchmarks

What does it cost to stream countdowns of one tick per second? This page compares `holdup serve` as shipped,
with `Watch` and the console on, with the same countdown in the frameworks that people would use instead
([`benches/peers`](benches/peers)). All figures come from one run of `scripts/bench` on one machine. Times
differ between machines, and on this one from hour to hour, so compare the ratios.

```console
{command}
```

{date}, {minutes:.0f} minutes. {machine}

{versions}

## {streams:,} streams at once

{rounds}

{table}

{failures}## Against the targets

Each ratio is taken within a round. The table shows the median of these, and the smallest and the largest.

{targets}

## Against the number of streams

Each point is one run, except those in the table above.

![CPU time per tick and memory per stream, against the number of streams](docs/bench.svg)

## What is measured, and how

- One worker, one thread or one process each. {cores}
- The load generator ([`benches/load`](benches/load)) opens a connection for each stream, evenly over {ramp} s,
  and reads {ticks} ticks from each. It checks every tick. A run in which a tick is missing counts as failed.
- *CPU per tick*: the server's user and system time between the last stream's first tick and the first
  stream's end, divided by the ticks that arrived in that time. It lasted {steady} s. The kernel's work for
  sending is included for every server, and is most of the floor's cost.
- *Memory per stream*: resident memory at the end of that time, less resident memory after the server's
  first answer, divided by the streams. The kernel's buffers are not included.
- *Late*: each tick's arrival compared with its stream's own schedule, which the stream's best tick sets. It
  covers the whole run, including opening and closing. The load generator's own timers were late by {gap} ms
  (p99) in that time, and it used {client} % of its core at most. Lateness of that size is not the server's.
- *Opened per second*: the same number of streams in a run of its own, opened as fast as possible, with at
  most 512 connects at a time. At this rate, the load generator may be the slow part.
- *First tick*: from the start of the process to the first tick of its first stream.
- *Floor*: one thread with epoll, one `write` per tick and no framework. A tick can hardly cost less.
- *Lab with and without `Watch`*: one program ([`benches/peers/lab`](benches/peers/lab)) with the lab's own
  routes, without console and logs. The two differ only in `.wrap(watch)`.
- *holdup, as shipped*: `holdup serve` with its console on, no browser looking at it, and its log discarded.
- *Binary*: as the build leaves it (holdup and the lab include line tables), and without symbols and debug
  information (*stripped*). Node and Tornado have no binary of their own.

`scripts/instructions` counts instructions. These repeat exactly where times do not.
"""


def write(results):
    options, machine = results["options"], results["machine"]
    everything = [run for run in results["runs"] if "failed" not in run]
    runs = [run for run in everything if run["round"] is not None]
    names = [name for name in NAMES if any(run["server"] == name for run in runs)]
    changed = {"streams": 10_000, "rounds": 3, "countdown": 22, "ramp": 8, "only": None}
    flags = [f" --{key} {options[key]}" for key in changed if options[key] != changed[key]]
    return PAGE.format(
        command="scripts/bench" + "".join(flags),
        date=results["date"],
        minutes=results.get("minutes", 0),
        machine=f"{machine['processor']}, {machine['cores']} cores, {machine['memory_gib']:.0f} GiB, "
        f"{machine['kernel']}, {machine['open_files']:,} open files allowed.",
        versions="\n".join(f"- {key} {value or 'not there'}" for key, value in results["versions"].items()),
        streams=options["streams"],
        rounds="One round: every server once, one at a time."
        if options["rounds"] == 1
        else f"The table shows medians of {options['rounds']} rounds. Each round runs every server once, one at a time, "
        "and starts with a different one.",
        table=table(runs, names, results["binaries"]),
        failures=failures(results["runs"]),
        targets=targets(runs),
        cores="The server has one core to itself, and the load generator another."
        if machine["cores"] > 1 else "Server and load generator share the only core.",
        ramp=options["ramp"],
        ticks=options["countdown"] + 1,
        steady=span([run["steady_s"] for run in runs], 1),
        gap=span([run["client_gap_ms"]["p99"] for run in runs if run["client_gap_ms"]], 1),
        client=f"{max((run['client_cpu_percent'] for run in everything), default=0):.0f}",
    )


def table(runs, names, binaries):
    head = ["", "CPU per tick, µs", "memory per stream, KiB", "late, ms: p50", "p99", "p99.9", "max",
            "opened per second", "first tick, ms", "idle, MiB", "binary, MB", "stripped"]
    rows = []
    for name in names:
        its = [run for run in runs if run["server"] == name]

        def mid(figure, decimals, its=its):
            return f"{median(map(figure, its)):,.{decimals}f}"

        rows.append([
            NAMES[name],
            mid(lambda run: run["cpu_us"], 1),
            mid(lambda run: run["memory_kib"], 1),
            *(mid(lambda run, q=q: run["late_ms"][q], 1) for q in ["p50", "p99", "p999", "max"]),
            mid(lambda run: run["opened_per_s"], 0),
            mid(lambda run: run["first_tick_ms"], 0),
            mid(lambda run: run["idle_mib"], 1),
            *(f"{size / 1e6:.1f}" if size else "—" for size in binaries.get(name, [None, None])),
        ])
    return markdown(head, rows)


def targets(runs):
    rows = []
    for what, figure, whose, other, most in TARGETS:
        ratios, over = [], NAMES.get(other, "the best framework")
        for round_ in sorted({run["round"] for run in runs}):
            got = {run["server"]: value(run, figure) for run in runs if run["round"] == round_}
            if other == "best":
                got["best"] = min((got[name] for name in FRAMEWORKS if name in got), default=0)
            if got.get(whose) is not None and got.get(other, 0) > 0:
                ratios.append(got[whose] / got[other])
        label = f"{what}, {NAMES[whose]} ÷ {over}"
        if not ratios:
            rows.append([label, f"≤ {most:.2f}", "—", "—", "not measured"])
            continue
        ratio = median(ratios)
        verdict = "met" if ratio <= most else f"missed by {(ratio / most - 1) * 100:.0f} %"
        between = f"{min(ratios):.2f} to {max(ratios):.2f}"
        rows.append([label, f"≤ {most:.2f}", f"{ratio:.2f}", between, verdict])
    return markdown(["", "target", "ratio", "rounds", ""], rows)


def value(run, figure):
    return run["late_ms"]["p99"] if figure == "p99" else run[figure]


def failures(runs):
    lines = [
        f"- {NAMES[run['server']]}, {run['streams']:,} streams: {run['failed']}"
        for run in runs
        if "failed" in run
    ]
    return "These runs failed and are in no figure:\n\n" + "\n".join(lines) + "\n\n" if lines else ""


def span(values, decimals):
    if not values:
        return "—"
    low, high = f"{min(values):.{decimals}f}", f"{max(values):.{decimals}f}"
    return low if low == high else f"{low} to {high}"


def markdown(head, rows):
    aligned = ["---", *["---:"] * (len(head) - 1)]
    return "\n".join("| " + " | ".join(row) + " |" for row in [head, aligned, *rows])
