"""What a gateway sees goes to the ledger and to those who are told, whatever fails on the way."""

import asyncio
import errno
import json
import logging
from collections.abc import Awaitable, Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.receiver import Receiver, receiving
from tests.integration.gateway.conftest import Build, house
from tests.integration.nth.shim import possible
from tests.integration.nth.stage import chat, staged
from tierwise.core.call import Hints
from tierwise.core.errors import LeakStopped, PolicyDenied, TierwiseError
from tierwise.core.label import Label
from tierwise.economics.budget import Budget
from tierwise.fallback.breaker import BreakerSettings
from tierwise.gateway.again import judge_again
from tierwise.gateway.run import Run
from tierwise.incidents.settings import IncidentSettings, NotifyRow

__all__ = ["house"]
PATIENCE_S = 30.0


def hook_of(receiver: Receiver, **fields: Any) -> NotifyRow:
    return NotifyRow(name="hook", kind="webhook", url=receiver.url, **fields)


async def until(holds: Callable[[], Awaitable[Any]]) -> Any:
    async with asyncio.timeout(PATIENCE_S):
        while not (found := await holds()):
            await asyncio.sleep(0.05)
        return found


@possible
def test_a_full_disk_is_told_although_it_cannot_be_recorded_and_recorded_later(tmp_path: Path) -> None:
    with (
        receiving() as receiver,
        staged(tmp_path, notify=(hook_of(receiver),), incidents=IncidentSettings(quiet_s=3)) as stage,
    ):
        assert stage.ask(chat("near", "before"))[0] == "whole"
        stage.page.fail("disk", how=errno.ENOSPC)
        assert stage.ask(chat("near", "x"))[0] == "error"
        stage.until(lambda: bool(receiver.got))
        first = receiver.got[0].said
        assert (first["event"], first["recorded"], first["incident"]["kind"]) == ("opened", False, "audit")
        assert first["incident"]["severity"] == "critical"
        assert str(tmp_path) not in receiver.got[0].body.decode(), "no one's prose, nor a path"
        stage.page.heal()
        stage.until(lambda: len(receiver.got) > 1)
        last = receiver.got[-1].said
        assert (last["event"], last["recorded"], last["incident"]["by_itself"]) == ("closed", True, True)
        assert last["incident"]["id"] == first["incident"]["id"]
        assert [one.said["event"] for one in receiver.got] == ["opened", "closed"], "it was told once"


def test_a_hook_that_hangs_holds_nothing_up_and_what_was_not_told_stays_owed(house: Build) -> None:
    async def scene(receiver: Receiver) -> None:
        receiver.status = None
        settings = IncidentSettings(down_after_s=0.1)
        rested = BreakerSettings(failures=1, open_s=0.2)
        served = {"near": "scripted-near?fault=error&status=503"}
        loop = asyncio.get_running_loop()
        async with house(served=served, notify=(hook_of(receiver),), incidents=settings, breaker=rested) as h:
            for _ in range(2):
                with pytest.raises(TierwiseError):
                    await h.ask(model="near")
            await until(lambda: asyncio.to_thread(lambda: list(receiver.got)))
            assert (await h.ask(model="mid")).decision.outcome == "answered"
            [one] = await h.wired.ledger.incidents()
            begun = loop.time()
        assert loop.time() - begun < 10, "the end waits for no one"
        receiver.released.set()
        receiver.status = 204
        async with house(notify=(hook_of(receiver),), incidents=settings) as h:

            async def told() -> bool:
                history = await h.wired.ledger.incident_events(one.id)
                return any(event.what == "notified" and event.who == "hook" for event in history)

            await until(told)
        assert {got.said["delivery"] for got in receiver.got} == {receiver.got[0].said["delivery"]}

    with receiving() as receiver:
        asyncio.run(scene(receiver))


def test_hostile_names_reach_a_log_as_ascii_json(house: Build, caplog: pytest.LogCaptureFixture) -> None:
    name = "w\x1b[2J\x9b\u202e\n\"'; rm -rf"

    async def scene() -> None:
        async with house() as h:
            h.wired.watch.saw("drift", f"workflow:{name}")
            [one] = await until(h.wired.ledger.incidents)
            assert one.subject == f"workflow:{name}"
            await until(lambda: asyncio.sleep(0, [r for r in caplog.records if r.name == "tierwise.incidents"]))

    caplog.set_level(logging.WARNING)
    asyncio.run(scene())
    [line] = [r.getMessage() for r in caplog.records if r.name == "tierwise.incidents"]
    assert line.isascii()
    assert line.isprintable()
    assert json.loads(line)["incident"]["subject"] == f"workflow:{name}"


def test_notifiers_are_told_only_what_they_want(house: Build) -> None:
    async def scene(receiver: Receiver) -> None:
        row = hook_of(receiver, severity="critical", kinds=("audit", "drift"))
        async with house(notify=(row,)) as h:
            for condition in ("stopped", "drift", "unverified"):
                h.wired.watch.saw(condition, "x")
            await until(lambda: asyncio.to_thread(lambda: list(receiver.got)))

            async def settled() -> bool:
                return all(one.owed == 0 for one in await h.wired.ledger.incidents())

            await until(settled)
        assert [one.said["incident"]["condition"] for one in receiver.got] == ["unverified"]

    with receiving() as receiver:
        asyncio.run(scene(receiver))


def test_a_soft_limit_is_a_notice_and_an_ordinary_refusal_is_nothing(house: Build) -> None:
    budget = Budget(scope="all", limit_usd=Decimal(1), soft_limit_usd=Decimal("0.00000001"))

    async def scene() -> None:
        async with house(budget=(budget,)) as h:
            with pytest.raises(PolicyDenied):
                await h.ask(model="far", hints=Hints(label=Label.RESTRICTED))
            await h.ask(model="far", max_completion_tokens=5)
            [one] = await until(h.wired.ledger.incidents)
            assert (one.kind, one.condition, one.severity) == ("budget", "budget_soft", "notice")

    asyncio.run(scene())


def test_a_hop_that_its_own_rules_deny_is_a_leak_that_was_stopped(house: Build) -> None:
    """No call gets there while the decision is right; so the last check is asked with a decision that is wrong."""

    async def scene() -> None:
        async with house() as h:
            gateway = h.gateway
            public, secret = h.call(model="far"), h.call(model="near", hints=Hints(label=Label.RESTRICTED))
            outside = gateway._rule(gateway._asking(public, _none()), _none()).hops[0]
            asking = gateway._asking(secret, _none())
            run = Run(gateway.rules, gateway._rule(asking, _none()), asking, 0.0)
            judge_again(run, run.ruling.hops[0], gateway.rules)
            with pytest.raises(LeakStopped):
                judge_again(run, outside, gateway.rules)

    asyncio.run(scene())


def _none() -> Any:
    from tierwise.gateway.forgiven import Forgiven

    return Forgiven()
