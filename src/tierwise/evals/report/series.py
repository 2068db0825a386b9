"""What is plotted? Points and intervals, from evidence and card, without any drawing.

Invariant: claims come from the split that proves; confidences too, as a threshold that was tuned is judged elsewhere.
"""

import math
from collections import defaultdict
from collections.abc import Callable, Sequence

import msgspec
import numpy as np

from tierwise.evals.card import Card, Option
from tierwise.evals.evidence import Evidence, Observation
from tierwise.evals.measured import ANSWERING, credited, measure
from tierwise.evals.ways import Way, all_ways
from tierwise.statistics.interval import wilson
from tierwise.statistics.sequence import path

POINTS = 160
BINS = 10
MOST_PATHS = 3


class Point(msgspec.Struct, frozen=True, kw_only=True):
    """A place with an interval up and down; `n` rows stand behind it."""

    x: float
    y: float
    low: float
    high: float
    n: int


class Series(msgspec.Struct, frozen=True, kw_only=True):
    """What belongs to one subject or way; `number` is its colour and shape."""

    name: str
    number: int
    points: tuple[Point, ...] = ()
    values: tuple[float, ...] = ()


class Plotted(msgspec.Struct, frozen=True, kw_only=True):
    """Everything the plots need."""

    names: tuple[str, ...]
    latencies: tuple[Series, ...]
    agreement: tuple[tuple[str, ...], tuple[tuple[Point | None, ...], ...]]
    paths: tuple[Series, ...]
    calibration: tuple[Series, ...]
    risk: tuple[Series, ...]
    outcomes: tuple[tuple[str, dict[str, int]], ...]
    lengths: tuple[Series, ...]
    length_edges: tuple[int, ...]


def plotted(evidence: Evidence, card: Card) -> Plotted:
    """Return what is plotted."""
    header = evidence.header
    names = tuple(subject.name for subject in header.subjects)
    rows: dict[str, list[Observation]] = {name: [] for name in names}
    for row in evidence.observations:
        if row.split == "prove" and row.subject in rows:
            rows[row.subject].append(row)
    right = card.criteria.right_from
    labels = tuple((subject, rows[subject.name]) for subject in header.subjects)
    answers = {
        subject.name: [(row, (row.score or 0.0) >= right) for row in found if credited(subject, row)]
        for subject, found in labels
    }
    numbers = {name: at for at, name in enumerate(names)}
    edges = _edges([row.input_tokens for found in rows.values() for row in found if row.input_tokens is not None])
    return Plotted(
        names=names,
        latencies=tuple(
            Series(name=name, number=numbers[name], values=tuple(sorted(_timed(rows[name], card.criteria.concurrency))))
            for name in names
        ),
        agreement=_agreement(evidence, names, answers),
        paths=_paths(evidence, card, numbers),
        calibration=_each(answers, numbers, _calibration),
        risk=_each(answers, numbers, _risk),
        outcomes=tuple((option.subject, option.outcomes) for option in _subjects(card)),
        lengths=tuple(
            Series(name=name, number=numbers[name], points=_by_length(answers[name], edges)) for name in names if edges
        ),
        length_edges=edges,
    )


def _subjects(card: Card) -> list[Option]:
    return [*(option for option in card.options if option.behind is None), card.baseline]


def _timed(rows: Sequence[Observation], at_once: int) -> list[float]:
    timed = [row for row in rows if row.duration_ms is not None and row.outcome in ANSWERING]
    under = [row for row in timed if row.at_once >= at_once]
    return [row.duration_ms or 0.0 for row in (under or timed)]


Answers = list[tuple[Observation, bool]]


def _each(
    answers: dict[str, Answers], numbers: dict[str, int], make: Callable[[list[tuple[float, bool]]], tuple[Point, ...]]
) -> tuple[Series, ...]:
    found = []
    for name, rows in answers.items():
        sure = [(row.confidence, good) for row, good in rows if row.confidence is not None]
        if len(sure) >= 2 * BINS:
            found.append(Series(name=name, number=numbers[name], points=make(sure)))
    return tuple(found)


def _calibration(sure: list[tuple[float, bool]]) -> tuple[Point, ...]:
    """Return the share that is right in groups of like confidence, each of as many answers."""
    ordered = sorted(sure)
    found = []
    for part in np.array_split(np.arange(len(ordered)), BINS):
        group = [ordered[at] for at in part]
        good = sum(right for _, right in group)
        low, high = wilson(good, len(group))
        mean = sum(min(1.0, math.exp(min(0.0, value))) for value, _ in group) / len(group)
        found.append(Point(x=mean, y=good / len(group), low=low, high=high, n=len(group)))
    return tuple(found)


def _risk(sure: list[tuple[float, bool]]) -> tuple[Point, ...]:
    """Return the share that is wrong among the most confident, as ever more are accepted."""
    ordered = sorted(sure, key=lambda one: -one[0])
    wrong = np.cumsum([not good for _, good in ordered])
    counts = sorted({max(1, round(len(ordered) * at / POINTS)) for at in range(4, POINTS + 1)})
    found = []
    for count in counts:
        low, high = wilson(int(wrong[count - 1]), count)
        found.append(Point(x=count / len(ordered), y=float(wrong[count - 1] / count), low=low, high=high, n=count))
    return tuple(found)


def _agreement(
    evidence: Evidence, names: tuple[str, ...], answers: dict[str, Answers]
) -> tuple[tuple[str, ...], tuple[tuple[Point | None, ...], ...]]:
    """Return how often two subjects are right or wrong together, and how often people say what the scorer says."""
    said = {name: {(row.item, row.repeat): good for row, good in rows} for name, rows in answers.items()}
    people = {(one.subject, one.item, one.repeat): one.right for one in evidence.reviews if one.split == "prove"}
    columns = (*names, "people") if people else names
    table = []
    for name in names:
        line: list[Point | None] = [_shared(said[name], said[other]) for other in names]
        if people:
            own = {(item, repeat): good for (who, item, repeat), good in people.items() if who == name}
            line.append(_shared(said[name], own))
        table.append(tuple(line))
    return columns, tuple(table)


def _shared(one: dict[tuple[str, int], bool], other: dict[tuple[str, int], bool]) -> Point | None:
    both = one.keys() & other.keys()
    if not both:
        return None
    same = sum(one[key] == other[key] for key in both)
    low, high = wilson(same, len(both))
    return Point(x=0.0, y=same / len(both), low=low, high=high, n=len(both))


def _paths(evidence: Evidence, card: Card, numbers: dict[str, int]) -> tuple[Series, ...]:
    """Return the difference in the worst case after each item, with the band that holds at every look.

    Of a few ways only: the chosen one, then those that pass.
    """
    measured = measure(evidence, card.criteria.right_from)
    if not measured.items:
        return ()
    thresholds = {one.subject: one.threshold for one in card.options if one.threshold is not None}
    found = []
    ways = all_ways(measured, thresholds)
    rank = {option.name: (option.name != card.choice, not option.passed, at) for at, option in enumerate(card.options)}
    for way in sorted(ways, key=lambda way: rank[way.name])[:MOST_PATHS]:
        series = len(numbers) + list(thresholds).index(way.seen.subject.name) if way.cascade else numbers[way.name]
        found.append(Series(name=way.name, number=series, points=_path(way, measured.clusters.tolist(), card)))
    return tuple(found)


def _path(way: Way, clusters: list[int], card: Card) -> tuple[Point, ...]:
    values = np.clip(way.worst, -1.0, 1.0).tolist()
    steps = path(values, clusters, card.criteria.confidence, max(1, card.planned))
    kept = sorted({*range(0, len(steps), max(1, len(steps) // POINTS)), len(steps) - 1})
    return tuple(
        Point(x=n, y=mean, low=max(-1.0, low), high=min(1.0, high), n=n)
        for n, mean, low, high in (steps[at] for at in kept)
    )


def _edges(lengths: Sequence[int]) -> tuple[int, ...]:
    """Return where the fifths of the inputs' lengths begin and end; none where all are alike."""
    if not lengths:
        return ()
    edges = sorted({int(value) for value in np.quantile(lengths, (0, 0.2, 0.4, 0.6, 0.8, 1.0))})
    return tuple(edges) if len(edges) > 2 else ()


def _by_length(rows: Answers, edges: tuple[int, ...]) -> tuple[Point, ...]:
    groups: dict[int, list[bool]] = defaultdict(list)
    for row, good in rows:
        if row.input_tokens is not None:
            groups[min(len(edges) - 2, int(np.searchsorted(edges, row.input_tokens, "right")) - 1)].append(good)
    found = []
    for at, group in sorted(groups.items()):
        low, high = wilson(sum(group), len(group))
        found.append(Point(x=at, y=sum(group) / len(group), low=low, high=high, n=len(group)))
    return tuple(found)
