"""Measures holdup and its peers: see scripts/bench, which builds them and starts this."""

import argparse
import json
import os
import platform
import resource
import shlex
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import plot
import report
from run import Failed, measure

TARGET = Path(os.environ.get("CARGO_TARGET_DIR", "target"))

# Command-line arguments for each; "PORT 0" is what the peers take.
ARGUMENTS = {
    "holdup": ["serve", "--bind", "127.0.0.1:0", "--console", "127.0.0.1:0"],
    "lab": ["0"],
    "lab-watched": ["0", "--watch"],
}

PLOTTED = ["floor", "holdup", "axum", "go", "node", "tornado"]


def main():
    options = arguments()
    if options.quick:
        options.streams, options.rounds, options.countdown, options.ramp = 200, 1, 4, 1
    kept = TARGET / "bench" / ("partial.json" if options.quick or options.only else "results.json")
    if options.again:
        write(json.loads(kept.read_text()), options)
        return 0

    # So that an end from outside ends the servers too.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    raise_open_files()
    commands = dict(server.split("=", 1) for server in options.servers)
    commands = {name: shlex.split(command) for name, command in commands.items()}
    if "lab" in commands:
        commands["lab-watched"] = commands["lab"]
    if options.only:
        commands = {name: commands[name] for name in commands if name in options.only.split(",")}
    results = about(commands, options)
    started = time.monotonic()
    for step, (name, streams, round_) in enumerate(plan(list(commands), options), 1):
        say(f"{time.monotonic() - started:5.0f} s  step {step}: {streams} streams, {name}")
        command = [*commands[name], *ARGUMENTS.get(name, ["0"])]
        run = {"server": name, "streams": streams, "round": round_}
        try:
            # The plot needs neither long runs nor the rate of opening.
            long = round_ is not None
            countdown = options.countdown if long else max(options.countdown * 3 // 5, 3)
            run |= measure(command, options.load, streams, countdown, options.ramp, opening=long)
            say(f"         {run['cpu_us']:.1f} µs a tick, {run['memory_kib']:.1f} KiB a stream, "
                f"p99 {run['late_ms']['p99']:.1f} ms late")
        except (Failed, OSError, ValueError, subprocess.SubprocessError) as failed:
            run["failed"] = str(failed)
            say(f"         failed: {failed}")
        results["runs"].append(run)
        kept.parent.mkdir(parents=True, exist_ok=True)
        kept.write_text(json.dumps(results, indent=1))
    results["minutes"] = (time.monotonic() - started) / 60
    kept.write_text(json.dumps(results, indent=1))
    write(results, options)
    # Who fails with more streams than the table's is told of on the page.
    return 1 if any("failed" in run and run["round"] is not None for run in results["runs"]) else 0


def plan(names, options):
    """What to run: each round has every server once and begins with another one, then the plot's."""
    for round_ in range(options.rounds):
        shift = round_ * len(names) // options.rounds
        for name in names[shift:] + names[:shift]:
            yield name, options.streams, round_
    if not options.no_plot:
        for streams in sizes(options):
            for name in names:
                if name in PLOTTED:
                    yield name, streams, None


def sizes(options):
    if options.quick:
        return [50, 100]
    files = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    # As `holdup serve` counts: a twentieth is kept free, and a sixteenth is for turning away.
    possible = min(int(files * 0.95 * 15 / 16) // 500 * 500, 25_000)
    return [n for n in [1000, 2500, 5000, 10_000, possible] if n <= possible and n != options.streams]


def about(commands, options):
    def said(*command):
        try:
            return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
        except (OSError, subprocess.CalledProcessError):
            return None

    def locked(package, lock):
        lines = Path(lock).read_text().splitlines()
        at = lines.index(f'name = "{package}"')
        return lines[at + 1].split('"')[1]

    cpu = [line for line in Path("/proc/cpuinfo").read_text().splitlines() if "model name" in line]
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    tornado = [sys.executable, "-c", "import tornado; print(tornado.version)"]
    dirty = "" if said("git", "status", "--porcelain") == "" else " and changes"
    node = commands.get("node", ["node"])[0]
    return {
        "date": time.strftime("%Y-%m-%d"),
        "machine": {
            "processor": cpu[0].split(":")[1].strip() if cpu else platform.machine(),
            "cores": len(os.sched_getaffinity(0)),
            "memory_gib": memory / 2**30,
            "kernel": f"{platform.system()} {platform.release()}",
            "open_files": resource.getrlimit(resource.RLIMIT_NOFILE)[0],
        },
        "versions": {
            "holdup": f"{said('git', 'describe', '--always') or 'unknown'}{dirty}",
            "actix-web": locked("actix-web", "Cargo.lock"),
            "rustc": (said("rustc", "--version") or "").removeprefix("rustc ") or None,
            "axum": locked("axum", "benches/peers/axum/Cargo.lock"),
            "Go": (said("go", "version") or "").removeprefix("go version ") or None,
            "Node": said(node, "--version"),
            "Tornado": said(*tornado),
            "Python": platform.python_version(),
        },
        "binaries": {
            name: [os.path.getsize(command[0]), stripped(command[0])]
            for name, command in commands.items()
            if len(command) == 1
        },
        "options": {key: getattr(options, key) for key in ["streams", "rounds", "countdown", "ramp", "only"]},
        "runs": [],
    }


def stripped(program):
    """Its size without symbols and debug information, where there is a `strip`."""
    with tempfile.NamedTemporaryFile() as copy:
        try:
            subprocess.run(["strip", "-o", copy.name, program], check=True, capture_output=True)
        except (OSError, subprocess.CalledProcessError):
            return None
        return os.path.getsize(copy.name)


def write(results, options):
    page, picture = Path("BENCHMARKS.md"), Path("docs/bench.svg")
    if options.quick or results["options"]["only"]:
        page, picture = TARGET / "bench/BENCHMARKS.md", TARGET / "bench/bench.svg"
    points = [run for run in results["runs"] if "failed" not in run and run["server"] in PLOTTED]
    picture.write_text(plot.draw(points, PLOTTED, report.NAMES))
    page.write_text(report.write(results))
    say(f"wrote {page} and {picture}")


def raise_open_files():
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def say(text):
    print(text, file=sys.stderr, flush=True)


def arguments():
    parser = argparse.ArgumentParser(prog="scripts/bench", description=__doc__)
    parser.add_argument("--streams", type=int, default=10_000, help="for the table [10000]")
    parser.add_argument("--rounds", type=int, default=3, help="of every server [3]")
    parser.add_argument("--countdown", type=int, default=22, metavar="S", help="seconds [22]")
    parser.add_argument("--ramp", type=int, default=8, metavar="S",
                        help="whole seconds, over which streams are opened evenly [8]")
    parser.add_argument("--only", metavar="NAMES",
                        help=f"some of {','.join(report.NAMES)}; writes beside the build")
    parser.add_argument("--no-plot", action="store_true", help="only the table")
    parser.add_argument("--quick", action="store_true", help="try everything with small numbers")
    parser.add_argument("--again", action="store_true", help="write the last run's figures again")
    parser.add_argument("--load", help=argparse.SUPPRESS)
    parser.add_argument("servers", nargs="*", help=argparse.SUPPRESS)
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
