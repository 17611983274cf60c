"""CPU time per tick and memory per stream, against the number of streams."""

import resource

import plot
import servers
from bench import FAILURES
from run import measure as run
from sections.streams import failures

TITLE = "Against the number of streams"

PLOTTED = ["floor", "holdup", "axum", "go", "node", "tornado"]

# How long all streams are open together, at least: seconds.
STEADY = 5

PAGE = """\
Each point is one run, {steady} s or more of which all streams are open, except those of {streams:,} streams:
they are the medians of the table above.

{failures}![CPU time per tick and memory per stream, against the number of streams](docs/bench.svg)
"""


def measure(bench):
    options = bench.options
    table = bench.found("streams") or {"runs": []}
    data = {"streams": options.streams, "runs": [run for run in table["runs"] if run["server"] in PLOTTED]}
    for streams in sizes(options):
        # Opened as fast as for the table, or more slowly where that is less than a second's.
        ramp = min(max(-(-streams * options.ramp // options.streams), 1), options.ramp)
        for name in servers.there(bench):
            if name in PLOTTED:
                data["runs"].append(one(bench, name, streams, ramp + STEADY, ramp))
                bench.keep(data)
    return data


def one(bench, name, streams, countdown, ramp):
    started = {"server": name, "streams": streams}
    try:
        counted = run(servers.command(bench, name), bench.program("load")[0], streams, countdown, ramp)
    except FAILURES as failed:
        # The page tells of who cannot do as many as others can.
        bench.say(f"{name}, {streams} streams, failed: {failed}")
        return started | {"failed": str(failed)}
    bench.say(f"{name}, {streams} streams: {counted['cpu_us']:.1f} µs a tick, {counted['memory_kib']:.1f} KiB a stream")
    return started | counted


def sizes(options):
    if options.quick:
        return [50, 100]
    files = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    # As `holdup serve` counts: a twentieth is kept free, and a sixteenth is for turning away.
    possible = min(int(files * 0.95 * 15 / 16) // 500 * 500, 25_000)
    return [n for n in [1000, 5000, possible] if n <= possible and n != options.streams]


def report(data):
    return PAGE.format(steady=STEADY, streams=data["streams"], failures=failures(data["runs"]))


def bars(_):
    return []


def pictures(data):
    points = [run for run in data["runs"] if "failed" not in run]
    return {"bench.svg": plot.draw(points, PLOTTED, servers.NAMES)}
