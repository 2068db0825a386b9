"""A comparison as it might have been: evidence with known rates, drawn by a seed and written as a run writes it."""

import random
from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any

from tierwise.core.bundle import Bundle
from tierwise.core.criteria import Criteria
from tierwise.core.label import Tier
from tierwise.evals.evidence import Event, Evidence, Header, Observation, Review, Subject, Writer, read
from tierwise.evals.seal import sealed

BEGAN = 1_700_000_000.0
BASELINE = "frontier"


def subject(name: str, *, tier: Tier = Tier.LOCAL, **more: Any) -> Subject:
    bundle = Bundle(workflow="inbox", models=((name, f"sha256:{name}"),))
    return Subject(name=name, model=name, tier=tier, bundle=bundle, **more)


class Rates:
    """How one subject behaves. `right` is its rate, `sure` how well its confidence tells right from wrong."""

    def __init__(
        self, right: float = 0.9, *, missing: float = 0.0, denied: float = 0.0, cost: str | None = None,
        ms: float = 100.0, sure: float = 0.0, refused: float = 0.0, at_once: int = 2, outcome: str = "timeout",
        tier: Tier = Tier.LOCAL, language_model: bool = True, together: float = 1.0,
    ) -> None:  # fmt: skip
        self.right, self.missing, self.denied, self.cost, self.ms = right, missing, denied, cost, ms
        self.sure, self.refused, self.at_once, self.outcome = sure, refused, at_once, outcome
        self.tier, self.language_model, self.together = tier, language_model, together


def frontier(**more: Any) -> Rates:
    """A baseline outside: good, dear, slow."""
    return Rates(**{"right": 0.92, "cost": "0.002", "ms": 900.0, "tier": Tier.FRONTIER, **more})


def lines(
    path: Path, subjects: Mapping[str, Rates], *, items: int = 600, tune: int = 0, criteria: Criteria | None = None,
    seed: int = 1, repeats: int = 1, per_cluster: int = 1, planned: int | None = None, reviews: int = 0,
    sealed_ts: float = BEGAN - 100, events: tuple[Event, ...] = (),
) -> Path:  # fmt: skip
    """Write evidence: the first subject is the baseline. Both share the difficulty of an item (`together`)."""
    chance = random.Random(seed)
    rule = criteria or Criteria()
    header = Header(
        run="r1", workflow="inbox", began=BEGAN, baseline=next(iter(subjects)), dataset="sha256:data",
        subjects=tuple(subject(n, tier=r.tier, language_model=r.language_model) for n, r in subjects.items()),
        items={"prove": items if planned is None else planned, "tune": tune}, criteria=rule,
        seal=sealed(rule, sealed_ts), scorer="exact", metric="accuracy", repeats=repeats, seed=seed,
    )  # fmt: skip
    writer = Writer.begin(path, header)
    found: list[Event] = []
    for at in range(items + tune):
        hard, split = chance.random(), "prove" if at < items else "tune"
        cluster = f"{split[0]}{at // per_cluster}"
        for name, rates in subjects.items():
            for repeat in range(repeats):
                found.append(_row(chance, (f"i{at}", cluster, split), name, rates, hard, repeat, len(found)))
    found += [
        Review(item=f"i{at}", cluster=f"p{at}", split="prove", subject=list(subjects)[-1], right=True,
               seconds=chance.uniform(20, 40), who="ann", ts=BEGAN + 9999 + at) for at in range(reviews)
    ]  # fmt: skip
    writer.add(*found, *events)
    writer.close()
    return path


def evidence(path: Path, subjects: Mapping[str, Rates], **more: Any) -> Evidence:
    return read(lines(path / "evidence.jsonl", subjects, **more))


def _row(
    chance: random.Random, where: tuple[str, str, Any], name: str, rates: Rates, hard: float, repeat: int, number: int
) -> Observation:
    item, cluster, split = where
    drawn = hard if chance.random() < rates.together else chance.random()
    right = drawn < rates.right
    fate, spread = chance.random(), chance.lognormvariate(0, 0.3)
    outcome: Any = (
        "denied" if fate < rates.denied else rates.outcome if fate < rates.denied + rates.missing else "answered"
    )
    answered = outcome == "answered"
    confidence = None
    if rates.sure:
        confidence = -chance.expovariate(20) if right or chance.random() > rates.sure else -0.5 - chance.expovariate(1)
    return Observation(
        item=item, cluster=cluster, split=split, subject=name, repeat=repeat, outcome=outcome,
        score=float(right) if answered else None, confidence=confidence if answered else None,
        accepted=(chance.random() >= rates.refused) if rates.refused and answered else None,
        reached=name if answered else None, served=name if answered else None, started=BEGAN + number,
        duration_ms=round(rates.ms * spread, 3), input_tokens=20 + int(200 * hard**3 * chance.random()), output_tokens=5,
        cost_usd=None if rates.cost is None or not answered else Decimal(rates.cost), at_once=rates.at_once,
        decision=f"d{number:06}",
    )  # fmt: skip
