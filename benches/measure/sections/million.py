"""What a million streams take, worked out from what one worker took. Not a section of its own."""

import math

import markdown
from machine import possible

MILLION = 1_000_000

PAGE = """\
If everything goes on in a straight line, a million streams with one tick per second each take:

{takes}

One process, on this machine, would end here:

{ends}

The lowest of these limits is the next one: {next}.
"""


def million(runs, limits):
    """Markdown, from the runs that were completed and from `machine.limits`."""
    largest = max(runs, key=lambda run: run["streams"])
    # Half of the kernel's memory is the load generator's.
    kernel_kib = largest["kernel_kib"] / 2
    stream_kib = largest["memory_kib"] + kernel_kib
    takes = [
        ["memory of the process", f"{largest['memory_kib'] * MILLION / 2**20:.1f} GiB"],
        ["memory of the kernel", f"{kernel_kib * MILLION / 2**20:.1f} GiB"],
        ["cores", f"{largest['cpu_us'] * MILLION / 1e6:.1f}"],
        ["descriptors", f"{descriptors(MILLION):,}"],
        ["addresses of clients, if these are few", f"{math.ceil(MILLION / limits['ports_of_an_address'])} "
                                                   f"({limits['ports_of_an_address']:,} ports each)"],
    ]
    return PAGE.format(
        takes=markdown.table(["", ""], takes),
        ends=markdown.table(["limit", "streams"], [[what, f"{streams:,}"] for what, streams in ends(largest, stream_kib, limits)]),
        next=min(ends(largest, stream_kib, limits), key=lambda end: end[1])[0],
    )


def descriptors(streams):
    """The fewest descriptors that leave `holdup serve` room for so many streams."""
    files = streams
    while possible(files) < streams:
        files += streams - possible(files)
    return files


def ends(largest, stream_kib, limits):
    """Each limit of this machine, and the streams of one process that reach it."""
    found = [
        ("one worker's core, with one tick per second", round(1e6 / largest["cpu_us"])),
        ("all cores, with one tick per second", round(limits["cores"] * 1e6 / largest["cpu_us"])),
        ("the machine's memory", round(limits["memory_bytes"] / 1024 / stream_kib)),
    ]
    if limits["files_of_a_process"]:
        found.append(("open files of a process (`fs.nr_open`)", possible(limits["files_of_a_process"])))
    if limits["files"]:
        found.append(("open files of the machine (`fs.file-max`)", limits["files"]))
    if limits["tracked"] and largest["tracked"] > 0:
        per_stream = largest["tracked"] / largest["streams"]
        found.append(("connections that the firewall tracks (`nf_conntrack_max`)", round(limits["tracked"] / per_stream)))
    return found
