"""What is there to know of a data set? Counts that are right, problems that are named, and never a word of content."""

import random
import string
from decimal import Decimal

import msgspec
import pytest

from tierwise.core.criteria import Criteria
from tierwise.core.errors import ConfigError
from tierwise.core.label import Label, Tier
from tierwise.core.model import Endpoint, Model
from tierwise.core.usage import Price
from tierwise.evals.data.estimate import Asked, estimate, features
from tierwise.evals.data.needed import needs
from tierwise.evals.data.read import Dataset, digest
from tierwise.evals.data.report import Findings, SplitSize, classes, report
from tierwise.evals.item import Item, Split
from tierwise.evals.prompt import Prompt
from tierwise.policy.detect import Detectors
from tierwise.policy.settings import LabelSettings, ceilings


def text(n: int) -> str:
    """Return a text that says something else than any other."""
    chance = random.Random(n)
    return " ".join("".join(chance.choices(string.ascii_lowercase, k=chance.randint(2, 9))) for _ in range(12))


def item(n: int, split: Split = "prove", *, reference: object = "a", cluster: str = "", said: str = "") -> Item:
    return Item(
        id=str(n), fields={"text": said or f"{text(n)} {n}"}, reference=reference, cluster=cluster or f"c{n}", split=split
    )  # fmt: skip


def found(*items: Item, moved: tuple[str, ...] = ()) -> Findings:
    dataset = Dataset(name="d", items=items, digest=digest(items), moved=moved)
    return report(dataset, Detectors(LabelSettings()), LabelSettings())[0]


def told(findings: Findings) -> str:
    return " | ".join(f"{one.severity}: {one.what}" for one in findings.problems)


def test_a_sound_data_set_has_no_problem() -> None:
    seen = found(*(item(n, "tune" if n % 3 == 0 else "prove", reference="ab"[n % 2]) for n in range(100)))
    assert (seen.problems, seen.sound, seen.rows) == ((), True, 100)
    assert (seen.splits["prove"].clusters, seen.splits["tune"].items) == (66, 34)


@pytest.mark.parametrize(
    ("items", "words"),
    [
        ([item(n) for n in range(40)], "error: every reference is 'a'"),
        ([item(n, "tune", reference="ab"[n % 2]) for n in range(40)], "error: no item is in the split prove"),
        ([item(n, reference="ab"[n % 2], cluster="x") for n in range(40)], "error: all of prove is one cluster"),
        ([item(n, reference="ab"[n % 2]) for n in range(10)], "warning: prove holds 10 clusters"),
        (
            [item(n, reference="ab"[n % 2], cluster="big" if n < 20 else "") for n in range(60)],
            "warning: one cluster holds 20 of 60 items",
        ),
        ([item(n, reference=None) for n in range(40)], "warning: no item has a reference"),
        (
            [item(n, reference="ab"[n % 2] if n else None) for n in range(40)],
            "warning: 1 of 40 items have no reference",
        ),
        ([item(n, reference="nan" if n == 1 else "ab"[n % 2]) for n in range(40)], "1 references read like a missing"),
        ([item(n, reference="b" if n < 3 else "a") for n in range(40)], "warning: one class is 92% of the references"),
        (
            [item(n, reference="ab"[n % 2], said="twice said" if n < 2 else "") for n in range(40)],
            "warning: 1 texts stand there with different references",
        ),
        (
            [item(0, "train", said=text(5)), *(item(n, reference="ab"[n % 2], said=text(n)) for n in range(4, 44))],
            "warning: 1 items of prove have a near twin",
        ),
    ],
)
def test_what_is_wrong_is_said_in_its_severity(items: list[Item], words: str) -> None:
    assert words in told(found(*items))


def test_who_named_the_column_otherwise_learns_what_it_is_to_be_called() -> None:
    rows = [item(n, reference=None) for n in range(40)]
    mends = [one.mend for one in found(*rows).problems if one.what == "no item has a reference"]
    assert mends and "'reference'" in mends[0] and "there are text" in mends[0]


def test_personal_data_are_counted_by_kind_and_never_quoted() -> None:
    rows = [item(n, reference="ab"[n % 2]) for n in range(40)]
    rows.append(item(99, said="pay with 4539 1488 0343 6467 now"))
    seen = found(*rows)
    assert {name: (one.items, one.label) for name, one in seen.personal.items()} == {"card": (1, Label.CONFIDENTIAL)}
    assert seen.labels == {Label.INTERNAL: 40, Label.CONFIDENTIAL: 1}
    everything = msgspec.json.encode(seen).decode()
    assert not [
        word for row in rows for word in str(row.fields["text"]).split() if len(word) > 4 and word in everything
    ]


def test_references_are_classes_where_they_repeat_and_are_short() -> None:
    def of(*references: object) -> object:
        return classes([item(n, reference=reference) for n, reference in enumerate(references)])

    assert of("a", "b", "a", "b") is not None
    assert of("a", "b", "c") is None
    assert of("a") is None
    assert of({"x": 1}, {"x": 1}) is None
    assert of("long " * 100, "long " * 100) is None
    assert of(True, False, True, True) is not None


LOCAL = Endpoint(name="here", kind="k", wires=("chat",), tier=Tier.LOCAL)
OUT = Endpoint(name="out", kind="k", wires=("chat",), tier=Tier.FRONTIER)


def test_an_estimate_counts_what_may_be_asked_and_fits_and_knows_no_price_as_unknown() -> None:
    items = [item(n, said="x" * 1000) for n in range(3)]
    asked = [
        Asked(features=one, label=label)
        for one, label in zip(features(items, None), (Label.INTERNAL, Label.INTERNAL, Label.RESTRICTED), strict=True)
    ]
    reach = ceilings(LabelSettings())
    price = Price(input_usd_per_mtok=Decimal(1), output_usd_per_mtok=Decimal(2))
    free = estimate(asked, Model(id="m", endpoint="here", served_name="m"), LOCAL, reach)
    assert (free.calls, free.expected_usd, free.denied) == (3, 0, 0)
    paid = estimate(asked, Model(id="m", endpoint="out", served_name="m", price=price), OUT, reach, repeats=2)
    assert (paid.calls, paid.denied) == (4, 2)
    assert paid.input_tokens == 4 * asked[0].features.input_tokens_est >= 4 * 500
    assert paid.expected_usd is not None and paid.worst_usd is not None
    assert 0 < paid.expected_usd < paid.worst_usd
    assert estimate(asked, Model(id="m", endpoint="out", served_name="m"), OUT, reach).expected_usd is None
    short = estimate(asked, Model(id="m", endpoint="here", served_name="m", context_tokens=100), LOCAL, reach)
    assert (short.calls, short.too_long) == (0, 3)


def test_an_item_that_makes_no_request_is_named() -> None:
    bad = Item(id="7", fields={"messages": [{"role": "nobody", "content": "x"}]}, cluster="c", split="prove")
    with pytest.raises(ConfigError, match="item '7' makes no request"):
        features([bad], Prompt())


def test_the_sizes_needed_are_those_of_the_field_and_count_clusters() -> None:
    sizes: dict[Split, SplitSize] = {"prove": SplitSize(items=9000, clusters=1500, largest=9)}
    few, many, none_wrong, some_wrong = needs(Criteria(margin=0.02, max_wrong=0.05), sizes)
    assert (few.needed, few.enough, many.needed, many.enough) == (1546, False, 3092, False)
    assert (none_wrong.needed, some_wrong.needed, none_wrong.there) == (59, 153, 1500)
    assert needs(Criteria(margin=0), {})[0].needed is None
