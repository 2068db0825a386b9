"""How is a card told in lines? The same words in a terminal, in a report and on a page.

Pure. Invariant: no number is in them that is not on the card.
"""

from collections.abc import Iterator

from tierwise.core.certificate import Certificate
from tierwise.core.criteria import Criteria
from tierwise.evals.amounts import day, dollar_estimate, usd
from tierwise.evals.card import Card, Next

DIGEST = 23
PROMISES = {
    "wrong_given_accepted": "at most {most:.3g} % of locally accepted answers are wrong",
    "wrong_and_accepted": "at most {most:.3g} % of all answers are wrong and locally accepted",
}


def promise(asked: Criteria | Certificate) -> str:
    """Say what is guaranteed, and which guarantee that is."""
    told = PROMISES[asked.guarantee].format(most=100 * asked.max_wrong)
    return f"with {100 * asked.confidence:.3g} % confidence {told}"


def head(card: Card) -> str:
    """Say what was compared, and when its criteria were sealed."""
    when = "before" if card.sealed_before_results else "AFTER"
    looks = "" if card.bound == "planned" else ", bounds for any number of looks"
    return (
        f"{card.workflow}, run {card.run}: {card.seen:,} of {card.planned:,} items, {card.clusters:,} clusters{looks}. "
        f"Criteria sealed {day(card.seal.ts)} UTC, {when} the results."
    )


def following(one: Next) -> str:
    """Say what to measure next, and what that is worth."""
    worth = one.worth_usd_per_month
    said = one.what + (f" About {one.items:,} more." if one.items else "")
    said += f" Chance of a yes {one.chance:.0%}." if one.chance is not None else ""
    return said + (f" Worth {usd(float(worth))} a month." if worth is not None else "")


def use(card: Card) -> Iterator[str]:
    """Say which command or which line puts what was found good enough to use."""
    chosen = next((one for one in card.options if one.name == card.choice and card.verdict == "expand"), None)
    if chosen is None:
        return
    if chosen.behind is not None:
        yield f"tierwise certify {card.workflow} keeps what is promised, and prints the lines for [[workflow]]"
    elif chosen.model == f"auto:{card.workflow}":
        yield f"auto:{card.workflow} answers so already"
    else:
        trial = f"tierwise rollout start {card.workflow} {chosen.model} --share 0.05"
        yield f'candidates = ["{chosen.model}"] in [[workflow]] {card.workflow}; a share at a time: {trial}'


def edits(card: Card) -> Iterator[str]:
    """Say how the criteria changed since they were sealed."""
    for edit in card.edits:
        after = " AFTER the first results" if edit.after_results else ""
        yield f"criteria changed {day(edit.seal.ts)} UTC{after}: {'; '.join(edit.changed)}"
    if card.under_first_criteria is not None:
        yield f"under the criteria that were sealed first: {card.under_first_criteria.replace('_', ' ')}"


def foot(card: Card) -> str:
    """Say what it saves, what it cost, how long it holds, and what it was made of."""
    saves = ""
    if card.saves_usd_per_month is not None and card.saves_usd_per_month.value is not None:
        saves = f"Saves {dollar_estimate(card.saves_usd_per_month)} a month. "
    cost = "nothing metered" if card.spent_usd is None else usd(float(card.spent_usd))
    return (
        f"{saves}The comparison cost {cost}. Valid until {day(card.expires)} UTC. "
        f"Evidence {card.evidence[:DIGEST]}, data {card.dataset[:DIGEST]}, scorer {card.scorer}."
    )
