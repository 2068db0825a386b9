"""How does the way of one call look? Label, candidates that fan out, attempts, outcome: one picture, as SVG.

Pure. Says nothing that the record does not; the same in words stands beside it, for those who do not see it.
Invariant: what comes from outside is escaped, and a failed attempt never looks like a good one.
"""

import itertools
import textwrap
from html import escape

import msgspec
from markupsafe import Markup

from tierwise.core.decision import AttemptRecord, CandidateRecord, Decision
from tierwise.evals.report import svg
from tierwise.web import words

MOST_ROWS = 14
ROW, GAP, LINE = 46.0, 10.0, 16.0
LABEL_X, LABEL_W = 0.0, 196.0
ROWS_X, ROWS_W = 256.0, 320.0
TRIED_X, TRIED_W = 640.0, 330.0
END_X, END_W = 1034.0, 176.0
WIDE = END_X + END_W + 1
CHAR = 6.8
"""How wide a letter is, on average, at the size of the text: what is longer is cut, and whole under a pointer."""
KINDS = {"ok": "good", "escalate": "part", "cancelled": "part", "": ""}
WELL = {"answered": "good", "flagged": "part", "review": "part", "cancelled": "part", "pending": "", "dry_run": ""}


class Box(msgspec.Struct, frozen=True, kw_only=True):
    """A station: where it stands, how it went, its lines, the first of them its name."""

    x: float
    y: float
    wide: float
    lines: tuple[str, ...]
    kind: str = ""
    tier: str = ""
    whole: str = ""

    @property
    def high(self) -> float:
        """How high it is."""
        return len(self.lines) * LINE + 14

    @property
    def middle(self) -> float:
        """Where lines reach it."""
        return self.y + self.high / 2

    def drawn(self) -> str:
        """Return it as SVG."""
        most = int((self.wide - 20) / CHAR)
        text = [
            svg.text(self.x + 12, self.y + 19 + place * LINE, cut(said, most), "name" if place == 0 else "")
            for place, said in enumerate(self.lines)
        ]
        edge = f"edge {self.kind}" + (f" t-{self.tier}" if self.tier else "")
        whole = f"<title>{escape(self.whole)}</title>" if self.whole else ""
        parts = (svg.box(self.x, self.y, self.wide, self.high, "node"), svg.box(self.x, self.y, 4, self.high, edge))
        return f"<g>{whole}{''.join((*parts, *text))}</g>"


def cut(text: str, most: int) -> str:
    """Return a text no longer than so many letters."""
    return text if len(text) <= most else text[: most - 1].rstrip() + "…"


def kind_of(attempt: AttemptRecord) -> str:
    """Say how an attempt went: `good`, `bad`, `part` where there was an answer that did not do, else empty."""
    if attempt.verdict == "ok" and attempt.gate is not None and attempt.gate.verdict == "fail":
        return "part"
    return KINDS.get(attempt.verdict, "bad") or ("bad" if attempt.error else "")


def picture(decision: Decision, told: str) -> Markup:
    """Draw the way of a call; `told` is what it says to those who do not see it."""
    rows, more = _rows(decision)
    tried = _tried(decision)
    high = max(
        (len(rows) + bool(more)) * (ROW + GAP), sum(box.high + 22 for box in tried) - 22, 190.0
    )  # fmt: skip
    first, label = _beginning(decision, high)
    end = _end(decision, high, tried)
    seats = {row.lines[0]: row for row in rows}
    drawn = [_arrow(first.x + first.wide / 2, first.y + first.high, label.x + label.wide / 2, label.y)]
    drawn += [_fan(label, row) for row in rows]
    for attempt, box in zip(decision.attempts, tried, strict=True):
        if (seat := seats.get(attempt.model)) is not None:
            drawn.append(_curve(seat.x + seat.wide, seat.middle, box.x, box.middle, f"flow {box.kind}"))
    for before, after in itertools.pairwise(tried):
        drawn.append(_arrow(before.x + 40, before.y + before.high, after.x + 40, after.y, before.kind))
    drawn.append(_last(rows, tried, end))
    drawn += [box.drawn() for box in (first, label, *rows, *tried, end)]
    if more:
        at = len(rows) * (ROW + GAP) + 20
        drawn.append(svg.text(ROWS_X + 12, at, f"and {more} more, in the table below", "more"))
    size = f'width="{svg.number(WIDE)}" height="{svg.number(high + 2)}"'
    return Markup(  # noqa: S704  # made of escaped parts
        f'<svg viewBox="0 0 {svg.number(WIDE)} {svg.number(high + 2)}" {size} role="img" class="way" '
        f'aria-labelledby="way-t way-d"><title id="way-t">The way of the call</title>'
        f'<desc id="way-d">{escape(told)}</desc>{"".join(drawn)}</svg>'
    )


def _beginning(decision: Decision, high: float) -> tuple[Box, Box]:
    features = decision.features
    size = f"about {features.input_tokens_est:,} tokens" + (", streamed" if features.stream else "")
    sources = (
        ", ".join(dict.fromkeys(words.source(one.source) for one in decision.label.sources)) or "nobody said: default"
    )
    asked = Box(
        x=LABEL_X, y=0, wide=LABEL_W, whole=decision.requested_model,
        lines=(f"asked for {decision.requested_model or 'auto'}", decision.caller_wire, size),
    )  # fmt: skip
    said = textwrap.wrap(f"by {sources}", int((LABEL_W - 20) / CHAR), max_lines=3, placeholder=" …")
    label = Box(
        x=LABEL_X, y=0, wide=LABEL_W, lines=(f"{decision.label.value.value} data", *said), whole=f"by {sources}",
        kind="part" if decision.label.value.rank > 1 else "",
    )  # fmt: skip
    top = max(0.0, (high - asked.high - label.high - 30) / 2)
    return msgspec.structs.replace(asked, y=top), msgspec.structs.replace(label, y=top + asked.high + 30)


def _rows(decision: Decision) -> tuple[list[Box], int]:
    """Return the candidates, those in the order of trial first; and how many are left out."""
    asked = {one.model for one in decision.attempts}
    order = sorted(
        decision.candidates,
        key=lambda one: (not one.allowed, one.score if one.score is not None else 1e9, one.model not in asked),
    )
    shown = order[:MOST_ROWS]
    boxes = [
        Box(
            x=ROWS_X, y=place * (ROW + GAP), wide=ROWS_W, lines=(one.model, _standing(one)),
            kind="" if one.allowed else "bad", tier=words.TIERS[one.tier.value] if one.allowed else "",
            whole=f"{one.model} at {one.endpoint}, {words.TIERS[one.tier.value]}: {one.reason}",
        )
        for place, one in enumerate(shown)
    ]  # fmt: skip
    return boxes, len(order) - len(shown)


def _standing(one: CandidateRecord) -> str:
    if not one.allowed:
        return f"✕ {words.excluded(one.excluded_by)}: {one.reason}" if one.reason else f"✕ {one.excluded_by}"
    said = [] if one.score is None else [f"place {one.score + 1:g}"]
    said += [] if one.expected_cost_usd is None else [f"${one.expected_cost_usd.normalize():f}"]
    said += [] if one.expected_quality is None else [f"quality {one.expected_quality:.2f}"]
    said += [] if one.expected_latency_ms is None else [words.duration(one.expected_latency_ms)]
    if one.probability is not None and 0 < one.probability < 1:
        said.append(f"drawn with {words.share(one.probability, 1)}")
    return " · ".join((*said, words.TIERS[one.tier.value]))


def _tried(decision: Decision) -> list[Box]:
    found: list[Box] = []
    top = 0.0
    for number, one in enumerate(decision.attempts, 1):
        said = one.error or ""
        if not said and one.gate is not None:
            said = f"gates {'passed' if one.gate.verdict == 'pass' else 'failed'}: {one.gate.name}"
        first = "" if one.first_byte_ms is None else f", first byte {words.duration(one.first_byte_ms)}"
        more = textwrap.wrap(said, int((TRIED_W - 20) / CHAR), max_lines=2, placeholder=" …")
        took = f"{words.duration(one.duration_ms)}{first}{_cost(one)}"
        lines = (f"{number}. {one.model}", words.verdict(one.verdict), took, *more)
        box = Box(
            x=TRIED_X,
            y=top,
            wide=TRIED_W,
            lines=lines,
            kind=kind_of(one),
            whole=f"{one.model}: {said or words.verdict(one.verdict)}",
        )
        found.append(box)
        top += box.high + 22
    return found


def _cost(one: AttemptRecord) -> str:
    return "" if one.cost_usd is None else f", ${one.cost_usd.normalize():f}"


def _end(decision: Decision, high: float, tried: list[Box]) -> Box:
    cost = "cost unknown" if decision.total_cost_usd is None else f"cost ${decision.total_cost_usd.normalize():f}"
    by = decision.attempts[-1].model if decision.attempts and decision.outcome in ("answered", "flagged") else ""
    lines = (words.OUTCOMES[decision.outcome], *([f"by {by}"] if by else []), *([cost] if decision.attempts else []))
    box = Box(x=END_X, y=0, wide=END_W, lines=lines, kind=WELL.get(decision.outcome, "bad"), whole=decision.error or "")
    middle = tried[-1].middle if tried else high / 2
    return msgspec.structs.replace(box, y=max(0.0, min(middle - box.high / 2, high - box.high)))


def _last(rows: list[Box], tried: list[Box], end: Box) -> str:
    if tried:
        begin = tried[-1]
        return _curve(begin.x + begin.wide, begin.middle, end.x, end.middle, f"flow {end.kind}", arrow=True)
    return _curve(
        ROWS_X + ROWS_W, rows[0].middle if rows else end.middle, end.x, end.middle, f"flow {end.kind}", arrow=True
    )


def _fan(label: Box, row: Box) -> str:
    """Draw the line from the label to a candidate; one that was excluded ends at a bar before it."""
    begin, stop = label.x + label.wide, row.x - (12 if row.kind == "bad" else 0)
    line = _curve(begin, label.middle, stop, row.middle, f"flow {row.kind}")
    return line + (svg.rule(stop, row.middle - 8, stop, row.middle + 8, "flow bad") if row.kind == "bad" else "")


def _curve(x1: float, y1: float, x2: float, y2: float, kind: str, *, arrow: bool = False) -> str:
    bend = (x1 + x2) / 2
    at = [svg.number(one) for one in (x1, y1, bend, y1, bend, y2, x2, y2)]
    path = f'<path class="{kind}" d="M{at[0]} {at[1]}C{at[2]} {at[3]} {at[4]} {at[5]} {at[6]} {at[7]}"/>'
    return path + (svg.area([(x2, y2), (x2 - 8, y2 - 4), (x2 - 8, y2 + 4)], f"head {kind}") if arrow else "")


def _arrow(x1: float, y1: float, x2: float, y2: float, kind: str = "") -> str:
    head = svg.area([(x2, y2), (x2 - 4, y2 - 8), (x2 + 4, y2 - 8)], f"head flow {kind}")
    return svg.rule(x1, y1, x2, y2 - 4, f"flow {kind}") + head
