"""Where do the comparisons of a workflow lie? One folder a run, under `TIERWISE_HOME/evals/WORKFLOW/`.

Knows the names, not what stands in the files. Invariant: one process at a time adds to a run.
"""

import contextlib
import os
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import quote, unquote

from tierwise.core.errors import ConfigError, StoreError
from tierwise.ledger import lock
from tierwise.ledger.lock import WriterLock
from tierwise.registry.load import nearest

EVIDENCE, ANSWERS, REPORT, CARD = "evidence.jsonl", "answers.jsonl", "report.html", "card.json"
LOOKED = "looked"
"""Lies beside evidence on which a verdict was read before the comparison's end."""
_RUN = re.compile(r"\d{8}-\d{6}-[0-9a-f]{4}")


def folder(home: Path, workflow: str) -> Path:
    """Return where a workflow's runs lie; whatever it is called, that is one folder inside of `evals`."""
    return home / "evals" / quote(workflow, safe=" ").replace(".", "%2E")


def new_id(ts: float) -> str:
    """Return a name for a run: sorted, names follow the time."""
    return f"{datetime.fromtimestamp(ts, UTC):%Y%m%d-%H%M%S}-{os.urandom(2).hex()}"


def runs(home: Path, workflow: str) -> list[Path]:
    """Return the folders of the runs that began, the oldest first."""
    place = folder(home, workflow)
    try:
        found = sorted(place.iterdir())
    except OSError:  # there are none; a name may also be longer than any folder's
        found = []
    return [one for one in found if _RUN.fullmatch(one.name) and (one / EVIDENCE).is_file()]


def newest(home: Path, workflow: str) -> Path:
    """Return the newest run's folder. ConfigError where there is none."""
    found = runs(home, workflow)
    if not found:
        names = [unquote(one.name) for one in (home / "evals").glob("*")]
        near = nearest(workflow, [name for name in names if runs(home, name)])
        raise ConfigError(f"nothing was measured for {workflow!r}: `tierwise compare {workflow}` does{near}")
    return found[-1]


def named(home: Path, workflow: str, run: str | None) -> Path:
    """Return the folder of the run of this name, or the newest. ConfigError where there is none."""
    if run is None:
        return newest(home, workflow)
    found = next((one for one in runs(home, workflow) if one.name == run), None)
    if found is None:
        known = ", ".join(one.name for one in runs(home, workflow)[-5:]) or "none"
        raise ConfigError(f"workflow {workflow!r} has no run {run!r}; there are {known}", key="--run")
    return found


def under_way(run: Path) -> bool:
    """Say whether a process adds to a run now."""
    return lock.held(run / EVIDENCE)


@contextlib.contextmanager
def held(run: Path) -> Iterator[None]:
    """Be the one who adds to a run. ConfigError where another process does."""
    for place in (run.parent.parent, run.parent, run):  # the mode holds for the last folder that a call makes
        place.mkdir(parents=True, exist_ok=True, mode=0o700)
    try:
        taken = WriterLock(run / EVIDENCE)
    except StoreError as error:
        raise ConfigError(f"run {run.name}: another process adds to it now") from error
    try:
        yield
    finally:
        taken.release()
