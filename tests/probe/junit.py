"""Reads a JUnit document as CI systems do, checks its form, and prints what it says as JSON: python3 junit.py FILE"""

import json
import os
import sys
import xml.etree.ElementTree as ElementTree
from pathlib import Path

sys.path.insert(0, str(Path(os.environ["CARGO_TARGET_DIR"]) / "python"))

from junitparser import Error, Failure, JUnitXml, Skipped  # noqa: E402

# What the schema that Jenkins publishes (junit-10.xsd) allows: the attributes and the children of each element.
FORM = {
    "testsuites": ({"name", "time", "tests", "failures", "errors"}, {"testsuite"}),
    "testsuite": (
        {"name", "tests", "failures", "errors", "skipped", "time", "timestamp", "hostname", "id", "package"},
        {"testcase", "properties", "system-out", "system-err"},
    ),
    "testcase": (
        {"name", "time", "classname"},
        {"skipped", "error", "failure", "system-out", "system-err"},
    ),
    "skipped": ({"message", "type"}, set()),
    "error": ({"message", "type"}, set()),
    "failure": ({"message", "type"}, set()),
    "system-out": (set(), set()),
}
REQUIRED = {"testsuite": {"name", "tests", "failures", "errors"}, "testcase": {"name"}}
ENDS = {Failure: "failure", Error: "error", Skipped: "skipped"}


def check(element):
    attributes, children = FORM[element.tag]
    given = set(element.attrib)
    assert REQUIRED.get(element.tag, set()) <= given <= attributes, (element.tag, given)
    for child in element:
        assert child.tag in children, (element.tag, child.tag)
        check(child)


def main():
    root = ElementTree.parse(sys.argv[1]).getroot()
    assert root.tag == "testsuites", root.tag
    check(root)
    (suite,) = JUnitXml.fromfile(sys.argv[1])
    cases = []
    for case in suite:
        results = case.result
        assert len(results) <= 1, results
        end = {"end": "passed"}
        for result in results:
            end = {"end": ENDS[type(result)], "message": result.message, "text": result.text}
        cases.append({"name": case.name, "class": case.classname, **end})
    ends = [case["end"] for case in cases]
    counted = {"tests": len(ends), "failures": ends.count("failure"), "errors": ends.count("error")}
    counted["skipped"] = ends.count("skipped")
    said = {name: getattr(suite, name) for name in counted}
    assert said == counted, (said, counted)
    assert abs(sum(case.time for case in suite) - suite.time) < 0.01 * len(ends), suite.time
    output = root.find("testsuite/system-out").text or ""
    json.dump({"suite": suite.name, "cases": cases, "output": output}, sys.stdout)


main()
