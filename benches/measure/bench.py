"""What a section is given, and what it can say."""

import json
import subprocess
import sys
import time
from dataclasses import dataclass
from statistics import median

from run import Failed

# What a run can raise on a machine that is not as expected.
FAILURES = (Failed, OSError, ValueError, KeyError, subprocess.SubprocessError)


class LeftOut(Exception):
    """Why a section is not measured: a sentence for the page."""


@dataclass
class Bar:
    """A figure, and the most or the least that it should be."""

    what: str
    # None if it was not measured.
    figure: float | None
    # The smallest and the largest of the rounds, or how sure the figure is.
    spread: tuple | None = None
    most: float | None = None
    least: float | None = None
    unit: str = ""

    @classmethod
    def of(cls, what, figures, **bounds):
        """The median of one figure for each round."""
        if not figures:
            return cls(what, None, **bounds)
        return cls(what, median(figures), (min(figures), max(figures)), **bounds)

    def missed_by(self):
        """In percent of what it should be; 0 if it was met."""
        over = self.figure / self.most - 1 if self.most is not None else 1 - self.figure / self.least
        return max(over * 100, 0.0)


class Bench:
    """What is there to measure with."""

    def __init__(self, options, programs, target, kept):
        self.options = options
        # The command that starts each of the programs, as a list, by name.
        self.programs = programs
        # The directory of the build.
        self.target = target
        self.kept = kept
        self.results = {"failures": [], "sections": {}}
        self.started = time.monotonic()

    @property
    def quick(self):
        """Whether this run only tries everything, with small numbers."""
        return self.options.quick

    def program(self, name):
        """The command that starts it."""
        if name not in self.programs:
            raise LeftOut(f"`{name}` is not there.")
        return self.programs[name]

    def say(self, text):
        minutes = (time.monotonic() - self.started) / 60
        print(f"{minutes:5.1f} min  {text}", file=sys.stderr, flush=True)

    def fail(self, text):
        """Notes a failure without ending the section."""
        self.say(f"failed: {text}")
        self.results["failures"].append(text)

    def found(self, section):
        """The figures of a section that was measured before, or None."""
        return self.results["sections"].get(section, {}).get("data")

    def keep(self, data):
        """Notes the figures of the section that is being measured, as far as there are any."""
        self.results["sections"][self.section]["data"] = data
        self.save()

    def measure(self, name, section):
        """Measures a section, and notes what came of it."""
        self.section, began = name, time.monotonic()
        self.say(f"{name}: {section.TITLE}")
        self.results["sections"][name] = found = {}
        try:
            self.keep(section.measure(self))
        except LeftOut as reason:
            self.say(f"left out: {reason}")
            found["left_out"] = str(reason)
        except FAILURES as failed:
            self.fail(f"{name}: {failed or type(failed).__name__}")
            found["failed"] = str(failed) or type(failed).__name__
        found["minutes"] = (time.monotonic() - began) / 60
        self.save()

    def save(self):
        self.results["minutes"] = (time.monotonic() - self.started) / 60
        self.kept.parent.mkdir(parents=True, exist_ok=True)
        self.kept.write_text(json.dumps(self.results, indent=1))
