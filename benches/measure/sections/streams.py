"""The same countdown in holdup and in other frameworks, many streams at once, on one core."""

from statistics import median

import about
import markdown
import servers
from bench import FAILURES, Bar
from run import CORES, measure as run

TITLE = "Many streams at once"

# A figure of holdup as shipped, divided by the same of another server, and the most that it should be.
TARGETS = [
    ("CPU per tick", "cpu_us", "floor", 1.20),
    ("CPU per tick", "cpu_us", "axum", 0.85),
    ("CPU per tick", "cpu_us", "go", 0.75),
    ("CPU per tick", "cpu_us", "node", 0.50),
    *(("memory per stream", "memory_kib", name, 0.75) for name in servers.FRAMEWORKS),
    ("p99 lateness", "p99", "best", 1.00),
]
MOST_OF_WATCH = 1.03

PAGE = """\
{streams:,} streams, each on a connection of its own. {rounds}

{table}

{failures}- One worker, one thread or one process each. {cores}
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
"""


def measure(bench):
    options, names = bench.options, servers.there(bench)
    data = {
        "streams": options.streams,
        "rounds": options.rounds,
        "countdown": options.countdown,
        "ramp": options.ramp,
        "cores": len(CORES),
        "binaries": {name: about.size(command[0]) for name in names
                     if len(command := bench.program(servers.PROGRAMS.get(name, name))) == 1},
        "runs": [],
    }
    for round_ in range(options.rounds):
        # Each round has every server once, and begins with another one.
        shift = round_ * len(names) // options.rounds
        for name in names[shift:] + names[:shift]:
            data["runs"].append(one(bench, name, options.streams, options.countdown, options.ramp, round_))
            bench.keep(data)
    return data


def one(bench, name, streams, countdown, ramp, round_, **more):
    """One run of one server, or why it failed."""
    started = {"server": name, "streams": streams, "round": round_}
    load = bench.program("load")[0]
    try:
        counted = run(servers.command(bench, name), load, streams, countdown, ramp, opening=True, **more)
    except FAILURES as failed:
        bench.fail(f"{servers.NAMES[name]}, {streams:,} streams: {failed}")
        return started | {"failed": str(failed)}
    bench.say(f"{name}, {streams} streams: {counted['cpu_us']:.1f} µs a tick, {counted['memory_kib']:.1f} KiB "
              f"a stream, p99 {counted['late_ms']['p99']:.1f} ms late")
    return started | counted


def report(data):
    runs = [run for run in data["runs"] if "failed" not in run]
    client = max((run["client_cpu_percent"] for run in runs), default=0)
    return PAGE.format(
        streams=data["streams"],
        rounds="One round: every server once, one at a time." if data["rounds"] == 1
        else f"The table shows medians of {data['rounds']} rounds. Each round runs every server once, one at a time, "
        "and starts with a different one.",
        table=table(runs, data["binaries"]),
        failures=failures(data["runs"]),
        cores="The server has one core to itself, and the load generator another." if data["cores"] > 1
        else "Server and load generator share the only core.",
        ramp=data["ramp"],
        ticks=data["countdown"] + 1,
        steady=markdown.span([run["steady_s"] for run in runs], 1),
        gap=markdown.span([run["client_gap_ms"]["p99"] for run in runs if run["client_gap_ms"]], 1),
        client=f"{client:.0f}",
    )


def table(runs, binaries):
    head = ["", "CPU per tick, µs", "memory per stream, KiB", "late, ms: p50", "p99", "p99.9", "max",
            "opened per second", "first tick, ms", "idle, MiB", "binary, MB", "stripped"]
    rows = []
    for name in [name for name in servers.NAMES if any(run["server"] == name for run in runs)]:
        its = [run for run in runs if run["server"] == name]

        def mid(figure, decimals, its=its):
            return f"{median(map(figure, its)):,.{decimals}f}"

        rows.append([
            servers.NAMES[name],
            mid(lambda run: run["cpu_us"], 1),
            mid(lambda run: run["memory_kib"], 1),
            *(mid(lambda run, q=q: run["late_ms"][q], 1) for q in ["p50", "p99", "p999", "max"]),
            mid(lambda run: run["opened_per_s"], 0),
            mid(lambda run: run["first_tick_ms"], 0),
            mid(lambda run: run["idle_mib"], 1),
            *(f"{size / 1e6:.1f}" if size else "—" for size in binaries.get(name, [None, None])),
        ])
    return markdown.table(head, rows)


def failures(runs):
    lines = [
        f"- {servers.NAMES[run['server']]}, {run['streams']:,} streams: {run['failed']}"
        for run in runs
        if "failed" in run
    ]
    return "These runs failed and are in no figure:\n\n" + "\n".join(lines) + "\n\n" if lines else ""


def bars(data):
    shipped, best = servers.NAMES["holdup"], "the best framework"
    found = []
    for what, figure, other, most in TARGETS:
        label = f"{what}, {shipped} ÷ {servers.NAMES.get(other, best)}"
        found.append(Bar.of(label, ratios(data, figure, "holdup", other), most=most))
    label = f"CPU per tick, {servers.NAMES['lab-watched']} ÷ {servers.NAMES['lab']}"
    found.append(Bar.of(label, ratios(data, "cpu_us", "lab-watched", "lab"), most=MOST_OF_WATCH))
    return found


def ratios(data, figure, whose, other):
    """One for each round in which both ran. `best` is the framework whose figure is the smallest."""
    found = []
    for round_ in range(data["rounds"]):
        runs = [run for run in data["runs"] if run["round"] == round_ and "failed" not in run]
        got = {run["server"]: run["late_ms"]["p99"] if figure == "p99" else run[figure] for run in runs}
        got["best"] = min((got[name] for name in servers.FRAMEWORKS if name in got), default=0)
        if whose in got and got.get(other, 0) > 0:
            found.append(got[whose] / got[other])
    return found
