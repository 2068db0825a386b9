"""What is asked, and what would be right? One row of a data set.

Invariant: items of one cluster (document, customer, template) never stand in two splits, and errors are reckoned by
cluster.
"""

from typing import Any, Literal

import msgspec

from tierwise.core.label import Label

Split = Literal["train", "tune", "prove"]
"""`train` may shape a prompt or a model, `tune` chooses thresholds, `prove` is looked at only for claims."""


class Item(msgspec.Struct, frozen=True, kw_only=True):
    """`fields` fill the prompt's places. `reference` is what is right, None where nobody said; JSON of any shape."""

    id: str
    fields: dict[str, Any]
    reference: Any = None
    cluster: str
    split: Split
    label: Label | None = None
