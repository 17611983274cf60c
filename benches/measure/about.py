"""When and on what it was measured, and what."""

import os
import platform
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

# With what stands on the command line if it is left out.
OPTIONS = {"streams": 10_000, "rounds": 3, "countdown": 16, "ramp": 8, "only": None, "sections": None,
           "first_build": False}


def of(programs, options):
    cpu = [line for line in Path("/proc/cpuinfo").read_text().splitlines() if "model name" in line]
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    dirty = "" if said("git", "status", "--porcelain") == "" else " and changes"
    node = programs.get("node", ["node"])[0]
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
            "Tornado": said(sys.executable, "-c", "import tornado; print(tornado.version)"),
            "Python": platform.python_version(),
        },
        "flags": flags(options),
    }


def flags(options):
    if options.quick:
        return ["--quick"]
    given = {name: getattr(options, name) for name in OPTIONS}
    given = {"--" + name.replace("_", "-"): value for name, value in given.items() if value != OPTIONS[name]}
    return [name if value is True else f"{name} {value}" for name, value in given.items()]


def said(*command):
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return None


def locked(package, lock):
    lines = Path(lock).read_text().splitlines()
    at = lines.index(f'name = "{package}"')
    return lines[at + 1].split('"')[1]


def size(program):
    """The program's size in bytes, and without symbols and debug information, where there is a `strip`."""
    with tempfile.NamedTemporaryFile() as copy:
        try:
            subprocess.run(["strip", "-o", copy.name, program], check=True, capture_output=True)
        except (OSError, subprocess.CalledProcessError):
            return [os.path.getsize(program), None]
        return [os.path.getsize(program), os.path.getsize(copy.name)]
