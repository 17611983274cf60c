"""What readers of the console cost the lab."""

import console
from bench import Bar

TITLE = "What readers of the console cost"


def measure(bench):
    amount = {"streams": 500, "period": 2, "pairs": 1} if bench.quick else {}
    return console.measure(bench.program("holdup")[0], bench.program("load")[0], **amount)


report = console.report


def bars(data):
    told = console.summary(data)
    share = told["with"]["cpu_percent"].get("holdup-console", 0)
    return [
        Bar("p99 lateness, with readers of the console ÷ without", told["ratio"], tuple(told["ratios"]),
            most=console.TARGET_RATIO),
        Bar("the console's thread, with readers, of a core", share, most=console.TARGET_PERCENT, unit=" %"),
    ]
