"""What the kernel uses, and what it allows."""

import os
import re
import time
from pathlib import Path

from run import Notes

EVERY = 0.2

PAGE = os.sysconf("SC_PAGE_SIZE")


def possible(files):
    """The most streams of `holdup serve` with so many descriptors: see src/limits.rs."""
    connections = files - max(files // 20, 40)
    return connections - max(connections // 16, 8)


def number(path):
    """The first number in a file of the kernel's; None if there is no such file."""
    try:
        return int(Path(path).read_text().split()[0])
    except (OSError, ValueError, IndexError):
        return None


def limits():
    """What this machine has and allows. None is what it has not. `ports` are those of one address of a client."""
    low, high = map(int, Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split())
    return {
        "memory_bytes": os.sysconf("SC_PHYS_PAGES") * PAGE,
        "cores": len(os.sched_getaffinity(0)),
        "files_of_a_process": number("/proc/sys/fs/nr_open"),
        "files": number("/proc/sys/fs/file-max"),
        "ports": high - low + 1,
        "tracked": number("/proc/sys/net/netfilter/nf_conntrack_max"),
    }


class Kernel(Notes):
    """The kernel's own memory, noted all the while."""

    def note(self):
        while True:
            self.noted.append((time.monotonic(), self.now()))
            if self.over.wait(EVERY):
                return

    @staticmethod
    def now():
        slab = re.search(r"^Slab:\s+(\d+) kB", Path("/proc/meminfo").read_text(), re.MULTILINE)
        tcp = re.search(r"^TCP: .*\bmem (\d+)", Path("/proc/net/sockstat").read_text(), re.MULTILINE)
        return {
            "bytes": (int(slab[1]) * 1024 if slab else 0) + (int(tcp[1]) * PAGE if tcp else 0),
            # Connections that a firewall keeps track of.
            "tracked": number("/proc/sys/net/netfilter/nf_conntrack_count") or 0,
        }

    def at(self, at):
        return self.last_at(at)[1]
