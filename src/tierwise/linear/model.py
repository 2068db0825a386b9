"""How sure is a linear model of each label? A text's features, times the weights of the file.

Knows no file system and no wire. The same `Vocabulary` weighs texts when a model is fitted and when it answers.
Invariant: what was read has only bounded numbers, so every text gets a distribution that adds up to one.
"""

from collections.abc import Sequence
from typing import Any, Final

import msgspec
import numpy as np
import numpy.typing as npt

from tierwise.linear.header import MAX_HEAD_BYTES, Header, Layout, Unreadable, places, read_header, written
from tierwise.linear.words import features

Floats = npt.NDArray[np.float32]
MOST: Final = 6e4
"""No number in a file is larger, so that no sum overflows."""
_TYPES: Final = {"U32": "<u4", "F32": "<f4", "F16": "<f2"}


class Vocabulary(msgspec.Struct, frozen=True, kw_only=True):
    """The features that count, sorted, and how much each tells (inverse document frequency)."""

    keys: npt.NDArray[np.uint32]
    idf: Floats

    def row(self, text: str) -> tuple[npt.NDArray[np.intp], Floats]:
        """Return which features a text has, and their weight. Words and characters each have the length one."""
        blocks = [self._block(counts) for counts in features(text)]
        return np.concatenate([places for places, _ in blocks]), np.concatenate([values for _, values in blocks])

    def _block(self, counts: dict[int, int]) -> tuple[npt.NDArray[np.intp], Floats]:
        keys = np.fromiter(counts.keys(), np.uint32, len(counts))
        times = np.fromiter(counts.values(), np.float32, len(counts))
        places = np.minimum(np.searchsorted(self.keys, keys), len(self.keys) - 1)
        known = self.keys[places] == keys
        places = places[known]
        values = (1 + np.log(times[known])) * self.idf[places]
        return places, values / max(float(np.sqrt(values @ values)), 1e-9)


class LinearModel(msgspec.Struct, frozen=True, kw_only=True):
    """A fitted model. `weights` has a row for each feature and a column for each label."""

    header: Header
    vocabulary: Vocabulary
    bias: Floats
    weights: npt.NDArray[np.float16]

    def logprobs(self, text: str, among: Sequence[int] | None = None) -> npt.NDArray[np.float64]:
        """Return the log-probability of each label, or of those `among` which one has to be."""
        found, values = self.vocabulary.row(text)
        scores = (values @ self.weights[found].astype(np.float32) + self.bias).astype(np.float64)
        return log_softmax(scores if among is None else scores[list(among)])

    def to_bytes(self) -> bytes:
        """Return the file."""
        arrays: tuple[npt.NDArray[Any], ...] = (self.vocabulary.keys, self.vocabulary.idf, self.bias, self.weights)
        kinds = [_TYPES[place.dtype] for place in places(len(self.vocabulary.keys), len(self.header.labels)).values()]
        data = [array.astype(kind).tobytes() for array, kind in zip(arrays, kinds, strict=True)]
        return b"".join((written(self.header, len(self.vocabulary.keys)), *data))


def log_softmax(scores: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Return log-probabilities of scores, along the last axis."""
    scores = scores - scores.max(axis=-1, keepdims=True)
    result: npt.NDArray[np.float64] = scores - np.log(np.exp(scores).sum(axis=-1, keepdims=True))
    return result


def from_bytes(data: bytes) -> LinearModel:
    """Read a file. Raises Unreadable."""
    layout = read_header(data[:MAX_HEAD_BYTES], len(data))
    keys, idf, bias, weights = (_array(data, layout, name) for name in ("keys", "idf", "bias", "weights"))
    if not all((np.abs(array) <= MOST).all() for array in (idf, bias, weights)):
        raise Unreadable("a weight is no number, or too large a one")
    if not (keys[1:] > keys[:-1]).all():
        raise Unreadable("its features are not in order")
    return LinearModel(header=layout.header, vocabulary=Vocabulary(keys=keys, idf=idf), bias=bias, weights=weights)


def _array(data: bytes, layout: Layout, name: str) -> Any:
    place = layout.places[name]
    flat = np.frombuffer(
        data, _TYPES[place.dtype], count=int(np.prod(place.shape)), offset=layout.begins + place.data_offsets[0]
    )
    return flat.reshape(place.shape)
