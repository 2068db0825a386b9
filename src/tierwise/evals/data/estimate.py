"""What would it cost to ask all of this, before it is asked? Tokens and money for each model, from above.

Pure arithmetic over rendered requests; asks nobody. Tokens are an upper estimate, so is what follows from them.
Invariant: an amount that is not known is None, never 0; what is not metered costs 0.
"""

from collections.abc import Iterable, Sequence
from decimal import Decimal

import msgspec

from tierwise.core.call import Features
from tierwise.core.errors import ConfigError, InvalidCall
from tierwise.core.label import Label, Tier
from tierwise.core.model import Endpoint, Model
from tierwise.economics.price import expected_cost_usd, most_output_tokens, worst_cost_usd
from tierwise.evals.item import Item
from tierwise.evals.prompt import Prompt, render
from tierwise.gateway.candidates import input_tokens
from tierwise.wires import chat

ANY = "auto"


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """One request: how large it is, and the label it would carry."""

    features: Features
    label: Label


class Estimate(msgspec.Struct, frozen=True, kw_only=True):
    """What one model would be asked. `denied` calls may not reach it by their label, `too_long` ones do not fit it.

    `expected_usd` reckons with answers of a typical length, `worst_usd` with the longest; None: the price is unknown.
    """

    model: str
    tier: Tier
    calls: int
    input_tokens: int
    expected_usd: Decimal | None
    worst_usd: Decimal | None
    denied: int
    too_long: int


def features(items: Iterable[Item], prompt: Prompt | None) -> list[Features]:
    """Return how large each item's request is. ConfigError for one that is no request."""
    found = []
    for item in items:
        body = msgspec.json.encode(render(prompt, item, ANY))
        try:
            found.append(chat.decode_request(body).features)
        except InvalidCall as error:
            told = f"item {item.id!r} makes no request: {error}"
            raise ConfigError(told, key="prompt") from error
    return found


def estimate(
    asked: Sequence[Asked], model: Model, endpoint: Endpoint, ceilings: dict[Label, Tier], repeats: int = 1
) -> Estimate:
    """Return what MODEL would be asked, and for how much: each request REPEATS times, where `ceilings` allow it."""
    may = [one.features for one in asked if endpoint.tier.rank <= ceilings[one.label].rank]
    fits = [one for one in may if _fits(one, model, endpoint)]
    read = [input_tokens(one, endpoint) for one in fits]
    known = model.price is not None or endpoint.tier is not Tier.FRONTIER
    expected = worst = Decimal(0) if known else None
    if model.price is not None:
        price, most = model.price, [_most(one, model) for one in fits]
        outputs = [one.max_output_tokens for one in fits]
        expected = repeats * sum(map(expected_cost_usd, [price] * len(fits), read, outputs), Decimal(0))
        worst = repeats * sum(map(worst_cost_usd, [price] * len(fits), read, most), Decimal(0))
    return Estimate(
        model=model.id,
        tier=endpoint.tier,
        calls=repeats * len(fits),
        input_tokens=repeats * sum(read),
        expected_usd=expected,
        worst_usd=worst,
        denied=repeats * (len(asked) - len(may)),
        too_long=repeats * (len(may) - len(fits)),
    )


def _most(one: Features, model: Model) -> int:
    return most_output_tokens(one.max_output_tokens, model.max_output_tokens, model.context_tokens)


def _fits(one: Features, model: Model, endpoint: Endpoint) -> bool:
    return model.context_tokens is None or input_tokens(one, endpoint) <= model.context_tokens
