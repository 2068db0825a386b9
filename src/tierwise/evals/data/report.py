"""What is there to know of a data set before money is spent on it? Counts and kinds; of its content, names of classes.

Knows no model and no price. Invariant: what makes a comparison worthless is an error, what makes it weaker a warning,
and each says what to do.
"""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from typing import Any, Literal

import msgspec

from tierwise.core.call import Part
from tierwise.core.label import Label
from tierwise.evals.data.clusters import by_text, key, told
from tierwise.evals.data.read import REFERENCES, Dataset
from tierwise.evals.item import Item, Split
from tierwise.policy.detect import Detectors, Finding
from tierwise.policy.label import label_call
from tierwise.policy.settings import LabelSettings

MAX_CLASS_CHARS = 200
MAX_SHOWN = 20
FEW_CLUSTERS = 30
LARGE_CLUSTER_SHARE = 0.1
MAJORITY = 0.8
_MISSING_WORDS = frozenset({"nan", "null", "none", "n/a", "na", "#n/a"})


class Problem(msgspec.Struct, frozen=True, kw_only=True):
    """What is wrong, and what to do about it."""

    severity: Literal["error", "warning"]
    what: str
    mend: str


class SplitSize(msgspec.Struct, frozen=True, kw_only=True):
    """One split."""

    items: int
    clusters: int
    largest: int


class Classes(msgspec.Struct, frozen=True, kw_only=True):
    """The references as classes: how many, the most frequent with their counts, and the share of the first of them."""

    count: int
    largest: dict[str, int]
    majority: float
    rare: int


class Personal(msgspec.Struct, frozen=True, kw_only=True):
    """In how many items a detector found something, and the label that it raises them to."""

    items: int
    label: Label


class Findings(msgspec.Struct, frozen=True, kw_only=True):
    """All of it. `near_duplicates` say nearly what an earlier item says, `contradictions` are texts with several
    references, `leaks` items of `prove` of which another split holds a near twin. `chars` are quantiles.
    """

    name: str
    digest: str
    rows: int
    reference: str | None
    missing_references: int
    splits: dict[Split, SplitSize]
    clusters_by: Literal["columns", "text"]
    clusters: int
    largest_cluster: int
    duplicates: int
    near_duplicates: int
    contradictions: int
    leaks: int
    moved: int
    classes: Classes | None
    personal: dict[str, Personal]
    labels: dict[Label, int]
    chars: dict[str, int]
    problems: tuple[Problem, ...]

    @property
    def sound(self) -> bool:
        """Say whether nothing makes a comparison worthless."""
        return not any(one.severity == "error" for one in self.problems)


def report(
    dataset: Dataset, detectors: Detectors, settings: LabelSettings, workflow: Label | None = None
) -> tuple[Findings, list[Label]]:
    """Look at a data set; return what there is to know, and the label that each item would carry."""
    items = dataset.items
    texts = [told(item.fields) for item in items]
    scans = [detectors.scan(parts(item)) for item in items]
    labels = [_label(settings, item, workflow, found) for item, found in zip(items, scans, strict=True)]
    keys = [key(text) for text in texts]
    groups = [item.cluster for item in items] if dataset.made_clusters else by_text(texts)
    distinct = len(set(keys))
    sizes = Counter(item.cluster for item in items)
    findings = Findings(
        name=dataset.name,
        digest=dataset.digest,
        rows=len(items),
        reference=dataset.reference,
        missing_references=sum(item.reference is None for item in items),
        splits=_splits(items),
        clusters_by="text" if dataset.made_clusters else "columns",
        clusters=len(sizes),
        largest_cluster=max(sizes.values()),
        duplicates=len(items) - distinct,
        near_duplicates=distinct - len(set(groups)),
        contradictions=_contradictions(items, keys),
        leaks=_leaks(items, groups),
        moved=len(dataset.moved),
        classes=classes(items),
        personal=_personal(scans, detectors),
        labels=dict(sorted(Counter(labels).items(), key=lambda row: row[0].rank)),
        chars=_quantiles([len(text) for text in texts]),
        problems=(),
    )
    return msgspec.structs.replace(findings, problems=tuple(_problems(findings, items))), labels


def parts(item: Item) -> tuple[Part, ...]:
    """Return an item's words as detectors read them: its fields, and its reference, which a scorer may send along."""
    found = [(f"fields.{name}", value) for name, value in item.fields.items()] + [("reference", item.reference)]
    return tuple(Part(kind="text", path=path, text=text) for path, value in found if (text := _text(value)))


def classes(items: Sequence[Item]) -> Classes | None:
    """Return the references as classes; None where they are none: few are given, or they seldom repeat."""
    given = [item.reference for item in items if item.reference is not None]
    names = [_class(value) for value in given]
    count = Counter(name for name in names if name is not None)
    if len(given) < 2 or None in names or (len(count) > 1 and 2 * len(count) > len(given)):
        return None
    return Classes(
        count=len(count),
        largest=dict(count.most_common(MAX_SHOWN)),
        majority=count.most_common(1)[0][1] / len(given),
        rare=sum(number < 5 for number in count.values()),
    )


def one_class(items: Sequence[Item]) -> Problem | None:
    """Say whether every answer is the same class, so that to be right says nothing."""
    found = classes(items)
    if found is None or found.count > 1:
        return None
    return Problem(
        severity="error",
        what=f"every reference is {next(iter(found.largest))!r}: to be right on one class says nothing",
        mend="give items of two or more classes",
    )


def _class(value: Any) -> str | None:
    if isinstance(value, str) and len(value) <= MAX_CLASS_CHARS:
        return " ".join(value.split())
    return str(value) if isinstance(value, bool | int) else None


def _text(value: Any) -> str:
    if value is None:
        return ""
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()


def _label(settings: LabelSettings, item: Item, workflow: Label | None, found: Sequence[Finding]) -> Label:
    return label_call(settings, caller=item.label, workflow=workflow, session=None, findings=found).value


def _splits(items: Sequence[Item]) -> dict[Split, SplitSize]:
    sizes: dict[Split, Counter[str]] = defaultdict(Counter)
    for item in items:
        sizes[item.split][item.cluster] += 1
    return {
        split: SplitSize(items=found.total(), clusters=len(found), largest=max(found.values()))
        for split, found in sorted(sizes.items(), reverse=True)
    }


def _contradictions(items: Sequence[Item], keys: Sequence[str]) -> int:
    said: dict[str, set[bytes]] = defaultdict(set)
    for item, name in zip(items, keys, strict=True):
        if item.reference is not None:
            said[name].add(msgspec.json.encode(item.reference, order="deterministic"))
    return sum(len(references) > 1 for references in said.values())


def _leaks(items: Sequence[Item], groups: Sequence[str]) -> int:
    shaped = {group for item, group in zip(items, groups, strict=True) if item.split != "prove"}
    return sum(item.split == "prove" and group in shaped for item, group in zip(items, groups, strict=True))


def _personal(scans: Sequence[Sequence[Finding]], detectors: Detectors) -> dict[str, Personal]:
    count = Counter(name for found in scans for name in {finding.detector for finding in found})
    strictest = max(Label, key=lambda label: label.rank)
    return {
        name: Personal(items=number, label=detectors.labels.get(name, strictest))
        for name, number in count.most_common()
    }


def _quantiles(lengths: Sequence[int]) -> dict[str, int]:
    ordered = sorted(lengths)
    at: Mapping[str, float] = {"min": 0, "p50": 0.5, "p95": 0.95, "p99": 0.99, "max": 1}
    return {name: ordered[round(share * (len(ordered) - 1))] for name, share in at.items()}


def _problems(found: Findings, items: Sequence[Item]) -> list[Problem]:
    prove = found.splits.get("prove")
    problems = [problem] if (problem := one_class(items)) else []
    if prove is None:
        problems.append(_error("no item is in the split prove", "put items there: only they support a claim"))
    elif prove.clusters < 2:
        problems.append(_error("all of prove is one cluster", "give items of more documents, customers or templates"))
    elif prove.clusters < FEW_CLUSTERS:
        told = f"prove holds {prove.clusters} clusters"
        problems.append(_warning(told, f"with fewer than {FEW_CLUSTERS}, intervals are wide and rough"))
    if prove and prove.clusters > 1 and prove.largest > max(2, LARGE_CLUSTER_SHARE * prove.items):
        told = f"one cluster holds {prove.largest} of {prove.items} items of prove"
        problems.append(_warning(told, "its answers count as one; give more of others"))
    missing = found.missing_references
    if missing == found.rows:
        problems.append(
            _warning(
                "no item has a reference",
                f"call the column that holds it {REFERENCES[0]!r} (there are {_columns(items)}); "
                "without one only a scorer that needs none helps",
            )
        )
    elif missing:
        problems.append(
            _warning(
                f"{missing} of {found.rows} items have no reference", "they are asked only where the scorer needs none"
            )
        )
    words = sum(isinstance(one.reference, str) and one.reference.strip().lower() in _MISSING_WORDS for one in items)
    if words:
        problems.append(_warning(f"{words} references read like a missing value", "leave the cell empty if they are"))
    if found.classes and found.classes.count > 1 and found.classes.majority >= MAJORITY:
        told = f"one class is {found.classes.majority:.0%} of the references"
        problems.append(_warning(told, "to say it always would score as much; look at the rare ones apart"))
    if found.contradictions:
        told = f"{found.contradictions} texts stand there with different references"
        problems.append(_warning(told, "nobody can answer them all; decide what is right"))
    if found.leaks:
        told = f"{found.leaks} items of prove have a near twin in another split"
        problems.append(_warning(told, "give both the same cluster, or leave one out"))
    if found.moved:
        told = f"{found.moved} items were moved out of the split that the file names"
        problems.append(_warning(told, "their cluster also stands in a split that claims less"))
    return problems


def _columns(items: Sequence[Item]) -> str:
    names = list(dict.fromkeys(name for item in items for name in item.fields))
    return ", ".join(names[:MAX_SHOWN]) + (", …" if len(names) > MAX_SHOWN else "")


def _error(what: str, mend: str) -> Problem:
    return Problem(severity="error", what=what, mend=mend)


def _warning(what: str, mend: str) -> Problem:
    return Problem(severity="warning", what=what, mend=mend)
