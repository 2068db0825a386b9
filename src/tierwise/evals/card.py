"""What does a verdict say? The values of a card, which a terminal, a page and a program show alike.

Knows no rule. Invariant: each number stands with how many rows it was made of and with records that show it, and a
card holds nothing but what follows from its evidence, so that the same evidence gives the same bytes.
"""

from decimal import Decimal
from typing import Any, Literal

import msgspec

from tierwise.core.criteria import Criteria, Guarantee
from tierwise.evals.evidence import Seal

Kind = Literal["expand", "adjust", "stop", "not_enough_evidence"]
State = Literal["passed", "failed", "open", "unset"]
"""`open`: what was measured allows both. `unset`: the criteria do not ask."""
GateName = Literal["policy", "missing", "quality", "certificate", "latency", "review", "cost"]
Robustness = Literal["robust", "fragile", "undetermined"]
FORMAT = 1


class Estimate(msgspec.Struct, frozen=True, kw_only=True):
    """A number with its two-sided interval. `n` rows of evidence stand behind it; `records` are some to look at.

    A record is the id of a decision in the ledger, or `item/subject/repeat` in the evidence where there is none.
    """

    value: float | None = None
    low: float | None = None
    high: float | None = None
    n: int = 0
    records: tuple[str, ...] = ()


class Gate(msgspec.Struct, frozen=True, kw_only=True):
    """One question that a candidate must answer with yes. `needs` is how many more items might close an open one."""

    name: GateName
    state: State
    told: str
    limit: float | None = None
    measured: Estimate = Estimate()
    needs: int | None = None


class Parts(msgspec.Struct, frozen=True, kw_only=True):
    """What an accepted task costs, in US dollars, by what it is spent on. None: not known."""

    attempts: Decimal | None
    judge: Decimal
    review: Decimal | None
    errors: Decimal


class Quality(msgspec.Struct, frozen=True, kw_only=True):
    """Mean score, and the paired difference to the baseline.

    `difference` is that of the items that both answered. `worst` and `best` are its means were every missing answer as
    bad or as good for the candidate as can be; `proven` is the lower bound that the gate rests on, of the worst case.
    `by_people` is the difference as people would see it; its `n` items they saw, both answers of each.
    """

    score: Estimate
    right: Estimate
    difference: Estimate | None = None
    worst: float | None = None
    best: float | None = None
    proven: float | None = None
    by_people: Estimate | None = None


class Option(msgspec.Struct, frozen=True, kw_only=True):
    """A way to do the task: a subject alone, or one whose unsure answers go on to the baseline (`behind`).

    `share` is that of the tasks which it answers itself. `cost_usd` is that of an accepted task.
    """

    name: str
    subject: str
    model: str
    tier: str | None
    language_model: bool
    bundle: str
    behind: str | None = None
    threshold: float | None = None
    share: Estimate = Estimate()
    gates: tuple[Gate, ...] = ()
    quality: Quality
    wrong_accepted: Estimate
    missing: Estimate
    outcomes: dict[str, int]
    latency_p50_ms: Estimate
    latency_p95_ms: Estimate
    time_ms: Estimate
    cost_usd: Estimate
    cost_parts: Parts
    accepted: Estimate
    review_minutes_per_100: Estimate
    cheaper_usd: Estimate | None = None
    served: dict[str, int] = {}

    @property
    def passed(self) -> bool:
        """True where no gate failed or is open."""
        return all(gate.state in ("passed", "unset") for gate in self.gates)


class Flip(msgspec.Struct, frozen=True, kw_only=True):
    """Where the verdict turns: when `knob` passes `at`, coming from `now`, it becomes `kind` (of `choice`)."""

    knob: str
    now: float
    at: float
    unit: str
    kind: Kind
    choice: str | None
    told: str


class Next(msgspec.Struct, frozen=True, kw_only=True):
    """What to measure next. `chance` is that of a yes, `worth_usd_per_month` what that would save."""

    what: str
    items: int | None = None
    chance: float | None = None
    worth_usd_per_month: Decimal | None = None


class Edit(msgspec.Struct, frozen=True, kw_only=True):
    """A change of the criteria after they were sealed."""

    seal: Seal
    changed: tuple[str, ...]
    after_results: bool


class Judged(msgspec.Struct, frozen=True, kw_only=True):
    """What a judging model said of two subjects, in both orders; a word that changes with the order is `inconsistent`.

    `not_worse` is the share on which the first is not worse, corrected by what people said of the same answers (`n`).
    """

    first: str
    second: str
    judge: str
    first_wins: int
    second_wins: int
    ties: int
    inconsistent: int
    unread: int
    not_worse: Estimate = Estimate()


class Card(msgspec.Struct, frozen=True, kw_only=True):
    """The verdict on a comparison, with all that it rests on. Times are Unix seconds, `spent_usd` is the comparison's.

    `seen` is how many items of the split that proves were looked at of those `planned`; `bound` says which kind of
    bound the proof rests on: one for a look at the planned end, or one that holds however often one looks.
    """

    format: int = FORMAT
    workflow: str
    run: str
    verdict: Kind
    choice: str | None
    share: float | None
    headline: str
    reasons: tuple[str, ...]
    adjust: tuple[str, ...] = ()
    language_model: bool | None = None
    robustness: Robustness
    robustness_told: str
    needs: int | None = None
    flips: tuple[Flip, ...] = ()
    next: tuple[Next, ...] = ()
    began: float
    ended: float
    expires: float
    criteria: Criteria
    seal: Seal
    sealed_before_results: bool
    edits: tuple[Edit, ...] = ()
    under_first_criteria: Kind | None = None
    bound: Literal["planned", "always_valid"]
    seen: int
    planned: int
    clusters: int
    baseline: Option
    options: tuple[Option, ...]
    front: tuple[str, ...] = ()
    judged: tuple[Judged, ...] = ()
    guarantee: Guarantee
    saves_usd_per_month: Estimate | None = None
    spent_usd: Decimal | None = None
    metric: str
    scorer: str
    dataset: str
    evidence: str
    notes: tuple[str, ...] = ()


def to_json(card: Card) -> bytes:
    """Return the machine twin: indented JSON, amounts as numbers, the same bytes for the same card."""
    return msgspec.json.format(
        msgspec.json.Encoder(order="deterministic", decimal_format="number").encode(card), indent=2
    )


def from_json(data: bytes) -> Card:
    """Read a machine twin."""
    return msgspec.json.decode(data, type=Card)


def rounded(value: Any) -> Any:
    """Return a float with nine digits that count: more would tell of the machine, not of the evidence."""
    return None if value is None else float(f"{float(value):.9g}")
