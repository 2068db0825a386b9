"""How sure is an answer, and by what? Its log-probability, how far repeats of it agree, or a score of a verifier's.

Invariant: what has no such signal has None, which is never sure enough.
"""

from collections import defaultdict
from collections.abc import Callable
from pathlib import Path

import msgspec

from tierwise.core.errors import ConfigError
from tierwise.evals.evidence import Observation

LOGPROB, AGREEMENT = "logprob", "agreement"
Signal = Callable[[Observation], float | None]


class _Answer(msgspec.Struct, frozen=True):
    item: str
    subject: str
    text: str | None = None
    repeat: int = 0


_answer = msgspec.json.Decoder(_Answer)


def signal(name: str, answers: Path) -> Signal:
    """Return what reads the signal; the file of `answers` is read for their agreement alone. Raises ConfigError."""
    return agreement(answers) if name == AGREEMENT else of_observation(name)


def of_observation(name: str) -> Signal:
    """Return what reads an answer's log-probability, or else the score of this name: a verifier's or a judge's."""
    return lambda one: one.confidence if name == LOGPROB else one.scores.get(name)


def agreement(answers: Path) -> Signal:
    """Return what reads which share of an item's other answers say the same as its first one, spaces aside."""
    said: dict[tuple[str, str], dict[int, str | None]] = defaultdict(dict)
    try:
        lines = answers.read_bytes().splitlines(keepends=True)
        for line in lines:
            if line.endswith(b"\n"):
                one = _answer.decode(line)
                said[one.item, one.subject][one.repeat] = None if one.text is None else _same(one.text)
    except OSError as error:
        told = f"{answers} cannot be read ({error.strerror}): how far answers agree is read from their texts"
        raise ConfigError(told, file=str(answers)) from error
    except msgspec.MsgspecError as error:
        raise ConfigError(f"{answers} is no file of answers: {error}", file=str(answers)) from error

    def read(one: Observation) -> float | None:
        texts = dict(said.get((one.item, one.subject), {}))
        first = texts.pop(one.repeat, None)
        return None if first is None or not texts else sum(text == first for text in texts.values()) / len(texts)

    return read


def _same(text: str) -> str:
    """Return a text without what makes no difference: how JSON is laid out, and space between words."""
    try:
        return msgspec.json.encode(msgspec.json.decode(text), order="deterministic").decode()
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        return " ".join(text.split())
