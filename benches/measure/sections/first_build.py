"""How long a newcomer waits for `cargo run --release -- serve`."""

import os
import resource
import shutil
import subprocess
import time

from bench import Bar, LeftOut
from run import CORES, begin

TITLE = "The first build"

MOST_SECONDS = 120
CORES_OF_BAR = 2

PAGE = """\
`cargo build --release` into an empty directory took {wall:.0f} s on {cores} cores, and {cpu:.0f} s of processor
time. It is what `cargo run --release -- serve` does first. All crates had been downloaded before.

The program of the other sections is built as it is shipped: with `--profile dist --features jemalloc`.
"""


def measure(bench):
    if not bench.options.first_build:
        raise LeftOut("it was not asked for with `--first-build`.")
    cores = CORES[:CORES_OF_BAR]
    directory = bench.target / "bench/first-build"
    shutil.rmtree(directory, ignore_errors=True)
    subprocess.run(["cargo", "fetch", "--locked", "--quiet"], check=True)
    before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
    try:
        subprocess.run(
            ["cargo", "build", "--locked", "--release", "--bin", "holdup", "--target-dir", directory],
            check=True, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            env={key: value for key, value in os.environ.items() if not key.startswith("CARGO_BUILD_")},
            preexec_fn=lambda: begin(cores),
        )
        wall = time.monotonic() - began
    finally:
        shutil.rmtree(directory, ignore_errors=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return {"wall_s": wall, "cpu_s": cpu, "cores": len(cores)}


def report(data):
    return PAGE.format(wall=data["wall_s"], cpu=data["cpu_s"], cores=data["cores"])


def bars(data):
    # With more or fewer cores, the target means nothing.
    of_bar = data["wall_s"] if data["cores"] == CORES_OF_BAR else None
    return [Bar("the first build on two cores", of_bar, most=MOST_SECONDS, unit=" s")]
