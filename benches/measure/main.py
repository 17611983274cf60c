"""Measures holdup and its peers, and writes BENCHMARKS.md: scripts/bench builds them and starts this.

The page consists of sections, each a file in sections/. To add one, write the file and name it in
sections/__init__.py. A section has:

- `TITLE`: its heading.
- `measure(bench)`: measures, and returns the figures as what JSON can hold. `bench` is a `Bench`: the
  options, the programs that were built, and what earlier sections found. It raises `LeftOut` with the reason
  if it was not asked for, or cannot be measured on this machine. After each long step, it can hand what it
  has to `bench.keep`, so that it is not lost if the run ends early.
- `report(data)`: Markdown for below the heading, made of these figures alone, so that `--again` can write the
  page without measuring. It also explains what was measured, and how.
- `bars(data)`: a list of `Bar`, one for each figure that has a target.
- `pictures(data)`, if it has any: SVG by file name, for docs/.

If `measure` raises one of `FAILURES`, the page says so, the other sections are measured all the same, and the
exit code is 1. A section that can go on without what failed tells `bench.fail` and goes on.
"""

import argparse
import json
import os
import resource
import shlex
import signal
import sys
from pathlib import Path

import about
import page
import servers
from bench import Bench
from sections import SECTIONS

TARGET = Path(os.environ.get("CARGO_TARGET_DIR", "target"))


def main():
    options = arguments()
    if options.quick:
        options.streams, options.rounds, options.countdown, options.ramp = 200, 1, 4, 1
    partial = bool(options.quick or options.only or options.sections)
    kept = TARGET / "bench" / ("partial.json" if partial else "results.json")
    if options.again:
        write(json.loads(kept.read_text()), partial)
        return 0

    # So that an end from outside ends the servers too.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    raise_open_files()
    programs = dict(program.split("=", 1) for program in options.programs)
    programs = {name: shlex.split(command) for name, command in programs.items()}
    bench = Bench(options, programs, TARGET, kept)
    bench.results |= about.of(programs, options)
    for name in chosen(options):
        bench.measure(name, SECTIONS[name])
    write(bench.results, partial)
    return 1 if bench.results["failures"] else 0


def chosen(options):
    names = options.sections.split(",") if options.sections else list(SECTIONS)
    for name in names:
        if name not in SECTIONS:
            sys.exit(f"scripts/bench: --sections: {name!r} is none of {', '.join(SECTIONS)}")
    return names


def write(results, partial):
    page_at, pictures_at = Path("BENCHMARKS.md"), Path("docs")
    if partial:
        page_at, pictures_at = TARGET / "bench/BENCHMARKS.md", TARGET / "bench"
    for name, picture in page.pictures(results).items():
        (pictures_at / name).write_text(picture)
    page_at.write_text(page.write(results))
    print(f"wrote {page_at}", file=sys.stderr)


def raise_open_files():
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def arguments():
    parser = argparse.ArgumentParser(
        prog="scripts/bench", description="Measures holdup and its peers, and writes BENCHMARKS.md."
    )
    parser.add_argument("--streams", type=int, default=10_000, help="for the table [10000]")
    parser.add_argument("--rounds", type=int, default=3, help="of every server [3]")
    parser.add_argument("--countdown", type=int, default=16, metavar="S", help="seconds [16]")
    parser.add_argument("--ramp", type=int, default=8, metavar="S",
                        help="whole seconds, over which streams are opened evenly [8]")
    parser.add_argument("--sections", metavar="NAMES",
                        help=f"only some of {','.join(SECTIONS)}; writes beside the build")
    parser.add_argument("--only", metavar="NAMES",
                        help=f"only some of the servers {','.join(servers.NAMES)}; writes beside the build")
    parser.add_argument("--first-build", action="store_true",
                        help="also build everything from nothing, and say how long it takes")
    parser.add_argument("--quick", action="store_true",
                        help="try everything with small numbers, on a quicker build; writes beside the build")
    parser.add_argument("--again", action="store_true", help="write the last run's figures again")
    parser.add_argument("programs", nargs="*", metavar="NAME=COMMAND", help=argparse.SUPPRESS)
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
