"""Which weights tell the labels apart best? Multinomial logistic regression, fitted whole and on folds.

The folds say how good it is on rows that it has not seen, and how far its confidence must be cooled. Knows no files.
Invariant: rows of one cluster share a fold; the same rows give the same weights, whatever their order (on the same
machine: processors may round otherwise).
"""

import hashlib
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any, Final

import msgspec
import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize_scalar
from scipy.sparse import csr_matrix, hstack

from tierwise.linear.model import Floats, Vocabulary, log_softmax
from tierwise.linear.words import features

FOLDS: Final = 5
LEAST_ROWS: Final = 20
# What a feature must occur in, and how little is asked of the weights: chosen on Banking77's training and validation
# parts by cross-validation, among 5, 10, 20 and 40.
LEAST_TEXTS: Final = 2
STRENGTH: Final = 20.0
_MOST_STEPS: Final = 200
_MEMORY: Final = 6
_DONE: Final = 2e-3
_COOLEST, _HOTTEST = -2.0, 2.0

Tell = Callable[[str], None]


class Example(msgspec.Struct, frozen=True, kw_only=True):
    """One row to learn from."""

    text: str
    label: str
    cluster: str


class Judged(msgspec.Struct, frozen=True, kw_only=True):
    """A row that was judged by a model that had not seen it: whether it was right, and what it took its chance for."""

    cluster: str
    right: bool
    said: float


class Fitted(msgspec.Struct, frozen=True, kw_only=True):
    """What came of it. The weights are divided by the temperature already."""

    labels: tuple[str, ...]
    vocabulary: Vocabulary
    bias: Floats
    weights: npt.NDArray[np.float16]
    temperature: float
    penalty: float
    judged: tuple[Judged, ...]


def fit(examples: Sequence[Example], tell: Tell) -> Fitted:
    """Fit a model. Raises ValueError where there is too little to learn from."""
    rows = sorted(examples, key=lambda one: (one.cluster, one.text, one.label))
    labels = tuple(sorted({one.label for one in rows}))
    if len(rows) < LEAST_ROWS or len(labels) < 2:
        raise ValueError(f"{len(rows)} rows with {len(labels)} labels: {LEAST_ROWS} rows and 2 labels are the least")
    number = {label: place for place, label in enumerate(labels)}
    truth = np.array([number[one.label] for one in rows])
    counted = [features(one.text) for one in rows]
    fold = np.array([_fold(one.cluster) for one in rows])
    scores = np.zeros((len(rows), len(labels)), np.float32)
    for place in range(FOLDS):
        tell(f"fold {place + 1} of {FOLDS}")
        held = fold == place
        if held.any() and not held.all():
            vocabulary, found = _fitted(rows, counted, truth, ~held, len(labels))
            scores[held] = _matrix(vocabulary, [one.text for one, out in zip(rows, held, strict=True) if out]) @ found
    tell(f"all {len(rows)} rows")
    vocabulary, found = _fitted(rows, counted, truth, np.ones(len(rows), bool), len(labels))
    temperature = _temperature(scores, truth)
    chances = np.exp(log_softmax(scores.astype(np.float64) / temperature))
    judged = zip(rows, scores.argmax(axis=1) == truth, chances.max(axis=1), strict=True)
    cooled = found / np.float32(temperature)
    return Fitted(
        labels=labels,
        vocabulary=vocabulary,
        bias=cooled[-1],
        weights=cooled[:-1].astype(np.float16),
        temperature=temperature,
        penalty=1 / STRENGTH,
        judged=tuple(Judged(cluster=one.cluster, right=bool(right), said=float(said)) for one, right, said in judged),
    )


def _fold(cluster: str) -> int:
    return int.from_bytes(hashlib.sha256(cluster.encode()).digest()[:8], "big") % FOLDS


def _fitted(
    rows: Sequence[Example], counted: Sequence[tuple[Counter[int], ...]], truth: Any, chosen: Any, labels: int
) -> tuple[Vocabulary, Floats]:
    """Learn the vocabulary and the weights from the chosen rows; the last row of the weights is the bias."""
    vocabulary = _vocabulary([blocks for blocks, one in zip(counted, chosen, strict=True) if one])
    texts = _matrix(vocabulary, [row.text for row, one in zip(rows, chosen, strict=True) if one])
    return vocabulary, _minimum(_Loss(texts, truth[chosen], labels))


def _vocabulary(counted: Sequence[tuple[Counter[int], ...]]) -> Vocabulary:
    seen: Counter[int] = Counter()
    for blocks in counted:
        for block in blocks:
            seen.update(block.keys())
    kept = sorted(key for key, times in seen.items() if times >= LEAST_TEXTS)
    if not kept:
        raise ValueError("no word occurs in two texts")
    times = np.array([seen[key] for key in kept], np.float64)
    idf = np.log((1 + len(counted)) / (1 + times)) + 1
    return Vocabulary(keys=np.array(kept, np.uint32), idf=idf.astype(np.float32))


def _matrix(vocabulary: Vocabulary, texts: Sequence[str]) -> Any:
    """Return a row for each text, and a last column of ones for the bias."""
    rows = [vocabulary.row(text) for text in texts]
    ends = np.cumsum([0, *(len(places) for places, _ in rows)])
    values, places = np.concatenate([v for _, v in rows]), np.concatenate([p for p, _ in rows])
    texts_by_feature = csr_matrix((values, places, ends), shape=(len(rows), len(vocabulary.keys)), dtype=np.float32)
    return hstack([texts_by_feature, np.ones((len(rows), 1), np.float32)], format="csr")


class _Loss:
    """The mean negative log-likelihood with a penalty on all weights but the bias: value and gradient."""

    def __init__(self, texts: Any, truth: Any, labels: int) -> None:
        self._texts, self._turned, self._truth = texts, texts.T.tocsr(), truth
        self._at = np.arange(len(truth))
        self._penalty = np.full((texts.shape[1], 1), 1 / (STRENGTH * len(truth)), np.float32)
        self._penalty[-1] = 0
        self.shape = (texts.shape[1], labels)

    def __call__(self, weights: Floats) -> tuple[float, Floats]:
        scores = self._texts @ weights
        scores -= scores.max(axis=1, keepdims=True)
        right = scores[self._at, self._truth].astype(np.float64)
        np.exp(scores, out=scores)
        total = scores.sum(axis=1, keepdims=True)
        loss = float((np.log(total[:, 0], dtype=np.float64) - right).mean())
        scores /= total
        scores[self._at, self._truth] -= 1
        pull = self._penalty * weights
        return loss + float(np.vdot(weights, pull)) / 2, self._turned @ (scores / np.float32(len(right))) + pull


def _minimum(loss: _Loss) -> Floats:
    """Descend by L-BFGS until the slope is a small part of the first. The loss is convex, so it ends near the one end.

    Written here because SciPy's keeps 64-bit copies, several times the memory, and gains nothing at this tolerance.
    """
    weights = np.zeros(loss.shape, np.float32)
    value, slope = loss(weights)
    enough = _DONE * float(np.linalg.norm(slope))
    steps: list[tuple[Floats, Floats, float]] = []
    for _ in range(_MOST_STEPS):
        way = _way(slope, steps)
        falls, length = float(np.vdot(slope, way)), 1.0
        after, (lower, bend) = weights - way, loss(weights - way)
        while lower > value - 1e-4 * length * falls and length > 1e-6:
            length /= 2
            after = weights - np.float32(length) * way
            lower, bend = loss(after)
        if lower >= value:
            break
        moved, bent = after - weights, bend - slope
        curve = float(np.vdot(moved, bent))
        if curve > 0:
            steps = [*steps, (moved, bent, curve)][-_MEMORY:]
        weights, value, slope = after, lower, bend
        if float(np.linalg.norm(slope)) <= enough:
            break
    return weights


def _way(slope: Floats, steps: Sequence[tuple[Floats, Floats, float]]) -> Floats:
    """Return the way downhill that the last steps suggest (two loops; Nocedal and Wright, algorithm 7.4)."""
    way, shares = slope.copy(), []
    for moved, bent, curve in reversed(steps):
        share = np.float32(float(np.vdot(moved, way)) / curve)
        way -= share * bent
        shares.append(share)
    if not steps:
        return way / np.float32(max(float(np.linalg.norm(way)), 1e-12))
    _, bent, curve = steps[-1]
    way *= np.float32(curve / float(np.vdot(bent, bent)))
    for (moved, bent, curve), share in zip(steps, reversed(shares), strict=True):
        way += (share - np.float32(float(np.vdot(bent, way)) / curve)) * moved
    return way


def _temperature(scores: Floats, truth: Any) -> float:
    """Return what to divide scores by so that confidence fits how often it was right, on rows not seen."""

    def surprise(log_temperature: float) -> float:
        told = log_softmax(scores.astype(np.float64) / np.exp(log_temperature))
        return -float(told[np.arange(len(truth)), truth].mean())

    found = minimize_scalar(surprise, bounds=(_COOLEST, _HOTTEST), method="bounded", options={"xatol": 1e-3})
    return round(float(np.exp(found.x)), 4)
