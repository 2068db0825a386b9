"""How long does a decision take, from label to choice? Eight candidates, a message of 2 KB, one core.

Prints microseconds as JSON: medians of five rounds; `decode` (bytes to call) beside it, as it comes before.
"""

import json
import statistics
import time
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

from tierwise.bootstrap import rules_from
from tierwise.config import Document, Settings
from tierwise.core.call import Hints
from tierwise.core.capacity import Capacity
from tierwise.core.label import Tier
from tierwise.core.usage import Price
from tierwise.gateway.decide import Ask, decide, resolve
from tierwise.gateway.facts import Facts
from tierwise.policy.label import label_call
from tierwise.registry.settings import EndpointRow, ModelRow
from tierwise.wires import chat

ROUNDS, CALLS = 5, 2000
PRICE = Price(input_usd_per_mtok=Decimal(2), output_usd_per_mtok=Decimal(10))
TEXT = ("Explain in one paragraph how a reverse proxy keeps connections to its upstream servers alive, and why. " * 20)[
    :2048
]


def settings() -> Settings:
    """Eight models on three tiers."""
    tiers = (Tier.LOCAL, Tier.SELF_HOSTED, Tier.FRONTIER)
    endpoints = tuple(
        EndpointRow(name=str(tier), kind="scripted", tier=tier, url=f"http://127.0.0.1:{9000 + n}/v1")
        for n, tier in enumerate(tiers)
    )
    models = tuple(
        ModelRow(
            id=f"m{n}",
            endpoint=str(tiers[n % 3]),
            context_tokens=32_000,
            price=PRICE if tiers[n % 3] is Tier.FRONTIER else None,
        )
        for n in range(8)
    )

    return Settings(document=Document(endpoint=endpoints, model=models), home=Path())


def timed(what: Callable[[], object]) -> float:
    """Return the median microseconds of one call."""
    rounds = []
    for _ in range(ROUNDS):
        begin = time.perf_counter()
        for _ in range(CALLS):
            what()
        rounds.append((time.perf_counter() - begin) / CALLS * 1e6)
    return round(statistics.median(rounds), 1)


def main() -> None:
    """Measure and print."""
    rules = rules_from(settings())
    facts = Facts(rules.breaker, ())
    body = json.dumps({"model": "auto", "messages": [{"role": "user", "content": TEXT}]}).encode()
    call = chat.decode_request(body, Hints())

    def label() -> object:
        return label_call(
            rules.labels, caller=None, workflow=None, session=None, findings=rules.detectors.scan(call.parts)
        )

    def known() -> Facts:
        """Return facts of a gateway that has seen answers of every model, and whose servers say how busy they are."""
        found = Facts(rules.breaker, ())
        for model in rules.catalog.models:
            found.live.answered(model, None, found.live.began(model, None, 0.0), 500, 200, 1000.0)
            found.live.ended(model)
            found.live.told(model, Capacity(slots=4, running=3, waiting=0, loaded=True, context_tokens=32_000), 0.0)
        return found

    labelled = label()
    live = known()

    def decision(facts: Facts = facts) -> object:
        ask = Ask(id="01", ts=0.0, now=0.0, model=call.model, wire=call.wire, features=call.features, hints=call.hints)
        return decide(rules, facts, ask, resolve(rules, ask), labelled)  # type: ignore[arg-type]

    def both() -> object:
        label()
        return decision()

    print(
        json.dumps(
            {
                "candidates": len(rules.catalog.models),
                "message_bytes": len(TEXT),
                "decode_us": timed(lambda: chat.decode_request(body, Hints())),
                "label_us": timed(label),
                "judge_and_choose_us": timed(decision),
                "judge_and_choose_with_live_capacity_us": timed(lambda: decision(live)),
                "label_to_choice_us": timed(both),
            }
        )
    )


if __name__ == "__main__":
    main()
