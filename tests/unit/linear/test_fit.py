"""A model that is fitted: right, calm, the same every time, and blind to what it is judged on."""

import random

import numpy as np
import pytest
from scipy.optimize import minimize

from tests.unit.linear.samples import examples
from tierwise.linear.fit import FOLDS, STRENGTH, Example, Fitted, fit
from tierwise.linear.header import FORMAT, Header, Trained
from tierwise.linear.model import LinearModel, from_bytes
from tierwise.linear.words import FEATURES


def fitted(rows: list[Example]) -> Fitted:
    return fit(rows, lambda _told: None)


def model(found: Fitted) -> LinearModel:
    trained = Trained(dataset="", splits=("train",), rows=60, clusters=60)
    header = Header(
        format=FORMAT, tierwise="0", features=FEATURES, field="intent", labels=found.labels,
        temperature=found.temperature, penalty=found.penalty, trained=trained,
    )  # fmt: skip
    held = {"vocabulary": found.vocabulary, "bias": found.bias, "weights": found.weights}
    return LinearModel(header=header, **held)


def test_it_learns_what_words_decide() -> None:
    found = fitted(examples())
    assert sum(one.right for one in found.judged) == len(examples())
    told = from_bytes(model(found).to_bytes()).logprobs("where has my card gone")
    assert found.labels[int(told.argmax())] == "lost"


def test_the_same_rows_in_another_order_give_the_same_bytes() -> None:
    rows = examples()
    other = random.Random(7).sample(rows, k=len(rows))
    assert model(fitted(rows)).to_bytes() == model(fitted(other)).to_bytes()


def test_the_weights_are_those_that_another_solver_finds() -> None:
    """SciPy's L-BFGS-B on the same loss, in double precision."""
    rows = examples()
    found = fitted(rows)
    matrix = np.zeros((len(rows), len(found.vocabulary.keys)))
    for at, row in enumerate(sorted(rows, key=lambda one: (one.cluster, one.text, one.label))):
        places, values = found.vocabulary.row(row.text)
        np.add.at(matrix[at], places, values)
    truth = np.array([found.labels.index(one.label) for one in sorted(rows, key=lambda one: (one.cluster, one.text))])
    width = matrix.shape[1]

    def loss(flat: np.ndarray) -> float:
        weights, bias = flat[: 2 * width].reshape(width, 2), flat[2 * width :]
        scores = matrix @ weights + bias
        told = scores[np.arange(len(truth)), truth] - np.logaddexp(scores[:, 0], scores[:, 1])
        return float(-told.mean() + (weights**2).sum() / (2 * STRENGTH * len(truth)))

    def slope(flat: np.ndarray) -> np.ndarray:
        weights, bias = flat[: 2 * width].reshape(width, 2), flat[2 * width :]
        scores = matrix @ weights + bias
        chances = np.exp(scores - np.logaddexp(scores[:, 0], scores[:, 1])[:, None])
        chances[np.arange(len(truth)), truth] -= 1
        pull = matrix.T @ chances / len(truth) + weights / (STRENGTH * len(truth))
        return np.concatenate([pull.ravel(), chances.mean(axis=0)])

    oracle = minimize(loss, np.zeros(2 * width + 2), jac=slope, method="L-BFGS-B", options={"maxiter": 1000})
    ours = np.concatenate([(found.weights * found.temperature).ravel(), found.bias * found.temperature])
    assert loss(ours.astype(np.float64)) == pytest.approx(oracle.fun, rel=0.01)


def test_what_cannot_be_learned_is_not_taken_for_known() -> None:
    """Labels drawn by lot: rows that were not seen are right by chance only, and confidence says so."""
    lot = random.Random(3)
    rows = [
        Example(text=f"word{lot.randrange(30)} word{lot.randrange(30)}", label=lot.choice("ab"), cluster=str(at))
        for at in range(300)
    ]
    found = fitted(rows)
    right = sum(one.right for one in found.judged) / len(rows)
    assert 0.35 < right < 0.65
    assert sum(one.said for one in found.judged) / len(rows) < 0.65


def test_rows_of_one_cluster_do_not_vouch_for_each_other() -> None:
    """Each cluster repeats one sentence with a label by lot: right on the others only if a fold held its twin."""
    lot = random.Random(5)
    said = [(f"case{at} item{at}", lot.choice("ab")) for at in range(100)]
    alone = [Example(text=text, label=label, cluster=f"{text} {copy}") for text, label in said for copy in range(4)]
    together = [Example(text=text, label=label, cluster=text) for text, label in said for _ in range(4)]
    assert sum(one.right for one in fitted(alone).judged) > 350
    assert sum(one.right for one in fitted(together).judged) < 260


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        ([], "0 rows"),
        (examples()[:10], "10 rows with 1 labels"),
        (
            [Example(text=chr(0x4E00 + at), label=str(at % 2), cluster=str(at)) for at in range(40)],
            "no word occurs in two",
        ),
    ],
)
def test_too_little_to_learn_from_is_said(rows: list[Example], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        fitted(rows)


def test_every_fold_and_the_whole_are_told() -> None:
    told: list[str] = []
    fit(examples(), told.append)
    assert len(told) == FOLDS + 1
