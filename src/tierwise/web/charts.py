"""How does a chart of the pages look? Bars and lines over time, as SVG with classes, named for those who do not see it.

Pure. Knows no data source. Invariant: what comes from outside is escaped, and nothing is drawn that has no number.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from html import escape

import msgspec
from markupsafe import Markup

from tierwise.evals.report import svg

WIDE, HIGH = 460, 170
LEFT, RIGHT, TOP, BOTTOM = 58, 8, 10, 24
NAMES, LONGEST_NAME = 128, 20


class Span(msgspec.Struct, frozen=True, kw_only=True):
    """What is shown across: from a Unix time, so many steps of so many seconds."""

    begin: float
    step_s: int
    steps: int

    @property
    def first(self) -> int:
        """The number of the first step."""
        return int(self.begin // self.step_s)

    def times(self) -> range:
        """Return the numbers of the steps."""
        return range(self.first, self.first + self.steps)


Write = Callable[[float], str]


def stacked(title: str, told: str, span: Span, parts: Mapping[str, Mapping[int, float]], write: Write) -> Markup:
    """Draw bars over time, one part on the other, in the order that is given; the classes are `t-NAME`."""
    top = max((sum(values.get(at, 0) for values in parts.values()) for at in span.times()), default=0) or 1
    frame = _Frame(span, top)
    wide = frame.step * 0.82
    drawn = []
    for at in span.times():
        low = 0.0
        for name, values in parts.items():
            value = values.get(at, 0)
            if not value:
                continue
            x, y = frame.x(at) + frame.step * 0.09, frame.y(low + value)
            said = f"{_moment(at * span.step_s, span)}: {write(value)} {name}"
            drawn.append(svg.box(x, y, wide, frame.y(low) - y, f"bar t-{_class(name)}", said))
            low += value
    return frame.picture(title, told, [frame.axes(write), *drawn])


def lines(title: str, told: str, span: Span, parts: Mapping[str, Mapping[int, float]], write: Write) -> Markup:
    """Draw a line for each part; a step without a value interrupts it. The classes are `l-NUMBER`."""
    top = max((value for values in parts.values() for value in values.values()), default=0) or 1
    frame = _Frame(span, top)
    drawn = []
    for number, values in enumerate(parts.values()):
        run: list[tuple[float, float]] = []
        for at in (*span.times(), None):
            if at is not None and at in values:
                run.append((frame.x(at) + frame.step / 2, frame.y(values[at])))
                continue
            if run:
                drawn.append(svg.line(run, f"path l-{number}") if len(run) > 1 else _dot(run[0], number))
            run = []
    for at in span.times():
        said = "; ".join(f"{name} {write(values[at])}" for name, values in parts.items() if at in values)
        over = f"{_moment(at * span.step_s, span)}: {said}"
        drawn += [svg.box(frame.x(at), TOP, frame.step, frame.bottom - TOP, "hit", over)] if said else []
    return frame.picture(title, told, [frame.axes(write), *drawn])


class Band(msgspec.Struct, frozen=True, kw_only=True):
    """An interval with its middle, under a name; `kind` is how it stands to what is asked: good, bad, or neither."""

    name: str
    low: float
    high: float
    value: float | None = None
    kind: str = ""


def intervals(title: str, told: str, bands: Sequence[Band], rules: Mapping[str, float], write: Write) -> Markup:
    """Draw intervals below each other over one axis, with upright lines where something is asked."""
    ends = [0.0, *rules.values(), *(end for one in bands for end in (one.low, one.high))]
    wide = max(ends) - min(ends) or 1.0
    high = 34 + 26 * len(bands) + BOTTOM
    frame = svg.Frame((min(ends) - 0.04 * wide, max(ends) + 0.04 * wide), (0, 1), high, left=NAMES)
    drawn = [frame.across(svg.ticks(*frame.xs, 5), write, title, grid=True)]
    for name, at in rules.items():
        drawn.append(svg.rule(frame.x(at), frame.top, frame.x(at), frame.bottom, "asked"))
        drawn.append(svg.text(frame.x(at), frame.top - 6, name, "tick", "middle"))
    for number, one in enumerate(bands):
        y = frame.top + 16 + 26 * number
        said = f"{one.name}: {write(one.low)} to {write(one.high)}"
        x, end = frame.x(one.low), frame.x(one.high)
        drawn.append(svg.text(NAMES - 8, y + 4, _short(one.name), "row", "end"))
        drawn.append(svg.box(x, y - 3, max(2.0, end - x), 6, f"extent {_class(one.kind)}", said))
        if one.value is not None:
            drawn.append(svg.rule(frame.x(one.value), y - 8, frame.x(one.value), y + 8, f"middle {_class(one.kind)}"))
    ident = _class(title.lower())
    return Markup(  # noqa: S704  # made of escaped parts
        f'<svg viewBox="0 0 {svg.WIDTH} {high}" role="img" aria-labelledby="{ident}-t {ident}-d" class="chart">'
        f'<title id="{ident}-t">{escape(title)}</title><desc id="{ident}-d">{escape(told)}</desc>'
        f"{''.join(drawn)}</svg>"
    )


def _short(name: str) -> str:
    return name if len(name) <= LONGEST_NAME else f"{name[: LONGEST_NAME - 1]}…"


class Curve(msgspec.Struct, frozen=True, kw_only=True):
    """A line through points, each `(across, up, lowest, highest)`: between the last two lies what it may be."""

    points: tuple[tuple[float, float, float, float], ...]
    kind: str


class Spot(msgspec.Struct, frozen=True, kw_only=True):
    """What is told of a place across: a mark at a height, or without one a line from top to bottom with its name."""

    across: float
    told: str
    up: float | None = None
    kind: str = ""


class Field(msgspec.Struct, frozen=True, kw_only=True):
    """How far a plane of curves reaches, and how its numbers are written."""

    across: float
    up: float
    write_across: Write
    write_up: Write


PLANE_WIDE, PLANE_HIGH = 920, 340


def plane(
    title: str, told: str, field: Field, curves: Sequence[Curve], spots: Sequence[Spot], hits: Sequence[Spot] = ()
) -> Markup:
    """Draw curves over a number, with their bands behind them; `hits` tell what is under a pointer, from each on."""
    left, right, top, bottom = 88, PLANE_WIDE - 14, 30, PLANE_HIGH - 40
    ups, acrosses = svg.ticks(0, field.up, 5), svg.ticks(0, field.across, 6)

    def x(value: float) -> float:
        return left + min(1.0, max(0.0, value / field.across)) * (right - left)

    def y(value: float) -> float:
        return bottom - value / field.up * (bottom - top)

    ident = _class(title.lower())
    inside = []
    for tick in ups:
        if tick <= field.up:
            inside.append(svg.rule(left, y(tick), right, y(tick), "grid"))
            inside.append(svg.text(left - 8, y(tick) + 4, field.write_up(tick), "tick", "end"))
    inside += [
        svg.text(x(tick), bottom + 18, field.write_across(tick), "tick", "end" if x(tick) > right - 20 else "middle")
        for tick in acrosses
        if tick <= field.across
    ]
    drawn = [svg.area(shape, f"band {one.kind}") for one in curves if (shape := _band(one, x, y))]
    drawn += [svg.line([(x(at), y(up)) for at, up, _, _ in one.points], f"path {one.kind}") for one in curves]
    hole = f'<rect x="{left}" y="{top}" width="{right - left}" height="{bottom - top}"/>'
    inside.append(f'<clipPath id="{ident}-c">{hole}</clipPath><g clip-path="url(#{ident}-c)">{"".join(drawn)}</g>')
    upright = sorted((one for one in spots if one.up is None), key=lambda one: one.across)
    for number, one in enumerate(upright):  # of two that are near to each other, each is named on its own side
        to_left = x(one.across) > right - 170 or (len(upright) > 1 and number == 0 and x(one.across) > left + 170)
        inside.append(svg.rule(x(one.across), top, x(one.across), bottom, f"rule {one.kind}"))
        place = x(one.across) + (-6 if to_left else 6)
        inside.append(svg.text(place, top - 7, one.told, "note", "end" if to_left else "start"))
    ends = [*(x(one.across) for one in hits[1:]), right]
    inside += [
        svg.box(x(one.across), top, end - x(one.across), bottom - top, "hit", one.told)
        for one, end in zip(hits, ends, strict=False)
    ]
    inside += [
        f'<circle cx="{svg.number(x(one.across))}" cy="{svg.number(y(one.up))}" r="4.5" class="spot {one.kind}">'
        f"<title>{escape(one.told)}</title></circle>"
        for one in spots
        if one.up is not None and one.up <= field.up
    ]
    return _picture(ident, title, told, (PLANE_WIDE, PLANE_HIGH), inside)


def _band(curve: Curve, x: Callable[[float], float], y: Callable[[float], float]) -> list[tuple[float, float]]:
    """Return the outline of what a curve may be; nothing where it is exact."""
    if all(low == high for _, _, low, high in curve.points):
        return []
    upper = [(x(at), y(high)) for at, _, _, high in curve.points]
    return upper + [(x(at), y(low)) for at, _, low, _ in reversed(curve.points)]


class _Frame:
    def __init__(self, span: Span, top: float) -> None:
        self.span, self.ticks = span, svg.ticks(0, top, 4)
        self.top = max(top, self.ticks[-1])
        self.step = (WIDE - LEFT - RIGHT) / span.steps
        self.bottom = HIGH - BOTTOM

    def x(self, at: int) -> float:
        return LEFT + (at - self.span.first) * self.step

    def y(self, value: float) -> float:
        return self.bottom - value / self.top * (self.bottom - TOP)

    def axes(self, write: Write) -> str:
        found = []
        for tick in self.ticks:
            found.append(svg.rule(LEFT, self.y(tick), WIDE - RIGHT, self.y(tick), "grid"))
            found.append(svg.text(LEFT - 6, self.y(tick) + 3.5, write(tick), "tick", "end"))
        every = max(1, self.span.steps // 6)
        for at in list(self.span.times())[::every]:
            found.append(svg.text(self.x(at), HIGH - 7, _moment(at * self.span.step_s, self.span), "tick"))  # noqa: PERF401
        return "".join(found)

    def picture(self, title: str, told: str, inside: Sequence[str]) -> Markup:
        return _picture(_class(title.lower()), title, told, (WIDE, HIGH), inside)


def _picture(ident: str, title: str, told: str, size: tuple[int, int], inside: Sequence[str]) -> Markup:
    kind = "chart plane" if size[0] == PLANE_WIDE else "chart"
    return Markup(  # noqa: S704  # made of escaped parts
        f'<svg viewBox="0 0 {size[0]} {size[1]}" role="img" aria-labelledby="{ident}-t {ident}-d" class="{kind}">'
        f'<title id="{ident}-t">{escape(title)}</title><desc id="{ident}-d">{escape(told)}</desc>'
        f"{''.join(inside)}</svg>"
    )


def _class(name: str) -> str:
    """Return a name as a class or an id can carry it."""
    return "".join(character for character in name if character.isascii() and (character.isalnum() or character == "-"))


def _dot(place: tuple[float, float], number: int) -> str:
    x, y = place
    return f'<circle cx="{svg.number(x)}" cy="{svg.number(y)}" r="3" class="dot l-{number}"></circle>'


def _moment(ts: float, span: Span) -> str:
    """Write the time of a step: that of the day where all of it is of a day."""
    at = datetime.fromtimestamp(ts, UTC)
    return f"{at:%H:%M}" if span.step_s * span.steps <= 2 * 86_400 else f"{at:%b} {at.day}"
