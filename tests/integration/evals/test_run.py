"""A comparison through a real gateway, on upstreams whose answers and faults are scripted."""

import asyncio
import functools
import json
from collections import Counter
from collections.abc import Awaitable, Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pytest

from tests.integration.gateway.conftest import House, house
from tierwise.core.bundle import Bundle
from tierwise.core.criteria import Criteria
from tierwise.core.errors import StoreError
from tierwise.core.label import Label
from tierwise.core.model import Limits
from tierwise.economics.budget import Budget
from tierwise.evals import answers, evidence, judges, judging, runs
from tierwise.evals.asking import in_process
from tierwise.evals.calls import Making
from tierwise.evals.estimate import estimated
from tierwise.evals.evidence import Evidence, Header, Seal, Subject, Writer
from tierwise.evals.item import Item
from tierwise.evals.outcome import Heard
from tierwise.evals.prompt import Prompt, render
from tierwise.evals.run import Plan, rescored, run
from tierwise.evals.scorers.score import Scorer
from tierwise.evals.scorers.spec import scorer
from tierwise.fallback.breaker import BreakerSettings
from tierwise.fallback.plan import FallbackSettings
from tierwise.gateway.workflow import Workflow
from tierwise.quality.settings import Gates
from tierwise.testing.faults import Script
from tierwise.wires import chat

assert house
FLOW = Workflow(name="w", baseline="far", candidates=("near", "mid"))


def awaited(test: Callable[..., Awaitable[None]]) -> Callable[..., None]:
    """Run a test on a loop of its own."""

    @functools.wraps(test)
    def run_it(**given: Any) -> None:
        asyncio.run(test(**given))  # type: ignore[arg-type]

    return run_it


AT_ONCE = FallbackSettings(max_attempts=1)
CALM = BreakerSettings(failures=1000)


def plan(
    count: int, *models: str, by: str = "exact", label: Label | None = None, repeats: int = 1, concurrency: int = 2
) -> Plan:
    """Plan to ask these models so many items, whose right answer the scripted model gives."""
    items = {
        f"i{n}": Item(
            id=f"i{n}",
            fields={"text": f"word {n}"},
            reference=f"word {n}",
            cluster=f"c{n // 2}",
            split="prove",
            label=label,
        )
        for n in range(count)
    }
    subjects = tuple(Subject(name=one, model=one, bundle=Bundle(workflow="w", models=((one, ""),))) for one in models)
    header = Header(
        run="20261121-000000-abcd", workflow="w", began=0.0, baseline=models[-1], subjects=subjects, dataset="d",
        items={"prove": count}, criteria=Criteria(concurrency=concurrency), seal=Seal(digest="", ts=0.0), scorer=by,
        metric="", repeats=repeats,
    )  # fmt: skip

    def body(item: Item, subject: Subject) -> bytes:
        return json.dumps(render(Prompt(max_output_tokens=4), item, subject.model)).encode()

    return Plan(header=header, items=items, body=body, scorer=scorer(by))


async def measured(built: House, work: Plan, folder: Path, **how: Any) -> Evidence:
    """Run it to its end and read its evidence."""
    if not (folder / runs.EVIDENCE).exists():
        Writer.begin(folder / runs.EVIDENCE, work.header).close()
    making = Making(ask=in_process(built.gateway), at_once=work.header.criteria.concurrency, patience_s=0.0)
    await run(work, folder, msgspec.structs.replace(making, **how))
    return evidence.read(folder / runs.EVIDENCE)


@awaited
async def test_an_observation_tells_what_a_call_was_like(house: Any, tmp_path: Path) -> None:
    async with house(workflow=(FLOW,)) as built:
        found = await measured(built, plan(4, "near", "far"), tmp_path / "run")
        first = next(one for one in found.observations if one.subject == "far")
        recorded = await built.recorded(first.decision or "")
    assert {one.score for one in found.observations} == {1.0}
    assert (first.reached, first.served) == ("far", "scripted-far")
    assert (first.input_tokens, first.output_tokens) == (2, 2)
    assert first.cost_usd == recorded.total_cost_usd == Decimal("0.000024")
    assert first.duration_ms is not None and first.duration_ms > 0
    assert first.accepted is True
    assert recorded.workflow == "w"
    near = [one for one in found.observations if one.subject == "near"]
    assert {one.cost_usd for one in near} == {None}
    assert {one.cluster for one in near} == {"c0", "c1"}
    assert max(one.at_once for one in found.observations) <= 2


@pytest.mark.parametrize(
    ("served", "outcome"),
    [
        ("scripted-near?fault=refusal", "refusal"),
        ("scripted-near?text=I cannot help with that.", "refusal"),
        ("scripted-near?fault=truncation", "truncated"),
        ("scripted-near?fault=empty_content", "unparsed"),
        ("scripted-near?fault=error", "failed"),
        ("scripted-near?fault=html", "failed"),
        ("scripted-near?fault=cut_utf8", "failed"),
        ("scripted-near?fault=drop", "failed"),
        ("scripted-near?fault=hang", "timeout"),
        ("scripted-near?fault=stall", "timeout"),
        ("scripted-near?fault=rate_limit", "failed"),
    ],
)
@awaited
async def test_what_is_missing_has_a_class_of_its_own_and_no_score(
    house: Any, tmp_path: Path, served: str, outcome: str
) -> None:
    limits = Limits(first_byte_timeout_s=0.2, idle_timeout_s=0.2)
    parts = {"workflow": (FLOW,), "fallback": AT_ONCE, "breaker": CALM, "limits": limits}
    async with house(served={"near": served}, **parts) as built:
        found = await measured(built, plan(2, "near", "mid"), tmp_path / "run")
    near = [one for one in found.observations if one.subject == "near"]
    assert {(one.outcome, one.score) for one in near} == {(outcome, None)}
    assert all(one.detail and one.decision for one in near)
    assert {one.score for one in found.observations if one.subject == "mid"} == {1.0}


@awaited
async def test_policy_holds_and_what_it_denied_is_missing(house: Any, tmp_path: Path) -> None:
    async with house(workflow=(FLOW,)) as built:
        work = plan(3, "near", "far", label=Label.RESTRICTED)
        found = await measured(built, work, tmp_path / "run")
        expected = estimated(work, work.keys, lambda body, hints: built.gateway.route(chat.decode_request(body, hints)))
        assert built.asked() == {"near": 3, "mid": 0, "far": 0}
    assert {one.outcome for one in found.observations if one.subject == "far"} == {"denied"}
    assert {one.outcome for one in found.observations if one.subject == "near"} == {"answered"}
    near, far = expected.shares
    assert (near.denied, far.denied, far.calls) == (0, 3, 3)
    assert "restricted" in far.why


@awaited
async def test_budgets_hold_and_an_estimate_says_the_cost_before(house: Any, tmp_path: Path) -> None:
    budget = Budget(scope="workflow:w", limit_usd=Decimal("0.0002"), window="1d")
    async with house(workflow=(FLOW,), budget=(budget,)) as built:
        work = plan(12, "near", "far", concurrency=1)
        expected = estimated(work, work.keys, lambda body, hints: built.gateway.route(chat.decode_request(body, hints)))
        found = await measured(built, work, tmp_path / "run")
    assert expected.cost_usd > 0
    assert expected.shares[0].cost_usd == 0
    spent = sum(one.cost_usd or Decimal(0) for one in found.observations)
    assert spent <= Decimal("0.0002")
    far = Counter(one.outcome for one in found.observations if one.subject == "far")
    assert far["answered"] and far["denied"] and not far["failed"]


@awaited
async def test_a_withheld_answer_is_scored_all_the_same(house: Any, tmp_path: Path) -> None:
    strict = msgspec.structs.replace(FLOW, gates=Gates(min_logprob=-0.000001), on_gate_failure="fail")
    async with house(workflow=(strict,), served={"near": "scripted-near?fault=low_logprobs"}) as built:
        found = await measured(built, plan(2, "near", "mid"), tmp_path / "run")
    near = [one for one in found.observations if one.subject == "near"]
    assert {(one.outcome, one.score, one.accepted) for one in near} == {("answered", 1.0, False)}
    assert all(one.confidence is not None and one.confidence < -0.000001 for one in near)


@awaited
async def test_the_whole_route_is_a_subject(house: Any, tmp_path: Path) -> None:
    cascade = msgspec.structs.replace(FLOW, strategy="cascade", trusted=("near", "mid"), on_gate_failure="flag")
    async with house(workflow=(cascade,), served={"near": "scripted-near?fault=empty_content"}) as built:
        found = await measured(built, plan(2, "auto:w", "far"), tmp_path / "run")
    route = [one for one in found.observations if one.subject == "auto:w"]
    assert {(one.reached, one.attempts, one.score) for one in route} == {("mid", 2, 1.0)}


@awaited
async def test_each_repeat_is_asked(house: Any, tmp_path: Path) -> None:
    async with house(workflow=(FLOW,)) as built:
        found = await measured(built, plan(3, "near", "mid", repeats=3), tmp_path / "run")
        assert built.asked() == {"near": 9, "mid": 9, "far": 0}
        sessions = {(await built.recorded(one.decision or "")).session for one in found.observations}
    assert len(sessions) == 18


@awaited
async def test_a_run_that_cannot_go_on_keeps_what_was_answered_and_goes_on_later(house: Any, tmp_path: Path) -> None:
    async with house(workflow=(FLOW,)) as built:
        inner, asked = in_process(built.gateway), Counter[str]()

        async def breaking(body: bytes, hints: Any) -> Heard:
            asked[hints.session] += 1
            if sum(asked.values()) == 7:
                raise StoreError("the disk is full")
            return await inner(body, hints)

        with pytest.raises(StoreError, match="the disk is full"):
            await measured(built, plan(8, "near", "mid"), tmp_path / "run", ask=breaking)
        kept = len(list(answers.read(tmp_path / "run" / runs.ANSWERS)))
        assert kept == 6
        found = await measured(built, plan(8, "near", "mid"), tmp_path / "run")
        assert sum(built.asked().values()) == 16
    assert Counter((one.item, one.subject) for one in found.observations).most_common(1)[0][1] == 1
    assert len(found.observations) == 16


@awaited
async def test_answers_without_a_score_are_scored_and_not_asked_again(house: Any, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    async with house(workflow=(FLOW,)) as built:
        work = plan(5, "near", "mid")
        await measured(built, work, folder)
        # As a kill between answer and score leaves it: the header and half of the observations, one cut short.
        lines = (folder / runs.EVIDENCE).read_bytes().splitlines(keepends=True)
        (folder / runs.EVIDENCE).write_bytes(b"".join(lines[:6]) + lines[6][:40])
        found = await measured(built, work, folder)
        assert sum(built.asked().values()) == 10
    assert len({(one.item, one.subject) for one in found.observations}) == len(found.observations) == 10


@awaited
async def test_who_rests_is_waited_for_but_not_for_ever(house: Any, tmp_path: Path) -> None:
    breaker = BreakerSettings(failures=1, open_s=0.3)
    async with house(workflow=(FLOW,), fallback=AT_ONCE, breaker=breaker) as built:
        built.upstreams["near"].script(Script(fault="error", status=500))
        found = await measured(built, plan(4, "near", "mid", concurrency=1), tmp_path / "a", patience_s=20.0)
    near = Counter(one.outcome for one in found.observations if one.subject == "near")
    assert near == {"failed": 1, "answered": 3}
    down = {"near": "scripted-near?fault=error"}
    async with house(workflow=(FLOW,), fallback=AT_ONCE, breaker=BreakerSettings(failures=1), served=down) as built:
        found = await measured(built, plan(4, "near", "mid"), tmp_path / "b", patience_s=0.0)
    assert {one.outcome for one in found.observations if one.subject == "near"} == {"failed"}


@awaited
async def test_a_scorer_that_fails_half_way_loses_nothing(house: Any, tmp_path: Path) -> None:
    (tmp_path / "own.py").write_text("def f(text, reference, item):\n    return 1 / (text != 'word 1')")
    own = scorer("python:own.py:f", tmp_path)
    async with house(workflow=(FLOW,)) as built:
        found = await measured(built, msgspec.structs.replace(plan(3, "near", "mid"), scorer=own), tmp_path / "run")
    own.close()
    assert Counter(one.outcome for one in found.observations) == {"answered": 4, "scorer_failed": 2}
    exact: Scorer = scorer("exact")
    header = msgspec.structs.replace(found.header, run="20261121-000001-abcd", scorer="exact")
    rescored(found, header, tmp_path / "run", tmp_path / "again", plan(3, "near", "mid").items, exact)
    again = evidence.read(tmp_path / "again" / runs.EVIDENCE)
    assert {one.score for one in again.observations} == {1.0}
    assert {one.decision for one in again.observations} == {one.decision for one in found.observations}


@awaited
async def test_a_judge_is_asked_in_both_orders_and_never_twice(house: Any, tmp_path: Path) -> None:
    served = {"near": "scripted-near?text=other", "far": 'scripted-far?text={"better": "first"}'}
    async with house(workflow=(FLOW,), served=served) as built:
        work = plan(3, "near", "mid")
        await measured(built, work, tmp_path / "run")
        how = Making(ask=in_process(built.gateway), at_once=2, patience_s=0.0)
        await judging.judge(work, tmp_path / "run", "far", how)
        await judging.judge(work, tmp_path / "run", "far", how)
        assert built.asked() == {"near": 3, "mid": 3, "far": 6}
        told = [request.body for request in built.upstreams["far"].asked]
    found = evidence.read(tmp_path / "run" / runs.EVIDENCE)
    # Who always prefers the first answer has no word that counts.
    assert judges.tally(found, "near") == judges.Tally(unsure=3)
    assert {one.verdicts for one in found.judgements} == {("near", "mid")}
    assert all(len(one.decisions) == 2 and one.cost_usd for one in found.judgements)
    assert not any(b"near" in body or b"mid" in body for body in told)


@awaited
async def test_equal_answers_are_a_tie_and_missing_ones_are_not_judged(house: Any, tmp_path: Path) -> None:
    async with house(workflow=(FLOW,)) as built:
        built.upstreams["near"].script(Script(fault="refusal"))
        work = plan(3, "near", "mid", concurrency=1)
        await measured(built, work, tmp_path / "run")
        how = Making(ask=in_process(built.gateway), at_once=1, patience_s=0.0)
        await judging.judge(work, tmp_path / "run", "far", how)
        assert built.asked()["far"] == 0
    assert judges.tally(evidence.read(tmp_path / "run" / runs.EVIDENCE), "near") == judges.Tally(ties=2)


@awaited
async def test_a_judge_that_cannot_be_read_is_no_loss(house: Any, tmp_path: Path) -> None:
    served = {"near": "scripted-near?text=other", "far": "scripted-far?text=The first one."}
    async with house(workflow=(FLOW,), served=served) as built:
        work = plan(2, "near", "mid")
        await measured(built, work, tmp_path / "run")
        await judging.judge(work, tmp_path / "run", "far", Making(ask=in_process(built.gateway), at_once=2))
    assert judges.tally(evidence.read(tmp_path / "run" / runs.EVIDENCE), "near") == judges.Tally(unread=2)


@awaited
async def test_a_call_that_is_cancelled_is_made_again(house: Any, tmp_path: Path) -> None:
    async with house(workflow=(FLOW,), served={"near": "scripted-near?fault=slow_first&delay_ms=400&times=1"}) as built:
        work = plan(2, "near", "mid", concurrency=1)
        going = asyncio.create_task(measured(built, work, tmp_path / "run"))
        while not built.upstreams["near"].asked:
            await asyncio.sleep(0.005)
        going.cancel()
        with pytest.raises(asyncio.CancelledError):
            await going
        found = await measured(built, work, tmp_path / "run")
        assert built.asked()["near"] == 3
    assert len(found.observations) == 4
