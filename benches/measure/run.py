"""One server, started for one run, and what it used while the load generator counted."""

import ctypes
import json
import os
import re
import signal
import socket
import subprocess
import threading
import time
from pathlib import Path

CORES = sorted(os.sched_getaffinity(0))
# With two cores or more, the server has one to itself, and the load generator another.
SERVER_CORES, LOAD_CORES = (CORES[:1], CORES[1:2]) if len(CORES) > 1 else (CORES, CORES)

PAGE = os.sysconf("SC_PAGE_SIZE")

PR_SET_PDEATHSIG = 1

START_TIMEOUT = 30
SAMPLE_EVERY = 0.05


class Failed(Exception):
    pass


def process_clock(pid):
    """The clock of another process's processor time: clock_getcpuclockid(3), which Python lacks."""
    return ~pid << 3 | 2


def begin(cores):
    """Run in a new process before its program: keeps to these cores, and ends when we do."""
    os.sched_setaffinity(0, cores)
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def measure(command, load, streams, countdown, ramp, opening=False, cores=SERVER_CORES):
    """The figures of one run of a server on these cores. `opening` adds how fast it takes connections."""
    with Server(command, cores) as server:
        first_tick_ms = server.first_tick_ms()
        time.sleep(0.5)
        idle = server.resident()
        with Samples(server) as samples:
            # Opened evenly over whole periods, so that ticks are due evenly from then on.
            counted = server.load(load, streams, f"from={countdown}&period=1s", f"{ramp}s")
        steady = counted["steady"]
        if steady is None:
            raise Failed("the first stream ended before the last was open")
        used = samples.cpu_at(steady["to_s"]) - samples.cpu_at(steady["from_s"])
        result = {
            "cpu_us": used / steady["ticks"] * 1e6,
            "steady_s": steady["to_s"] - steady["from_s"],
            "cpu_percent": used / (steady["to_s"] - steady["from_s"]) * 100,
            "idle_mib": idle / 2**20,
            "memory_kib": (samples.resident_at(steady["to_s"]) - idle) / streams / 1024,
            "late_ms": counted["late_ms"]["after_best_tick"],
            "first_tick_ms": first_tick_ms,
            "client_cpu_percent": counted["client"]["cpu_percent"],
            "client_gap_ms": counted["client"]["gap_counting_ms"],
        }
        if opening:
            opened = server.load(load, streams, "from=1&period=4s", "0s")
            result["opened_per_s"] = opened["opening"]["streams_per_second"]
        return result


class Server:
    def __init__(self, command, cores=SERVER_CORES):
        self.started = time.monotonic()
        self.process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            preexec_fn=lambda: begin(cores),
            # Where a runtime counts cores otherwise.
            env=os.environ | {"GOMAXPROCS": str(len(cores))},
        )

    def __enter__(self):
        try:
            self.port = self.listening()
        except BaseException:
            self.end()
            raise
        return self

    def __exit__(self, *_):
        self.end()

    def end(self):
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()

    def listening(self):
        """The port in the line that tells where the server listens."""
        impatience = threading.Timer(START_TIMEOUT, self.process.kill)
        impatience.start()
        try:
            for line in self.process.stdout:
                if found := re.search(r"127\.0\.0\.1:(\d+)", line):
                    return int(found[1])
        finally:
            impatience.cancel()
        raise Failed("the server ended before it listened")

    def first_tick_ms(self):
        """From the start of the process to the first tick of its first stream."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=START_TIMEOUT) as client:
            client.sendall(b"GET /coroutine?from=1&period=50ms HTTP/1.1\r\nHost: peer\r\n\r\n")
            answer = b""
            while b'"remaining":1,' not in answer:
                piece = client.recv(4096)
                if not piece:
                    raise Failed(f"the first answer was {answer[:200]!r}")
                answer += piece
            return (time.monotonic() - self.started) * 1000

    def load(self, load, streams, query, ramp):
        """The load generator's report on a run in which every stream was completed."""
        url = f"http://127.0.0.1:{self.port}/coroutine?{query}"
        command = [load, "--json", "--streams", str(streams), "--ramp", ramp, "--url", url]
        run = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=300,
            preexec_fn=lambda: begin(LOAD_CORES),
        )
        if self.process.poll() is not None:
            raise Failed(f"the server ended with {self.process.returncode}")
        if not run.stdout:
            raise Failed(run.stderr.strip() or f"the load generator ended with {run.returncode}")
        told = json.loads(run.stdout)
        if run.returncode != 0:
            seen = told["streams"]
            reasons = {"refused with 503": seen["refused"]} | seen["failures"]
            reasons = ", ".join(f"{count} {reason}" for reason, count in reasons.items() if count)
            raise Failed(f"{seen['completed']} of {seen['asked']} streams were completed; {reasons}")
        return told

    def pids(self):
        """The process and those that it started."""
        pids = [self.process.pid]
        for pid in pids:
            for children in Path(f"/proc/{pid}/task").glob("*/children"):
                pids += map(int, children.read_text().split())
        return pids

    def cpu(self):
        """Seconds, in user and system mode. The sum of both in /proc is cut to hundredths."""
        return sum(time.clock_gettime(process_clock(pid)) for pid in self.pids())

    def resident(self):
        """Bytes."""
        statm = (Path(f"/proc/{pid}/statm").read_text().split() for pid in self.pids())
        return sum(int(fields[1]) for fields in statm) * PAGE


class Notes:
    """What a thread notes all the while: `note` is its loop, which ends when `over` is set."""

    def __init__(self):
        self.noted = []
        self.over = threading.Event()
        self.thread = threading.Thread(target=self.note)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.over.set()
        self.thread.join()

    def last_at(self, at):
        """The last note at this time or before it."""
        return max((note for note in self.noted if note[0] <= at), key=lambda note: note[0])


class Samples(Notes):
    """A server's processor time and memory, noted all the while."""

    def __init__(self, server):
        super().__init__()
        self.server = server

    def note(self):
        while not self.over.wait(SAMPLE_EVERY):
            try:
                self.noted.append((time.monotonic(), self.server.cpu(), self.server.resident()))
            except (OSError, IndexError):
                return  # it has ended, which `load` tells

    def cpu_at(self, at):
        for before, after in zip(self.noted, self.noted[1:]):
            if before[0] <= at <= after[0]:
                share = (at - before[0]) / (after[0] - before[0])
                return before[1] + share * (after[1] - before[1])
        raise Failed("nothing was noted at the time that counts")

    def resident_at(self, at):
        return self.last_at(at)[2]
