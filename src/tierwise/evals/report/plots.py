"""How is each plot drawn? From points to pictures, one function each.

Every picture says in its description what it shows, and stands beside a table with the same numbers.
Invariant: whatever the evidence holds, a plot is drawn or left out; none fails.
"""

import math
from collections.abc import Sequence

from tierwise.evals.amounts import share, usd
from tierwise.evals.card import Card, Option
from tierwise.evals.report.series import Plotted, Point, Series
from tierwise.evals.report.svg import (
    WIDTH,
    Frame,
    area,
    box,
    decades,
    line,
    mark,
    number,
    picture,
    rule,
    spread,
    text,
    ticks,
)

CHARS = 22
RIGHT_ROOM = 8
TOP_ROOM = 12
OUTCOMES = (
    "answered", "timeout", "refusal", "truncated", "unparsed", "failed", "denied", "scorer_failed", "other_model",
    "unasked",
)  # fmt: skip


def short(name: str, limit: int = CHARS) -> str:
    """Return a name that fits beside a mark."""
    return name if len(name) <= limit else name[: limit - 1] + "…"


def percent(value: float) -> str:
    """Write a share on an axis."""
    return f"{round(value * 100, 6):g} %"


def money(value: float) -> str:
    """Write an amount on an axis."""
    return "0" if value == 0 else f"${value:.9f}".rstrip("0").rstrip(".")


def numbers(card: Card, names: Sequence[str]) -> dict[str, int]:
    """Return the colour of each way: a subject's place, and behind them those that hand on."""
    found = {name: at for at, name in enumerate(names)}
    for option in card.options:
        found.setdefault(option.name, len(found))
    return found


def quality_cost(card: Card, names: Sequence[str]) -> str:
    """Draw quality against cost: up and to the left is better; the line joins what nothing beats."""
    known = [one for one in (*card.options, card.baseline) if _drawable(one)]
    if not known:
        return ""
    colours = numbers(card, names)
    costs = [bound for one in known for bound in (one.cost_usd.low or 0.0, one.cost_usd.high or 0.0)]
    scores = [bound for one in known for bound in (one.quality.score.low or 0.0, one.quality.score.high or 0.0)]
    low, high = max(0.0, min(scores) - 0.02), min(1.0, max(scores) + 0.02)
    frame, marks, how = _cost_axis(costs, (low, high))
    inside = [
        frame.up(ticks(low, high), percent, "mean score"),
        frame.across(marks, money, f"US dollars an accepted task{how}"),
    ]
    base = card.baseline.quality.score.value
    if base is not None and base - card.criteria.margin >= low:
        y = frame.y(base - card.criteria.margin)
        inside += [rule(frame.left, y, frame.right, y, "limit"), text(frame.right, y + 12, "margin", "note", "end")]
    front = _frontier(known)
    inside.append(line([(frame.x(cost), frame.y(score)) for cost, score in front], "front"))
    spots = [(frame.x(one.cost_usd.value or 0.0), frame.y(one.quality.score.value or 0.0), one.name) for one in known]
    inside += _labels(frame, spots)
    for one in known:
        x, y = frame.x(one.cost_usd.value or 0.0), frame.y(one.quality.score.value or 0.0)
        colour = f"whisker s{colours[one.name] % 8}"
        inside.append(rule(frame.x(one.cost_usd.low or 0.0), y, frame.x(one.cost_usd.high or 0.0), y, colour))
        inside.append(rule(x, frame.y(one.quality.score.low or 0.0), x, frame.y(one.quality.score.high or 0.0), colour))
        inside.append(mark(x, y, colours[one.name], _spot(one), 5.5 if one.name == card.choice else 4.5))
    told = "; ".join(_spot(one) for one in known)
    return picture("qc", "Quality against cost", told, frame.height, inside)


def _cost_axis(costs: Sequence[float], scores: tuple[float, float]) -> tuple[Frame, list[float], str]:
    """Return a frame whose axis is in proportion where costs lie far apart and none may be nothing."""
    least, most = min(costs), max(costs) * 1.08 or 1e-6
    if least > 0 and most / least > 5:
        least, most = least / 1.5, most * 1.4
        return Frame((least, most), scores, 290, log_x=True), decades(least, most), ", logarithmic"
    return Frame((0.0, most), scores, 290), ticks(0, most, 4), ""


def _drawable(one: Option) -> bool:
    return one.cost_usd.value is not None and one.quality.score.value is not None


def _spot(one: Option) -> str:
    return (
        f"{one.name}: score {share(one.quality.score.value or 0.0)}, {usd(one.cost_usd.value or 0.0)} an accepted task"
    )


def _frontier(known: Sequence[Option]) -> list[tuple[float, float]]:
    found: list[tuple[float, float]] = []
    for cost, score in sorted((one.cost_usd.value or 0.0, -(one.quality.score.value or 0.0)) for one in known):
        if not found or -score > found[-1][1]:
            found.append((cost, -score))
    return found


def _labels(frame: Frame, spots: Sequence[tuple[float, float, str]]) -> list[str]:
    """Write names beside their marks, on the side with room, none over another, with a thread where they moved."""
    found = []
    ys = spread([y - 7 for _, y, _ in spots], 13, frame.top + 4, frame.bottom - 3)
    for (x, mark_y, name), y in zip(spots, ys, strict=True):
        right = x < (frame.left + frame.right) / 2
        side, moved = 1 if right else -1, abs(y - mark_y) > 12
        if moved:
            found.append(rule(x + 3 * side, mark_y, x + 11 * side, y - 4, "thread"))
        found.append(text(x + (13 if moved else 8) * side, y, short(name), "label", "start" if right else "end"))
    return found


def latency(card: Card, plotted: Plotted) -> str:
    """Draw how long answers took: a hill a subject, with its median and its slowest twentieth."""
    known = [one for one in plotted.latencies if one.values and one.values[-1] > 0]
    if not known:
        return ""
    least = min(max(0.01, one.values[0]) for one in known)
    most = max(one.values[-1] for one in known)
    limit = card.criteria.max_latency_ms_p95
    low, high = least / 1.3, max(most, limit or 0.0) * 1.3
    each = 44
    frame = Frame((low, high), (0, 1), 14 + each * len(known) + 40, log_x=True, left=8)
    inside = [frame.across(decades(low, high), _ms, "milliseconds an answer, logarithmic", grid=True)]
    if limit is not None:
        inside.append(rule(frame.x(limit), frame.top, frame.x(limit), frame.bottom, "limit"))
    told = []
    for at, one in enumerate(known):
        floor = frame.top + each * (at + 1) - 4
        values = one.values
        inside += [
            _hill(frame, one, floor, each - 16),
            text(frame.left, floor - each + 15, short(one.name, 40), "label"),
        ]
        inside.append(rule(frame.left, floor, frame.right, floor, "axis"))
        for share_, kind in ((0.5, "median"), (0.95, "tail")):
            value = values[max(0, math.ceil(share_ * len(values)) - 1)]
            inside.append(rule(frame.x(value), floor - each + 18, frame.x(value), floor, f"{kind} s{one.number % 8}"))
        p50, p95 = (values[max(0, math.ceil(q * len(values)) - 1)] for q in (0.5, 0.95))
        told.append(f"{one.name}: median {_ms(p50)} ms, 95 % within {_ms(p95)} ms")
    return picture("lat", "How long answers took", "; ".join(told), frame.height, inside)


def _hill(frame: Frame, one: Series, floor: float, height: float) -> str:
    """Draw a smoothed histogram over the logarithm."""
    steps = 72
    counts = [0.0] * (steps + 1)
    low, high = math.log(frame.xs[0]), math.log(frame.xs[1])
    for value in one.values:
        counts[round((math.log(max(value, frame.xs[0])) - low) / (high - low) * steps)] += 1
    smooth = [
        sum(counts[max(0, min(steps, at + off))] * weight for off, weight in ((-2, 1), (-1, 4), (0, 6), (1, 4), (2, 1)))
        for at in range(steps + 1)
    ]
    most = max(smooth) or 1.0
    across = [frame.left + (frame.right - frame.left) * at / steps for at in range(steps + 1)]
    points = [(x, floor - height * value / most) for x, value in zip(across, smooth, strict=True)]
    return area([(frame.left, floor), *points, (frame.right, floor)], f"hill s{one.number % 8}")


def _ms(value: float) -> str:
    return f"{value:,.0f}" if value >= 10 else f"{value:g}" if value in (0.1, 0.2, 0.5, 1, 2, 5) else f"{value:.2g}"


def agreement(plotted: Plotted) -> str:
    """Draw how often two are right or wrong on the same items."""
    columns, table = plotted.agreement
    if len(columns) < 2:
        return ""
    left, top = 110.0, 26.0
    cell = min(64.0, (WIDTH - left - RIGHT_ROOM) / len(columns))
    high = min(44.0, cell)
    inside, told = [], []
    for at, name in enumerate(columns):
        inside.append(text(left + cell * (at + 0.5), top - 8, short(name, max(4, int(cell / 6))), "tick", "middle"))
    for row, values in enumerate(table):
        name = columns[row]
        inside.append(text(left - 6, top + high * (row + 0.5) + 4, short(name, 16), "tick", "end"))
        for at, value in enumerate(values):
            x, y = left + cell * at, top + high * row
            if value is None:
                inside.append(box(x + 1, y + 1, cell - 2, high - 2, "empty"))
                continue
            part = max(0.06, (value.y - 0.5) * 2)
            inside.append(
                f'<rect x="{number(x + 1)}" y="{number(y + 1)}" width="{number(cell - 2)}" height="{number(high - 2)}" '
                f'class="cell" fill-opacity="{part * 0.75:.2f}"/>'
            )
            inside.append(text(x + cell / 2, y + high / 2 + 4, f"{value.y * 100:.0f}", "value", "middle"))
            if at > row:
                told.append(f"{name} and {columns[at]} agree on {share(value.y)}")
    return picture("agr", "Who agrees with whom", "; ".join(told), top + high * len(table) + 8, inside)


def sequential(card: Card, series: Series) -> str:
    """Draw one way's difference to the baseline as items came in, with the band that holds at every look."""
    points = series.points
    if not points:
        return ""
    margin = card.criteria.margin
    last = points[-1]
    reach = min(1.0, max(4 * margin, 2.2 * abs(last.low), 2.2 * abs(last.high), 0.04))
    frame = Frame((0, points[-1].x), (-reach, reach), 210)
    inside = [
        frame.up(
            ticks(-reach, reach, 4), lambda value: f"{value * 100:+.0f}" if value else "0", "points to the baseline"
        ),
        frame.across(ticks(0, points[-1].x, 4), lambda value: f"{value:,.0f}", "items seen"),
        area(
            [(frame.x(p.x), frame.y(p.high)) for p in points]
            + [(frame.x(p.x), frame.y(p.low)) for p in reversed(points)],
            f"band s{series.number % 8}",
        ),
        rule(frame.left, frame.y(0), frame.right, frame.y(0), "zero"),
        rule(frame.left, frame.y(-margin), frame.right, frame.y(-margin), "limit"),
        text(frame.right, frame.y(-margin) + 12, f"margin −{margin * 100:g}", "note", "end"),
        line([(frame.x(p.x), frame.y(p.y)) for p in points], f"path s{series.number % 8}"),
    ]
    crossed = next((p for p in points if p.low > -margin), None)
    if crossed is not None:
        inside += [
            rule(frame.x(crossed.x), frame.top, frame.x(crossed.x), frame.bottom, "event"),
            text(frame.x(crossed.x) + 4, frame.top + 9, f"shown at {crossed.n:,}", "note"),
        ]
    told = (
        f"{series.name}: after {last.n:,} items {last.y * 100:+.1f} points, between {last.low * 100:+.1f} and "
        f"{last.high * 100:+.1f} at every look"
    )
    return picture(f"seq{series.number}", f"{series.name} as items came in", told, frame.height, inside)


def calibration(plotted: Plotted) -> str:
    """Draw what confidence is worth: the share that is right among answers of like confidence."""
    known = plotted.calibration
    if not known:
        return ""
    low = math.floor(min(min(p.x, p.y) for one in known for p in one.points) * 10) / 10
    frame = Frame((low, 1), (low, 1), 290)
    inside = [
        frame.up(ticks(low, 1), percent, "right"),
        frame.across(ticks(low, 1), percent, "confidence of the answer"),
        rule(frame.x(low), frame.y(low), frame.x(1), frame.y(1), "zero"),
    ]
    told = []
    for one in known:
        kind = f"s{one.number % 8}"
        inside.append(line([(frame.x(p.x), frame.y(p.y)) for p in one.points], f"path {kind}"))
        for p in one.points:
            x = frame.x(p.x)
            inside += [
                rule(x, frame.y(p.low), x, frame.y(p.high), f"whisker {kind}"),
                mark(x, frame.y(p.y), one.number),
            ]
        off = sum(abs(p.x - p.y) * p.n for p in one.points) / sum(p.n for p in one.points)
        told.append(f"{one.name}: on average {share(off)} off")
    return picture("cal", "Confidence against the share that is right", "; ".join(told), frame.height, inside)


def risk(card: Card, plotted: Plotted) -> str:
    """Draw what accepting more costs in errors, with the point that is certified."""
    known = plotted.risk
    if not known:
        return ""
    most = min(1.0, max(max(p.high for p in one.points[6:] or one.points) for one in known) * 1.05)
    most = max(most, card.criteria.max_wrong * 1.6)
    frame = Frame((0, 1), (0, most), 290)
    inside = [
        frame.up(ticks(0, most), lambda v: f"{v * 100:g} %", "wrong among the accepted"),
        frame.across([0, 0.25, 0.5, 0.75, 1], percent, "share accepted, the surest first"),
        rule(frame.left, frame.y(card.criteria.max_wrong), frame.right, frame.y(card.criteria.max_wrong), "limit"),
    ]
    told = []
    for one in known:
        kind = f"s{one.number % 8}"
        band = [(frame.x(p.x), frame.y(p.high)) for p in one.points]
        band += [(frame.x(p.x), frame.y(p.low)) for p in reversed(one.points)]
        inside += [area(band, f"band {kind}"), line([(frame.x(p.x), frame.y(p.y)) for p in one.points], f"path {kind}")]
        end = one.points[-1]
        told.append(f"{one.name}: {share(end.y)} wrong where all are accepted")
    for option in card.options:
        gate = next((gate for gate in option.gates if gate.name == "certificate"), None)
        if option.behind is None or gate is None or gate.measured.value is None or option.share.value is None:
            continue
        x, y = frame.x(option.share.value), frame.y(gate.measured.value)
        at = plotted.names.index(option.subject)
        high = gate.measured.high if gate.measured.high is not None else gate.measured.value
        inside += [rule(x, y, x, frame.y(high), f"bound s{at % 8}"), mark(x, y, at, option.name, 6)]
        told.append(f"certified: {option.subject} on {share(option.share.value)}, at most {share(high)} wrong")
    inside.append(text(frame.x(0.3), frame.y(card.criteria.max_wrong) - 4, "promised at most", "note"))
    return picture("risk", "Errors among accepted answers", "; ".join(told), frame.height, inside)


def outcomes(plotted: Plotted) -> str:
    """Draw what kept calls from being answered, by class."""
    known = [(name, counts, sum(counts.values())) for name, counts in plotted.outcomes if counts]
    absent = [1 - counts.get("answered", 0) / total for _, counts, total in known]
    most = max(absent, default=0.0)
    if not most:
        return ""
    each, frame = 40.0, Frame((0, most * 1.15), (0, 1), TOP_ROOM + 40.0 * len(known) + 40, left=8)
    inside = [frame.across(ticks(0, most * 1.15, 4), lambda v: f"{v * 100:g} %", "without an answer", grid=True)]
    told = []
    for row, ((name, counts, total), part) in enumerate(zip(known, absent, strict=True)):
        y, so_far = frame.top + each * row, 0.0
        inside.append(text(frame.left, y + 10, f"{short(name, 40)}: {share(part)}", "label"))
        for outcome in OUTCOMES[1:]:
            if count := counts.get(outcome, 0):
                x, wide = frame.x(so_far), frame.x(so_far + count / total) - frame.x(so_far)
                inside.append(box(x, y + 15, wide, 13, f"o-{outcome}", f"{name}: {count:,} {outcome}"))
                so_far += count / total
        told.append(f"{name}: {share(part)} without an answer")
    return picture("out", "What became of the calls", "; ".join(told), frame.height, inside)


def lengths(plotted: Plotted) -> str:
    """Draw the share that is right by the length of the input."""
    known = [one for one in plotted.lengths if one.points]
    if not known:
        return ""
    edges = plotted.length_edges
    groups = len(edges) - 1
    low = max(0.0, min(p.low for one in known for p in one.points) - 0.03)
    frame = Frame((-0.5, groups - 0.5), (low, 1.0), 250)
    inside = [
        frame.up(ticks(low, 1.0), percent, "right"),
        frame.across(range(groups), lambda at: f"{edges[int(at)]}–{edges[int(at) + 1]}", "tokens of input"),
    ]
    for one in known:
        kind, off = f"s{one.number % 8}", (one.number - (len(known) - 1) / 2) * 5
        inside.append(line([(frame.x(p.x) + off, frame.y(p.y)) for p in one.points], f"path thin {kind}"))
        for p in one.points:
            x = frame.x(p.x) + off
            inside += [
                rule(x, frame.y(p.low), x, frame.y(p.high), f"whisker {kind}"),
                mark(x, frame.y(p.y), one.number),
            ]
    told = "; ".join(
        f"{one.name}: {share(one.points[0].y)} for the shortest, {share(one.points[-1].y)} for the longest"
        for one in known
    )
    return picture("len", "Right answers by the length of the input", told, frame.height, inside)


def costs(card: Card) -> str:
    """Draw what an accepted task costs, by what it is spent on."""
    known = [one for one in (*card.options, card.baseline) if one.cost_usd.value is not None]
    most = max((one.cost_usd.high or one.cost_usd.value or 0.0 for one in known), default=0.0)
    if not most:
        return ""
    each, left = 40.0, 8.0
    frame = Frame((0, most * 1.02), (0, 1), 12 + each * len(known) + 40, left=left)
    inside = [frame.across(ticks(0, most, 4), money, "US dollars an accepted task", grid=True)]
    told = []
    for row, one in enumerate(known):
        y, spent = frame.top + each * row, 0.0
        inside.append(text(left, y + 10, short(one.name, 44), "label"))
        parts = one.cost_parts
        for name, part in (
            ("attempts", parts.attempts),
            ("judge", parts.judge),
            ("review", parts.review),
            ("errors", parts.errors),
        ):
            amount = float(part or 0)
            title = f"{one.name}: {name} {usd(amount)}"
            inside.append(box(frame.x(spent), y + 15, frame.x(spent + amount) - frame.x(spent), 15, f"p-{name}", title))
            spent += amount
        if one.cost_usd.low is not None and one.cost_usd.high is not None:
            inside.append(rule(frame.x(one.cost_usd.low), y + 22.5, frame.x(one.cost_usd.high), y + 22.5, "error"))
        told.append(f"{one.name}: {usd(one.cost_usd.value or 0.0)}")
    return picture("cost", "What an accepted task costs", "; ".join(told), frame.height, inside)


def point(value: Point | None) -> str:
    """Write a point of a table."""
    return "–" if value is None else f"{share(value.y)} ({share(value.low)} to {share(value.high)}), {value.n:,}"
