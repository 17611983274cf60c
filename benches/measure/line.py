"""Straight lines through what was measured."""

from statistics import mean


def slope(points):
    """That of the line of least squares through points (x, y)."""
    middle_x, middle_y = middle(points)
    return sum((x - middle_x) * (y - middle_y) for x, y in points) / sum((x - middle_x) ** 2 for x, _ in points)


def off(points):
    """How far the points are from that line at most, as a share of each point's value."""
    middle_x, middle_y = middle(points)
    steep = slope(points)
    return max(abs(middle_y + steep * (x - middle_x) - y) / y for x, y in points)


def middle(points):
    return mean(x for x, _ in points), mean(y for _, y in points)


def memory(runs):
    """KiB of the process, against the streams."""
    return [(run["streams"], run["memory_kib"] * run["streams"]) for run in runs]


def kernel(runs):
    """KiB of the kernel, against the streams."""
    return [(run["streams"], run["kernel_kib"] * run["streams"]) for run in runs]


def cpu(runs):
    """Seconds of processor time per second, against the ticks per second."""
    return [(run["ticks_per_s"], run["cpu_percent"] / 100) for run in runs]
