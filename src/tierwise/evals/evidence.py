"""What was measured? One file of JSON lines per comparison, only ever added to, from which every verdict follows.

The first line is the header, each further line one event. Answers lie in a file of their own beside it: evidence
holds no content. Invariant: a line that was cut short by a kill is the last one, and is dropped when read.
"""

import hashlib
import os
from collections.abc import Iterable
from decimal import Decimal
from pathlib import Path
from typing import IO, Annotated, Literal, Self

import msgspec

from tierwise.core.bundle import Bundle
from tierwise.core.criteria import Criteria
from tierwise.core.errors import ConfigError
from tierwise.core.label import Tier
from tierwise.evals.item import Split

OutcomeClass = Literal["answered", "timeout", "refusal", "truncated", "unparsed", "failed", "denied", "scorer_failed"]
"""Only `answered` has a score. `denied`: policy or budget let nobody be asked. Missing is never zero."""
TIE = "tie"
"""A judge's word that neither answer is better."""
FORMAT = 1
MOST_USD = Decimal(10**9)
Instant = Annotated[float, msgspec.Meta(ge=0, le=1e11)]
"""Unix seconds that a calendar knows."""
Span = Annotated[float, msgspec.Meta(ge=0, le=1e12)]
Count = Annotated[int, msgspec.Meta(ge=0, le=10**12)]
Repeats = Annotated[int, msgspec.Meta(ge=1, le=10**6)]


def _metered(cost_usd: Decimal | None) -> None:
    """Raise ValueError for what no call costs; NaN is none of it either."""
    if cost_usd is not None and (not cost_usd.is_finite() or not 0 <= cost_usd <= MOST_USD):
        raise ValueError(f"cost_usd: a call costs 0 to {MOST_USD} dollars")


class Subject(msgspec.Struct, frozen=True, kw_only=True):
    """One candidate, or the baseline: `model` is what is asked for (an id, or `auto:WORKFLOW` for the whole route).

    `family` is who made it, as far as its row says: nobody judges its own family. `language_model` is false for what
    answers without one, such as a linear model.
    """

    name: str
    model: str
    tier: Tier | None = None
    bundle: Bundle
    family: str = ""
    language_model: bool = True


class Seal(msgspec.Struct, frozen=True, kw_only=True):
    """When the criteria were declared, and their digest."""

    digest: str
    ts: Instant


class Header(msgspec.Struct, frozen=True, kw_only=True, tag="header", tag_field="kind"):
    """What is compared, on what, by which rule. `dataset` and `items` name the rows; `environment` is for people.

    `earlier` comparisons of the same items had answers when this one began. `rescored` names the run whose answers
    these are, where they were scored anew.
    """

    run: str
    workflow: str
    began: Instant
    baseline: str
    subjects: tuple[Subject, ...]
    dataset: str
    items: dict[str, Count]
    criteria: Criteria
    seal: Seal
    scorer: str
    metric: str
    repeats: Repeats = 1
    seed: int = 0
    format: int = FORMAT
    earlier: Count = 0
    rescored: str = ""
    environment: dict[str, str] = {}


class Observation(msgspec.Struct, frozen=True, kw_only=True, tag="observation", tag_field="kind", omit_defaults=True):
    """One call: `subject` was asked for `item`, the `repeat`-th time. `at_once` calls were under way when it began.

    `score` is None exactly where the outcome is not `answered`. `confidence` is the answer's log-probability,
    `accepted` what the gates said of it, None where they were not asked. `reached` is the model that answered, as
    Tierwise calls it, `served` as its endpoint does. `cost_usd` None is unmetered or unknown. `decision` is the
    record in the ledger.
    """

    item: str
    cluster: str
    split: Split
    subject: str
    repeat: int = 0
    outcome: OutcomeClass
    score: float | None = None
    scores: dict[str, float | None] = {}
    confidence: float | None = None
    accepted: bool | None = None
    reached: str | None = None
    served: str | None = None
    started: Instant = 0.0
    duration_ms: Span | None = None
    first_byte_ms: Span | None = None
    input_tokens: Count | None = None
    output_tokens: Count | None = None
    cost_usd: Decimal | None = None
    at_once: int = 1
    attempts: int = 1
    decision: str | None = None
    detail: str = ""

    def __post_init__(self) -> None:
        _metered(self.cost_usd)


class Judgement(msgspec.Struct, frozen=True, kw_only=True, tag="judgement", tag_field="kind", omit_defaults=True):
    """A model's word on two answers to one item, asked in both orders. `first` and `second` name subjects.

    `verdicts` are the winner in each order, "tie", or None where the judge could not be read; only one that holds in
    both orders counts.
    """

    item: str
    cluster: str
    split: Split
    first: str
    second: str
    judge: str
    repeat: int = 0
    verdicts: tuple[str | None, str | None]
    cost_usd: Decimal | None = None
    decisions: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        _metered(self.cost_usd)


class Review(msgspec.Struct, frozen=True, kw_only=True, tag="review", tag_field="kind", omit_defaults=True):
    """A person's word on one answer: whether it is right, and the seconds that it took to say so."""

    item: str
    cluster: str
    split: Split
    subject: str
    repeat: int = 0
    right: bool
    seconds: Span
    who: str
    ts: Instant
    note: str = ""


class Resealed(msgspec.Struct, frozen=True, kw_only=True, tag="criteria", tag_field="kind"):
    """The criteria were changed after the seal, which every card then says."""

    criteria: Criteria
    seal: Seal


Event = Observation | Judgement | Review | Resealed
_LINE = msgspec.json.Decoder(Header | Observation | Judgement | Review | Resealed)
_ENCODER = msgspec.json.Encoder(order="deterministic")


class Evidence(msgspec.Struct, frozen=True, kw_only=True):
    """A file's events in their order. `digest` is that of the bytes they were read from."""

    header: Header
    observations: tuple[Observation, ...] = ()
    judgements: tuple[Judgement, ...] = ()
    reviews: tuple[Review, ...] = ()
    resealed: tuple[Resealed, ...] = ()
    digest: str = ""


def itself(subject: Subject, row: Observation) -> bool:
    """Say whether a subject answered itself: what another model answered in its place is not its own."""
    return subject.model.startswith("auto") or row.reached is None or row.reached == subject.model


def read(path: Path) -> Evidence:
    """Read a file. ConfigError where it is none, with the line that cannot be read."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise ConfigError(f"{path} cannot be read: {error.strerror}", file=str(path)) from error
    return parse(data, str(path))


def parse(data: bytes, name: str) -> Evidence:
    """Read the bytes of a file of this name."""
    whole = data[: data.rfind(b"\n") + 1]
    found: list[object] = []
    for number, line in enumerate(whole.splitlines(), 1):
        try:
            found.append(_LINE.decode(line))
        except msgspec.MsgspecError as error:
            raise ConfigError(f"{name}, line {number}: not evidence: {error}", file=name) from error
    if not found or not isinstance(found[0], Header):
        raise ConfigError(f"{name} does not begin with the header of an evidence file", file=name)
    if found[0].format != FORMAT:
        raise ConfigError(f"{name} is of format {found[0].format}, this Tierwise reads {FORMAT}", file=name)
    return Evidence(
        header=found[0],
        observations=tuple(one for one in found if isinstance(one, Observation)),
        judgements=tuple(one for one in found if isinstance(one, Judgement)),
        reviews=tuple(one for one in found if isinstance(one, Review)),
        resealed=tuple(one for one in found if isinstance(one, Resealed)),
        digest="sha256:" + hashlib.sha256(whole).hexdigest(),
    )


class Writer:
    """Adds events to a file; each is on the disk when `add` returns. One writer at a time."""

    def __init__(self, path: Path, file: IO[bytes]) -> None:
        self.path, self._file = path, file

    @classmethod
    def begin(cls, path: Path, header: Header) -> Self:
        """Begin a file, for its owner only. ConfigError where there is one."""
        try:
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            descriptor = os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR | os.O_APPEND, 0o600)
        except OSError as error:
            raise ConfigError(f"{path} cannot be made: {error.strerror}", file=str(path)) from error
        made = cls(path, os.fdopen(descriptor, "ab", buffering=0))
        made._write((header,))
        return made

    @classmethod
    def resume(cls, path: Path) -> tuple[Self, Evidence]:
        """Go on with a file, after cutting off a line that a kill left unfinished; return what stands in it."""
        known = read(path)
        try:
            data = path.read_bytes()
            os.truncate(path, data.rfind(b"\n") + 1)
            return cls(path, path.open("ab", buffering=0)), known
        except OSError as error:
            raise ConfigError(f"{path} cannot be written: {error.strerror}", file=str(path)) from error

    def add(self, *events: Event) -> None:
        """Add events, in one write."""
        self._write(events)

    def close(self) -> None:
        """Let go of the file."""
        self._file.close()

    def _write(self, lines: Iterable[Header | Event]) -> None:
        try:
            self._file.write(b"".join(_ENCODER.encode(line) + b"\n" for line in lines))
            os.fsync(self._file.fileno())
        except OSError as error:
            raise ConfigError(f"{self.path} cannot be written: {error.strerror}", file=str(self.path)) from error
