"""How sure is an answer, and by what? Its log-probability, how far repeats of it agree, or a score of a verifier's.

Invariant: what has no such signal has None, which is never sure enough.
"""

import math
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import msgspec

from tierwise.core.criteria import Criteria
from tierwise.core.errors import ConfigError
from tierwise.evals.evidence import Evidence, Observation, itself
from tierwise.evals.item import Split

LOGPROB, AGREEMENT = "logprob", "agreement"
Signal = Callable[[Observation], float | None]


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """What a step said of one item."""

    cluster: str
    confidence: float | None
    wrong: bool


Rows = Mapping[str, Mapping[str, Row]]
"""By subject, then by item."""


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


def rows_of(evidence: Evidence, names: Sequence[str], split: Split, criteria: Criteria, read: Signal) -> Rows:
    """Return the first answers to the items of a split that every one of these subjects was asked.

    What another model answered in a subject's place is no answer of its own.
    """
    subjects = {one.name: one for one in evidence.header.subjects if one.name in names}
    words = {(one.item, one.subject): one.right for one in evidence.reviews if one.repeat == 0}
    found: dict[str, dict[str, Row]] = {name: {} for name in names}
    for one in evidence.observations:
        if one.split != split or one.repeat or one.subject not in found:
            continue
        own = itself(subjects[one.subject], one)
        right = own and one.outcome == "answered" and one.score is not None and one.score >= criteria.right_from
        # A gate that refuses what counts as an answer asks for more confidence: that is what is chosen here.
        sure = None if not own or (one.accepted is False and one.outcome != "answered") else read(one)
        found[one.subject][one.item] = Row(
            cluster=one.cluster,
            confidence=None if sure is None or math.isnan(sure) else sure,
            wrong=not words.get((one.item, one.subject), right),
        )
    common = set.intersection(*(set(items) for items in found.values()))
    return {name: {item: row for item, row in items.items() if item in common} for name, items in found.items()}
