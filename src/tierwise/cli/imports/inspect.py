"""What does a log of Inspect say? https://inspect.aisi.org.uk/eval-logs.html (read 2026-11-21), as .json or .eval.

A log is of one model; a sample is an item, an epoch a repeat. The first scorer gives the score, all are kept.
"""

import io
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tierwise.cli.imports.results import MOST_REPEATS, Gathered, Result, amount, decoded, positive, share, table, whole
from tierwise.core.errors import ConfigError
from tierwise.evals.data.rows import MAX_BYTES
from tierwise.evals.evidence import OutcomeClass

GRADES = {"C": 1.0, "I": 0.0, "P": 0.5, "N": 0.0}
ATTACHED = "attachment://"
_ZIP = b"PK\x03\x04"


def is_one(path: Path, data: bytes) -> bool:
    """Say whether the file is a log."""
    if path.suffix.lower() == ".eval":
        return data.startswith(_ZIP)
    return path.suffix.lower() == ".json" and b'"samples"' in data and b'"eval"' in data


def gather(path: Path, data: bytes, found: Gathered) -> None:
    """Take in a log's items and results."""
    header, samples = _unpacked(path, data) if data.startswith(_ZIP) else _whole(path, data)
    spec = table(header.get("eval"))
    model = str(spec.get("model") or "unknown")
    if header.get("status") not in (None, "success"):
        found.note(f"the log of {model} has the status {header.get('status')}: not everything was asked")
    for sample in samples:
        _sample(sample, model, found)


def _whole(path: Path, data: bytes) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    log = table(decoded(path, data))
    samples = log.get("samples")
    if not isinstance(samples, list):
        raise ConfigError(f"{path} holds no samples: was it written with --no-log-samples?", file=str(path))
    return log, [table(sample) for sample in samples]


def _unpacked(path: Path, data: bytes) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            if sum(entry.file_size for entry in archive.infolist()) > MAX_BYTES:
                raise ConfigError(f"{path} unpacks to more than {MAX_BYTES // 1024**2} MiB", file=str(path))
            names = archive.namelist()
            first = next((name for name in ("header.json", "_journal/start.json") if name in names), None)
            header = {} if first is None else table(decoded(path, archive.read(first)))
            samples = [name for name in names if name.startswith("samples/") and name.endswith(".json")]
            return header, [table(decoded(path, archive.read(name))) for name in samples]
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, OSError, EOFError, zlib.error) as error:
        raise ConfigError(
            f"{path} cannot be unpacked ({error}): `inspect log convert --to json` writes it as JSON", file=str(path)
        ) from error


def _sample(sample: dict[str, Any], model: str, found: Gathered) -> None:
    scores = table(sample.get("scores")) or ({"score": sample["score"]} if sample.get("score") else {})
    values = {str(name): _value(table(score).get("value")) for name, score in scores.items()}
    if values and not found.metric:
        found.metric = next(iter(values))
    fields = _fields(sample)
    if "choices" in fields:
        found.note("items have choices: a prompt must say where they go, as {{choices}}")
    epoch, output = sample.get("epoch"), table(sample.get("output"))
    usage = table(table(sample.get("model_usage")).get(model)) or table(output.get("usage"))
    outcome = _outcome(sample, output)
    target = sample.get("target")
    only = target[0] if isinstance(target, list) and len(target) == 1 else target
    seconds = positive(sample.get("working_time", sample.get("total_time")))
    found.result(
        Result(
            item=found.item(fields, only, ident=str(sample.get("id", ""))),
            subject=model,
            repeat=epoch - 1 if isinstance(epoch, int) and 0 < epoch <= MOST_REPEATS else 0,
            outcome=outcome,
            score=values.get(found.metric),
            scores=values,
            served=str(output["model"]) if output.get("model") else None,
            duration_ms=None if seconds is None else 1000 * seconds,
            input_tokens=whole(usage.get("input_tokens")),
            output_tokens=whole(usage.get("output_tokens")),
            cost_usd=amount(usage.get("total_cost")),
            detail="" if outcome == "answered" else outcome,
        ),
        counted=True,
    )


def _value(value: Any) -> float | None:
    return GRADES.get(value) if isinstance(value, str) else share(value)


def _fields(sample: dict[str, Any]) -> dict[str, Any]:
    asked = sample.get("input")
    attached = table(sample.get("attachments"))
    if isinstance(asked, list):
        fields: dict[str, Any] = {"messages": [_message(table(one), attached) for one in asked]}
    else:
        fields = {"input": _text(asked, attached)}
    return fields | ({"choices": sample["choices"]} if sample.get("choices") else {})


def _message(message: dict[str, Any], attached: dict[str, Any]) -> dict[str, Any]:
    content = message.get("content")
    if isinstance(content, list):
        content = "\n".join(str(one) for one in _texts(content, attached))
    return {"role": str(message.get("role", "user")), "content": _text(content, attached)}


def _texts(content: list[Any], attached: dict[str, Any]) -> Iterator[str]:
    for part in content:
        if table(part).get("type") == "text":
            yield _text(table(part).get("text"), attached)


def _text(value: Any, attached: dict[str, Any]) -> str:
    text = "" if value is None else str(value)
    return str(attached.get(text.removeprefix(ATTACHED), text)) if text.startswith(ATTACHED) else text


def _outcome(sample: dict[str, Any], output: dict[str, Any]) -> OutcomeClass:
    limit = table(sample.get("limit")).get("type")
    if sample.get("error") or output.get("error"):
        words = str(table(sample.get("error")).get("message") or output.get("error")).lower()
        return "timeout" if "timed out" in words or "timeout" in words else "failed"
    if limit in ("time", "working"):
        return "timeout"
    choices = output.get("choices")
    ended = table(choices[0]).get("stop_reason") if isinstance(choices, list) and choices else None
    if limit in ("token", "message", "context") or ended in ("max_tokens", "model_length"):
        return "truncated"
    return "refusal" if ended == "content_filter" else "answered"
