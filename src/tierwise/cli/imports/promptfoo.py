"""What does a promptfoo results file say? https://www.promptfoo.dev/docs/configuration/outputs (read 2026-11-21).

`results.results` (older: `results`) holds one row for each test, prompt and provider; an item is what a test fills in.
"""

import json
from pathlib import Path
from typing import Any

from tierwise.cli.imports.results import Gathered, Result, amount, decoded, positive, share, table, whole
from tierwise.core.errors import ConfigError
from tierwise.evals.evidence import OutcomeClass

REFERENCES = ("equals", "contains", "icontains", "similar", "factuality", "levenshtein", "rouge-n", "bleu")
"""Assertions whose value is an answer that would be right."""
ERRORED = 2  # `failureReason`: 1 is a failed assertion, 2 an error
HIDDEN = ("_conversation", "sessionId")


def is_one(path: Path, data: bytes) -> bool:
    """Say whether the file is promptfoo's."""
    return path.suffix.lower() == ".json" and b'"results"' in data and b'"vars"' in data and b'"provider"' in data


def gather(path: Path, data: bytes, found: Gathered) -> None:
    """Take in a file's items and results."""
    results = table(decoded(path, data)).get("results")
    rows = table(results).get("results") if isinstance(results, dict) else results
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise ConfigError(f"{path} has no list of results: write one with `promptfoo eval --output results.json`")
    several = len({row.get("promptIdx") for row in rows}) > 1
    found.metric = "score"
    found.note("items hold the variables of tests; write the prompt that takes them as TOML")
    for row in rows:
        _row(row, found, several)


def _row(row: dict[str, Any], found: Gathered, several: bool) -> None:
    response = table(row.get("response"))
    test = table(row.get("testCase"))
    variables = table(row.get("vars")) or table(test.get("vars"))
    fields = {name: value for name, value in variables.items() if name not in HIDDEN}
    if not fields:
        fields = {"prompt": str(table(row.get("prompt")).get("raw", ""))}
    metadata = table(test.get("metadata"))
    cluster = next((str(metadata[name]) for name in ("cluster", "document", "customer") if metadata.get(name)), "")
    usage = table(response.get("tokenUsage")) or table(row.get("tokenUsage"))
    cached = response.get("cached") is True
    if cached:
        found.note("answers came from a cache: their latency is left out, and repeats of them are none")
    outcome = _outcome(row, response)
    found.result(
        Result(
            item=found.item(fields, _reference(test), cluster=cluster),
            subject=_subject(row, several),
            outcome=outcome,
            score=share(row.get("score")),
            scores={str(name): share(value) for name, value in table(row.get("namedScores")).items()},
            duration_ms=None if cached else positive(row.get("latencyMs")),
            input_tokens=whole(usage.get("prompt")),
            output_tokens=whole(usage.get("completion")),
            cost_usd=amount(row.get("cost") if row.get("cost") is not None else response.get("cost")),
            detail="" if outcome == "answered" else outcome,
        )
    )


def _subject(row: dict[str, Any], several: bool) -> str:
    provider = row.get("provider")
    one = table(provider)
    name = str(one.get("label") or one.get("id") or provider or "unknown")
    number = row.get("promptIdx")
    return f"{name}, prompt {number + 1}" if several and isinstance(number, int) else name


def _reference(test: dict[str, Any]) -> Any:
    checks = test.get("assert")
    for check in checks if isinstance(checks, list) else ():
        value = table(check).get("value")
        if table(check).get("type") in REFERENCES and isinstance(value, str | int | float | dict | list):
            return value
    return None


def _outcome(row: dict[str, Any], response: dict[str, Any]) -> OutcomeClass:
    error = response.get("error") or (row.get("error") if row.get("failureReason") == ERRORED else None)
    if error:
        words = str(error if isinstance(error, str) else json.dumps(error)).lower()
        return "timeout" if "timed out" in words or "timeout" in words else "failed"
    if response.get("isRefusal") is True:
        return "refusal"
    if response.get("finishReason") == "length":
        return "truncated"
    return "answered" if response.get("output") is not None else "failed"
