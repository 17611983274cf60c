"""Runs action.yml as GitHub's runner runs a composite action: python3 runner.py FOLDER <INPUTS

The inputs are a JSON object on stdin. Steps that run a script are run for real, by the bash command of the runner, with
files for outputs and the summary in FOLDER. Steps that use another action are not run: what they would be given is
noted. The result is printed as JSON: the job's conclusion, its outputs, its summary, its log, and those other actions.
"""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(Path(os.environ["CARGO_TARGET_DIR"]) / "python"))

from ruamel.yaml import YAML  # noqa: E402


def main():
    folder = Path(sys.argv[1])
    action = YAML(typ="safe").load(ROOT / "action.yml")
    known = action["inputs"]
    given = json.load(sys.stdin)
    assert given.keys() <= known.keys(), given
    inputs = {name: given.get(name, known[name].get("default", "")) for name in known}
    steps, failed, log, used, summary = {}, False, "", [], ""
    for number, step in enumerate(action["runs"]["steps"]):
        if not condition(step.get("if", "success()"), inputs, steps, failed):
            continue
        if "uses" in step:
            given = {name: filled(value, inputs, steps) for name, value in step["with"].items()}
            used.append({"uses": step["uses"], "with": given})
            continue
        files = {name: folder / f"{name}-{number}" for name in ("GITHUB_OUTPUT", "GITHUB_STEP_SUMMARY")}
        for file in files.values():
            file.touch()
        script = folder / f"step-{number}.sh"
        script.write_text(step["run"])
        environment = os.environ | {
            "GITHUB_ACTION_PATH": str(ROOT),
            "RUNNER_TEMP": str(folder),
            "RUNNER_OS": "Linux",
            "RUNNER_ARCH": "X64",
            "ImageOS": "ubuntu24",
            # As users set it, for their own builds.
            "RUSTFLAGS": "--cfg theirs",
        }
        environment |= {name: str(file) for name, file in files.items()}
        environment |= {name: filled(value, inputs, steps) for name, value in step.get("env", {}).items()}
        assert step["shell"] == "bash", step
        ran = subprocess.run(
            ["bash", "--noprofile", "--norc", "-eo", "pipefail", script],
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            cwd=folder,
        )
        log += ran.stdout.decode()
        summary += files["GITHUB_STEP_SUMMARY"].read_text()
        lines = files["GITHUB_OUTPUT"].read_text().splitlines()
        steps[step.get("id", number)] = dict(line.split("=", 1) for line in lines)
        failed = failed or ran.returncode != 0
    outputs = {name: filled(output["value"], inputs, steps) for name, output in action["outputs"].items()}
    json.dump(
        {
            "conclusion": "failure" if failed else "success",
            "outputs": outputs,
            "summary": summary,
            "log": log,
            "used": used,
        },
        sys.stdout,
    )


def value_of(name, inputs, steps):
    """What stands for a name in an expression. Outputs of steps that did not run are empty."""
    match name.split("."):
        case ["inputs", name]:
            return str(inputs[name])
        case ["steps", step, "outputs", name]:
            return steps.get(step, {}).get(name, "")
    raise ValueError(name)


def filled(text, inputs, steps):
    return re.sub(r"\$\{\{ *(\S+) *\}\}", lambda found: value_of(found[1], inputs, steps), str(text))


def condition(text, inputs, steps, failed):
    """Operators && and !=, names, texts, success() and always(): what action.yml has."""
    terms = [term.strip() for term in text.split("&&")]
    if not {"success()", "always()"} & set(terms):
        terms.append("success()")
    return all(term_holds(term, inputs, steps, failed) for term in terms)


def term_holds(term, inputs, steps, failed):
    if term == "always()":
        return True
    if term == "success()":
        return not failed
    name, text = term.split(" != ")
    assert text[0] == text[-1] == "'", term
    return value_of(name, inputs, steps) != text[1:-1]


main()
