"""What do logged samples of lm-evaluation-harness say? Files `samples_TASK_TIME.jsonl` in a folder named by the model.

Format as its `evaluation_tracker.py` writes it (read 2026-11-21): one line for each document and filter. The first
filter counts; the prompt of a document is what was asked, few-shot examples included.
"""

import re
from pathlib import Path
from typing import Any

from tierwise.cli.imports.results import Gathered, Result, decoded, share, table
from tierwise.core.errors import ConfigError

METRICS = ("exact_match", "acc", "acc_norm", "f1", "pass@1", "rougeL")
_NAME = re.compile(r"samples_(.+?)_\d{4}-\d\d-\d\dT[\d.:-]+$")


def is_one(path: Path, data: bytes) -> bool:
    """Say whether the file holds logged samples."""
    first = data[: data.find(b"\n") + 1 or len(data)]
    return path.suffix.lower() == ".jsonl" and b'"doc_id"' in first and b'"doc"' in first


def gather(path: Path, data: bytes, found: Gathered) -> None:
    """Take in a file's items and results."""
    named = _NAME.match(path.stem)
    task = named[1] if named else path.stem.removeprefix("samples_")
    subject = path.absolute().parent.name.replace("__", "/") or "unknown"
    first = None
    for number, line in enumerate(data.split(b"\n"), 1):
        if not line.strip():
            continue
        row = table(decoded(path, line))
        if "doc_id" not in row:
            raise ConfigError(f"{path}, line {number}: not a logged sample: it has no doc_id", file=str(path))
        first = row.get("filter") if first is None else first
        if row.get("filter") == first:
            _sample(row, task, subject, found)
        else:
            found.note(f"the filter {row.get('filter')} of {task} is left out; {first} counts")


def _sample(row: dict[str, Any], task: str, subject: str, found: Gathered) -> None:
    asked = _arguments(row)
    fields: dict[str, Any] = {"prompt": asked[0][0] if asked and asked[0] else ""}
    choices = [one[1] for one in asked if len(one) > 1 and isinstance(one[1], str)]
    if len(choices) > 1:
        fields["choices"] = choices
        found.note(f"{task} chooses by likelihood: its items have choices, and a prompt must say where they go")
    scores = {name: share(_plain(row.get(name))) for name in _metrics(row)}
    if not found.metric:
        found.metric = next((name for name in METRICS if name in scores), next(iter(scores), "score"))
    found.result(
        Result(
            item=found.item(fields, _target(row.get("target"), choices), ident=f"{task}:{row['doc_id']}"),
            subject=subject,
            outcome="answered",
            score=scores.get(found.metric),
            scores=scores,
        )
    )


def _arguments(row: dict[str, Any]) -> list[list[Any]]:
    given = row.get("arguments")
    if isinstance(given, dict):
        return [list(table(one).values()) for one in given.values()]
    return [list(one) for one in given if isinstance(one, list)] if isinstance(given, list) else []


def _metrics(row: dict[str, Any]) -> list[str]:
    named = row.get("metrics")
    return [str(name) for name in named] if isinstance(named, list) else [name for name in METRICS if name in row]


def _plain(value: Any) -> Any:
    """Return a metric's value; where a document was asked several times, their mean."""
    if isinstance(value, list) and value and all(share(one) is not None for one in value):
        return sum(value) / len(value)
    return value


def _target(target: Any, choices: list[str]) -> Any:
    """Return what is right: of choices the text, where the target is a number among them."""
    text = str(target).strip() if target is not None else ""
    if len(choices) > 1 and text.isdigit() and int(text) < len(choices):
        return choices[int(text)].strip()
    return text or None
