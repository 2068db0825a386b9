"""A detector that errs, loops or runs out of time keeps the call inside; what earlier turns said costs no second look."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import msgspec
import pytest

from tests.integration.gateway.conftest import Build, House, text_of
from tierwise.core.call import Hints
from tierwise.core.errors import PolicyDenied
from tierwise.policy.detect import MAX_CANDIDATES, MAX_SCAN_BYTES, Detectors
from tierwise.policy.judge import Policy
from tierwise.policy.settings import LabelSettings, Rule, Then

SETTINGS = LabelSettings(identifiers=True)
MASKED = Rule(then=Then(obligations=("pseudonymise",)))


def run(scene: Awaitable[None]) -> None:
    asyncio.run(scene)  # type: ignore[arg-type]


class Phones:
    """What the extra asks of its library, and how often. `fails` breaks every question."""

    SUPPORTED_REGIONS = frozenset({"DE"})
    NumberParseException = ValueError

    def __init__(self, fails: Callable[[], None]) -> None:
        self.asked, self._fails = 0, fails

    def parse(self, text: str, _region: str | None) -> str:
        self.asked += 1
        self._fails()
        raise ValueError(text)


class Watch:
    """A clock that stands still until it is told how long something took."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now

    def takes(self, seconds: float) -> None:
        self.now += seconds


def detected_by(house: House, detectors: Detectors, *rules: Rule) -> None:
    """Put these detectors in force, as a reload would."""
    gateway = house.gateway
    gateway.rules = msgspec.structs.replace(gateway.rules, detectors=detectors, policy=Policy(LabelSettings(), rules))


def breaks() -> None:
    raise RecursionError


CALLS = "\n".join(f"+49 30 {901820 + n}" for n in range(9))


@pytest.mark.parametrize("trouble", ["errs", "is slow", "too many", "too much"])
def test_a_scan_that_does_not_end_well_keeps_the_call_inside(house: Build, trouble: str) -> None:
    async def scene() -> None:
        watch = Watch()
        fails: dict[str, Any] = {"errs": breaks, "is slow": lambda: watch.takes(0.5)}
        phones = Phones(fails.get(trouble, lambda: None))
        text = {"too many": "+49 30 901820\n" * MAX_CANDIDATES, "too much": "a " * (MAX_SCAN_BYTES // 2 + 1)}
        async with house(labels=SETTINGS) as h:
            detected_by(h, Detectors(SETTINGS, clock=watch, load=lambda _name: phones))
            call = h.call(text.get(trouble, CALLS))
            with pytest.raises(PolicyDenied, match="ceiling"):
                await h.gateway.handle(msgspec.structs.replace(call, model="far"))
            decision = h.gateway.route(call)
            assert decision.chosen in ("near", "mid")
            (why,) = (source for source in decision.label.sources if source.source.startswith("detector:"))
            assert why.detail
            assert not any(h.asked().values())
            assert phones.asked <= 2 * 512

    run(scene())


@pytest.mark.parametrize("trouble", ["errs", "is slow"])
def test_a_search_for_values_that_does_not_end_well_sends_nothing_out(house: Build, trouble: str) -> None:
    async def scene() -> None:
        watch = Watch()
        fails: dict[str, Any] = {"errs": breaks, "is slow": lambda: watch.takes(0.5)}
        phones = Phones(fails[trouble])
        async with house(labels=SETTINGS) as h:
            detected_by(h, Detectors(SETTINGS, clock=watch, load=lambda _name: phones), MASKED)
            with pytest.raises(PolicyDenied, match="cannot be masked: a detector broke off"):
                await h.gateway.handle(h.call(CALLS, model="near"))
            assert not any(h.asked().values())

    run(scene())


@pytest.mark.parametrize("rules", [(), (MASKED,)], ids=["plain", "masked"])
def test_what_was_said_in_earlier_turns_is_not_searched_again(house: Build, rules: tuple[Rule, ...]) -> None:
    async def scene() -> None:
        async with house(rule=rules) as h:
            detectors, turns, said = h.gateway.rules.detectors, [], 0
            for number in range(12):
                turns.append(
                    {"role": "user", "content": f"turn {number}: " + " ".join(f"boat{n}{number}" for n in range(150))}
                )
                before, said = detectors.examined_chars, len(turns[-1]["content"])
                await text_of(await h.gateway.handle(h.call(messages=turns, hints=Hints(session="s"))))
                looks = 3 if rules else 1  # to find the values, to replace them, and what is then sent
                assert detectors.examined_chars - before < looks * (said + 700)  # and what goes on across two messages

    run(scene())
