"""Do certificates hold? On recorded outcomes. Run: scripts/bench certificates [--data ../shared/data/routing]

Of each table of outcomes, the best model and the one in the middle. What is certified is how sure one may be of an
answer: by the agreement of sampled answers where they were recorded; by how the other models fared on the same question
where there are many (it stands in for a verifier); else by how the model fared on questions of the same kind, in a part
of the table that is used for nothing else.

Resplits: the questions are split anew each time, by their key; a fifth chooses thresholds, two fifths prove them.
Draws: the table is taken for all there is, and 3,000 questions are drawn from it, a third of them to choose; so there
are as many as a proof of one percent takes, and none is promised more than it was drawn from. A certificate holds if
the risk over the whole table is at most what it says. One that accepts nothing holds too, so the share of those that
were issued is told. `naive` is what comes of taking the loosest threshold that looks good enough. `rest` counts the
certificates for which the two fifths that nobody used show more wrong answers than promised: these are few answers, so
chance alone makes some. Ends with 1 where fewer than 95 of 100 certificates hold, at any risk, for any model, with
either guarantee.
"""

import argparse
import hashlib
import json
import math
import sys
from collections import Counter
from collections.abc import Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple, get_args

import duckdb
import msgspec
import numpy as np
from numpy.typing import NDArray

from tierwise.core.criteria import Guarantee
from tierwise.statistics.certify import Labelled, certify, thresholds_from

RISKS = (0.01, 0.02, 0.05, 0.1)
GUARANTEES: tuple[Guarantee, ...] = get_args(Guarantee)
HELD = 0.95
MANY, DRAWN = 5, 3000
DATA = Path(__file__).resolve().parents[1].parent / "shared" / "data" / "routing"


@dataclass(frozen=True, kw_only=True)
class Subject:
    """A model's answers in one table, by question."""

    table: str
    place: str
    signal: str
    questions: tuple[tuple[Labelled, ...], ...]

    @cached_property
    def answers(self) -> NDArray[np.float64]:
        """Confidence, whether wrong, weight and question of each answer; all answers to a question weigh one."""
        rows = [
            (-math.inf if row.confidence is None else row.confidence, row.wrong, 1 / len(rows), at)
            for at, rows in enumerate(self.questions)
            for row in rows
        ]
        return np.array(rows).T

    def risk(self, threshold: float, guarantee: Guarantee, among: Sequence[int] | None = None) -> float:
        """Return what the guarantee speaks of, over all questions or some."""
        confidence, wrong, weight, question = self.answers
        if among is not None:
            weight = weight * np.isin(question, among)
        kept = weight * (confidence >= threshold)
        of = kept if guarantee == "wrong_given_accepted" else weight
        return float((kept * wrong).sum() / max(1e-12, of.sum()))


def subjects(data: Path) -> list[Subject]:
    """Read all tables."""
    return [subject for file in sorted(data.glob("*.parquet")) for subject in _table(file)]


def _table(file: Path) -> Iterable[Subject]:
    about = duckdb.read_parquet(str(file))
    samples = "sample_answers" if "sample_answers" in about.columns else "NULL"
    rows = about.project(f"model, task, task || split_key, score, {samples}").fetchall()
    models: dict[str, list[tuple[Any, ...]]] = {}
    for model, *row in rows:
        models.setdefault(model, []).append(tuple(row))
    sampled = {model: found for model, found in models.items() if any(len(_samples(row)) > 1 for row in found)}
    able = sorted(sampled or models, key=lambda model: (-float(np.mean([row[2] for row in models[model]])), model))
    for place, model in {"best": able[0], "middle": able[len(able) // 2]}.items():
        if sampled:
            signal, answers = "samples", _agreement(models[model])
        elif len(models) >= MANY:
            others = [row for name, found in models.items() if name != model for row in found]
            signal, answers = "peers", _peers(models[model], others)
        else:
            signal, answers = "kind", _kind(models[model])
        questions: dict[str, list[Labelled]] = {}
        for at, (key, confidence, score) in enumerate(answers):
            row = Labelled(confidence=confidence, wrong=score < 0.5, cluster=key, item=str(at))
            questions.setdefault(key, []).append(row)
        yield Subject(table=file.stem, place=place, signal=signal, questions=tuple(map(tuple, questions.values())))


def _samples(row: tuple[Any, ...]) -> list[str]:
    return json.loads(row[3]) if row[3] else []


def _agreement(rows: Iterable[tuple[Any, ...]]) -> Iterable[tuple[str, float | None, float]]:
    for row in rows:
        said = Counter(_samples(row))
        yield row[1], max(said.values()) / said.total() if said else None, row[2]


def _peers(rows: Iterable[tuple[Any, ...]], others: Iterable[tuple[Any, ...]]) -> Iterable[tuple[str, float, float]]:
    scores: dict[str, list[float]] = {}
    for _, key, score, _ in others:
        scores.setdefault(key, []).append(score)
    return [(key, float(np.mean(scores.get(key, [0.0]))), score) for _, key, score, _ in rows]


def _kind(rows: Sequence[tuple[Any, ...]]) -> Iterable[tuple[str, float, float]]:
    """A third of the questions, by a hash, tells how sure to be; only the others are answered."""
    aside = [hashlib.sha256(key.encode()).digest()[0] % 3 == 0 for _, key, _, _ in rows]
    told: dict[str, list[float]] = {}
    for (task, _, score, _), used in zip(rows, aside, strict=True):
        if used:
            told.setdefault(task, []).append(score)
    known = {task: (sum(scores) + 1) / (len(scores) + 2) for task, scores in told.items()}
    return [
        (key, known.get(task, 0.5), score) for (task, key, score, _), used in zip(rows, aside, strict=True) if not used
    ]


class Job(NamedTuple):
    """So many splits of a subject's questions."""

    subject: Subject
    manner: str
    begin: int
    end: int
    seed: int


def tried(job: Job) -> Counter[str]:
    """Count what became of a subject's certificates."""
    found: Counter[str] = Counter()
    for number in range(job.begin, job.end):
        tune, prove, rest = _parted(job, np.random.default_rng((job.seed, number)))
        confidence = np.array([-math.inf if row.confidence is None else row.confidence for row in tune + prove])
        wrong = np.array([row.wrong for row in tune + prove])
        for guarantee in GUARANTEES:
            steps = thresholds_from(tune, guarantee=guarantee, proving=len({row.cluster for row in prove}))
            for risk in RISKS:
                name = f"{job.manner}_{guarantee}_{risk:g}"
                naive = _naive(confidence, wrong, steps, risk, guarantee)
                found[f"{name}_naive"] += naive is not None and job.subject.risk(naive, guarantee) > risk
                certified = certify(prove, steps, risk, guarantee=guarantee)
                found[f"{name}_proved_on"] += certified.n
                if certified.threshold is None:
                    continue
                found[f"{name}_issued"] += 1
                found[f"{name}_accepted"] += certified.accepted
                found[f"{name}_broken"] += job.subject.risk(certified.threshold, guarantee) > risk
                found[f"{name}_rest"] += rest is not None and (
                    job.subject.risk(certified.threshold, guarantee, rest) > risk
                )
    return found


def _parted(job: Job, rng: np.random.Generator) -> tuple[list[Labelled], list[Labelled], list[int] | None]:
    """Return rows to choose thresholds on, rows to prove them on, and the questions that are left."""
    questions, size = job.subject.questions, len(job.subject.questions)
    if job.manner == "resplits":
        order = rng.permutation(size).tolist()
        tune, prove, rest = order[: size // 5], order[size // 5 : size * 3 // 5], order[size * 3 // 5 :]
        return [row for at in tune for row in questions[at]], [row for at in prove for row in questions[at]], rest
    drawn = [
        msgspec.structs.replace(row, cluster=f"{row.cluster} {copy}")
        for copy, at in enumerate(rng.integers(size, size=DRAWN).tolist())
        for row in questions[at]
    ]
    first = next(at for at, row in enumerate(drawn) if row.cluster.endswith(f" {DRAWN // 3}"))
    return drawn[:first], drawn[first:], None


def _naive(
    confidence: NDArray[np.float64], wrong: NDArray[np.bool_], steps: Sequence[float], risk: float, guarantee: Guarantee
) -> float | None:
    """Take the loosest threshold whose share of wrong answers, on the rows it was chosen on, is what was asked for."""
    for step in reversed(steps):
        kept = confidence >= step
        if (kept & wrong).sum() <= risk * (kept.sum() if guarantee == "wrong_given_accepted" else len(wrong)):
            return step
    return None


def main(words: Iterable[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=DATA, help="a folder of tables: task, split_key, model, score")
    parser.add_argument("--resplits", type=int, default=1000)
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--seed", type=int, default=6)
    parser.add_argument("--json", action="store_true", help="only the figures, on one line")
    options = parser.parse_args(None if words is None else list(words))
    models = subjects(options.data) if options.data.is_dir() else []
    if not models:
        print(f"no tables of outcomes in {options.data}: name their folder with --data", file=sys.stderr)
        return 2
    figures, missed = measured(models, options.resplits, options.seed, options.processes)
    print(json.dumps(figures | {"seed": options.seed, "missed": missed}, indent=None if options.json else 1))
    return 1 if missed else 0


def measured(models: Sequence[Subject], resplits: int, seed: int, processes: int) -> tuple[dict[str, Any], list[str]]:
    """Return the figures, and the certificates that do not hold often enough."""
    drawn = [subject for subject in models if subject.place == "best" and len(subject.questions) >= 100]
    jobs = [
        Job(subject, manner, begin, min(begin + 50, resplits), seed)
        for manner, chosen in (("resplits", models), ("draws", drawn))
        for subject in chosen
        for begin in range(0, resplits, 50)
    ]
    if processes > 1:
        with ProcessPoolExecutor(processes) as pool:
            counts = list(pool.map(tried, jobs))
    else:
        counts = [tried(job) for job in jobs]
    figures: dict[str, Any] = {"resplits": resplits, "models": len(models), "models_drawn_from": len(drawn)}
    missed: list[str] = []
    for manner in ("resplits", "draws"):
        by_model: dict[str, Counter[str]] = {}
        for job, count in zip(jobs, counts, strict=True):
            if job.manner == manner:
                name = f"{job.subject.table} {job.subject.place} {job.subject.signal}"
                by_model.setdefault(name, Counter()).update(count)
        for guarantee in GUARANTEES:
            for risk in RISKS:
                told, held = _told(f"{manner}_{guarantee}_{risk:g}", by_model, resplits)
                figures |= told
                missed += [] if held else [f"{manner} {guarantee} {risk:g}"]
    return figures, missed


def _told(name: str, by_model: dict[str, Counter[str]], resplits: int) -> tuple[dict[str, Any], bool]:
    held = {model: 1 - count[f"{name}_broken"] / resplits for model, count in by_model.items()}
    total: Counter[str] = sum(by_model.values(), Counter())
    issued, runs = total[f"{name}_issued"], resplits * max(1, len(by_model))
    least = min(held, key=lambda model: held[model], default="")
    slack = (
        0.0 if resplits >= 1000 else 3 * math.sqrt(HELD * (1 - HELD) / resplits)
    )  # few runs cannot show what many do
    return {
        f"{name}_held_least": round(held.get(least, 1.0), 4),
        f"{name}_held_least_in": least,
        f"{name}_issued": round(issued / runs, 4),
        f"{name}_models_issued": sum(count[f"{name}_issued"] > 0 for count in by_model.values()),
        f"{name}_accepted": round(total[f"{name}_accepted"] / max(1, total[f"{name}_proved_on"]), 4),
        f"{name}_rest": round(total[f"{name}_rest"] / max(1, issued), 4),
        f"{name}_naive": round(total[f"{name}_naive"] / runs, 4),
    }, held.get(least, 1.0) >= HELD - slack


if __name__ == "__main__":
    sys.exit(main())
