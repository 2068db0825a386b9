"""Who answered what, and how well? Asks every subject every item, scores the answers, and writes evidence.

Knows no command and no statistics. Invariant: item, subject and repeat stand in the evidence once at most.
"""

from collections.abc import Callable, Mapping
from pathlib import Path

import msgspec

from tierwise.evals import answers
from tierwise.evals.answers import Answered, Key
from tierwise.evals.calls import Making, Planned, make_all
from tierwise.evals.evidence import Evidence, Header, Observation, Subject, Writer
from tierwise.evals.item import Item
from tierwise.evals.order import order, session_of
from tierwise.evals.runs import ANSWERS, EVIDENCE
from tierwise.evals.scorers.score import Scorer

Bodies = Callable[[Item, Subject], bytes]
"""Writes the request of an item to a subject."""

MOST_CHARS = 200_000
"""What scorers do with longer answers takes seconds for each, and no reference is as long."""


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """What is to be compared; `items` by id, in the order of asking."""

    header: Header
    items: Mapping[str, Item]
    body: Bodies
    scorer: Scorer

    @property
    def keys(self) -> list[Key]:
        """Every call, in order."""
        return list(order(tuple(self.items.values()), [one.name for one in self.header.subjects], self.header.repeats))

    def calls(self) -> list[Planned]:
        """Return every call as it is made."""
        return [self.call(key) for key in self.keys]

    def call(self, key: Key) -> Planned:
        """Return one call."""
        item = self.items[key[0]]
        subject = next(one for one in self.header.subjects if one.name == key[1])
        return Planned(
            key=key,
            item=item,
            workflow=self.header.workflow,
            session=session_of(self.header.run, key),
            body=lambda: self.body(item, subject),
        )


async def run(plan: Plan, folder: Path, how: Making) -> None:
    """Make every call that was not made yet, and score every answer that was not scored yet.

    `folder` holds the run's evidence, begun already. Raises as `make_all` does.
    """
    writer, known = Writer.resume(folder / EVIDENCE)
    over = {(one.item, one.subject, one.repeat) for one in known.observations}

    def score(answered: Answered) -> None:
        if answered.key not in over:
            writer.add(scored(answered, plan.scorer, plan.items[answered.item]))

    try:
        await make_all(plan.calls(), folder / ANSWERS, how, score)
    finally:
        writer.close()


def scored(answered: Answered, scorer: Scorer, item: Item) -> Observation:
    """Return the observation with what the scorer says of the answer; without an answer it stays as it is."""
    before = answered.observed
    if before.outcome != "answered" or answered.text is None:
        return before
    if len(answered.text) > MOST_CHARS:
        why = f"an answer of {len(answered.text):,} characters is not scored; {MOST_CHARS:,} are the most"
        return msgspec.structs.replace(before, outcome="scorer_failed", detail=why)
    said = scorer.score(answered.text, item.reference, item)
    if said.value is None:
        return msgspec.structs.replace(before, outcome=said.problem or "scorer_failed", detail=said.why)
    return msgspec.structs.replace(before, score=said.value, scores=said.details)


def rescored(
    known: Evidence, header: Header, before: Path, folder: Path, items: Mapping[str, Item], by: Scorer
) -> None:
    """Make a run of another one's answers, with scores by another scorer; what people and judges said stays said."""
    writer, kept = Writer.begin(folder / EVIDENCE, header), answers.Answers(folder / ANSWERS)
    try:
        for answered in answers.read(before / ANSWERS):
            kept.add(answered)
            writer.add(scored(answered, by, items[answered.item]))
        writer.add(*known.judgements, *known.reviews)
    finally:
        kept.close()
        writer.close()
