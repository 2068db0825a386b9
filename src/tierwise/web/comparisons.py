"""Which comparisons of a workflow are there, how far are they, and what was decided? Read from the runs' folders.

Reckons nothing: a card is read as `tierwise decide` kept it. Invariant: a card that is older than its evidence says so.
"""

from collections import OrderedDict
from pathlib import Path

import msgspec

from tierwise.core.errors import TierwiseError
from tierwise.evals import card, certificates, evidence, runs
from tierwise.evals.card import Card
from tierwise.evals.evidence import Evidence

MOST = 12
MOST_KEPT = 200


class Comparison(msgspec.Struct, frozen=True, kw_only=True):
    """One run: `done` of `planned` calls are scored. `old`: more was measured since the card was made.

    `under_way`: a process adds to it now.
    """

    name: str
    began: float = 0.0
    subjects: tuple[str, ...] = ()
    baseline: str = ""
    items: int = 0
    done: int = 0
    planned: int = 0
    under_way: bool = False
    scorer: str = ""
    rescored: str = ""
    card: Card | None = None
    old: bool = False
    report: bool = False
    problem: str = ""

    @property
    def whole(self) -> bool:
        """True where every call that was planned is scored."""
        return not self.problem and self.done >= self.planned

    @property
    def stopped(self) -> bool:
        """True where it ended before its end."""
        return not (self.problem or self.whole or self.under_way)


class Comparisons:
    """Reads runs under a home folder, each file once for as long as it stays the same."""

    def __init__(self, home: Path) -> None:
        self._home = home
        self._kept: OrderedDict[Path, tuple[object, Comparison]] = OrderedDict()

    def of(self, workflow: str, most: int = MOST) -> list[Comparison]:
        """Return the newest runs of a workflow, the newest first."""
        return [self._read(place) for place in reversed(runs.runs(self._home, workflow)[-most:])]

    def names(self, workflow: str) -> tuple[str, ...]:
        """Return the names of all its runs, the newest first."""
        return tuple(place.name for place in reversed(runs.runs(self._home, workflow)))

    def _read(self, place: Path) -> Comparison:
        found = self._same(place)
        return found if found.whole else msgspec.structs.replace(found, under_way=runs.under_way(place))

    def _same(self, place: Path) -> Comparison:
        stamp = tuple(_stamp(place / name) for name in (runs.EVIDENCE, runs.CARD, runs.REPORT))
        known = self._kept.get(place)
        if known is not None and known[0] == stamp:
            return known[1]
        found = _comparison(place)
        self._kept[place] = (stamp, found)
        while len(self._kept) > MOST_KEPT:
            self._kept.popitem(last=False)
        return found


def decided(found: list[Comparison]) -> Comparison | None:
    """Return the newest comparison on which a verdict is kept."""
    return next((one for one in found if one.card is not None), None)


def certified(home: Path, workflow: str) -> str | None:
    """Return the digest of the newest certificate that is kept for a workflow; what cannot be read is none."""
    here = Here(home=home)
    files = sorted((home / certificates.FOLDER).glob("*.json"), key=lambda one: -one.stat().st_mtime)
    for file in files:
        try:
            if certificates.read(here, f"sha256:{file.stem}").workflow == workflow:
                return f"sha256:{file.stem}"
        except TierwiseError:
            continue
    return None


class Here(msgspec.Struct, frozen=True, kw_only=True):
    """Where certificates are kept."""

    home: Path

    @property
    def base(self) -> Path:
        """Nothing is looked for beside the configuration."""
        return self.home


def _comparison(place: Path) -> Comparison:
    try:
        known = evidence.read(place / runs.EVIDENCE)
        kept = _card(place)
    except TierwiseError as error:
        return Comparison(name=place.name, problem=str(error))
    header = known.header
    items = sum(header.items.values())
    return Comparison(
        name=place.name, began=header.began, subjects=tuple(one.name for one in header.subjects),
        baseline=header.baseline, items=items, done=_done(known), planned=items * len(header.subjects) * header.repeats,
        scorer=header.scorer, rescored=header.rescored, card=kept,
        old=kept is not None and kept.evidence != known.digest, report=(place / runs.REPORT).is_file(),
    )  # fmt: skip


def _done(known: Evidence) -> int:
    return len({(one.item, one.subject, one.repeat) for one in known.observations})


def _card(place: Path) -> Card | None:
    """Return the card that is kept; one that this version cannot read is none."""
    try:
        return card.from_json((place / runs.CARD).read_bytes())
    except (OSError, msgspec.MsgspecError, UnicodeError, ValueError):
        return None


def _stamp(file: Path) -> tuple[int, int] | None:
    try:
        found = file.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size
