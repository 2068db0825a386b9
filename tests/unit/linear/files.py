"""The smallest file of a linear model, and others made of it."""

from typing import Any

import msgspec
import numpy as np

from tierwise.linear.header import FORMAT, Header, HeldOut, Trained
from tierwise.linear.model import LinearModel, Vocabulary
from tierwise.linear.words import FEATURES, features

HEADER = Header(
    format=FORMAT,
    tierwise="0.1.0",
    features=FEATURES,
    field="intent",
    labels=("lost", "money"),
    temperature=0.8,
    penalty=0.05,
    trained=Trained(dataset="sha256:0", splits=("train",), rows=60, clusters=60),
    held_out=HeldOut(folds=5, rows=60, right=59, low=0.9, high=0.99, said=0.95),
)
(CARD,), (MONEY,), (REFUND,) = (features(word)[0] for word in ("card", "money", "refund"))
KEYS = sorted((CARD, MONEY, REFUND))


def made(header: Header = HEADER, **arrays: Any) -> LinearModel:
    """Return a model that takes `card` for lost, `money` and `refund` for money."""
    weights = np.array([[5, 0] if key == CARD else [0, 5] for key in KEYS], np.float16)
    held: dict[str, Any] = {"idf": np.ones(3, np.float32), "bias": np.zeros(2, np.float32), "weights": weights} | {
        name: np.asarray(array) for name, array in arrays.items()
    }
    keys = held.pop("keys", np.array(KEYS, np.uint32))
    return LinearModel(header=header, vocabulary=Vocabulary(keys=keys, idf=held.pop("idf")), **held)


def changed(**header: Any) -> bytes:
    """Return the file with another header."""
    return made(msgspec.structs.replace(HEADER, **header)).to_bytes()


TINY = made().to_bytes()
