"""The sections of BENCHMARKS.md, by name, in the order of the page: see main.py for what each has."""

from sections import client, console, cores, cost, first_build, scale, sizes, streams

SECTIONS = {
    "streams": streams,
    "sizes": sizes,
    "scale": scale,
    "cores": cores,
    "cost": cost,
    "console": console,
    "client": client,
    "first-build": first_build,
}
