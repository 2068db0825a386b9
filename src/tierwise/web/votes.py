"""Who won in blind votes? Read back from the ledger: a vote is feedback on each answer that names the others.

Keeps nothing. Invariant: a vote counts where every decision in it names all others, by the same voice; what answered
counts, whatever was asked for.
"""

import itertools
import re
from collections import Counter
from collections.abc import Iterable, Mapping

import msgspec

from tierwise.core.decision import Decision
from tierwise.ledger.protocol import Reader
from tierwise.ledger.remarks import Remark
from tierwise.statistics.interval import wilson

VOTE = "blind vote against"
"""How the name begins under which a vote is given; the ids of the other decisions follow."""
MOST_VOTES = 2_000
_WHO = re.compile(VOTE + r"((?: [0-9a-z]{16,40}){1,3})(.*)", re.DOTALL)


class Ballot(msgspec.Struct, frozen=True, kw_only=True):
    """One vote: the score of each decision in it. One that has 1 is the best; all 0.5 is a tie, all 0 is nobody."""

    scores: Mapping[str, float]


class Pair(msgspec.Struct, frozen=True, kw_only=True):
    """What became of two models beside each other: `wins` are those of `one`, `neither` was good so often.

    `share` is that of wins, a tie being half of one, with its 95 % interval; None where all there is is `neither`.
    """

    one: str
    other: str
    wins: int
    losses: int
    ties: int
    neither: int
    share: float | None
    low: float
    high: float

    @property
    def votes(self) -> int:
        """How often somebody said something of the two."""
        return self.wins + self.losses + self.ties + self.neither


class Tally(msgspec.Struct, frozen=True, kw_only=True):
    """All pairs, the most often voted on first. `same` votes were between answers of one model."""

    votes: int
    same: int
    pairs: tuple[Pair, ...]


async def tally(ledger: Reader, since_ts: float) -> Tally:
    """Count the votes since then, the newest `MOST_VOTES` at most."""
    said: list[Remark] = []
    seq = 0
    while page := await ledger.remarks_after(seq, since_ts):
        said += [one for one in page if one.who.startswith(VOTE)]
        seq = page[-1].seq
    found = ballots(said)[-MOST_VOTES:]
    models: dict[str, str] = {}
    for ident in dict.fromkeys(ident for ballot in found for ident in ballot.scores):
        decision = await ledger.get(ident)
        if decision is not None and (name := answerer(decision)) is not None:
            models[ident] = name
    return counted(found, models)


def answerer(decision: Decision) -> str | None:
    """Return the model that answered."""
    return decision.attempts[-1].model if decision.attempts else decision.chosen


def ballots(said: Iterable[Remark]) -> list[Ballot]:
    """Return the whole votes among what was said, in their order; the last word of each voice counts."""
    open_: dict[tuple[str, frozenset[str]], dict[str, float]] = {}
    for one in said:
        read = _WHO.fullmatch(one.who) if one.what == "feedback" else None
        if read is None:
            continue
        names = frozenset((one.decision, *read[1].split()))
        open_.setdefault((read[2], names), {})[one.decision] = one.score
    return [Ballot(scores=scores) for (_, names), scores in open_.items() if scores.keys() == names and len(names) > 1]


def counted(found: Iterable[Ballot], models: Mapping[str, str]) -> Tally:
    """Count by pair of models; a vote counts once for a pair, however often one of the two had answered."""
    words: dict[tuple[str, str], Counter[str]] = {}
    votes = same = 0
    for ballot in found:
        if not ballot.scores.keys() <= models.keys() or (word := _word(ballot)) is None:
            continue
        votes += 1
        there = sorted({models[ident] for ident in ballot.scores})
        same += len(there) == 1
        best = {models[ident] for ident, score in ballot.scores.items() if score == 1}
        for one, other in itertools.combinations(there, 2):
            if word != "best" or best & {one, other}:
                fate = word if word != "best" else "wins" if one in best else "losses"
                words.setdefault((one, other), Counter())[fate] += 1
    pairs = sorted((_pair(*names, counts) for names, counts in words.items()), key=lambda one: (-one.votes, one.one))
    return Tally(votes=votes, same=same, pairs=tuple(pairs))


def _word(ballot: Ballot) -> str | None:
    """Return what a vote says, None for what none of ours says."""
    match sorted(ballot.scores.values()):
        case [*low, 1] if not any(low):
            return "best"
        case scores if set(scores) == {0.5}:
            return "ties"
        case scores if set(scores) == {0}:
            return "neither"
        case _:
            return None


def _pair(one: str, other: str, counts: Counter[str]) -> Pair:
    n = counts["wins"] + counts["losses"] + counts["ties"]
    won = counts["wins"] + counts["ties"] / 2
    low, high = wilson(won, n)
    return Pair(
        one=one, other=other, wins=counts["wins"], losses=counts["losses"], ties=counts["ties"],
        neither=counts["neither"], share=won / n if n else None, low=low, high=high,
    )  # fmt: skip
