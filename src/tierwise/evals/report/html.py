"""How does a comparison look as a page? The card, then a plot and a table for each question.

A pure function of evidence and card, so that a file and a server show the same. Invariant: everything from outside is
escaped, and the page's own policy refuses script, requests and any style but its one sheet.
"""

import base64
import hashlib
from collections.abc import Iterable, Iterator, Sequence
from html import escape
from importlib import resources

from tierwise.evals import lines
from tierwise.evals.amounts import (
    UNKNOWN,
    day,
    dollar_estimate,
    flip_line,
    ms,
    point_estimate,
    share,
    share_estimate,
    usd,
)
from tierwise.evals.card import Card, Judged, Option
from tierwise.evals.evidence import Evidence
from tierwise.evals.report import plots
from tierwise.evals.report.series import Plotted, Series, plotted

WORDS = {"expand": "Expand", "adjust": "Adjust", "stop": "Stop", "not_enough_evidence": "Not enough evidence"}
MARKS = {"passed": "✓", "failed": "✗", "open": "?", "unset": "·"}
Shown = tuple[str, str, str, str, str]
"""The title, the explanation, the plot, its key and its table."""
SPOKEN = {"passed": "passed", "failed": "failed", "open": "open", "unset": "not asked"}


def render(evidence: Evidence, card: Card) -> bytes:
    """Return the page."""
    sheet = resources.files("tierwise.evals.report").joinpath("page.css").read_text("utf-8")
    digest = base64.b64encode(hashlib.sha256(sheet.encode()).digest()).decode()
    policy = f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
    seen = plotted(evidence, card)
    body = "".join((_top(card), *_lists(card), _ways(card), *_figures(card, seen), _foot(card)))
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        '<meta name="referrer" content="no-referrer">'
        f"<title>{escape(card.workflow)}: {WORDS[card.verdict].lower()}</title><style>{sheet}</style></head>"
        f"<body>{body}</body></html>\n"
    ).encode("utf-8", "backslashreplace")


def _top(card: Card) -> str:
    looks = "" if card.bound == "planned" else "; bounds hold at every look"
    facts = (
        ("Items that prove", f"{card.seen:,}", f"of {card.planned:,} planned, {card.clusters:,} clusters{looks}"),
        (
            "Criteria sealed",
            day(card.seal.ts),
            "before the results" if card.sealed_before_results else "AFTER the first results",
        ),
        ("Robustness", card.robustness, card.robustness_told),
        ("Valid until", day(card.expires), "or until a part of the bundle changes"),
        (
            "This comparison cost",
            "nothing metered" if card.spent_usd is None else usd(float(card.spent_usd)),
            _saves(card),
        ),
    )
    listed = "".join(
        f"<div><dt>{escape(a)}</dt><dd>{escape(b)}<small>{escape(c)}</small></dd></div>" for a, b, c in facts
    )
    needs = f"<p>About <strong>{card.needs:,} more items</strong> would tell.</p>" if card.needs else ""
    return (
        f'<header><h1>{escape(card.workflow)} <span class="small">run {escape(card.run)}</span></h1></header><main>'
        f'<section class="card {card.verdict}" aria-label="Verdict"><p class="word">{WORDS[card.verdict]}</p>'
        f'<p class="headline">{escape(card.headline)}</p>{needs}<dl class="facts">{listed}</dl></section>'
    )


def _saves(card: Card) -> str:
    seen = card.saves_usd_per_month
    if seen is None or seen.value is None:
        return ""
    return f"saves {dollar_estimate(seen)} a month"


def _lists(card: Card) -> Iterator[str]:
    flips = [flip_line(flip) for flip in card.flips]
    edits = [
        f"Criteria changed {day(edit.seal.ts)}{' after the first results' if edit.after_results else ''}: "
        + "; ".join(edit.changed)
        for edit in card.edits
    ]
    if card.under_first_criteria is not None:
        edits.append(f"Under the criteria sealed first: {card.under_first_criteria.replace('_', ' ')}")
    yield '<div class="lists">'
    for title, told in (
        ("Why", card.reasons), ("What to change", card.adjust), ("What would turn it", flips),
        ("What to measure next", list(map(lines.following, card.next))), ("To know", [*edits, *card.notes]),
    ):  # fmt: skip
        if told:
            items = "".join(f"<li>{escape(line)}</li>" for line in told)
            yield f'<section class="list"><h2>{title}</h2><ul>{items}</ul></section>'
    yield "</div>"


def _ways(card: Card) -> str:
    head = ("way", "score", "points to the baseline", "an accepted task", "p95", "review for 100", "no answer", "gates")
    rows = "".join(_way(card, option, head) for option in (*card.options, card.baseline))
    named = "".join(f'<th scope="col">{escape(name)}</th>' for name in head)
    gates = "".join(_gates(option) for option in card.options)
    return (
        '<section class="list"><h2>The ways to do it</h2><p class="small soft">Differences are paired by item, errors '
        f"are those of clusters, at {card.criteria.confidence:.0%}.</p>"
        f'<div class="scroll"><table class="ways"><thead><tr>{named}</tr></thead><tbody>{rows}</tbody></table></div>'
        f"<details><summary>Every gate, with records</summary>{gates}</details></section>"
    )


def _way(card: Card, option: Option, head: Sequence[str]) -> str:
    chosen = ' class="chosen"' if option.name == card.choice and card.verdict == "expand" else ""
    review = option.review_minutes_per_100.value
    baseline = option is card.baseline
    cells = (
        share_estimate(option.quality.score),
        "the baseline" if baseline else point_estimate(option.quality.difference),
        dollar_estimate(option.cost_usd),
        ms(option.latency_p95_ms.value),
        UNKNOWN if review is None else f"{review:.1f} min",
        UNKNOWN if option.missing.value is None else share(option.missing.value),
    )
    filled = "".join(
        f'<td data-name="{escape(name)}">{escape(cell)}</td>' for name, cell in zip(head[1:], cells, strict=False)
    )
    marks = "".join(
        f'<span class="{gate.state}" role="img" aria-label="{gate.name} {SPOKEN[gate.state]}" '
        f'title="{gate.name}">{MARKS[gate.state]}</span> '
        for gate in option.gates
    )
    kind = "" if option.language_model else '<br><span class="small soft">no language model</span>'
    return (
        f'<tr{chosen}><th scope="row">{escape(option.name)}{kind}</th>{filled}<td data-name="gates">{marks}</td></tr>'
    )


def _gates(option: Option) -> str:
    rows = (
        (
            gate.name,
            SPOKEN[gate.state],
            gate.told,
            f"{gate.needs:,}" if gate.needs else "",
            ", ".join(gate.measured.records),
        )
        for gate in option.gates
    )
    return f"<h3>{escape(option.name)}</h3>" + _table(
        ("gate", "state", "what was found", "more items", "records"), rows
    )


def _figures(card: Card, seen: Plotted) -> Iterator[str]:
    yield '<div class="plots">'
    for title, told, drawn, key, table in _every(card, seen):
        if drawn:
            inner = f"<details><summary>Numbers</summary>{table}</details>" if table else ""
            yield f"<figure><h2>{escape(title)}</h2><figcaption>{escape(told)}</figcaption>{drawn}{key}{inner}</figure>"
    yield "</div>"


def _every(card: Card, seen: Plotted) -> Iterator[Shown]:
    """Return what is shown for each question, in their order."""
    yield from _money_and_time(card, seen)
    yield from _as_items_came(card, seen)
    yield from _confidence(card, seen)
    yield from _answers(seen)


def _money_and_time(card: Card, seen: Plotted) -> Iterator[Shown]:
    options = (*card.options, card.baseline)
    yield (
        "Quality against cost",
        "Up and to the left is better. The dotted line joins what nothing else beats in both; bars are intervals.",
        plots.quality_cost(card, seen.names),
        "",
        _table(
            ("way", "score", "an accepted task"),
            ((one.name, share_estimate(one.quality.score), dollar_estimate(one.cost_usd)) for one in options),
        ),
    )
    yield (
        "What an accepted task costs",
        "All attempts, judging, review and the errors that slip through, divided by the tasks that are accepted.",
        plots.costs(card),
        _key([(name, f"k-{name}") for name in ("attempts", "judge", "review", "errors")]),
        _table(
            ("way", "attempts", "judge", "review", "errors", "together"),
            (
                (
                    one.name,
                    *(UNKNOWN if part is None else usd(float(part)) for part in (
                        one.cost_parts.attempts, one.cost_parts.judge, one.cost_parts.review, one.cost_parts.errors
                    )),
                    dollar_estimate(one.cost_usd),
                )
                for one in options
            ),
        ),
    )  # fmt: skip
    yield (
        "How long answers take",
        f"At {card.criteria.concurrency} calls at once. Solid: the median. Dashed: 95 % are quicker. Red: the limit.",
        plots.latency(card, seen),
        "",
        _table(
            ("way", "median", "95 % within"),
            ((one.name, _interval_ms(one, "p50"), _interval_ms(one, "p95")) for one in options),
        ),
    )


def _as_items_came(card: Card, seen: Plotted) -> Iterator[Shown]:
    for series in seen.paths:
        yield (
            f"As items came in: {series.name}",
            "Difference to the baseline, every missing answer at its worst; the band holds at every look.",
            plots.sequential(card, series),
            "",
            _path_table(series),
        )


def _confidence(card: Card, seen: Plotted) -> Iterator[Shown]:
    yield (
        "What confidence is worth",
        "Groups of equally many answers. On the diagonal confidence means what it says.",
        plots.calibration(seen),
        _series_key(seen.calibration),
        _table(
            ("subject", "confidence", "right, of how many"),
            ((one.name, share(p.x), plots.point(p)) for one in seen.calibration for p in one.points),
        ),
    )
    yield (
        "What accepting more costs in errors",
        "The surest answers first. The large mark is the certified point, the bar above it its bound.",
        plots.risk(card, seen),
        _series_key(seen.risk),
        _table(
            ("subject", "accepted", "wrong among them, of how many"),
            (
                (one.name, share(p.x), plots.point(p))
                for one in seen.risk
                for p in one.points[:: max(1, len(one.points) // 12)]
            ),
        ),
    )


def _answers(seen: Plotted) -> Iterator[Shown]:
    columns, rows = seen.agreement
    yield (
        "Who agrees with whom",
        "Share of items, in percent, on which both are right or both are wrong"
        + ("; with people, how often they say what the scorer says." if "people" in columns else "."),
        plots.agreement(seen),
        "",
        _table(("", *columns), ((columns[at], *map(plots.point, row)) for at, row in enumerate(rows))),
    )
    yield (
        "What became of the calls",
        "Of the calls that were not answered: why. Missing is never counted as a score of nothing.",
        plots.outcomes(seen),
        _key(
            [
                (name.replace("_", " "), f"k-{name}")
                for name in plots.OUTCOMES[1:]
                if any(name in one for _, one in seen.outcomes)
            ]
        ),
        _table(
            ("subject", "outcomes"),
            ((name, ", ".join(f"{v:,} {k}" for k, v in one.items())) for name, one in seen.outcomes),
        ),
    )
    yield (
        "Quality by the length of the input",
        "Fifths of the inputs, the shortest to the left.",
        plots.lengths(seen),
        _series_key(seen.lengths),
        _table(
            ("subject", "tokens", "right, of how many"),
            (
                (one.name, f"{seen.length_edges[int(p.x)]} to {seen.length_edges[int(p.x) + 1]}", plots.point(p))
                for one in seen.lengths
                for p in one.points
            ),
        ),
    )


def _interval_ms(option: Option, which: str) -> str:
    seen = option.latency_p50_ms if which == "p50" else option.latency_p95_ms
    if seen.value is None:
        return UNKNOWN
    high = "beyond what was seen" if seen.high is None else ms(seen.high)
    return f"{ms(seen.value)} ({ms(seen.low)} to {high})"


def _path_table(series: Series) -> str:
    kept = series.points[:: max(1, len(series.points) // 10)]
    return _table(
        ("items", "points", "band"),
        ((f"{p.n:,}", f"{p.y * 100:+.1f}", f"{p.low * 100:+.1f} to {p.high * 100:+.1f}") for p in kept),
    )


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    named = "".join(f'<th scope="col">{escape(name)}</th>' for name in head)
    lines = "".join(
        f'<tr><th scope="row">{escape(row[0])}</th>{"".join(f"<td>{escape(cell)}</td>" for cell in row[1:])}</tr>'
        for row in rows
    )
    return f'<div class="scroll"><table><thead><tr>{named}</tr></thead><tbody>{lines}</tbody></table></div>'


def _key(entries: Sequence[tuple[str, str]]) -> str:
    items = "".join(f'<li class="{kind}">{escape(name)}</li>' for name, kind in entries)
    return f'<ul class="key">{items}</ul>'


def _series_key(series: Sequence[Series]) -> str:
    return _key([(one.name, f"s{one.number % 8}") for one in series])


def _foot(card: Card) -> str:
    judged = "".join(
        f"<p>Judge {escape(one.judge)} on {escape(one.first)} and {escape(one.second)}: {one.first_wins:,} to "
        f"{one.second_wins:,}, {one.ties:,} ties, {one.inconsistent:,} that changed with the order, "
        f"{one.unread:,} unread{_corrected(one)}.</p>"
        for one in card.judged
    )
    return (
        f"</main><footer>{judged}<p>Evidence <code>{escape(card.evidence)}</code><br>"
        f"Data <code>{escape(card.dataset)}</code><br>Criteria <code>{escape(card.seal.digest)}</code><br>"
        f"Scorer {escape(card.scorer)}, {escape(card.metric)}</p>"
        "<p>Costs are (all attempts + judge + review minutes × rate × share reviewed + error cost × share accepted "
        "and wrong) ÷ share accepted. Records are decisions: <code>tierwise show ID</code>.</p></footer>"
    )


def _corrected(one: Judged) -> str:
    seen = one.not_worse
    if seen.value is None or seen.low is None or seen.high is None:
        return "; not corrected by people"
    span = f"{share(seen.value)} ({share(seen.low)} to {share(seen.high)})"
    return f"; not worse on {span}, corrected by what people said of {seen.n:,} items"
