"""Which part of a data set is a cluster in? A fixed hash of its name says, where the file does not.

Knows no rows. Invariant: a cluster stands in one split, the same one on every machine and however many rows are added.
"""

import hashlib
from collections.abc import Iterable
from typing import Annotated

import msgspec

from tierwise.evals.item import Split

ORDER: tuple[Split, ...] = ("train", "tune", "prove")
"""From the split that claims least to the one that claims most."""
NAMES: dict[str, Split] = {
    "train": "train", "training": "train",
    "tune": "tune", "validation": "tune", "valid": "tune", "val": "tune", "dev": "tune", "calibration": "tune",
    "prove": "prove", "test": "prove", "eval": "prove", "holdout": "prove",
}  # fmt: skip


class Shares(msgspec.Struct, frozen=True, kw_only=True):
    """How much goes to `train` and to `tune`; the rest is for `prove`."""

    train: Annotated[float, msgspec.Meta(ge=0, le=1)] = 0.0
    tune: Annotated[float, msgspec.Meta(ge=0, le=1)] = 0.3

    def __post_init__(self) -> None:
        if not (self.train >= 0 and self.tune >= 0 and self.train + self.tune < 1):
            raise ValueError("train and tune are shares that leave some rows for prove")


def place(cluster: str) -> float:
    """Return where a cluster lies between 0 and 1: spread evenly, and fixed."""
    return int.from_bytes(hashlib.sha256(cluster.encode("utf-8", "surrogatepass")).digest()[:8]) / 2**64


def split_of(cluster: str, shares: Shares) -> Split:
    """Return the split of a cluster for which nobody has named one."""
    at = place(cluster)
    if at < shares.train:
        return "train"
    return "tune" if at < shares.train + shares.tune else "prove"


def least(splits: Iterable[Split]) -> Split:
    """Return the split that claims least: what shaped anything is no proof of it."""
    return min(splits, key=ORDER.index)
