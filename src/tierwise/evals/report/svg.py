"""How is a plot drawn? Frames with axes, and marks on them, as SVG text that names classes and no colours.

Knows nothing of evidence. Invariant: text from outside is escaped here, and no `style` attribute is written, which the
page's content policy would refuse.
"""

import math
from collections.abc import Callable, Sequence
from html import escape

WIDTH = 440
LEFT, RIGHT, TOP, BOTTOM = 46, 14, 22, 38


def number(value: float) -> str:
    """Write a coordinate, to a tenth."""
    text = f"{value:.1f}"
    return text.removesuffix(".0")


def text(x: float, y: float, said: str, kind: str = "", anchor: str = "start") -> str:
    """Return a text; `kind` is a class."""
    named = f' class="{kind}"' if kind else ""
    return f'<text x="{number(x)}" y="{number(y)}" text-anchor="{anchor}"{named}>{escape(said)}</text>'


def line(points: Sequence[tuple[float, float]], kind: str) -> str:
    """Return an open line."""
    return f'<polyline class="{kind}" points="{_points(points)}"/>'


def area(points: Sequence[tuple[float, float]], kind: str) -> str:
    """Return a filled shape."""
    return f'<polygon class="{kind}" points="{_points(points)}"/>'


def rule(x1: float, y1: float, x2: float, y2: float, kind: str) -> str:
    """Return a straight line."""
    return f'<line x1="{number(x1)}" y1="{number(y1)}" x2="{number(x2)}" y2="{number(y2)}" class="{kind}"/>'


def box(x: float, y: float, wide: float, high: float, kind: str, title: str = "") -> str:
    """Return a rectangle; `title` shows under a pointer."""
    inner = f"<title>{escape(title)}</title>" if title else ""
    return (
        f'<rect x="{number(x)}" y="{number(y)}" width="{number(max(0.0, wide))}" height="{number(max(0.0, high))}" '
        f'class="{kind}">{inner}</rect>'
    )


def mark(x: float, y: float, series: int, title: str = "", size: float = 4.5) -> str:
    """Return a series' mark: its shape as well as its colour tell which it is."""
    inner = f"<title>{escape(title)}</title>" if title else ""
    kind = f"mark s{series % 8}"
    match series % 4:
        case 0:
            return f'<circle cx="{number(x)}" cy="{number(y)}" r="{size}" class="{kind}">{inner}</circle>'
        case 1:
            return (
                f'<rect x="{number(x - size + 0.5)}" y="{number(y - size + 0.5)}" width="{2 * size - 1}" '
                f'height="{2 * size - 1}" class="{kind}">{inner}</rect>'
            )
        case 2:
            corners = [(x, y - size - 1), (x + size + 0.5, y + size - 0.5), (x - size - 0.5, y + size - 0.5)]
        case _:
            corners = [(x, y - size - 1), (x + size + 1, y), (x, y + size + 1), (x - size - 1, y)]
    return f'<polygon points="{_points(corners)}" class="{kind}">{inner}</polygon>'


def picture(ident: str, title: str, told: str, height: float, inside: Sequence[str]) -> str:
    """Return a whole picture with its name and description for those who do not see it."""
    return (
        f'<svg viewBox="0 0 {WIDTH} {number(height)}" role="img" aria-labelledby="{ident}-t {ident}-d">'
        f'<title id="{ident}-t">{escape(title)}</title><desc id="{ident}-d">{escape(told)}</desc>'
        f"{''.join(inside)}</svg>"
    )


class Frame:
    """A field with two axes. Values outside of its spans are drawn at its edge."""

    def __init__(
        self,
        xs: tuple[float, float],
        ys: tuple[float, float],
        height: float = 250,
        *,
        log_x: bool = False,
        left: float = LEFT,
    ) -> None:
        self.height, self.left, self.right = height, left, WIDTH - RIGHT
        self.top, self.bottom = TOP, height - BOTTOM
        self.xs, self.ys, self.log_x = xs, ys, log_x

    def x(self, value: float) -> float:
        """Return where a value lies across."""
        low, high = self.xs
        if self.log_x:
            low, high, value = math.log(low), math.log(high), math.log(max(value, self.xs[0]))
        part = (value - low) / (high - low) if high > low else 0.5
        return self.left + min(1.0, max(0.0, part)) * (self.right - self.left)

    def y(self, value: float) -> float:
        """Return where a value lies up."""
        low, high = self.ys
        part = (value - low) / (high - low) if high > low else 0.5
        return self.bottom - min(1.0, max(0.0, part)) * (self.bottom - self.top)

    def across(self, ticks: Sequence[float], write: Callable[[float], str], name: str, *, grid: bool = False) -> str:
        """Return the axis below."""
        found = [rule(self.left, self.bottom, self.right, self.bottom, "axis")]
        for tick in ticks:
            x = self.x(tick)
            if grid:
                found.append(rule(x, self.top, x, self.bottom, "grid"))
            found.append(rule(x, self.bottom, x, self.bottom + 4, "axis"))
            anchor = "end" if x > self.right - 12 else "middle"
            found.append(text(min(x, self.right), self.bottom + 15, write(tick), "tick", anchor))
        found.append(text((self.left + self.right) / 2, self.height - 5, name, "name", "middle"))
        return "".join(found)

    def up(self, ticks: Sequence[float], write: Callable[[float], str], name: str) -> str:
        """Return the axis to the left, with its lines."""
        found = []
        for tick in ticks:
            y = self.y(tick)
            found.append(rule(self.left, y, self.right, y, "grid"))
            found.append(text(self.left - 5, y + 3.5, write(tick), "tick", "end"))
        found.append(text(0, 9, name, "name"))
        return "".join(found)


def ticks(low: float, high: float, count: int = 5) -> list[float]:
    """Return round values within a span, about so many."""
    if not high > low:
        return [low]
    raw = (high - low) / count
    scale = 10 ** math.floor(math.log10(raw))
    step = next((size * scale for size in (1, 2, 2.5, 5, 10) if size * scale >= raw), 10 * scale)
    first = math.ceil(low / step - 1e-9)
    return [round(at * step, 12) for at in range(first, math.floor(high / step + 1e-9) + 1)]


def decades(low: float, high: float) -> list[float]:
    """Return 1, 2 or 5 times the powers of ten within a span, few enough to be read."""
    every = [
        base * 10.0**power
        for power in range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
        for base in (1, 2, 5)
        if low <= base * 10.0**power <= high
    ]
    if len(every) > 7:
        every = [value for value in every if round(math.log10(value), 6).is_integer()]
    return every


def spread(places: Sequence[float], gap: float, low: float, high: float) -> list[float]:
    """Move labels apart until none lie nearer than `gap`, keeping their order and the span."""
    order = sorted(range(len(places)), key=lambda at: places[at])
    moved = list(places)
    floor = low
    for at in order:
        moved[at] = floor = max(moved[at], floor)
        floor += gap
    ceiling = high
    for at in reversed(order):
        moved[at] = ceiling = min(moved[at], ceiling)
        ceiling -= gap
    return moved


def _points(points: Sequence[tuple[float, float]]) -> str:
    return " ".join(f"{number(x)},{number(y)}" for x, y in points)
