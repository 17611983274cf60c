"""Instructions a tick and a request, under callgrind: see scripts/instructions.

Each path is taken a few times and then many times by a server started anew. The difference, divided
by how many more there were, is the cost of one: starting and ending drop out. Only the worker's
thread counts; the others run by the clock, and not at all under the load that is meant here.

Instructions are not time: callgrind counts what is zeroed by `rep stosb` once a byte. About 3,100 in
each poll of a connection are actix-http's table of headers, zeroed in some tens of nanoseconds.
"""

import argparse
import json
import re
import signal
import socket
import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import median

RECORDED = Path("benches/instructions.json")

# More than this over the recorded count fails.
MOST_PERCENT = 5

# Of one stream, so that no two ticks share a turn of the event loop. Under valgrind a tick takes about
# half a millisecond. Its timer is not always equally far ahead, so a tick's count differs by a percent
# from time to time: the median of several is what is compared. A request waits for no timer.
TICKS = [100, 600]
PERIOD_MS = 5
TIMES = 3

REQUESTS = [500, 2500]


def main():
    parser = argparse.ArgumentParser(prog="scripts/instructions", description=__doc__)
    parser.add_argument("--record", action="store_true", help=f"write {RECORDED}")
    for program in ["--holdup", "--lab", "--cost"]:
        parser.add_argument(program, required=True, help=argparse.SUPPRESS)
    options = parser.parse_args()

    serve = [options.holdup, "serve", "--bind", "127.0.0.1:0", "--no-console"]
    shipped = each(serve, countdown, TICKS, TIMES)
    plain = each([options.lab, "0"], countdown, TICKS, TIMES)
    watched = each([options.lab, "0", "--watch"], countdown, TICKS, TIMES)
    bare_request = each([options.cost, "serve", "bare", "127.0.0.1:0"], requests, REQUESTS)
    watched_request = each([options.cost, "serve", "watch", "127.0.0.1:0"], requests, REQUESTS)
    counts = {
        "tick, from timer to socket, as shipped": shipped,
        "request, Watch's part": round(watched_request - bare_request, 1),
    }
    # A small difference of two counts that are a percent unsure is no measure for five.
    aside = {
        "tick, Watch's part (about)": round(watched - plain, 1),
        "tick without Watch": plain,
        "request without Watch": bare_request,
    }
    rustc = subprocess.run(["rustc", "--version"], capture_output=True, text=True).stdout.strip()

    if options.record:
        kept = {"rustc": rustc, "counts": counts, "not compared": aside}
        RECORDED.write_text(json.dumps(kept, indent=2) + "\n")
    return compare(counts, aside, rustc)


def compare(counts, aside, rustc):
    recorded = json.loads(RECORDED.read_text()) if RECORDED.exists() else {"counts": {}}
    over = []
    for name, count in counts.items():
        before = recorded["counts"].get(name)
        if before is None:
            print(f"{name:<40}{count:>9,.0f}   nothing recorded (--record)")
            over.append(name)
            continue
        percent = (count / before - 1) * 100
        print(f"{name:<40}{count:>9,.0f}{before:>9,.0f} recorded{percent:>+8.1f} %")
        if percent > MOST_PERCENT:
            over.append(name)
    for name, count in aside.items():
        print(f"{name:<40}{count:>9,.0f}")
    if recorded.get("rustc", rustc) != rustc:
        print(f"recorded with {recorded['rustc']}, and this is {rustc}: other code", file=sys.stderr)
    if over:
        print(f"more than {MOST_PERCENT} % over, or unknown: {'; '.join(over)}", file=sys.stderr)
    return 1 if over else 0


def each(command, ask, amounts, times=1):
    """Instructions of one of what `ask` asks for."""
    counts = []
    for _ in range(times):
        few, many = (threads(command, ask, amount) for amount in amounts)
        worker = max(many, key=lambda thread: many[thread] - few.get(thread, 0))
        counts.append((many[worker] - few[worker]) / (amounts[1] - amounts[0]))
    return round(median(counts), 1)


def threads(command, ask, n):
    """Instructions by thread, of a server that was asked `n` times."""
    with tempfile.TemporaryDirectory() as folder:
        out = f"{folder}/callgrind"
        grind = ["valgrind", "--tool=callgrind", "--separate-threads=yes", f"--callgrind-out-file={out}"]
        server = subprocess.Popen(
            grind + command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        )
        try:
            ask(port(server), n)
            server.send_signal(signal.SIGINT)
            server.wait(timeout=60)
        finally:
            server.kill()
            server.wait()
            server.stdout.close()
        found = {}
        for path in Path(folder).glob("callgrind-*"):
            if total := re.search(r"^totals: (\d+)", path.read_text(), re.MULTILINE):
                found[path.name] = int(total[1])
        return found


def port(server):
    for line in server.stdout:
        if found := re.search(r"127\.0\.0\.1:(\d+)", line):
            return int(found[1])
    sys.exit(f"the server ended with {server.wait()} before it listened")


def countdown(port, ticks):
    query = f"from={ticks}&period={PERIOD_MS}ms&format=ndjson"
    with socket.create_connection(("127.0.0.1", port), timeout=60) as client:
        client.sendall(f"GET /coroutine?{query} HTTP/1.1\r\nHost: peer\r\n\r\n".encode())
        read(client, lambda answer: answer.endswith(b"\r\n0\r\n\r\n"))


def requests(port, n):
    with socket.create_connection(("127.0.0.1", port), timeout=60) as client:
        for _ in range(n):
            client.sendall(b"GET / HTTP/1.1\r\nHost: peer\r\n\r\n")
            read(client, lambda answer: answer.endswith(b"done"))


def read(client, complete):
    answer = b""
    while not complete(answer):
        piece = client.recv(4096)
        if not piece:
            sys.exit(f"the server left after {answer[-200:]!r}")
        answer += piece


if __name__ == "__main__":
    sys.exit(main())
