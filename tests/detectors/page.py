"""docs/reference/detectors.md, written from a run over the corpus and the drawn sessions; no figure is typed."""

from collections import Counter, defaultdict
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from tests.detectors.cases import SEED, UNSEEN, Case, corpus
from tests.detectors.sessions import Turn, drawn
from tierwise.core.call import Part
from tierwise.core.label import Label, Tier
from tierwise.policy.detect import Detectors
from tierwise.policy.label import label_call
from tierwise.policy.settings import LabelSettings, ceilings

PAGE = Path(__file__).resolve().parents[2] / "docs" / "reference" / "detectors.md"


class Result(NamedTuple):
    """A case and which detectors hit."""

    case: Case
    found: frozenset[str]

    @property
    def right(self) -> bool:
        return self.case.truth in self.found if self.case.truth else not self.found


class Wrong(NamedTuple):
    """A turn that was pinned, and by which detectors."""

    turn: Turn
    found: frozenset[str]


class Measured(NamedTuple):
    """Everything that the page tells."""

    results: list[Result]
    turns: int
    wrong: list[Wrong]
    unseen: list[Result]
    unseen_wrong: list[Wrong]


def measure() -> Measured:
    """Scan every case and every drawn turn."""
    detectors = Detectors(LabelSettings())
    turns = list(drawn())
    unseen_wrong = pinned(drawn(seed=UNSEEN), detectors)
    return Measured(
        judged(corpus(), detectors),
        len(turns),
        pinned(turns, detectors),
        judged(corpus(UNSEEN), detectors),
        unseen_wrong,
    )


def judged(cases: Iterable[Case], detectors: Detectors) -> list[Result]:
    """Scan every case."""
    return [Result(case, frozenset(f.detector for f in detectors.scan(case.parts))) for case in cases]


def pinned(turns: Iterable[Turn], detectors: Detectors) -> list[Wrong]:
    """Return the turns in which something was found, though nothing is there."""
    found = ((turn, frozenset(f.detector for f in detectors.scan(turn.parts))) for turn in turns)
    return [Wrong(turn, names) for turn, names in found if names]


def recall(results: Iterable[Result], group: str) -> tuple[int, int]:
    """Return how many of a group's cases were found, and how many there are."""
    mine = [result for result in results if result.case.group == group]
    return sum(result.right for result in mine), len(mine)


def percent(part: int, whole: int) -> str:
    return f"{100 * part / whole:.1f} %" if whole else "–"


def table(head: tuple[str, ...], rows: Iterable[tuple[object, ...]]) -> str:
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    return "\n".join([*lines, *(f"| {' | '.join(map(str, row))} |" for row in rows)]) + "\n"


def by(results: list[Result], group: str, field: str) -> list[tuple[object, ...]]:
    counts: dict[str, list[bool]] = defaultdict(list)
    for result in results:
        if result.case.group == group:
            counts[getattr(result.case, field)].append(result.right)
    return [(name, len(rights), sum(rights), percent(sum(rights), len(rights))) for name, rights in counts.items()]


def kinds(results: list[Result]) -> list[tuple[object, ...]]:
    """Recall and precision of each detector: precision over all cases, also where another detector was right."""
    rows = []
    hits = Counter(name for result in results for name in result.found)
    true = Counter(result.case.truth for result in results if result.case.truth in result.found)
    # A form that is out of reach still holds the real thing: finding it is right.
    for group in ("validated", "secret"):
        for kind in dict.fromkeys(r.case.kind for r in results if r.case.group == group):
            mine = [r.right for r in results if r.case.group == group and r.case.kind == kind]
            rows.append(
                (f"`{kind}`", len(mine), sum(mine), percent(sum(mine), len(mine)), hits[kind] - true[kind],
                 percent(true[kind], hits[kind]))
            )  # fmt: skip
    return rows


SETTINGS = {
    "`balanced`": LabelSettings(),
    "`private`": LabelSettings(preset="private"),
    '`default = "confidential"`': LabelSettings(default=Label.CONFIDENTIAL),
}


def groups(results: list[Result]) -> dict[str, list[Result]]:
    """The cases in which something is, secrets that free text tells apart from secrets with a shape."""
    found: dict[str, list[Result]] = {
        "validated identifiers": [],
        "secrets with a shape": [],
        "identifiers in forms out of reach": [],
        "secrets told in free text": [],
        "other free text": [],
    }
    titles = dict(zip(("validated", "secret", "beyond"), found, strict=False))
    for result in results:
        if result.case.group == "free":
            found["secrets told in free text" if result.case.kind == "secret in words" else "other free text"] += [
                result
            ]
        elif result.case.group in titles:
            found[titles[result.case.group]].append(result)
    return found


def reached(results: list[Result]) -> list[tuple[object, ...]]:
    """How much sensitive text may leave for a frontier model where nobody said a label and detectors had their say."""
    rows = []
    for title, mine in groups(results).items():
        marked = sum(bool(result.found) for result in mine)
        cells: list[object] = [title, len(mine), marked, percent(marked, len(mine))]
        for settings in SETTINGS.values():
            detectors = Detectors(settings)
            out = sum(_farthest(settings, detectors, result.case.parts) is Tier.FRONTIER for result in mine)
            cells.append(f"{out} ({percent(out, len(mine))})")
        rows.append(tuple(cells))
    return rows


def followed() -> list[tuple[object, ...]]:
    """How far what is found goes, and how far what is not found and nobody labelled."""
    texts = ("Nothing to see here.", "pay 4539 1488 0343 6467", "-----BEGIN PRIVATE KEY-----")
    parts = [(Part(kind="text", path="messages[0].content", text=text),) for text in texts]
    return [
        (title, f"`{settings.default}`", *(f"`{_farthest(settings, Detectors(settings), one)}`" for one in parts))
        for title, settings in SETTINGS.items()
    ]


def _farthest(settings: LabelSettings, detectors: Detectors, parts: tuple[Part, ...]) -> Tier:
    label = label_call(settings, caller=None, workflow=None, session=None, findings=detectors.scan(parts)).value
    return ceilings(settings)[label]


HEAD = """\
# Detectors, measured

Written by `scripts/docs` from a run; `scripts/bench detectors` prints the same figures. The corpus is our own: numbers
drawn by the issuers' public rules with seed {seed}, by code that shares no line with the detectors, in sentences written
by hand in {languages} languages. A case counts as found only if the right detector hits.

**{all} cases.** Of {validated} validated identifiers in {forms} forms, **{found} ({recall}) are found**. Of {none} texts
in which nothing is (wrong check digits, documentation's own numbers, ordinary text), {quiet} ({quiet_percent}) stay
unmarked. Of {turns} drawn turns of coding sessions **{wrong} ({wrong_percent}) are pinned wrongly**.

The patterns were corrected on this seed, so these figures flatter them. On seed {unseen}, which nobody looked at, they
find {unseen_found} of {validated} ({unseen_recall}) and pin {unseen_wrong} of {turns} turns ({unseen_percent}). The
sentences, forms and sorts of lines are the same there: what nobody thought of is in neither.

## What nobody labelled

Where neither caller nor workflow says a label, a detector's hit says it: personal data is confidential, a secret
restricted. **What no detector finds has nothing but `default`, and follows it**, as if it were harmless. How far each
may go then:

{followed}
And how much of the corpus that is: of the sensitive cases, those in which any detector hits, and those that may go to a
frontier model although they should not.

{reached}
Patterns find shapes, not meanings. For what is told in free text, secrets among it, only the labels of callers and
workflows help, or a `default` or preset under which nothing unlabelled leaves. The duty `pseudonymise` does not: it
replaces what is found. No model reads along to find the rest;
[the first decisions](../decisions/0001-first-decisions.md) say why.

## By detector

Wrong hits are those on any case that does not hold this kind, the other tables' cases included.

{kinds}
## Validated identifiers, by form

{forms_table}
## Secrets with a shape, by form

{secrets}
## Out of reach

Found by no pattern, or only at the price of pinning half of everything; they are not part of the figure above. Nine,
eleven or twelve bare digits count where they are named (SSN, BSN, CPF, Aadhaar), a card of 13, 14 or 17 to 19 digits on
end only beside a word for card.

{beyond}
## Free text

{free}
## What should be left alone

{left}
## Coding sessions

Turns of 10 to 80 lines, each as a file, numbered, as a diff or as the JSON of a tool call, drawn with the same seed.
A test holds the turns cut from this repository's own files to the same limit of 0.5 %, and
`scripts/bench detectors --tree FOLDER` measures any other; what is planted there to be found is left out.

{sessions}
Not measured here: the extra `identifiers` (its libraries' checks are theirs), pictures, audio and compressed files,
which are not read at all.
"""


def page(measured: Measured) -> str:
    """Write the page."""
    results = measured.results
    found, validated = recall(results, "validated")
    nothing = [result for result in results if not result.case.truth]
    quiet = sum(result.right for result in nothing)
    head = ("", "cases", "found", "recall")
    sorts = Counter(wrong.turn.source for wrong in measured.wrong)
    blamed: dict[str, set[str]] = defaultdict(set)
    for wrong in measured.wrong:
        blamed[wrong.turn.source] |= wrong.found
    counts = Counter(turn.source for turn in drawn())
    return HEAD.format(
        seed=SEED,
        unseen=UNSEEN,
        unseen_found=recall(measured.unseen, "validated")[0],
        unseen_recall=percent(*recall(measured.unseen, "validated")),
        unseen_wrong=len(measured.unseen_wrong),
        unseen_percent=f"{100 * len(measured.unseen_wrong) / measured.turns:.2f} %",
        languages=len({r.case.language for r in results if r.case.language}),
        all=len(results),
        validated=validated,
        found=found,
        recall=percent(found, validated),
        forms=len({r.case.form for r in results if r.case.group == "validated"}),
        none=len(nothing),
        quiet=quiet,
        quiet_percent=percent(quiet, len(nothing)),
        turns=measured.turns,
        wrong=len(measured.wrong),
        wrong_percent=f"{100 * len(measured.wrong) / measured.turns:.2f} %",
        followed=table(("", "`default`", "not found", "personal data, found", "a secret, found"), followed()),
        reached=table(
            ("", "cases", "marked", "recall", *(f"out under {title}" for title in SETTINGS)), reached(results)
        ),
        kinds=table(("detector", "cases", "found", "recall", "wrong hits", "precision"), kinds(results)),
        forms_table=table(head, by(results, "validated", "form")),
        secrets=table(head, by(results, "secret", "form")),
        beyond=table(head, by(results, "beyond", "form")),
        free=table(head, by(results, "free", "kind")),
        left=table(
            ("", "cases", "left alone", "share"),
            [
                (title, n, ok, percent(ok, n))
                for title, group in (
                    ("wrong check digit", "wrong"),
                    ("known test numbers", "known"),
                    ("ordinary text", "plain"),
                )
                for ok, n in [recall(results, group)]
            ],
        ),
        sessions=table(
            ("turns of", "turns", "pinned", "by"),
            [
                (sort, n, sorts[sort], ", ".join(f"`{name}`" for name in sorted(blamed[sort])))
                for sort, n in counts.items()
            ],
        ),
    )
