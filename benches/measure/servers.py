"""The servers that are compared."""

NAMES = {
    "holdup": "holdup, as shipped",
    "lab": "lab without `Watch`",
    "lab-watched": "lab with `Watch`",
    "floor": "floor",
    "axum": "axum",
    "go": "Go net/http",
    "node": "Node http",
    "tornado": "Tornado",
}

FRAMEWORKS = ["axum", "go", "node", "tornado"]

# What each takes on its command line, with "any free port" for its address.
ARGUMENTS = {
    "holdup": ["serve", "--bind", "127.0.0.1:0", "--console", "127.0.0.1:0"],
    "lab-watched": ["0", "--watch"],
}

# Two of them are the same program.
PROGRAMS = {"lab-watched": "lab"}


def there(bench):
    """Those of which there is a program, and that were asked for, in the order of the page."""
    asked = bench.options.only.split(",") if bench.options.only else list(NAMES)
    return [name for name in NAMES if name in asked and PROGRAMS.get(name, name) in bench.programs]


def command(bench, name):
    return [*bench.program(PROGRAMS.get(name, name)), *ARGUMENTS.get(name, ["0"])]
