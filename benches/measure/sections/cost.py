"""What `Watch` costs a handler that does nothing: `benches/cost`."""

import json
import subprocess
import tempfile

import markdown
from bench import Bar
from run import Failed

TITLE = "What `Watch` costs a handler that does nothing"

LEAST_THROUGHPUT = 0.99
MOST_NOISE_PERCENT = 0.5

ROUNDS = 400
TIMEOUT = 1200

NAMES = {
    "bare": "bare",
    "bare-again": "bare, again",
    "watch": "with `Watch`",
    "watch-read": "with `Watch`, its console open",
    "task-monitor": "with `TaskMonitor`",
}
MODES = {"one-worker": "one worker", "two-workers": "two workers"}

PAGE = """\
A client asks for a page that consists of one word, on connections that stay open. The apps are the same except for
what is named. Behind each ratio stands half the width of its 95 % interval: the noise.

{modes}
- All servers stay up. In each of {rounds} rounds, each of them is loaded for {slice} ms, in another order each time
  ([`benches/cost`](benches/cost)). A ratio is taken within its round, and the table shows the medians. From one
  second to the next, a core of a virtual machine can be a quarter slower.
- The interval is from one of the ratios to another, such that the true median lies in it in 95 of 100 measurements.
  It assumes nothing about how they are distributed.
- *Bare, again* is the same app in another process. Its ratios would be 1 without noise.
- *CPU per request* is the processor time of all of the server's threads, divided by the requests.
- *Its console open*: somebody reads the events of the app's console all the while. The console's own threads are
  in the server's CPU time.
- *`TaskMonitor`* is that of `tokio-metrics`, around the handler.
"""

MODE = """\
### {title}, {connections} connections

{table}

{cores}
"""


def measure(bench):
    rounds = 10 if bench.quick else ROUNDS
    with tempfile.NamedTemporaryFile() as file:
        run = subprocess.run(
            [*bench.program("cost"), "--rounds", str(rounds), "--json", file.name],
            stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=TIMEOUT,
        )
        if run.returncode != 0:
            raise Failed(run.stderr.strip() or f"the bench ended with {run.returncode}")
        bench.say(run.stdout.strip())
        return json.load(file)


def report(data):
    return PAGE.format(
        modes="\n".join(mode(one) for one in data["modes"]),
        rounds=data["rounds"],
        slice=data["slice_ms"],
    )


def mode(one):
    rows = [
        [
            NAMES[its["kind"]],
            f"{its['per_second']['median']:,.0f}",
            f"{its['cpu_us']['median']:.2f}",
            *("1" if its["kind"] == "bare" else ratio(its[key]) for key in ("throughput_ratio", "cpu_ratio")),
        ]
        for its in one["kinds"]
    ]
    head = ["", "requests per second", "CPU per request, µs", "requests per second ÷ bare", "CPU per request ÷ bare"]
    return MODE.format(
        title=MODES[one["name"]].capitalize(),
        connections=one["connections"],
        table=markdown.table(head, rows),
        cores="Each worker has a core to itself, and the client another."
        if one["apart"]
        else "Workers and client share the cores: what one of them gets more of, the others lack. So the throughput also "
        "depends on where the kernel lets each of them run.",
    )


def ratio(middle):
    if middle["interval"] is None:
        return f"{middle['median']:.3f}"
    low, high = middle["interval"]
    return f"{middle['median']:.3f} ± {(high - low) / 2:.3f}"


def bars(data):
    found = []
    for one in data["modes"]:
        its = {its["kind"]: its for its in one["kinds"]}
        where = f"{MODES[one['name']]}, {one['connections']} connections"
        for kind in ("watch", "watch-read"):
            throughput = its[kind]["throughput_ratio"]
            found.append(Bar(
                f"requests per second, {NAMES[kind]} ÷ bare ({where})",
                throughput["median"], throughput["interval"], least=LEAST_THROUGHPUT,
            ))
        for what, key in (("requests per second", "throughput_ratio"), ("CPU per request", "cpu_ratio")):
            interval = its["watch"][key]["interval"]
            noise = (interval[1] - interval[0]) / 2 * 100 if interval else None
            found.append(Bar(f"noise of {what}, with `Watch` ÷ bare ({where})", noise, most=MOST_NOISE_PERCENT, unit=" %"))
    return found
