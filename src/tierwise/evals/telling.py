"""How is a verdict told? Findings in a line of words each, the reasons and what to change.

Pure: takes what was found, gives words. Invariant: no number is in them that is not on the card.
"""

from collections.abc import Sequence

from tierwise.core.criteria import Criteria
from tierwise.evals.amounts import ms, points, share, usd
from tierwise.evals.card import Gate, Option
from tierwise.evals.gates import Finding, overruled
from tierwise.evals.reckon import Reckoned


def gate(found: Finding, criteria: Criteria, way: Reckoned) -> str:
    """Say what a gate found, in one line."""
    if found.measured is None:
        return _unmeasured(found, criteria, way)
    seen = found.measured
    match found.name:
        case "policy":
            if not seen.value:
                return "policy and budget let it be asked for everything"
            return f"{share(seen.value)} was denied by policy or budget, at most {share(criteria.max_missing)} may be"
        case "missing":
            said = ", ".join(f"{count} {name}" for name, count in way.way.seen.outcomes.items() if name != "answered")
            return f"{share(seen.value)} without an answer, at most {share(criteria.max_missing)}" + (
                f" ({said})" if said else ""
            )
        case "quality":
            return _quality(found, criteria, way)
        case "certificate":
            named = (
                "of accepted answers"
                if criteria.guarantee == "wrong_given_accepted"
                else "of all answers, accepted and"
            )
            if found.limit is None:
                return f"no certificate asked: it answers everything itself; {share(seen.value)} of accepted wrong"
            return f"{share(seen.value)} {named} wrong, at most {share(seen.high)}; promised {share(found.limit)}"
        case "latency":
            high = "beyond what was seen" if seen.high == float("inf") else ms(seen.high)
            return f"p95 {ms(seen.value)} ({ms(seen.low)} to {high}) at {criteria.concurrency} at once" + _limit(
                found, f"{found.limit:,.0f} ms" if found.limit is not None else ""
            )
        case "review":
            told = f"{seen.value:.1f} minutes ({seen.low:.1f} to {seen.high:.1f}) of review for 100 tasks"
            return told + _limit(found, f"{found.limit:g}" if found.limit is not None else "")
        case "cost":
            told = f"{usd(seen.value)} ({usd(seen.low)} to {usd(seen.high)}) an accepted task"
            return told + _limit(found, usd(found.limit) if found.limit is not None else "")


def _limit(found: Finding, limit: str) -> str:
    return f", at most {limit}" if limit else ""


def _quality(found: Finding, criteria: Criteria, way: Reckoned) -> str:
    seen, plain = found.measured, way.plain
    assert seen is not None
    looks = "" if plain is None else f"{points(plain.mean)} points ({points(plain.low)} to {points(plain.high)}); "
    margin = points(criteria.margin, sign=False)
    if way.items < criteria.min_items:
        return f"{looks}{way.items} items are fewer than the {criteria.min_items} asked for"
    match found.state:
        case "passed":
            return f"{looks}shown to be at most {margin} points worse than the baseline{_people(way)}"
        case "failed":
            return f"{looks}shown to be more than {margin} points worse than the baseline{_people(way)}"
        case _ if overruled(way, criteria):
            return f"{looks}by the scorer, which people do not bear out{_people(way)}"
        case _:
            return f"{looks}not yet shown to be within {margin} points of the baseline{_people(way)}"


def _people(way: Reckoned) -> str:
    seen, labels = way.by_people
    if seen is None:
        return ""
    return (
        f"; in people's eyes {points(seen.value)} ({points(seen.low)} to {points(seen.high)}), who saw {labels:,} items"
    )


def _unmeasured(found: Finding, criteria: Criteria, way: Reckoned) -> str:
    match found.name:
        case "latency":
            return f"{found.n} calls were timed with {criteria.concurrency} at once, which is too few to tell" + _limit(
                found, f"{found.limit:,.0f} ms" if found.limit is not None else ""
            )
        case "review":
            return "nobody has timed a review" + _limit(found, f"{found.limit:g}" if found.limit is not None else "")
        case "cost" if not way.way.known_cost:
            return "a price is not known" + _limit(found, f"${found.limit:g}" if found.limit is not None else "")
        case "cost" if float(way.way.accepted.sum()) <= 0:
            return "no answer was accepted"
        case "cost":
            return "nobody has timed a review, so its cost is not known"
        case "certificate":
            return "nothing was accepted"
        case _:
            return "not measured"


def adjustments(option: Option) -> tuple[str, ...]:
    """Say what would have to be changed for a way to pass."""
    return tuple(_mend(option, one) for one in option.gates if one.state == "failed")


def _mend(option: Option, found: Gate) -> str:
    match found.name:
        case "policy":
            return f"{option.name}: keep the workflow to what policy lets it see, or change the rule: {found.told}"
        case "missing":
            worst = max(
                (name for name in option.outcomes if name != "answered"),
                key=lambda name: option.outcomes[name],
                default="",
            )
            mends = {
                "truncated": "give it more tokens to answer with",
                "unparsed": "ask for a schema",
                "timeout": "give it more time, or fewer at once",
                "refusal": "look at what it refuses to do",
                "other_model": "pin the model: another one answered in its place",
                "scorer_failed": "mend the scorer",
            }
            return f"{option.name}: {mends.get(worst, 'find out why it fails')}: {found.told}"
        case "certificate":
            return f"{option.name}: accept less, from a higher confidence on: {found.told}"
        case "latency":
            return f"{option.name}: faster hardware, shorter prompts, or fewer at once: {found.told}"
        case "review":
            return f"{option.name}: more people, or fewer tasks that need one: {found.told}"
        case "cost":
            return f"{option.name}: a lower price or a shorter prompt: {found.told}"
        case _:
            return f"{option.name}: {found.told}"


HEADLINES = {
    "nothing": "Nothing was measured on items that prove",
    "baseline": "The baseline did not answer enough for a comparison",
    "open": "What was measured cannot tell yet",
    "price": "A cost is not known, so nothing can be called cheaper",
    "gain": "Good enough, but not shown to be cheaper",
    "no gain": "Good enough, but no gain: stay with the baseline",
    "worse": "Every candidate is shown to be worse than the margin allows",
    "items": "No candidate was proven with the items that were to be enough",
    "limits": "A candidate would do if a limit were met",
}


def headline(why: str, choice: Option | None, baseline: str) -> str:
    """Say the verdict in one sentence."""
    if choice is None or why not in ("cheaper", "quicker", "baseline barred"):
        return HEADLINES[why]
    shown = choice.cheaper_usd is not None and (choice.cheaper_usd.low or 0.0) > 0
    than = {
        "cheaper": f"{'' if shown else 'as it looks '}cheaper than {baseline}",
        "quicker": f"as cheap as {baseline} and quicker",
    }.get(why, f"{baseline} itself breaks a limit")
    model = "" if choice.language_model else ", no language model needed"
    if choice.behind is None:
        return f"Let {choice.subject} answer everything{model}: good enough, and {than}"
    part = share(choice.share.value or 0.0)
    return f"Let {choice.subject} answer the {part} it is sure of, {choice.behind} the rest: good enough, and {than}"


def reasons(why: str, choice: Option | None, options: Sequence[Option]) -> tuple[str, ...]:
    """Return the lines that the verdict follows from."""
    if choice is not None and why in ("cheaper", "quicker", "baseline barred"):
        return tuple(f"{one.name}: {one.told}" for one in choice.gates if one.state == "passed")
    states = ("failed",) if why in ("worse", "limits") else ("failed", "open")
    lines = (
        f"{option.name}, {one.name} {one.state}: {one.told}"
        for option in options
        for one in option.gates
        if one.state in states
    )
    return tuple(lines)
