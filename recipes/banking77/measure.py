"""How good are the answers? Every figure that the model card states, from the answers alone.

Deliberately knows nothing about engines or files. Pure.
Invariant: thresholds and calibrations come from "validation" (or, where said, "fit"); figures come from "report".
"""

import math
import random
from collections.abc import Sequence
from typing import Any

import msgspec

from recipes.banking77.data import Message
from recipes.banking77.serve import Answer
from tierwise.core.threshold import Calibration
from tierwise.evals import calibrate
from tierwise.evals.cascade import Outcome, share, worth
from tierwise.evals.threshold import (
    MARGIN_CONFIDENCE,
    CascadeRow,
    Thresholds,
    apply_thresholds,
    fit_thresholds,
    keeps,
)

TARGET = 0.97
PLAIN_SCAN = 1e-9  # no margin: the interval's low end is the share itself
HALVES = 20  # random halves of validation for each seed

Figures = dict[str, Any]


def model_figures(validation: "Judged", report: "Judged") -> Figures:
    """Accuracy, calibration before and after the fit on validation, and time, for one model and seed."""
    fitted = validation.calibration()
    before = [math.exp(answer.logprob) for answer in report.answers]
    after = [calibrate.probability(fitted, answer.logprob) for answer in report.answers]
    took = sorted(answer.took_ms for answer in report.answers)
    return {
        "validation": validation.accuracy(),
        "report": report.accuracy(),
        "ece_before": calibrate.expected_calibration_error(before, report.right),
        "ece_after": calibrate.expected_calibration_error(after, report.right),
        "auroc": calibrate.auroc(before, report.right),
        "p50_ms": took[len(took) // 2],
        "p95_ms": took[int(len(took) * 0.95)],
    }


class Judged:
    """A model's answers to one part, beside what people said."""

    def __init__(self, answers: Sequence[Answer], rows: Sequence[Message]) -> None:
        self.answers = answers
        self.right = [answer.intent == row.label for answer, row in zip(answers, rows, strict=True)]

    def accuracy(self) -> Figures:
        """Share of right answers with its interval."""
        return msgspec.to_builtins(share(sum(self.right), len(self.right)))

    def calibration(self) -> Calibration:
        """Fit the two parameters on these answers."""
        return calibrate.fit([answer.logprob for answer in self.answers], self.right)


def pairs(small: Judged, larger: Judged) -> list[CascadeRow]:
    """Put both models' answers to each message side by side."""
    return [
        CascadeRow(small_right=a, small_logprob=x.logprob, larger_right=b, larger_logprob=y.logprob)
        for a, x, b, y in zip(small.right, small.answers, larger.right, larger.answers, strict=True)
    ]


def cascade_figures(rows: Sequence[CascadeRow], thresholds: Thresholds) -> Figures:
    """What the cascade does on ROWS: shares kept, accuracy of kept answers, of everything, and of a blind choice."""
    kept = apply_thresholds(rows, thresholds)
    figures = msgspec.to_builtins(worth([_outcome(row, thresholds) for row in rows]))
    figures["kept_small_right"] = msgspec.to_builtins(share(kept.small_right, kept.small))
    figures["thresholds"] = {"small": thresholds.small.logprob, "larger": thresholds.larger.logprob}
    return figures


def _outcome(row: CascadeRow, thresholds: Thresholds) -> Outcome:
    if keeps(thresholds.small, row.small_logprob):
        kept_by = "small"
    else:
        kept_by = "larger" if keeps(thresholds.larger, row.larger_logprob) else "left"
    return Outcome(small_right=row.small_right, larger_right=row.larger_right, kept_by=kept_by)


def margin_study(seeds: Sequence[Sequence[CascadeRow]]) -> list[Figures]:
    """Fit on one random half of validation and measure on the other, at several margins: what is over-promised?"""
    table = []
    for confidence in (PLAIN_SCAN, 0.5, 0.6, MARGIN_CONFIDENCE, 0.8):
        chance = random.Random("halves")
        kept = right = n = missed = 0
        for rows in seeds:
            for _ in range(HALVES):
                order = chance.sample(list(rows), len(rows))
                fit, rest = order[: len(order) // 2], order[len(order) // 2 :]
                found = apply_thresholds(rest, fit_thresholds(fit, TARGET, confidence))
                together = found.small + found.larger
                kept, right, n = kept + together, right + found.right, n + found.n
                missed += found.right < TARGET * together
        table.append(
            {
                "confidence": 0.0 if confidence == PLAIN_SCAN else confidence,
                "kept": kept / n,
                "right": right / kept,
                "missed": missed / (len(seeds) * HALVES),
            }
        )
    return table


def off_topic_figures(small: Sequence[Answer], larger: Sequence[Answer], thresholds: Thresholds) -> Figures:
    """Share of messages about something else that each model would keep."""
    by_small = [keeps(thresholds.small, answer.logprob) for answer in small]
    by_larger = [
        keeps(thresholds.larger, answer.logprob) and not first for answer, first in zip(larger, by_small, strict=True)
    ]
    n = len(small)
    return {"n": n, "kept_small": sum(by_small) / n, "kept_larger": sum(by_larger) / n}
