"""What `holdup probe` itself adds to the times that it reports: `benches/client`."""

import json
import subprocess

import markdown
from bench import Bar
from run import CORES, Failed

TITLE = "What the prober adds to the times that it reports"

MOST_ADDED_MS = 1.0
MOST_STARTS_MS = 10.0

RUNS = 20
TIMEOUT = 600

PAGE = """\
`holdup probe -n {requests}` asks a server that notes when it sends each chunk ([`benches/client`](benches/client)).
Server and prober share the machine's {cores} cores.

{table}

- *Added*: how much later the prober says that a chunk came than the server sent it, less the least such difference
  of the run. It includes what the machine did meanwhile. All {chunks:,} chunks of {runs} runs.
- *Starts*: from the first request to the last one, as the prober sent them and as the server received them, in the
  run in which that took longest.
"""


def measure(bench):
    runs = 1 if bench.quick else RUNS
    run = subprocess.run(
        [*bench.program("client"), "--json", "--runs", str(runs), "--program", bench.program("holdup")[0]],
        stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=TIMEOUT,
    )
    if run.returncode != 0:
        raise Failed(run.stderr.strip() or f"the bench ended with {run.returncode}")
    return json.loads(run.stdout) | {"cores": len(CORES)}


def report(data):
    added = data["added_ms"]
    head = ["", "added, ms: p50", "p99", "max", "starts, ms: as sent", "as received"]
    figures = [added["p50"], added["p99"], added["max"], data["sent_within_ms"], data["received_within_ms"]]
    row = [f"{data['requests']} requests at once", *(f"{figure:.2f}" for figure in figures)]
    return PAGE.format(
        requests=data["requests"], cores=data["cores"], chunks=data["chunks"], runs=data["runs"],
        table=markdown.table(head, [row]),
    )


def bars(data):
    where = f"`probe -n {data['requests']}`"
    return [
        Bar(f"added to a chunk's time, p99, {where}", data["added_ms"]["p99"], most=MOST_ADDED_MS, unit=" ms"),
        Bar(f"from the first request to the last, {where}", data["sent_within_ms"], most=MOST_STARTS_MS, unit=" ms"),
    ]
