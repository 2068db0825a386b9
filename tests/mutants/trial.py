"""Does a test notice? Runs named tests on a copy of the sources, in a process of its own, and reads what they say.

Invariant: a defect counts as caught only by a test that ran and failed; what could not be collected, or was skipped,
catches nothing, and where only a limit of time ended it, that is said.
"""

import os
import re
import subprocess
import sys
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Literal

import msgspec

from tests.mutants.planting import ROOT

LIMIT_S, TRIAL_LIMIT_S = 60, 300
"""For one test, and for one trial."""
_FAILED = re.compile(r"^FAILED (\S+(?: \S+)*?)(?: - (.*))?$", re.MULTILINE)
_RULE = re.compile(r"[=_!-]{20,}")
_PASSED = re.compile(r"\b\d+ passed\b")

State = Literal["caught", "timeout", "survived", "untried"]


class Trial(msgspec.Struct, frozen=True, kw_only=True):
    """What the tests said. `by` is who noticed; `timeout`: only because a limit of time ended it."""

    state: State
    seconds: float
    by: str = ""
    said: str = ""


def tried(
    tests: Iterable[str], sources: Path, *, first: bool = True, limit_s: int = LIMIT_S
) -> tuple[Trial, list[str]]:
    """Run the tests on these sources, up to the `first` failure; return the verdict and all that failed."""
    folder = sources.parent
    environ = os.environ | {"PYTHONPATH": os.pathsep.join((str(sources), str(ROOT))), "COLUMNS": "1000"}
    whole_limit_s = TRIAL_LIMIT_S if first else None
    options = ["-p", "no:cacheprovider", "-p", "tests.mutants.quick", "--tb=short", "-rf", "-o", f"timeout={limit_s}"]
    options += [f"--basetemp={folder / 'tmp'}", *(["-x"] if first else [])]
    command = [sys.executable, "-m", "pytest", *options, *tests]
    began = time.monotonic()
    try:
        ended = subprocess.run(
            command, cwd=ROOT, env=environ, capture_output=True, text=True, timeout=whole_limit_s, check=False
        )
    except subprocess.TimeoutExpired:
        return Trial(state="timeout", seconds=_since(began), by=f"no end within {whole_limit_s} s"), []
    failed = _FAILED.findall(ended.stdout)
    if ended.returncode == 1 and failed:
        node, why = failed[0]
        late = "from pytest-timeout" in why
        said = _end(ended.stdout) if not first else why
        trial = Trial(state="timeout" if late else "caught", seconds=_since(began), by=node, said=said)
        return trial, [node for node, _ in failed]
    if ended.returncode == 0 and _PASSED.search(ended.stdout):
        return Trial(state="survived", seconds=_since(began)), []
    return Trial(state="untried", seconds=_since(began), said=_end(ended.stdout + ended.stderr)), []


def _end(said: str) -> str:
    return _RULE.sub("…", said)[-3000:]


def imported_from(sources: Path) -> bool:
    """Say whether a program with these sources on its path takes the package from there."""
    environ = os.environ | {"PYTHONPATH": str(sources)}
    command = [sys.executable, "-c", "import tierwise; print(tierwise.__file__)"]
    told = subprocess.run(command, cwd=ROOT, env=environ, capture_output=True, text=True, check=True).stdout
    return Path(told.strip()).is_relative_to(sources)


def _since(began: float) -> float:
    return round(time.monotonic() - began, 1)
