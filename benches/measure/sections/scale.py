"""How far one worker of holdup goes: up to 100,000 streams, and what a million would take."""

import resource
import time

import line
import markdown
import plot
import servers
from bench import FAILURES, LeftOut
from machine import Kernel, limits, possible
from run import Failed, Samples, Server
from sections.million import million

TITLE = "As many streams as one worker can have"

SIZES = [10_000, 20_000, 40_000, 70_000, 100_000]

# How long each stream lasts, and how long it takes to open all of them: seconds.
COUNTDOWN, RAMP = 20, 10

# With more streams, ticks come every 5 s and not every second: one core could neither send nor read 100,000
# of them in a second.
MOST_EVERY_SECOND, LONGER_PERIOD = 25_000, 5

# Descriptors for the most streams, and what `holdup serve` keeps free.
FILES = 131_072

PAGE = """\
One `holdup serve` with one worker on one core, with its console on, and a tick every {period}. {reach}

{table}

![{caption}](docs/scale.svg)

{lines}

- *Memory*, *CPU* and *late* are taken as above. Each row is one run.
- *Kernel*: what the kernel's own memory (slabs and TCP buffers) grew by, per stream. Both ends of each
  connection are on this machine, so a server alone has half of it.
- The load generator is one thread on the other core. Where it used most of its core, or where its own timers
  were late, lateness is not the server's alone.

### What a million streams take

{million}
"""

# How far from a straight line is still one.
STRAIGHT_PERCENT = 10

FIGURES = [
    ("CPU time per tick, µs", "cpu_us"),
    ("Memory per stream, KiB", "memory_kib"),
    ("Late, p99, ms", "p99_ms"),
]
CAPTION = "CPU time per tick, memory per stream and lateness, against the number of streams"


def measure(bench):
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    files = raised(FILES)
    try:
        wanted = [200, 300, 400] if bench.quick else sizes(possible(files))
        data = {
            "period": LONGER_PERIOD if wanted[-1] > MOST_EVERY_SECOND else 1,
            "files": files,
            "quick": bench.quick,
            "limits": limits(),
            "runs": [],
        }
        for streams in wanted:
            data["runs"].append(one(bench, streams, data["period"]))
            bench.keep(data)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)
    if not done(data):
        raise Failed("no run was completed")
    return data


def raised(wanted):
    """The limit on open files for what is started from now on: at least `wanted`, if that is allowed."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    for files in (max(wanted, hard), hard):
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (files, files))
            return files
        except (ValueError, OSError):
            continue
    return soft


def sizes(most):
    if most >= SIZES[-1]:
        return SIZES
    if most < 1000:
        raise LeftOut(f"the limit on open files leaves room for {most} streams only, and it cannot be raised.")
    return sorted({most * quarter // 4 // 500 * 500 or most for quarter in (1, 2, 3, 4)})


def one(bench, streams, period):
    """One run, or why it failed."""
    countdown, ramp = (4, 1) if bench.quick else (COUNTDOWN, RAMP)
    command = [*servers.command(bench, "holdup"), "--max-streams", str(streams)]
    try:
        run = counted(bench, command, streams, f"from={countdown // period}&period={period}s", ramp)
    except FAILURES as failed:
        bench.fail(f"{streams:,} streams: {failed}")
        return {"server": "holdup", "streams": streams, "failed": str(failed)}
    bench.say(
        f"{streams:,} streams: {run['cpu_us']:.1f} µs a tick, {run['memory_kib']:.1f} KiB a stream, "
        f"p99 {run['p99_ms']:.1f} ms late"
    )
    return {"server": "holdup", "streams": streams} | run


def counted(bench, command, streams, query, ramp):
    with Server(command) as server:
        server.first_tick_ms()
        time.sleep(0.5)
        idle, unused = server.resident(), Kernel.now()
        with Samples(server) as samples, Kernel() as kernel:
            told = server.load(bench.program("load")[0], streams, query, f"{ramp}s")
    steady = told["steady"]
    if steady is None:
        raise Failed("the first stream ended before the last was open")
    lasted = steady["to_s"] - steady["from_s"]
    used = samples.cpu_at(steady["to_s"]) - samples.cpu_at(steady["from_s"])
    full = kernel.at(steady["to_s"])
    late, gap = told["late_ms"]["after_best_tick"], told["client"]["gap_counting_ms"]
    return {
        "ticks_per_s": steady["ticks"] / lasted,
        "cpu_us": used / steady["ticks"] * 1e6,
        "cpu_percent": used / lasted * 100,
        "memory_kib": (samples.resident_at(steady["to_s"]) - idle) / streams / 1024,
        "idle_mib": idle / 2**20,
        "kernel_kib": (full["bytes"] - unused["bytes"]) / streams / 1024,
        "tracked": full["tracked"] - unused["tracked"],
        "p50_ms": late["p50"],
        "p99_ms": late["p99"],
        "max_ms": late["max"],
        "client_percent": told["client"]["cpu_percent"],
        "client_p99_ms": gap["p99"] if gap else 0.0,
    }


def report(data):
    runs = done(data)
    rows = [
        [
            f"{run['streams']:,}",
            f"{run['ticks_per_s']:,.0f}",
            f"{run['cpu_us']:.1f}",
            f"{run['cpu_percent']:.0f}",
            f"{run['memory_kib']:.1f}",
            f"{run['kernel_kib']:.1f}",
            *(f"{run[key]:.1f}" for key in ("p50_ms", "p99_ms", "max_ms")),
            f"{run['client_percent']:.0f}",
            f"{run['client_p99_ms']:.1f}",
        ]
        for run in runs
    ]
    head = ["streams", "ticks per second", "CPU per tick, µs", "CPU, % of the core", "memory per stream, KiB",
            "kernel per stream, KiB", "late, ms: p50", "p99", "max",
            "load generator's CPU, %", "its timers late, ms: p99"]
    failed = [
        f"With {run['streams']:,} streams, it failed: {run['failed']}.\n" for run in data["runs"] if "failed" in run
    ]
    return PAGE.format(
        period="second" if data["period"] == 1 else f"{data['period']} s",
        reach=reach(data),
        table=markdown.table(head, rows),
        caption=CAPTION,
        lines="\n".join([*failed, straight(runs)]),
        million=million(runs, data["limits"]),
    )


def reach(data):
    """Why the table ends where it does."""
    most = max(run["streams"] for run in data["runs"])
    if data["quick"]:
        return "This run only tried it with few streams."
    if most >= SIZES[-1]:
        return f"Each process was allowed {data['files']:,} open files."
    return (
        f"A process may have {data['files']:,} open files on this machine, and whoever ran this was not allowed to "
        f"raise that limit. So the table ends at {most:,} streams and not at {SIZES[-1]:,}."
    )


def straight(runs):
    """Whether what it takes grows in a straight line."""
    if len(runs) < 3:
        return "These are too few runs to say whether memory and CPU grow in a straight line."
    memory, cpu = (line.off(points) * 100 for points in (line.memory(runs), line.cpu(runs)))
    return (
        f"The memory of all streams is in a straight line with their number, off by {memory:.1f} % at most. "
        f"The CPU time is in a straight line with the ticks per second, off by {cpu:.1f} % at most."
        + (f" More than {STRAIGHT_PERCENT} % is not a straight line." if max(memory, cpu) > STRAIGHT_PERCENT else "")
    )


def done(data):
    return [run for run in data["runs"] if "failed" not in run]


def bars(_):
    return []


def pictures(data):
    return {"scale.svg": plot.draw(done(data), ["holdup"], servers.NAMES, FIGURES, CAPTION)}
