"""What did a client do, and is the ledger exact? Runs one client on one stage and holds what it says against the bill.

Invariant: what is expected is computed from the rules of the scripted model, never from what came out.
"""

import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import msgspec

from tests.clients.catalog import ENGINE, EVERY, MORE, PROGRAMS, WITH_TOOLS, Client
from tests.clients.found import Outcome
from tests.clients.reading import READERS, Step, of_program
from tests.clients.stage import Stage

LIMIT_S = 180
NOTE_FILE, NOTE = "note.txt", "apples are green"
TASK = f"Read the file {NOTE_FILE} and say what it says"
# The scripted model repeats the last message; a string that it computes for a tool is always "text".
EXPECTED = {
    "plain": "one two three",
    "stream": "one two three",
    "tools": "sunny in text",
    "tools_stream": "sunny in text",
    "stored": "sunny in text",
    "count": "counted",
    "models": "auto",
    "vectors": "the same vector twice",
}
# The model that is made on the spot says one word, and another once a tool has answered.
KNOWN = {step: "done" if step in WITH_TOOLS else "hello" for step in (*EVERY, "stored")}
# Every client's own switch for "do not call home". Nothing would be reached, but trying takes time.
QUIET = {
    "DO_NOT_TRACK": "1",
    "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
    "LANGSMITH_TRACING": "false",
    "LITELLM_LOCAL_MODEL_COST_MAP": "True",
    "LITELLM_TELEMETRY": "False",
    "LOGFIRE_SEND_TO_LOGFIRE": "false",
    "OPENCODE_DISABLE_AUTOUPDATE": "1",
    "OPENCODE_DISABLE_MODELS_FETCH": "1",
}


class Where(msgspec.Struct, frozen=True, kw_only=True):
    """Where a client runs: its environment, the folders in front of its path, and a folder of its own for this run."""

    environment: Path
    path: tuple[Path, ...]
    folder: Path


def drive(client: Client, stage: Stage, place: str, where: Where) -> Outcome:
    """Run all steps that a client takes at a place."""
    wanted = client.steps_at(place)
    told = _told(client, wanted, where)
    decisions = stage.decisions()
    ledger = _ledger(decisions)
    return Outcome(
        steps=wanted,
        faults={step: why for step in wanted if (why := _fault(client, told.get(step), place))},
        inexact=_inexact(stage.billed, ledger, [told[step] for step in wanted if step in told]),
        requests=len(decisions),
        read=ledger[0] if ledger else None,
        written=ledger[1] if ledger else None,
        dropped=tuple(sorted({name for decision in decisions for name in decision["dropped"]})),
    )


def _fault(client: Client, step: Step | None, place: str) -> str | None:
    """Say why a step failed, or None."""
    if step is None:
        return "nothing was told"
    if step.error is not None or not step.text:
        return " ".join((step.error or "no text").split())[:200]
    if place == ENGINE:
        return None  # what that model says is its own affair
    texts = EXPECTED | (KNOWN if place in MORE else {"tools_stream": NOTE} if client.tool else {})
    expected = texts[step.step]
    right = expected in step.text if client.tool or step.step == "models" else expected == step.text
    return None if right else f"{step.text[:200]!r} instead of {expected!r}"


def _ledger(decisions: list[dict[str, Any]]) -> tuple[int, int] | None:
    """Add up the tokens read and written, None where one answer's are not reported. Who only counts reads nothing."""
    answers = [decision for decision in decisions if decision["caller_wire"] != "count_tokens"]
    usages = [attempt["usage"] for decision in answers for attempt in decision["attempts"]]
    if not usages or any(usage is None or usage["estimated"] for usage in usages):
        return None
    read = sum(tokens for usage in usages for kind, tokens in usage.items() if kind.startswith(("input", "cache_")))
    return read, sum(usage["output"] + usage["reasoning"] for usage in usages)


def _inexact(billed: tuple[int, int] | None, ledger: tuple[int, int] | None, told: list[Step]) -> str | None:
    """Say how the ledger, the bill and what the client was told differ; None where all agree."""
    if ledger is None:
        return "the ledger has a call without reported usage, or none"
    if billed not in (None, ledger):
        return f"ledger {ledger}, bill {billed}"
    if any(step.read is None for step in told):
        return None
    said = (sum(step.read or 0 for step in told), sum(step.written or 0 for step in told))
    return None if said == ledger else f"ledger {ledger}, the client was told {said}"


def _told(client: Client, wanted: tuple[str, ...], where: Where) -> dict[str, Step]:
    """Run the program: once for all steps, or, if it is a shell script, once for each in a home of its own."""
    source = PROGRAMS / client.program
    match source.suffix:
        case ".py":
            return _account([str(where.environment / "bin" / "python"), str(source), *wanted], client, where)
        case ".mjs":
            # Node looks for packages beside the program.
            beside = where.folder / "programs"
            shutil.copytree(source.parent, beside)
            (beside / "node_modules").symlink_to(where.environment / "node_modules")
            return _account(["node", str(beside / source.name), *wanted], client, where)
        case _:
            return {step: _shell(source, step, client, where) for step in wanted}


def _account(command: list[str], client: Client, where: Where) -> dict[str, Step]:
    done = _run(command, client, where, where.folder)
    told = of_program(done.stdout)
    return told or {step: Step(step=step, error=_last_words(done)) for step in client.steps}


def _shell(source: Path, step: str, client: Client, where: Where) -> Step:
    done = _run(["sh", str(source), step, TASK], client, where, where.folder / step)
    if done.returncode:
        return Step(step=step, error=_last_words(done))
    try:
        return READERS[source.stem](step, done.stdout)
    except (LookupError, ValueError) as error:
        return Step(step=step, error=f"{error!r} in {done.stdout[-300:]!r}")


def _run(command: list[str], client: Client, where: Where, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run a command in an empty project, with an empty home but for the files of its set-up."""
    home, project = folder / "home", folder / "project"
    project.mkdir(parents=True)
    (project / NOTE_FILE).write_text(NOTE + "\n")
    for target, file in client.home.items():
        (home / target).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(PROGRAMS / file, home / target)
    home.mkdir(exist_ok=True)
    path = os.pathsep.join([*map(str, where.path), os.environ["PATH"]])
    environ = {**QUIET, "HOME": str(home), "PATH": path, "LANG": "C.UTF-8", "TMPDIR": str(folder)}
    try:
        return subprocess.run(
            command, cwd=project, env=environ, stdin=subprocess.DEVNULL, capture_output=True, text=True,
            timeout=LIMIT_S, check=False,
        )  # fmt: skip
    except subprocess.TimeoutExpired as late:
        said = late.stderr.decode(errors="replace") if isinstance(late.stderr, bytes) else ""
        return subprocess.CompletedProcess(command, 124, "", f"{said}\nnot finished after {LIMIT_S} s")


def _last_words(done: subprocess.CompletedProcess[str]) -> str:
    said = (done.stderr.strip() or done.stdout.strip())[-400:]
    return f"exit {done.returncode}: {said}"
