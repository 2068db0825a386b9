"""Does this turn stay with the model that has served its session so far?

A switch loses what that model keeps of the conversation: its prompt cache, and thinking that only it can read.
Pure. Invariant: the same candidates in an order that differs, if at all, in who is first.
"""

from collections.abc import Sequence
from decimal import Decimal

from tierwise.router.candidate import Candidate, Need, late, sufficient
from tierwise.router.strategies import Order, declared

ZERO = Decimal(0)


def stay(order: Order, need: Need, *, drawn: bool) -> Order:
    """Put the model that holds the session first, unless another is a gain over what the switch would lose.

    `drawn`: the first was drawn by chance, so that another draw is no gain. A gain is a better model, one that
    costs less even when the holder's cache is counted, or one that answers in time where the holder would not.
    """
    first = order.candidates[0]
    held = next((c for c in order.candidates if c.model == need.held), None)
    if held is None or held is first:
        return order
    why = (
        "it has thought in it" if need.bound else "another draw is no gain" if drawn else _too_little(first, held, need)
    )
    if why is None:
        return _saying(order, f"{order.reason}; it gains more than the session with {held.model} would lose")
    return _first(held, order, f"stays with {held.model}, which holds the session: {why}")


def _too_little(first: Candidate, held: Candidate, need: Need) -> str | None:
    """Say why the switch gains too little; None where it gains enough."""
    if _better(first, held, need) or (late(held, need) and not late(first, need)):
        return None
    with_cache = max((held.cost_usd or ZERO) - held.cache_saving_usd, ZERO)
    if with_cache > (first.cost_usd or ZERO):
        return None
    if not held.cache_saving_usd:
        return f"{first.model} would not be cheaper"
    return f"with its prompt cache it costs about ${with_cache.normalize():f}"


def _better(first: Candidate, held: Candidate, need: Need) -> bool:
    if sufficient(first, need) != sufficient(held, need):
        return sufficient(first, need)
    if first.quality is not None and held.quality is not None:
        return first.quality > held.quality
    return declared(first) > declared(held)


def _first(held: Candidate, order: Order, reason: str) -> Order:
    others: Sequence[Candidate] = [c for c in order.candidates if c is not held]
    return Order(candidates=(held, *others), probabilities=(1.0, *(0.0 for _ in others)), reason=reason)


def _saying(order: Order, reason: str) -> Order:
    return Order(candidates=order.candidates, probabilities=order.probabilities, reason=reason)
