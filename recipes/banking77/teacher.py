"""How sure would a classic classifier be about this text? Linear support vector machines on TF-IDF, out of fold.

Deliberately knows nothing about the language models. Every training row is judged by the fold that never saw it,
so the soft answer carries real doubt about look-alike intents. Also holds the baseline that the card compares with.
Invariant: deterministic, no seed: folds follow row order, the solver starts from a fixed state.
"""

from collections.abc import Sequence

import numpy as np
import torch
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline, make_pipeline, make_union
from sklearn.svm import LinearSVC

from recipes.banking77.data import Message

FOLDS = 4
SHARPNESS = (2, 3, 4, 5, 6, 8)


def _features() -> object:
    words = TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True, token_pattern=r"(?u)\b\w+\b")
    letters = TfidfVectorizer(analyzer="char_wb", ngram_range=(2, 5), sublinear_tf=True, min_df=3)
    return make_union(words, letters)


def baseline(rows: Sequence[Message]) -> Pipeline:
    """Fit TF-IDF (words 1-2, characters 2-5) with logistic regression: the classic figure to compare with."""
    model = make_pipeline(_features(), LogisticRegression(C=30, max_iter=300))
    return model.fit([row.text for row in rows], [row.label for row in rows])


class Teacher:
    """Soft labels for (possibly distorted) training texts."""

    def __init__(self, rows: Sequence[Message], labels: Sequence[str]) -> None:
        truth = np.array([labels.index(row.label) for row in rows])
        texts = np.array([row.text for row in rows], dtype=object)
        self._fold = np.arange(len(rows)) % FOLDS
        self._models: list[Pipeline] = []
        scores = np.zeros((len(rows), len(labels)))
        for fold in range(FOLDS):
            seen, unseen = self._fold != fold, self._fold == fold
            model = make_pipeline(_features(), LinearSVC(C=0.5, random_state=0)).fit(texts[seen], truth[seen])
            scores[unseen] = model.decision_function(texts[unseen])
            self._models.append(model)
        self.accuracy = float((scores.argmax(-1) == truth).mean())
        self.sharpness = min(SHARPNESS, key=lambda k: _log_loss(scores * k, truth))

    def __call__(self, texts: Sequence[str], rows: Sequence[int]) -> torch.Tensor:
        """Probability of every intent for TEXTS, each made from the training row whose number stands beside it."""
        fold = self._fold[np.array(rows)]
        scores = np.empty((len(texts), len(self._models[0][-1].classes_)))
        for n, model in enumerate(self._models):
            mine = np.flatnonzero(fold == n)
            if len(mine):
                scores[mine] = model.decision_function([texts[at] for at in mine])
        return (torch.tensor(scores, dtype=torch.float32) * self.sharpness).softmax(-1)


def _log_loss(scores: np.ndarray, truth: np.ndarray) -> float:
    logs = torch.tensor(scores).log_softmax(-1)
    return float(-logs[torch.arange(len(truth)), torch.tensor(truth)].mean())
