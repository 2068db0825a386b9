"""What does a GGUF file answer, exactly as it is served? One file, one engine, one process.

Deliberately knows nothing about right or wrong. The engine (xllamacpp) runs in a child process that ends without
deleting its server, because deleting one can hang; so one process never holds two models.
Invariant: schema-bound to the 77 names, temperature 0; the log-probability is the sum over the tokens of the name.
"""

import json
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from recipes.banking77.data import write_atomically
from tierwise.registry.demonstration import intent_schema

CONTEXT_TOKENS = 512


class Answer(NamedTuple):
    """The name of an intent, the natural log-probability of that name, and what the answer took."""

    intent: str
    logprob: float
    took_ms: float
    prompt_tokens: int


def ask_all(file: Path, labels: Sequence[str], parts: dict[str, list[str]]) -> dict[str, list[Answer]]:
    """Ask FILE about every text, in a process of its own; also checks that a stream carries the same answer."""
    job, out = file.with_suffix(".questions.json"), file.with_suffix(".answers.json")
    write_atomically(job, json.dumps({"labels": list(labels), "parts": parts}).encode())
    subprocess.run([sys.executable, "-m", "recipes.banking77.serve", str(file), str(job), str(out)], check=True)
    answers = json.loads(out.read_text())
    return {part: [Answer(*row) for row in rows] for part, rows in answers.items()}


def _engine(file: Path) -> Any:
    import xllamacpp

    params = xllamacpp.CommonParams()
    params.model.path = str(file)
    params.n_ctx = CONTEXT_TOKENS
    params.n_parallel = 1
    params.cpuparams.n_threads = 1
    params.cpuparams_batch.n_threads = 1
    params.verbosity = 0
    return xllamacpp.Server(params)


def _question(text: str, labels: Sequence[str]) -> dict[str, Any]:
    schema = {"name": "intent", "schema": intent_schema(tuple(labels))}
    return {
        "messages": [{"role": "user", "content": text}],
        "max_tokens": 24,
        "temperature": 0.0,
        "logprobs": True,
        "response_format": {"type": "json_schema", "json_schema": schema},
    }


def _answer(engine: Any, text: str, labels: Sequence[str]) -> Answer:
    started_s = time.perf_counter()
    reply = engine.handle_chat_completions(_question(text, labels))
    took_ms = (time.perf_counter() - started_s) * 1000
    choice = reply["choices"][0]
    intent = json.loads(choice["message"]["content"])["intent"]
    if intent not in labels:
        raise ValueError(f"{intent!r} is no intent")
    return Answer(intent, name_logprob(choice["logprobs"]["content"], intent), took_ms, reply["usage"]["prompt_tokens"])


def name_logprob(tokens: Sequence[dict[str, Any]], intent: str) -> float:
    """Add up the log-probabilities of the tokens that overlap the name in the answer."""
    answer = "".join(token["token"] for token in tokens)
    start = answer.rindex(intent)
    end, at, total = start + len(intent), 0, 0.0
    for token in tokens:
        after = at + len(token["token"])
        if at < end and after > start:
            total += token["logprob"]
        at = after
    return total


def _streamed(engine: Any, text: str, labels: Sequence[str]) -> str:
    pieces: list[str] = []

    def take(chunk: Any) -> bool:
        for event in chunk if isinstance(chunk, list) else [chunk]:
            pieces.extend(choice["delta"].get("content") or "" for choice in event["choices"])
        return False

    engine.handle_chat_completions(_question(text, labels) | {"stream": True}, take)
    return json.loads("".join(pieces))["intent"]


def main() -> None:
    """Answer the questions of a job file; called by `ask_all`."""
    file, job, out = map(Path, sys.argv[1:4])
    questions = json.loads(job.read_text())
    labels, parts = questions["labels"], questions["parts"]
    engine = _engine(file)
    _answer(engine, "warm up", labels)
    answers = {part: [_answer(engine, text, labels) for text in texts] for part, texts in parts.items()}
    first = next(iter(parts))
    for text, answer in list(zip(parts[first], answers[first], strict=True))[:20]:
        if _streamed(engine, text, labels) != answer.intent:
            raise SystemExit(f"{file} answers otherwise when streamed: {text!r}")
    write_atomically(out, json.dumps(answers).encode())
    sys.stdout.flush()
    os._exit(0)  # deleting the server could hang


if __name__ == "__main__":
    main()
