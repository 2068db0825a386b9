"""Does this call go to the canary? Drawn from a hash, so that every gateway and every replay says the same.

Pure. A session is drawn once, by its name; a call without a name of a session is drawn by its own id, and a later turn
of its conversation stays with the model that holds it.
Invariant: of calls that could have gone either way the share goes to the canary, and both sides say so; no other call
is in the trial.
"""

from collections.abc import Sequence
from decimal import Decimal
from hashlib import blake2b
from typing import Literal

import msgspec

from tierwise.core.rollout import RolloutRecord
from tierwise.gateway.overlay import Canary, Rollout
from tierwise.router.candidate import Candidate, Need
from tierwise.router.choose import Choice, Strategy, choose
from tierwise.router.eligible import Exclusion, exclusion
from tierwise.router.strategies import Order, led

NAME = "canary"
_BITS = 64


class Caller(msgspec.Struct, frozen=True, kw_only=True):
    """By what a call is drawn."""

    id: str
    key_id: str | None = None
    session: str | None = None


class Tried(msgspec.Struct, frozen=True, kw_only=True):
    """A choice, what the record says of the trial, and the chance of who was left out only by the draw."""

    choice: Choice
    record: RolloutRecord | None = None
    chances: dict[str, float] = {}


def unit_of(salt: str, caller: Caller) -> str:
    """Return the name under which a call is drawn: 64 bits, in hexadecimal."""
    kind, name = ("call", caller.id) if caller.session is None else ("session", caller.session)
    key = "" if caller.key_id is None else f"{len(caller.key_id)}:{caller.key_id}"
    text = "\0".join((salt, kind, key, name))
    return blake2b(text.encode("utf-8", "surrogatepass"), digest_size=_BITS // 8).hexdigest()


def drawn(unit: str, share: Decimal) -> bool:
    """Say whether a unit is in the share, to its last digit."""
    above, below = share.as_integer_ratio()
    return int(unit, 16) * below < above << _BITS


def tried(
    rollout: Rollout, strategy: Strategy, candidates: Sequence[Candidate], need: Need, draw: float, caller: Caller
) -> Tried:
    """Order the candidates as the release has it: who is first, and in the canary's share the canary before them."""
    overlay = rollout.overlay
    canary = overlay.canary
    if canary is None:
        return Tried(choice=choose(strategy, candidates, need, draw, first=overlay.first))
    model = next((one for one in candidates if one.model == canary.model), None)
    newcomer = bool(overlay.candidates) and canary.model not in overlay.candidates
    stable = [one for one in candidates if one is not model] if newcomer else candidates
    choice = choose(strategy, stable, need, draw, first=overlay.first)
    why = None if model is None else exclusion(model, need)
    # An open tool loop, and a budget that is nearly spent, leave nothing to be tried.
    if model is None or why is not None or need.endpoint is not None or need.frugal:
        return _untried(choice, model, why, need, newcomer=newcomer)
    return _entered(rollout.number, canary, choice, model, need, caller)


def _untried(choice: Choice, model: Candidate | None, why: Exclusion | None, need: Need, *, newcomer: bool) -> Tried:
    if model is None or not newcomer:
        return Tried(choice=choice)
    if why is None and need.endpoint == model.endpoint:
        order = led(choice.order, model, f"continues the tool loop of {model.model}", 1.0)
        return Tried(choice=msgspec.structs.replace(choice, order=order))
    return Tried(choice=_without(choice, model, why))


def _entered(number: int, canary: Canary, choice: Choice, model: Candidate, need: Need, caller: Caller) -> Tried:
    unit, held = unit_of(canary.salt, caller), need.held is not None and _known(need.held, choice, model)
    goes = need.held == model.model if held else drawn(unit, canary.share)
    arm: Literal["canary", "stable"] = "canary" if goes else "stable"
    record = RolloutRecord(release=number, arm=arm, unit=unit, held=held)
    chance = (1.0 if goes else 0.0) if held else float(canary.share)
    if goes:
        told = f"stays with {model.model}, which holds the session" if held else f"the canary's share of {canary.share}"
        order = led(choice.order, model, told, chance)
        excluded = {name: why for name, why in choice.excluded.items() if name != model.model}
        return Tried(choice=Choice(order=order, excluded=excluded), record=record)
    if all(one is not model for one in choice.order.candidates):
        choice = _without(choice, model, None)
    order = msgspec.structs.replace(choice.order, probabilities=_shared(choice.order, model, chance))
    return Tried(choice=msgspec.structs.replace(choice, order=order), record=record, chances={model.model: chance})


def _known(held: str, choice: Choice, model: Candidate) -> bool:
    return held == model.model or any(one.model == held for one in choice.order.candidates)


def _shared(order: Order, model: Candidate, chance: float) -> tuple[float, ...]:
    """Return the probabilities where the canary is first with this chance, and the order's own hold for the rest."""
    return tuple(
        (1 - chance) * before + (chance if one is model else 0.0)
        for one, before in zip(order.candidates, order.probabilities, strict=True)
    )


def _without(choice: Choice, model: Candidate, why: Exclusion | None) -> Choice:
    left_out = why or Exclusion(by=NAME, reason="only calls that are drawn for the canary go there")
    return msgspec.structs.replace(choice, excluded=choice.excluded | {model.model: left_out})
