"""What readers of the console cost the lab: many streams come and go, and readers come and go in turn.

Run by itself, with a release build of the program and of the load generator:

    python3 benches/measure/console.py --holdup target/release/holdup --load target/release/deps/load-…

In one run, a load generator opens streams evenly, each of which ends after a while. The run is cut into
periods. In every second one, readers follow the console's events as the page does. Each period with readers is
compared with the ones before and after it, so that what the machine does meanwhile falls on both.
"""

import argparse
import json
import re
import resource
import socket
import statistics
import subprocess
import sys
import threading
import time
from pathlib import Path

from run import LOAD_CORES, Failed, Server, begin

# Until the first streams end, there are fewer open than later.
COUNTDOWN = 10
# What a change of the readers stirs up is in no figure.
SETTLE = 1.0
# In which the console's own thread for its connections is told from the app's.
ASKED = 400

TARGET_RATIO = 1.10
TARGET_PERCENT = 5.0


def measure(holdup, load, streams=10_000, readers=3, period=6, pairs=8):
    """The lateness without and with `readers`, in turn, and what each thread of the lab used."""
    periods = 2 * pairs + 1
    # The first period begins when the first streams have ended.
    warm = -(-(COUNTDOWN + 1) // period) * period
    seconds = warm + periods * period
    rate = streams / COUNTDOWN
    command = [holdup, "serve", "--bind", "127.0.0.1:0", "--console", "127.0.0.1:0"]
    with LabWithConsole(command) as lab:
        names = lab.thread_names()
        client = subprocess.Popen(
            [
                load, "--json", "--streams", str(round(rate * seconds)), "--ramp", f"{seconds}s",
                "--window", f"{period}s", "--timeout", f"{seconds + 60}s",
                "--url", f"http://127.0.0.1:{lab.port}/coroutine?from={COUNTDOWN}&period=1s",
            ],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            preexec_fn=lambda: begin(LOAD_CORES),
        )
        try:
            taken = []
            started = time.monotonic()
            time.sleep(warm)
            for number in range(periods):
                following = [Reader(lab.console) for _ in range(readers if number % 2 else 0)]
                time.sleep(SETTLE)
                before = lab.threads(), time.monotonic(), [r.seen for r in following]
                time.sleep(max(0, started + warm + (number + 1) * period - time.monotonic()))
                after = lab.threads(), time.monotonic(), [r.seen for r in following]
                if any(reader.failed for reader in following):
                    raise Failed("a reader was cut off")
                for reader in following:
                    reader.end()
                for thread in after[0].keys() - names.keys():
                    names[thread] = lab.thread_name(thread)
                taken.append((bool(number % 2), before, after))
            told, errors = client.communicate(timeout=120)
        finally:
            client.kill()
    if not told:
        raise Failed(errors.strip() or "the load generator said nothing")
    told = json.loads(told)
    counted = told["streams"]
    if counted["completed"] != counted["asked"]:
        raise Failed(f"{counted['completed']} of {counted['asked']} streams were completed: "
                     f"{counted['refused']} refused, {counted['failures']}")
    windows = told["windows"][warm // period:][:periods]
    return {
        "streams": streams, "rate": rate, "readers": readers, "period_s": period,
        "client_cpu_percent": told["client"]["cpu_percent"],
        "periods": [one(*it, window, names) for it, window in zip(taken, windows)],
    }


def one(read, before, after, window, names):
    """The figures of one period."""
    seconds = after[1] - before[1]
    shares = {}
    for thread, used in after[0].items():
        name = names[thread]
        share = (used - before[0].get(thread, 0)) / 1e9 / seconds * 100
        shares[name] = shares.get(name, 0) + share
    return {
        "read": read,
        "ticks": window["ticks"],
        "opened": window["opened"],
        "late_ms": window["after_best_tick"],
        "server_late_ms": window["server_says"],
        "client_gap_ms": window["client_gap_ms"],
        "cpu_percent": shares,
        "bytes_per_s": [(b - a) / seconds for a, b in zip(before[2], after[2])],
    }


class LabWithConsole(Server):
    """The lab, and the address of its console."""

    def listening(self):
        """The port of the app. Its console's is noted on the way."""
        app = None
        for line in self.process.stdout:
            found = re.search(r"http://127\.0\.0\.1:(\d+)", line)
            if found and "browser" in line:
                self.console = int(found[1])
                # Whatever else it says must not fill the pipe.
                threading.Thread(target=self.process.stdout.read, daemon=True).start()
                return app
            if found:
                app = int(found[1])
        raise Failed("the server ended before it listened")

    def threads(self):
        """The processor time of each thread, nanoseconds."""
        used = {}
        for task in Path(f"/proc/{self.process.pid}/task").iterdir():
            try:
                used[int(task.name)] = int((task / "schedstat").read_text().split()[0])
            except (OSError, IndexError):
                pass
        return used

    def thread_name(self, thread):
        try:
            name = Path(f"/proc/{self.process.pid}/task/{thread}/comm").read_text().strip()
        except OSError:
            return "ended"
        # The pool in which the console takes its surveys; the app under this load uses none.
        return "console's surveys" if name.startswith("tokio-r") else name

    def thread_names(self):
        """Which thread is which. The app's worker and the console's have the same name, so that the console is asked
        a lot, and the one that works for it is the console's."""
        first = self.threads()
        with socket.create_connection(("127.0.0.1", self.console), timeout=10) as client:
            for _ in range(ASKED):
                client.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
                client.recv(65536)
        asked = self.threads()
        names = {thread: self.thread_name(thread) for thread in asked}
        workers = [thread for thread, name in names.items() if name.startswith("actix-rt")]
        workers.sort(key=lambda thread: asked[thread] - first.get(thread, 0))
        if len(workers) < 2:
            raise Failed(f"the threads are {sorted(names.values())}")
        for thread in workers:
            names[thread] = "worker"
        names[workers[-1]] = "console's connections"
        return names


class Reader:
    """Follows the console's events, as a page that is open does, and counts the bytes."""

    def __init__(self, port):
        self.seen, self.failed, self.over = 0, False, False
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=10)
        self.socket.sendall(b"GET /events HTTP/1.1\r\nHost: localhost\r\n"
                            b"Accept: text/event-stream\r\n\r\n")
        self.thread = threading.Thread(target=self.follow)
        self.thread.start()

    def follow(self):
        try:
            while piece := self.socket.recv(1 << 20):
                self.seen += len(piece)
        except OSError:
            pass
        self.failed = not self.over

    def end(self):
        self.over = True
        self.socket.shutdown(socket.SHUT_RDWR)
        self.thread.join()
        self.socket.close()


def summary(data):
    """The ratios, and the medians without and with readers."""
    periods = data["periods"]
    late = [period["late_ms"]["p99"] for period in periods]
    ratios = [
        late[at] / statistics.mean([late[at - 1], late[at + 1]])
        for at in range(1, len(periods) - 1, 2)
    ]
    halves = {}
    for name, read in (("without", False), ("with", True)):
        those = [period for period in periods if period["read"] == read]
        threads = sorted({thread for period in those for thread in period["cpu_percent"]})
        halves[name] = {
            "p50_ms": statistics.median(p["late_ms"]["p50"] for p in those),
            "p99_ms": statistics.median(p["late_ms"]["p99"] for p in those),
            "p999_ms": statistics.median(p["late_ms"]["p999"] for p in those),
            "server_p99_ms": statistics.median(p["server_late_ms"]["p99"] for p in those),
            "client_p99_ms": statistics.median(p["client_gap_ms"]["p99"] for p in those),
            "cpu_percent": {
                thread: statistics.median(p["cpu_percent"].get(thread, 0) for p in those)
                for thread in threads
            },
        }
    read = [period for period in periods if period["read"]]
    return {
        "ratio": statistics.median(ratios),
        "ratios": [min(ratios), max(ratios)],
        "kib_per_s": statistics.median(statistics.mean(p["bytes_per_s"]) for p in read) / 1024,
        **halves,
    }


def report(data):
    """A section for BENCHMARKS.md."""
    told = summary(data)
    without, read = told["without"], told["with"]
    ratio, console = told["ratio"], read["cpu_percent"].get("holdup-console", 0)
    met = lambda is_met: "met" if is_met else "missed"
    lines = [
        f"Streams come and go: {data['rate']:,.0f} a second are opened, each counts down for {COUNTDOWN} s, and about "
        f"{data['streams']:,} are open at a time. In every second period of {data['period_s']} s, "
        f"{data['readers']} readers follow the console's events. The figures are medians of the periods.",
        "",
        "|  | late, ms: p50 | p99 | p99.9 | server says, p99 | client's own, p99 |",
        "| --- | ---: | ---: | ---: | ---: | ---: |",
    ]
    for name, half in (("without readers", without), ("with readers", read)):
        figures = [half[key] for key in ("p50_ms", "p99_ms", "p999_ms", "server_p99_ms", "client_p99_ms")]
        lines.append(f"| {name} | " + " | ".join(f"{figure:.1f}" for figure in figures) + " |")
    lines += ["", "| thread | % of a core without readers | with readers |", "| --- | ---: | ---: |"]
    threads = sorted(read["cpu_percent"], key=read["cpu_percent"].get, reverse=True)
    for thread in threads:
        shares = [half["cpu_percent"].get(thread, 0) for half in (without, read)]
        if max(shares) >= 0.05:
            lines.append(f"| {thread} | {shares[0]:.1f} | {shares[1]:.1f} |")
    smallest, largest = told["ratios"]
    lines += [
        "",
        "|  | target | figure | periods |  |",
        "| --- | ---: | ---: | ---: | ---: |",
        f"| p99 lateness, with readers ÷ without | ≤ {TARGET_RATIO:.2f} | {ratio:.2f} | {smallest:.2f} to {largest:.2f} | "
        f"{met(ratio <= TARGET_RATIO)} |",
        f"| the console's thread, % of a core | < {TARGET_PERCENT:.0f} | {console:.1f} |  | "
        f"{met(console < TARGET_PERCENT)} |",
        "",
        f"Each reader was sent {told['kib_per_s']:,.0f} KiB a second.",
    ]
    return "\n".join(lines) + "\n"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--holdup", default="target/release/holdup", help="the program [target/release/holdup]")
    parser.add_argument("--load", required=True, help="the load generator's program")
    parser.add_argument("--streams", type=int, default=10_000, help="that are open at a time [10000]")
    parser.add_argument("--readers", type=int, default=3, help="[3]")
    parser.add_argument("--period", type=int, default=6, metavar="S", help="whole seconds [6]")
    parser.add_argument("--pairs", type=int, default=8, help="periods with readers [8]")
    parser.add_argument("--json", metavar="FILE", help="also write the figures here")
    options = parser.parse_args()
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    data = measure(options.holdup, options.load, options.streams, options.readers, options.period, options.pairs)
    if options.json:
        Path(options.json).write_text(json.dumps(data, indent=1))
    print(report(data), end="")


if __name__ == "__main__":
    sys.exit(main())
