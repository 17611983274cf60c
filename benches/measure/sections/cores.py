"""holdup with two workers, axum and Go with all cores: as people run them."""

from statistics import median

import markdown
import servers
from bench import FAILURES, LeftOut
from run import CORES, measure as run

TITLE = "With all cores"

NAMES = {
    "holdup": "holdup, two workers",
    "axum": "axum, a thread for each core",
    "go": "Go net/http, a thread for each core",
}

# There and back.
ROUNDS = 2

PAGE = """\
{streams:,} streams again, on servers that may use all {cores} cores, as people run them: axum and Go start a
thread for each core, and holdup is told to start two workers. {rounds}

{table}

- The load generator keeps to one core, which the server uses too. So the lateness is of both, and more than above.
- *CPU per tick* and *memory per stream* are taken as above.
{failures}
"""


def measure(bench):
    if len(CORES) < 2:
        raise LeftOut("it takes two cores, and this machine has one.")
    options = bench.options
    names = [name for name in servers.there(bench) if name in NAMES]
    rounds = 1 if bench.quick else ROUNDS
    data = {"streams": options.streams, "cores": len(CORES), "rounds": rounds, "runs": []}
    for round_ in range(rounds):
        for name in names if round_ % 2 == 0 else reversed(names):
            data["runs"].append(one(bench, name, round_))
            bench.keep(data)
    return data


def one(bench, name, round_):
    options = bench.options
    started = {"server": name, "streams": options.streams, "round": round_}
    command = servers.command(bench, name) + {"holdup": ["--workers", "2"], "axum": ["--all-cores"]}.get(name, [])
    try:
        counted = run(
            command, bench.program("load")[0], options.streams, options.countdown, options.ramp, cores=CORES
        )
    except FAILURES as failed:
        bench.fail(f"{NAMES[name]}: {failed}")
        return started | {"failed": str(failed)}
    bench.say(f"{NAMES[name]}: {counted['cpu_us']:.1f} µs a tick, p99 {counted['late_ms']['p99']:.1f} ms late")
    return started | counted


def report(data):
    rows = []
    for name in NAMES:
        its = [run for run in data["runs"] if run["server"] == name and "failed" not in run]
        if its:
            figures = [("cpu_us", 1), ("cpu_percent", 0), ("memory_kib", 1), ("idle_mib", 1)]
            late = [f"{median(run['late_ms'][q] for run in its):.1f}" for q in ["p50", "p99", "p999", "max"]]
            row = [f"{median(run[figure] for run in its):,.{decimals}f}" for figure, decimals in figures]
            rows.append([NAMES[name], *row[:3], *late, row[3]])
    head = ["", "CPU per tick, µs", "CPU, % of a core", "memory per stream, KiB",
            "late, ms: p50", "p99", "p99.9", "max", "idle, MiB"]
    failed = [run for run in data["runs"] if "failed" in run]
    return PAGE.format(
        streams=data["streams"],
        cores=data["cores"],
        rounds="One round." if data["rounds"] == 1 else f"The table shows medians of {data['rounds']} rounds.",
        table=markdown.table(head, rows),
        failures="".join(f"- {NAMES[run['server']]} failed: {run['failed']}\n" for run in failed),
    )


def bars(_):
    return []
