"""Which rows does a linear model learn from, and what may be said of it afterwards?

Takes the rows of a data set that are for learning, and no other: what a claim rests on is never learned.
Invariant: the share that it got right is of rows that it had not seen, with an interval that reckons by cluster.
"""

from collections import defaultdict
from collections.abc import Sequence
from importlib.metadata import version
from typing import Any

from tierwise.core.errors import ConfigError
from tierwise.evals.data.read import Dataset
from tierwise.evals.item import Item, Split
from tierwise.linear.fit import FOLDS, Example, Fitted, Judged, Tell, fit
from tierwise.linear.header import FORMAT, Header, HeldOut, Trained, named
from tierwise.linear.model import LinearModel
from tierwise.linear.words import FEATURES
from tierwise.statistics.interval import wilson

FIELD = "label"


def train(dataset: Dataset, splits: Sequence[Split], *, text: str | None, field: str | None, tell: Tell) -> LinearModel:
    """Fit a linear model on these splits. ConfigError where the rows do not serve, with the mend."""
    items = [item for item in dataset.items if item.split in splits and item.reference is not None]
    if not items:
        told = (
            f"{dataset.name}: no row of the split {' or '.join(splits)} has a label; name the split in a column `split`"
        )
        raise ConfigError(told)
    labels = [_label(item) for item in items]
    told_fields = {name for name, _ in labels if name}
    column = text or _text_field(items)
    examples = [
        Example(text=_text(item, column), label=label, cluster=item.cluster)
        for item, (_, label) in zip(items, labels, strict=True)
    ]
    try:
        found = fit(examples, tell)
        header = _header(dataset, splits, found, field or (told_fields.pop() if len(told_fields) == 1 else FIELD))
        named(header)
    except ValueError as error:
        raise ConfigError(f"{dataset.name}: {error}") from error
    return LinearModel(header=header, vocabulary=found.vocabulary, bias=found.bias, weights=found.weights)


def _header(dataset: Dataset, splits: Sequence[Split], found: Fitted, field: str) -> Header:
    clusters = len({one.cluster for one in found.judged})
    return Header(
        format=FORMAT,
        tierwise=version("tierwise"),
        features=FEATURES,
        field=field,
        labels=found.labels,
        temperature=found.temperature,
        penalty=found.penalty,
        trained=Trained(dataset=dataset.digest, splits=tuple(splits), rows=len(found.judged), clusters=clusters),
        held_out=held_out(found.judged),
    )


def held_out(judged: Sequence[Judged]) -> HeldOut:
    """Count what was right on rows not seen. Rows of a cluster that err together count for less than they are."""
    rows, right = len(judged), sum(one.right for one in judged)
    share = right / rows
    sums: dict[str, float] = defaultdict(float)
    for one in judged:
        sums[one.cluster] += one.right - share
    spread, alone = sum(value * value for value in sums.values()), rows * share * (1 - share)
    effective = max(1, round(rows / max(1.0, spread / alone if alone else 1.0)))
    low, high = wilson(share * effective, effective)
    said = sum(one.said for one in judged) / rows
    return HeldOut(folds=FOLDS, rows=rows, right=right, low=round(low, 6), high=round(high, 6), said=round(said, 6))


def _label(item: Item) -> tuple[str, str]:
    """Return an item's label, and the name of its field where the reference is an object with one."""
    name, value = "", item.reference
    if isinstance(value, dict) and len(value) == 1:
        ((name, value),) = value.items()
    if isinstance(value, bool) or not isinstance(value, str | int):
        raise ConfigError(
            f"item {item.id!r}: a linear model answers with one label, so what is right must be a short text,"
            " or an object with one"
        )
    return name, str(value).strip()


def _text_field(items: Sequence[Item]) -> str:
    """Return the one field that is text in every item."""
    fields: dict[str, Any] = items[0].fields
    found = [name for name in fields if all(isinstance(item.fields.get(name), str) for item in items)]
    if len(found) != 1:
        have = ", ".join(sorted(found or fields)[:10])
        raise ConfigError(f"which field is the message? --text names it; there are: {have}")
    return found[0]


def _text(item: Item, column: str) -> str:
    value = item.fields.get(column)
    if not isinstance(value, str):
        raise ConfigError(f"item {item.id!r} has no text in the field {column!r}")
    return value
