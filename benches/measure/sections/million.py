"""What a million streams take, worked out from the lines through what one worker took. Not a section of its own."""

import math

import line
import markdown
from machine import possible

MILLION = 1_000_000

PAGE = """\
If all of this goes on in a straight line, a million streams with a tick per second each take:

{takes}

One process on this machine would come to these limits:

{ends}

The lowest one is the next: {next}.
"""


def million(runs, limits):
    """Markdown, from the runs that were completed and from `machine.limits`."""
    if len(runs) < 3:
        return "These are too few runs to tell."
    process_kib = line.slope(line.memory(runs))
    # Half of the kernel's memory is for the load generator's end.
    kernel_kib = max(line.slope(line.kernel(runs)), 0) / 2
    cpu_s = line.slope(line.cpu(runs))
    if process_kib <= 0 or cpu_s <= 0:
        return "The runs differ too little to tell."
    takes = [
        ["memory of the process", f"{process_kib * MILLION / 2**20:.1f} GiB"],
        ["memory of the kernel", f"{kernel_kib * MILLION / 2**20:.1f} GiB"],
        ["cores", f"{cpu_s * MILLION:.1f}"],
        ["descriptors, if one process has all of them", f"{descriptors(MILLION):,}"],
        ["addresses, if clients are as near to each other as here", f"{math.ceil(MILLION / limits['ports'])}, "
                                                                    f"with {limits['ports']:,} ports each"],
    ]
    reached = ends(runs, process_kib + kernel_kib, cpu_s, limits)
    return PAGE.format(
        takes=markdown.table(["", ""], takes),
        ends=markdown.table(["limit", "streams"], [[what, f"{streams:,}"] for what, streams in reached]),
        next=min(reached, key=lambda end: end[1])[0],
    )


def descriptors(streams):
    """The fewest descriptors that leave `holdup serve` room for so many streams."""
    files = streams
    while possible(files) < streams:
        files += streams - possible(files)
    return files


def ends(runs, stream_kib, cpu_s, limits):
    """Each limit of this machine, and the streams of one process that reach it."""
    found = [
        ("one worker's core, with a tick per second", round(1 / cpu_s)),
        ("a worker on each core, with a tick per second", round(limits["cores"] / cpu_s)),
        ("the machine's memory", round(limits["memory_bytes"] / 1024 / stream_kib)),
    ]
    if limits["files_of_a_process"]:
        found.append(("the most open files of a process (`fs.nr_open`)", possible(limits["files_of_a_process"])))
    if limits["files"]:
        found.append(("open files of the machine (`fs.file-max`)", limits["files"]))
    largest = max(runs, key=lambda run: run["streams"])
    if limits["tracked"] and largest["tracked"] > 0:
        per_stream = largest["tracked"] / largest["streams"]
        tracked = round(limits["tracked"] / per_stream)
        found.append(("connections that the firewall tracks (`nf_conntrack_max`)", tracked))
    return found
