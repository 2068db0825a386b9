"""The loop over real sockets: order, fallback, gates, money, policy on every hop, and what the ledger says of it."""

import asyncio
import contextlib
from collections.abc import Callable
from decimal import Decimal
from time import monotonic

import pytest

from tests.integration.gateway.conftest import Build, House, text_of
from tierwise.core.call import Hints
from tierwise.core.errors import (
    AllAttemptsFailed,
    BudgetExceeded,
    GateFailed,
    PolicyDenied,
    Refused,
    StreamBroken,
    TierwiseError,
)
from tierwise.core.label import Label
from tierwise.core.model import Endpoint, Limits
from tierwise.economics.budget import Budget
from tierwise.fallback.breaker import BreakerSettings
from tierwise.fallback.plan import FallbackSettings
from tierwise.gateway.gateway import Gateway
from tierwise.gateway.workflow import Workflow
from tierwise.providers.address import Address
from tierwise.providers.transport import Transport
from tierwise.quality.settings import Gates
from tierwise.testing import Script

CARD = "please charge 4556 7375 8689 9855 now"
CASCADE = Workflow(name="w", candidates=("near", "mid", "far"), strategy="cascade")


def run(scene: object) -> None:
    asyncio.run(scene)  # type: ignore[arg-type]


@pytest.mark.parametrize("stream", [False, True])
def test_an_answer_is_recorded_with_exact_usage_and_cost(house: Build, stream: bool) -> None:
    async def scene() -> None:
        async with house() as h:
            reply = await h.ask("one two three", stream=stream)
            assert await text_of(reply) == "one two three"
            record = await h.recorded(reply.decision.id)
            attempt = record.attempts[0]
            assert (attempt.model, record.outcome, attempt.verdict) == ("far", "answered", "ok")
            assert attempt.usage is not None
            assert (attempt.usage.input, attempt.usage.output, attempt.usage.estimated) == (3, 3, False)
            # 3 tokens in at $2 and 3 out at $10 a million
            assert record.total_cost_usd == Decimal("0.000036")
            assert attempt.served_model == "scripted-far"

    run(scene())


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(
    "fault", ["error", "rate_limit", "html", "bad_json", "empty_body", "in_band_error", "redirect", "wrong_type"]
)
def test_a_fault_before_content_falls_over_to_the_next(house: Build, fault: str, stream: bool) -> None:
    async def scene() -> None:
        async with house(served={"far": f"scripted-far?fault={fault}&status=503&after=0"}) as h:
            reply = await h.ask(stream=stream)
            assert await text_of(reply) == "hello there"
            record = await h.recorded(reply.decision.id)
            assert record.attempts[-1].model == "mid"
            assert {a.model for a in record.attempts[:-1]} == {"far"}
            assert all(a.error for a in record.attempts[:-1])
            assert len(record.attempts) <= 3

    run(scene())


def test_a_server_error_is_tried_once_more_before_the_next(house: Build) -> None:
    async def scene() -> None:
        async with house(served={"far": "scripted-far?fault=error&status=500&times=1"}) as h:
            reply = await h.ask()
            record = await h.recorded(reply.decision.id)
            assert [a.model for a in record.attempts] == ["far", "far"]
            assert record.attempts[0].verdict == "retry_same"

    run(scene())


def test_a_4xx_is_the_callers_and_is_not_repeated_anywhere(house: Build) -> None:
    async def scene() -> None:
        async with house(served={"far": "scripted-far?fault=error&status=422"}) as h:
            with pytest.raises(Refused) as caught:
                await h.ask()
            assert caught.value.status == 422
            assert h.asked() == {"near": 0, "mid": 0, "far": 1}
            assert caught.value.decision is not None
            assert (await h.recorded(caught.value.decision.id)).outcome == "failed"

    run(scene())


def test_never_more_than_three_attempts(house: Build) -> None:
    async def scene() -> None:
        down = {name: f"scripted?fault=error&status=500&n={name}".split("&n=")[0] for name in ("near", "mid", "far")}
        async with house(served=down) as h:
            with pytest.raises(AllAttemptsFailed) as caught:
                await h.ask()
            assert len(caught.value.errors) == 3
            assert sum(h.asked().values()) == 3

    run(scene())


@pytest.mark.parametrize("fault", ["cut", "drop", "reset", "no_finish"])
def test_a_stream_that_breaks_after_content_ends_with_an_honest_error(house: Build, fault: str) -> None:
    async def scene() -> None:
        async with house(served={"far": f"scripted-far?fault={fault}&after=2"}) as h:
            reply = await h.ask("one two three four", stream=True)
            assert reply.deltas is not None
            seen = []
            with pytest.raises(StreamBroken):
                async for delta in reply.deltas:
                    seen += [piece.text for piece in delta.pieces]
            assert "".join(seen).startswith("one two")
            record = await h.recorded(reply.decision.id)
            assert (record.outcome, len(record.attempts)) == ("broken", 1)
            assert record.attempts[0].usage is not None
            assert record.attempts[0].usage.estimated is (fault != "no_finish")
            assert h.asked()["mid"] == 0

    run(scene())


@pytest.mark.parametrize("fault", ["cut", "drop", "reset", "no_finish"])
def test_within_the_hold_back_window_a_broken_stream_falls_over(house: Build, fault: str) -> None:
    async def scene() -> None:
        async with house(served={"near": f"scripted?fault={fault}&after=2"}, workflow=(CASCADE,)) as h:
            reply = await h.ask("one two three four", stream=True, model="auto:w")
            assert await text_of(reply) == "one two three four"
            assert [a.model for a in (await h.recorded(reply.decision.id)).attempts] == ["near", "mid"]

    run(scene())


def test_a_hang_ends_at_its_limit_and_falls_over(house: Build) -> None:
    async def scene() -> None:
        async with house(served={"far": "scripted-far?fault=hang"}, limits=Limits(first_byte_timeout_s=0.2)) as h:
            reply = await h.ask()
            record = await h.recorded(reply.decision.id)
            assert [a.model for a in record.attempts] == ["far", "mid"]
            assert "TimedOut" in (record.attempts[0].error or "")

    run(scene())


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(
    ("fault", "gate"), [("empty_content", "empty"), ("loop", "repetition"), ("truncation", "truncated")]
)
def test_an_answer_that_is_not_good_enough_escalates_and_both_are_billed(
    house: Build, fault: str, gate: str, stream: bool
) -> None:
    async def scene() -> None:
        first = Workflow(name="w", candidates=("far", "mid"), strategy="best", gates=Gates(hold_back_chars=10_000))
        async with house(served={"far": f"scripted-far?fault={fault}"}, workflow=(first,)) as h:
            reply = await h.ask("one two three", model="auto:w", stream=stream)
            assert await text_of(reply) == "one two three"
            record = await h.recorded(reply.decision.id)
            assert [a.model for a in record.attempts] == ["far", "mid"]
            assert record.attempts[0].gate is not None
            assert (record.attempts[0].gate.name, record.attempts[0].verdict) == (gate, "escalate")
            assert record.attempts[0].cost_usd is not None
            assert record.total_cost_usd == record.attempts[0].cost_usd

    run(scene())


def test_schema_and_confidence_gates(house: Build) -> None:
    schema = {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]}
    wanted = {"type": "json_schema", "json_schema": {"name": "x", "schema": schema}}

    async def scene() -> None:
        sure = Workflow(
            name="w", candidates=("near", "mid"), strategy="cascade", gates=Gates(min_logprob={"near": -2.0})
        )
        async with house(served={"near": "scripted?fault=broken_schema&times=1"}, workflow=(sure,)) as h:
            reply = await h.ask(model="auto:w", response_format=wanted)
            record = await h.recorded(reply.decision.id)
            assert record.attempts[0].gate is not None
            assert record.attempts[0].gate.name == "schema"
            h.upstreams["near"].script(Script(fault="low_logprobs"))
            reply = await h.ask(model="auto:w", response_format=wanted)
            record = await h.recorded(reply.decision.id)
            assert record.attempts[0].gate is not None
            assert record.attempts[0].gate.name == "min_logprob"
            assert record.attempts[0].confidence is not None
            reply = await h.ask(model="auto:w", response_format=wanted)
            assert [a.model for a in (await h.recorded(reply.decision.id)).attempts] == ["near"]

    run(scene())


@pytest.mark.parametrize(("how", "outcome"), [("fail", "failed"), ("review", "review"), ("flag", "flagged")])
def test_what_follows_when_every_gate_fails(house: Build, how: str, outcome: str) -> None:
    async def scene() -> None:
        workflow = Workflow(name="w", candidates=("near",), on_gate_failure=how)  # type: ignore[arg-type]
        async with house(served={"near": "scripted?fault=loop"}, workflow=(workflow,)) as h:
            if how == "flag":
                reply = await h.ask(model="auto:w")
                assert reply.gate_failed
                decision = reply.decision
            else:
                with pytest.raises(GateFailed) as caught:
                    await h.ask(model="auto:w")
                assert caught.value.queued is (how == "review")
                assert caught.value.answer is not None
                assert caught.value.decision is not None
                decision = caught.value.decision
            record = await h.recorded(decision.id)
            assert record.outcome == outcome
            assert (record.review is not None) is (how == "review")

    run(scene())


@pytest.mark.parametrize("fault", ["error", "hang", "html", "loop", "empty_content"])
def test_no_marked_byte_leaves_whatever_fails_inside(house: Build, fault: str) -> None:
    async def scene() -> None:
        broken = f"scripted?fault={fault}&status=500"
        limits = Limits(first_byte_timeout_s=0.2)
        async with house(served={"near": broken, "mid": broken}, limits=limits, workflow=(CASCADE,)) as h:
            for model in ("auto", "auto:w", "tier:frontier", "far"):
                for stream in (False, True):
                    with contextlib.suppress(TierwiseError):
                        await text_of(await h.ask(CARD, model=model, stream=stream))
            assert h.asked()["far"] == 0
            assert not any(b"4556" in request.body for request in h.upstreams["far"].received)

    run(scene())


def test_a_card_excludes_the_frontier_and_a_key_everything_but_this_machine(house: Build) -> None:
    async def scene() -> None:
        async with house() as h:
            for text, label, served in (
                (CARD, "confidential", "mid"),
                ("my key AKIAZ7Q2M4X5K3PLW6TB", "restricted", "near"),
            ):
                reply = await h.ask(text)
                record = await h.recorded(reply.decision.id)
                assert record.label.value == label
                assert record.attempts[-1].model == served
                assert {c.excluded_by for c in record.candidates if not c.allowed} == {f"ceiling:{label}"}

    run(scene())


def test_naming_a_model_never_lifts_a_rule(house: Build) -> None:
    async def scene() -> None:
        async with house() as h:
            with pytest.raises(PolicyDenied) as caught:
                await h.ask("hello", model="far", hints=Hints(label=Label.CONFIDENTIAL))
            assert caught.value.rule == "ceiling:confidential"
            assert caught.value.decision is not None
            assert (await h.recorded(caught.value.decision.id)).outcome == "refused"
            assert h.asked() == {"near": 0, "mid": 0, "far": 0}

    run(scene())


def test_a_session_keeps_its_highest_label_also_in_a_later_process(house: Build) -> None:
    async def scene() -> None:
        async with house() as h:
            await h.ask(CARD, hints=Hints(session="s1"))
            reply = await h.ask("thanks", hints=Hints(session="s1"))
            assert reply.decision.label.value == "confidential"
            assert (await h.ask("thanks", hints=Hints(session="s2"))).decision.label.value == "internal"
        async with house() as h:
            reply = await h.ask("thanks", hints=Hints(session="s1"))
            assert reply.decision.label.value == "confidential"

    run(scene())


def test_a_budget_is_kept_over_parallel_calls_and_a_restart(house: Build) -> None:
    budget = Budget(scope="all", limit_usd=Decimal("0.01"), window="30d")
    most = {"max_completion_tokens": 100}

    async def scene() -> None:
        async with house(budget=(budget,)) as h:
            # each may cost up to 100 tokens at $10 a million and its input: a little above $0.001
            replies = await asyncio.gather(*(h.ask(model="far", **most) for _ in range(20)), return_exceptions=True)
            refused = [r for r in replies if isinstance(r, BudgetExceeded)]
            assert 0 < len(refused) < 20
            spent = h.gateway.facts.accounts[0].spent
            assert h.gateway.facts.accounts[0].reserved == 0
            assert spent == Decimal("0.000024") * (20 - len(refused))
        async with house(budget=(budget,)) as h:
            assert h.gateway.facts.accounts[0].spent == spent

    run(scene())


@pytest.mark.parametrize("stream", [False, True])
def test_a_caller_who_leaves_cancels_the_upstream_and_is_recorded(house: Build, stream: bool) -> None:
    async def scene() -> None:
        async with house(served={"near": "scripted-near?fault=slow_chunks&delay_ms=50"}) as h:
            await leave(h, "near", stream=stream)
            await h.gateway.aclose()
            records = await h.wired.ledger.latest(5)
            assert [r.outcome for r in records] == ["cancelled"]
            assert await soon(lambda: h.upstreams["near"].cancelled == 1)

    run(scene())


@pytest.mark.parametrize("stream", [False, True])
def test_an_outside_endpoint_that_bills_on_is_read_to_its_end(house: Build, stream: bool) -> None:
    async def scene() -> None:
        slow = "fault=slow_chunks&delay_ms=20" if stream else "fault=slow_first&delay_ms=100"
        budget = Budget(scope="all", limit_usd=Decimal(2))
        async with house(served={"far": f"scripted-far?{slow}"}, budget=(budget,)) as h:
            await leave(h, "far", stream=stream)
            [account] = h.gateway.facts.accounts
            assert account.reserved > 0, "what it may still cost stays set aside"
            assert await soon(lambda: not account.reserved)
            await h.gateway.aclose()
            [record] = await h.wired.ledger.latest(5)
            [billed] = h.upstreams["far"].asked
            usage = record.attempts[-1].usage
            assert usage is not None
            assert (record.outcome, record.attempts[-1].verdict, usage.estimated) == ("cancelled", "cancelled", False)
            assert (usage.read, usage.written) == (billed.prompt_tokens, billed.completion_tokens)
            assert h.upstreams["far"].cancelled == 0
            assert account.spent == record.total_cost_usd

    run(scene())


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("closing", [False, True], ids=["the time is up", "the gateway closes"])
def test_reading_on_for_a_caller_who_has_left_has_an_end(house: Build, stream: bool, closing: bool) -> None:
    async def scene() -> None:
        limits = Limits(drain_timeout_s=60 if closing else 0.05)
        slow = "fault=slow_chunks&delay_ms=500" if stream else "fault=hang"
        async with house(served={"far": f"scripted-far?{slow}"}, limits=limits) as h:
            await leave(h, "far", stream=stream)
            if closing:
                await h.gateway.aclose()
            assert await soon(lambda: h.upstreams["far"].cancelled == 1)
            await h.gateway.aclose()
            [record] = await h.wired.ledger.latest(5)
            assert record.outcome == "cancelled"
            assert (record.attempts[-1].usage is not None) == stream

    run(scene())


async def leave(h: House, model: str, *, stream: bool) -> None:
    """Ask, and leave once there is something to leave: the first word, or a question that was received."""
    task = asyncio.create_task(h.ask("one two three four five six seven eight", model=model, stream=stream))
    if stream:
        reply = await task
        assert reply.deltas is not None
        await anext(reply.deltas)
        waiting = asyncio.ensure_future(anext(reply.deltas))
        await asyncio.sleep(0)
        waiting.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await waiting
        await reply.deltas.aclose()
        return
    assert await soon(lambda: bool(h.upstreams[model].asked))
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


def test_callers_who_leave_say_nothing_of_an_endpoint(house: Build) -> None:
    async def scene() -> None:
        async with house(served={"near": "scripted-near?fault=slow_chunks&delay_ms=50"}) as h:
            for _ in range(BreakerSettings().failures + 1):
                await leave(h, "near", stream=True)
            await h.gateway.aclose()
            assert [record.outcome for record in await h.wired.ledger.latest(9)] == ["cancelled"] * 6
            assert h.gateway.facts.resting_s("near", monotonic()) == 0

    run(scene())


async def soon(holds: Callable[[], bool], limit_s: float = 5) -> bool:
    """Wait until something holds; say whether it did in time."""
    deadline = asyncio.get_running_loop().time() + limit_s
    while not holds() and asyncio.get_running_loop().time() < deadline:
        await asyncio.sleep(0.005)
    return holds()


def test_a_stream_that_nobody_begins_to_read_is_settled_too(house: Build) -> None:
    async def scene() -> None:
        budget = Budget(scope="all", limit_usd=Decimal(2))
        async with house(served={"far": "scripted-far?fault=slow_chunks&delay_ms=20"}, budget=(budget,)) as h:
            reply = await h.ask("one two three four five six", stream=True)
            assert reply.deltas is not None
            await reply.deltas.aclose()
            await h.gateway.aclose()
            assert (await h.recorded(reply.decision.id)).outcome == "cancelled"
            assert h.gateway.facts.accounts[0].reserved == 0

    run(scene())


@pytest.mark.parametrize("stream", [False, True])
def test_a_flagged_answer_is_whole_and_paid_once(house: Build, stream: bool) -> None:
    async def scene() -> None:
        budget = Budget(scope="all", limit_usd=Decimal(2))
        gates = Gates(refusal=True, hold_back_chars=10)
        workflow = Workflow(name="w", candidates=("far",), on_gate_failure="flag", gates=gates)
        async with house(served={"far": "scripted-far?fault=refusal"}, workflow=(workflow,), budget=(budget,)) as h:
            reply = await h.ask(model="auto:w", stream=stream)
            assert reply.gate_failed
            if reply.deltas is not None:
                parts = [piece.refusal async for delta in reply.deltas for piece in delta.pieces]
                assert "".join(parts) == "I cannot help with that."
            record = await h.recorded(reply.decision.id)
            assert record.outcome == "flagged"
            account = h.gateway.facts.accounts[0]
            assert (account.reserved, account.spent) == (0, record.total_cost_usd)

    run(scene())


def test_a_failing_endpoint_rests_and_comes_back(house: Build) -> None:
    async def scene() -> None:
        from tierwise.fallback.breaker import BreakerSettings

        breaker = BreakerSettings(failures=2, open_s=0.3)
        async with house(
            served={"far": "scripted-far?fault=error&status=500&times=2"},
            breaker=breaker,
            fallback=FallbackSettings(retries_same=0),
        ) as h:
            for _ in range(2):
                assert (await h.ask()).decision.attempts[-1].model == "mid"
            resting = (await h.ask()).decision
            assert [a.model for a in resting.attempts] == ["mid"]
            assert next(c for c in resting.candidates if c.model == "far").excluded_by == "health"
            await asyncio.sleep(0.35)
            assert (await h.ask()).decision.attempts[-1].model == "far"

    run(scene())


def test_an_endpoint_that_begins_to_rest_takes_no_attempt_from_the_next(house: Build) -> None:
    async def scene() -> None:
        from tierwise.fallback.breaker import BreakerSettings

        async with house(
            served={"far": "scripted-far?fault=error&status=500"},
            breaker=BreakerSettings(failures=1, open_s=60),
            fallback=FallbackSettings(retries_same=1, max_attempts=2),
        ) as h:
            decision = (await h.ask()).decision
            assert [a.model for a in decision.attempts] == ["far", "far", "mid"]
            assert decision.outcome == "answered"

    run(scene())


def test_the_dry_run_decides_the_same_and_asks_nobody(house: Build) -> None:
    async def scene() -> None:
        async with house() as h:
            dry = h.gateway.route(h.call(CARD))
            assert (dry.outcome, dry.chosen) == ("dry_run", "mid")
            assert sum(h.asked().values()) == 0
            assert await h.wired.ledger.count() == 0
            real = (await h.ask(CARD)).decision
            assert [c.excluded_by for c in real.candidates] == [c.excluded_by for c in dry.candidates]

    run(scene())


def test_a_request_that_was_read_in_part_only_is_suspicious(house: Build) -> None:
    """The scripted model counts words: a long one is reported as if it had been cut."""

    async def scene() -> None:
        async with house() as h:
            cut = await h.ask("".join(f"{n}," for n in range(2500)), model="near", max_tokens=5)
            whole = await h.ask(" ".join(str(n) for n in range(2500)), model="near", max_tokens=5)
            assert cut.decision.attempts[0].suspicion is not None
            assert "may have cut it" in cut.decision.attempts[0].suspicion
            assert whole.decision.attempts[0].suspicion is None
            assert h.gateway.facts.corrected("near", 9000) < 9000, "learned from the whole one"

    run(scene())


def test_a_defect_of_ours_closes_the_record_too(house: Build) -> None:
    async def scene() -> None:
        async def broken(_endpoint: Endpoint) -> Address:
            raise RuntimeError("a defect")

        async with house() as h:
            wired = h.wired
            gateway = Gateway(
                h.gateway.rules, h.gateway.facts, ledger=wired.ledger, transport=Transport(), reach=broken,
                new_id=h.gateway._new_id,
            )  # fmt: skip
            with pytest.raises(RuntimeError):
                await gateway.handle(h.call(model="near"))
            await gateway.aclose()
            [record] = await wired.ledger.latest(5)
            assert (record.outcome, record.error, len(record.attempts)) == ("failed", "RuntimeError", 1)

    run(scene())
