"""A drill over the ledger of a real gateway: what it says of today is what happened, and what survives is what may."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec

from tests.integration.gateway.conftest import Build, House
from tests.integration.gateway.test_certificates import ABLE, FLOW, certify
from tests.integration.gateway.till import behind_a_gateway
from tierwise import bootstrap
from tierwise.core.call import Hints
from tierwise.core.decision import Decision
from tierwise.core.errors import TierwiseError
from tierwise.core.label import Label
from tierwise.drill.file import FORMAT, Drill, Head, again, made, read, text
from tierwise.drill.findings import Findings
from tierwise.drill.scenario import Scenario, changes
from tierwise.drill.snapshot import Snapshot
from tierwise.drill.traffic import Gathering
from tierwise.economics.budget import Budget
from tierwise.testing import Script

MADE_US = 1_900_000_000_000_000
TICKETS = "auto:tickets"


def drill(home: House, made_us: int | None = None, **changed: Any) -> tuple[Drill, Findings]:
    """Make a drill of everything that the house has on record, as the command does."""
    settings = home.wired.settings
    records, gathering = bootstrap.records(settings, 0.0), Gathering()
    whole = records.range()
    gathering.add(records.records(whole))
    traffic = gathering.traffic()
    head = Head(
        format=FORMAT,
        tierwise="0",
        made_us=made_us or int(home.gateway.facts.clock() * 1_000_000),
        scenario=Scenario(**changed),
        source=gathering.source(0.0, whole.after, whole.last),
        skipped=traffic.skipped,
        kinds=len(traffic.kinds),
        calls=len(traffic.calls),
        rules=Snapshot.of(home.gateway.rules, settings.policy),
    )
    return made(head, traffic)


@asynccontextmanager
async def lived_in(house: Build, **document: Any) -> AsyncIterator[House]:
    """Open a house whose cheap model is certified for tickets, and let it answer calls of every sort."""
    async with house(workflow=(FLOW,), able=ABLE, **document) as home:
        certify(home, -5.0)
        for number in range(4):
            await home.ask("a ticket " * (number + 1), model=TICKETS)
        home.upstreams["near"].script(Script(fault="empty_content"))
        await home.ask("an odd ticket", model=TICKETS)
        await home.ask("anything", hints=Hints(label=Label.PUBLIC))
        await home.ask("for us alone", hints=Hints(label=Label.CONFIDENTIAL))
        await home.ask("by name", model="far")
        await refused(home, "kept here", model="far", hints=Hints(label=Label.RESTRICTED))
        home.upstreams["far"].script(Script(fault="error", status=503))
        await home.ask("at the second try", model="far")
        yield home


async def refused(home: House, said: str, **fields: Any) -> None:
    try:
        await home.ask(said, **fields)
    except TierwiseError:
        return
    raise AssertionError("it was to be refused")


def test_todays_run_is_what_was_recorded_to_the_cent_and_the_attempt(house: Build) -> None:
    async def go() -> None:
        async with lived_in(house) as home:
            recorded: list[Decision] = [one async for one in home.wired.ledger.iterate()]
            _, found = drill(home)
            today = found.whole.today
            assert today.cost_usd == sum(one.total_cost_usd or Decimal(0) for one in recorded) > 0
            assert today.outcomes == {"answered": 9, "refused": 1}
            assert found.check.alike == found.check.calls == 9
            assert found.check.error_p95 == 0
            assert (found.survives, found.same, found.losses) == (9, 9, ())
            assert today == found.whole.drill

    asyncio.run(go())


def test_without_the_frontier_what_is_certified_survives_and_what_named_it_is_lost_with_its_reason(
    house: Build,
) -> None:
    async def go() -> None:
        async with lived_in(house) as home:
            _, found = drill(home, without=("frontier",))
            assert (found.wanted, found.lost) == (9, 3)
            gone, odd = found.losses
            assert (gone.cause, gone.calls, gone.by) == ("health", 2, {"far": "health"})
            assert "gone in this drill" in gone.reason and len(gone.ids) == 2
            assert (odd.workflow, odd.outcome, odd.cause, odd.calls) == ("tickets", "flagged", "gate", 1)
            assert found.moves[0].before == "far" and found.moves[0].after != "far"
            tickets = {one.name: one for one in found.workflows}["tickets"]
            assert tickets.today.evidence == {"certified": 5} and tickets.drill.evidence == {"certified": 4}
            assert (tickets.today.least_quality, tickets.drill.least_quality) == (0.8, 0.8)
            assert found.whole.drill.cost_usd == 0
            (proof,) = found.certificates
            assert proof.void == () and (proof.max_wrong, proof.confidence) == (0.05, 0.95)

    asyncio.run(go())


def test_without_the_first_step_the_baseline_answers_and_no_policy_is_lifted(house: Build) -> None:
    async def go() -> None:
        async with lived_in(house) as home:
            _, found = drill(home, without=("near-server", "mid-server"))
            assert {(one.label, one.cause) for one in found.losses} == {(Label.CONFIDENTIAL, "compliance")}
            tickets = {one.name: one for one in found.workflows}["tickets"]
            assert tickets.drill.evidence == {"certified": 5} and tickets.drill.least_quality == 1.0
            assert tickets.drill.cost_usd > tickets.today.cost_usd

    asyncio.run(go())


def test_after_the_certificate_has_ended_nothing_is_certified(house: Build) -> None:
    async def go() -> None:
        async with lived_in(house) as home:
            _, found = drill(home, made_us=MADE_US)
            assert "it expired on" in found.certificates[0].void[0]
            assert "certified" not in found.whole.today.evidence
            assert found.check.alike < found.check.calls, "without evidence the strongest is first"

    asyncio.run(go())


def test_three_times_the_price_is_three_times_the_cost_where_nothing_cheaper_is_good_enough(house: Build) -> None:
    async def go() -> None:
        async with lived_in(house) as home:
            _, found = drill(home, price=changes(("far=3x",), "--price"))
            assert found.whole.drill.cost_usd == 3 * found.whole.today.cost_usd
            _, found = drill(home, growth=Decimal(2))
            assert found.whole.drill.calls == 20 and found.wanted == 18
            assert found.whole.drill.cost_usd == 2 * found.whole.today.cost_usd

    asyncio.run(go())


def test_a_budget_that_holds_today_is_spent_where_prices_rise(house: Build) -> None:
    async def go() -> None:
        limit = Budget(scope="all", limit_usd=Decimal(3), window="30d")
        async with lived_in(house, budget=(limit,)) as home:
            assert drill(home)[1].lost == 0
            _, found = drill(home, price=changes(("far=9999x",), "--price"))
            assert "budget" in {one.cause for one in found.losses}

    asyncio.run(go())


def test_the_file_gives_the_same_findings_to_the_byte_and_shows_what_was_changed_in_it(house: Build) -> None:
    async def go() -> None:
        async with lived_in(house) as home:
            done, found = drill(home, without=("far-server",), growth=Decimal("1.5"))
            data = text(done)
            for secret in (str(home.wired.settings.home), "ticket a ticket"):
                assert secret.encode() not in data
            problem, same = again(read(data, "x"))
            assert problem is None and same == found
            cheaper = data.replace(b'"output_usd_per_mtok":10', b'"output_usd_per_mtok":11')
            assert cheaper != data and "are not those" in str(again(read(cheaper, "x"))[0])
            head, _, last = data.rstrip(b"\n").rpartition(b"\n")
            better = last.replace(b'"survives":', b'"survives":1')
            assert "differ at byte" in str(again(read(head + b"\n" + better + b"\n", "x"))[0])

    asyncio.run(go())


def test_the_same_drill_made_twice_is_the_same_file(house: Build) -> None:
    async def go() -> None:
        async with lived_in(house) as home:
            one, other = (text(drill(home, made_us=MADE_US, without=("far-server",))[0]) for _ in range(2))
            assert one == other
            assert msgspec.json.decode(one.splitlines()[0])["format"] == FORMAT

    asyncio.run(go())


def test_a_queue_in_front_of_a_real_server_is_found_in_its_times_and_put_back(tmp_path: Path) -> None:
    async def go() -> None:
        async with behind_a_gateway(2, tmp_path) as wired:
            home = House(wired, {})
            await asyncio.gather(*(home.ask("40", model="clerk") for _ in range(12)))
            two = changes(("till=2",), "--slots")
            _, found = drill(home, slots=two, capacity=changes(("till=-1",), "--capacity"))
            assert found.check.alike == 12 and found.check.error_p50 is not None and found.check.error_p50 < 0.1
            (load,) = found.loads
            assert load.slots == (2, 1) and 0 < load.waited[0] < load.waited[1] == 11
            assert load.longest_wait_ms[1] > load.longest_wait_ms[0]
            assert found.lost == 0

    asyncio.run(go())
