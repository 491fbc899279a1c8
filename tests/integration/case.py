"""How a case file says what it proves. Each function marked @case is one test; main() runs them in order and prints
  PASS NAME | FAIL NAME | SKIP NAME: reason
on lines of their own, details indented below. Exit 0, or 1 when one failed.
"""
import importlib
import os
import pathlib
import sys
import time
import traceback

from lab import LabError

CASES = []


class Skip(Exception):
    """Raised by a case that cannot run here; its text is the reason."""


class Wrong(AssertionError):
    """Raised when something is not as it should be."""


def case(title):
    def add(function):
        CASES.append((function.__name__, title, function))
        return function
    return add


def check(condition, message):
    if not condition:
        raise Wrong(message)


def check_equal(got, wanted, what):
    check(got == wanted, f"{what}: {shown(got)}, expected {shown(wanted)}")


def shown(value, most=1500):
    text = repr(value)
    return text if len(text) <= most else f"{text[:most]}... ({len(text)} characters)"


def check_none(complaints, what):
    if complaints:
        shown = "\n      ".join(complaints[:10])
        raise Wrong(f"{what}: {len(complaints)} complaints\n      {shown}")


def note(text):
    print(f"    {text}", flush=True)


def run_one(name, title, function):
    print(f"{name}: {title}", flush=True)
    begin = time.monotonic()
    try:
        function()
    except Skip as reason:
        print(f"SKIP {name}: {reason}", flush=True)
    except Exception as error:
        detail = str(error) if isinstance(error, (Wrong, LabError)) else traceback.format_exc()
        print("    " + detail.replace("\n", "\n    "))
        print(f"FAIL {name}", flush=True)
        return False
    else:
        print(f"PASS {name} ({time.monotonic() - begin:.1f} s)", flush=True)
    return True


def main():
    """With arguments, only the cases of these names."""
    wanted = set(sys.argv[1:])
    unknown = wanted - {name for name, _, _ in CASES}
    if unknown:
        sys.exit(f"no such case: {', '.join(sorted(unknown))}")
    results = [run_one(*entry) for entry in CASES if not wanted or entry[0] in wanted]
    sys.exit(0 if all(results) else 1)


def build_dir():
    return pathlib.Path(os.environ.get("UMBRA_BUILD", "build")).resolve()


def need_command(*names):
    """Skips the case when a command is missing."""
    for name in names:
        if not any(os.access(os.path.join(folder, name), os.X_OK)
                   for folder in os.environ.get("PATH", "").split(":") + ["/usr/sbin", "/sbin", "/usr/bin"]):
            raise Skip(f"command '{name}' is not installed")


def need_module(name):
    try:
        importlib.import_module(name)
    except ImportError:
        raise Skip(f"Python module '{name}' is not installed") from None
