"""What a server, a network and other gateways can do to a shared ledger: nothing is lost or counted twice, it heals."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Coroutine
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pytest
import trustme

from tests.integration.ledger.crowd import PASSWORD, accounts, crowd
from tests.postgres.server import Server
from tests.unit.ledger.samples import START, a_decision, an_id, an_intent
from tierwise.core.errors import StoreBusy, StoreError
from tierwise.core.secret import Secret
from tierwise.gateway.clock import Clock
from tierwise.ledger.postgres import PostgresLedger
from tierwise.ledger.postgres_history import PostgresHistory
from tierwise.ledger.postgres_tables import lock
from tierwise.ledger.queries import Filter
from tierwise.ledger.writer import Options
from tierwise.postgres.connect import Place, connect, disconnect

ROOT = Path(__file__).parents[3]
LEASE_S = 2.0


def run(work: Coroutine[Any, Any, None]) -> None:
    asyncio.run(asyncio.wait_for(work, 90))


async def until(said: Callable[[], Awaitable[bool]], within_s: float = 30.0) -> None:
    deadline = time.monotonic() + within_s
    while not await said():
        assert time.monotonic() < deadline, "it did not come to that in time"
        await asyncio.sleep(0.05)


def today(**changes: object) -> dict[str, object]:
    return {"ts": time.time(), **changes}


@pytest.fixture
def place(postgres: Server) -> Place:
    return postgres.database()


@pytest.fixture
def own_server(postgres: Server) -> Any:
    """A server that the test may stop; depends on the shared one so that it is skipped for the same reasons."""
    server = Server()
    yield server
    server.close()


def test_two_processes_never_overshoot_and_every_cent_is_accounted_for(
    postgres: Server, place: Place, scrubbed_environment: Path
) -> None:
    os.environ[PASSWORD] = postgres.password
    found = crowd(str(place), processes=2, admissions=3000, rounds=3, seed=time.time_ns() % 1000)
    assert found["wrong"] == []
    assert 0 < found["admitted"] < found["admissions"], "there was enough for some and not for all"


HOLDER = """
import asyncio, os, sys, time
from decimal import Decimal
from tests.integration.ledger.crowd import accounts, located
from tests.unit.ledger.samples import an_intent
from tierwise.ledger.postgres import PostgresLedger

async def main():
    store = await PostgresLedger.open(located(sys.argv[1]), lease_s=2.0)
    mine = accounts()
    await store.enforce(mine)
    for number in range(3):
        await store.intent(an_intent(number, ts=time.time(), reserved_usd=Decimal(1), workflow="w"), mine)
    os.write(1, b"held\\n")
    await asyncio.sleep(600)

asyncio.run(main())
"""


@pytest.mark.parametrize("step_s", [31 * 86_400, 365 * 86_400])
def test_a_step_of_the_servers_clock_frees_no_budget(place: Place, step_s: int) -> None:
    steps = [0]
    options = Options(believed=lambda wall: Clock(lambda: wall() + steps[-1]))

    async def work() -> None:
        mine = accounts()
        room = min(account.budget.limit_usd for account in mine)
        async with await PostgresLedger.open(place, options) as store:
            await store.enforce(mine)
            assert await store.intent(an_intent(1, **today(reserved_usd=room, workflow="w")), mine) is None
            await store.outcome(a_decision(1, **today(total_cost_usd=room, workflow="w")))
            steps.append(step_s)
            assert await store.intent(an_intent(2, **today(reserved_usd=room, workflow="w")), mine) is not None

    run(work())


def test_where_the_servers_clock_was_set_nobody_is_taken_for_dead(place: Place) -> None:
    async def work() -> None:
        async with await PostgresLedger.open(place) as store:
            await store.intent(an_intent(1))
        doubting = Options(believed=lambda wall: lambda: wall() - 3600)
        async with await PostgresLedger.open(place, doubting) as store:
            assert store.interrupted == 0
            await store.outcome(a_decision(2))
        async with await PostgresLedger.open(place) as store:
            assert store.interrupted == 1

    run(work())


def test_what_a_killed_process_held_is_closed_and_charged_by_the_others(postgres: Server, place: Place) -> None:
    os.environ[PASSWORD] = postgres.password

    async def work() -> None:
        mine = accounts()
        async with await PostgresLedger.open(place, lease_s=LEASE_S) as store:
            await store.enforce(mine)
            child = subprocess.Popen(  # noqa: ASYNC220
                [sys.executable, "-c", HOLDER, str(place)], cwd=ROOT, stdout=subprocess.PIPE
            )
            assert child.stdout is not None
            assert await asyncio.to_thread(child.stdout.readline) == b"held\n"

            async def seen() -> bool:
                return mine[0].reserved == 3

            await until(seen)
            assert await store.count() == 0, "as long as it lives its calls are its own"
            child.send_signal(signal.SIGKILL)
            child.communicate()

            async def closed() -> bool:
                return await store.count() == 3

            await until(closed)
            assert {decision.outcome for decision in await store.latest(5)} == {"interrupted"}

            async def freed() -> bool:
                return (mine[1].spent, mine[1].reserved) == (3, 0)

            await until(freed)

    run(work())


def test_a_process_given_up_by_the_others_may_not_finish_its_calls_and_begins_anew(
    postgres: Server, place: Place
) -> None:
    async def work() -> None:
        mine = accounts()
        async with await PostgresLedger.open(place, lease_s=600) as silent:
            await silent.enforce(mine)
            await silent.intent(an_intent(1, **today(reserved_usd=Decimal(2))), mine[:1])
            # As if it had been silent for longer than its lease, then a moment too late.
            connection = await connect(place)
            await connection.execute("UPDATE processes SET seen = '-infinity'")
            other = await PostgresLedger.open(place, lease_s=600)
            await disconnect(connection)
            found = await other.get(an_id(1))
            assert found is not None
            if found.outcome == "interrupted":  # else its next word came first, and it lives
                with pytest.raises(StoreError, match="already has a record"):
                    await silent.outcome(a_decision(1))
                with pytest.raises(StoreError, match="already has a record"):
                    await silent.hold(an_id(1), Decimal(3), mine[:1])
            await silent.intent(an_intent(2, **today(reserved_usd=Decimal(1))), mine[:1])
            assert await silent.outcome(a_decision(2, **today(total_cost_usd=Decimal("0.5")))) > 0
            assert await other.spent_usd(0) in (Decimal("2.5"), Decimal("0.5"))
            await other.close()

    run(work())


def test_a_server_that_dies_and_comes_back_loses_nothing_that_was_promised(own_server: Server) -> None:
    where = own_server.database()

    async def work() -> None:
        promised: set[str] = set()
        failed = 0

        async def call(number: int) -> None:
            nonlocal failed
            try:
                await store.intent(an_intent(number))
                await store.outcome(a_decision(number))
                promised.add(an_id(number))
            except StoreError as error:
                assert str(where.port) in str(error)
                assert own_server.password not in str(error)
                failed += 1

        async with await PostgresLedger.open(where, lease_s=LEASE_S) as store:
            for cycle in range(2):
                calls = [asyncio.create_task(call(cycle * 2000 + number)) for number in range(1000)]
                while len(promised) < cycle * 1000 // 2 + 10:
                    await asyncio.sleep(0)
                await asyncio.to_thread(own_server.stop, hard=True)
                await asyncio.gather(*calls)
                with pytest.raises(StoreError, match="check the address"):
                    await store.intent(an_intent(cycle * 2000 + 1500))
                await asyncio.to_thread(own_server.start)
                await call(cycle * 2000 + 1999)
                assert an_id(cycle * 2000 + 1999) in promised, "it heals with the next call"
            assert store.pending_rows == 0

            async def none_open() -> bool:
                return own_server.sql("SELECT count(*) FROM tierwise.intents", where.database) == "0"

            await until(none_open)
            found = [decision async for decision in store.iterate()]
            assert [decision.seq for decision in found] == list(range(1, len(found) + 1))
            answered = {decision.id for decision in found if decision.outcome == "answered"}
            assert promised <= answered
            assert len(found) == len({decision.id for decision in found})
            assert failed > 0

    run(work())


def test_a_connection_that_is_cut_is_nobodys_failure(postgres: Server, place: Place) -> None:
    async def work() -> None:
        async with await PostgresLedger.open(place) as store:
            for number in range(8):
                await store.outcome(a_decision(number))
                cut = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'tierwise'"
                await asyncio.to_thread(postgres.sql, f"{cut} AND datname = '{place.database}'", "postgres")
                assert await store.count() == number + 1, "a reader asks again as well"
            assert [decision.seq async for decision in store.iterate()] == list(range(1, 9))

    run(work())


def test_a_gateway_that_hangs_in_a_transaction_does_not_hold_up_the_others_for_long(
    postgres: Server, place: Place
) -> None:
    async def work() -> None:
        async with await PostgresLedger.open(place) as store:
            await store.outcome(a_decision(1))
            hung = await connect(place)
            await hung.execute("BEGIN")
            await hung.execute("SET idle_in_transaction_session_timeout = 7000")
            await lock(hung, float)
            refused = 0
            number = 2
            while True:  # refused at worst, and only until the server has ended the one that hangs
                try:
                    assert await store.outcome(a_decision(number)) == 2
                    break
                except StoreBusy as error:
                    assert "another gateway holds the ledger" in str(error)
                    number += 1
                    refused += 1
            assert refused > 0
            await disconnect(hung)

    run(work())


def test_a_row_that_the_server_refuses_is_told_and_it_heals(postgres: Server, place: Place) -> None:
    async def work() -> None:
        async with await PostgresLedger.open(place) as store:
            await store.outcome(a_decision(1))
            postgres.sql("ALTER TABLE tierwise.records ADD CONSTRAINT nothing CHECK (seq < 2)", place.database)
            with pytest.raises(StoreError, match="nothing"):
                await store.outcome(a_decision(2))
            postgres.sql("ALTER TABLE tierwise.records DROP CONSTRAINT nothing", place.database)
            assert await store.outcome(a_decision(3)) == 2

    run(work())


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"password": Secret("wrong")}, "access was refused"),
        ({"password": None}, "access was refused"),
        ({"database": "nowhere"}, "no such database"),
        ({"port": 1}, "check the address"),
    ],
)
def test_a_server_that_cannot_be_used_says_why(place: Place, changes: dict[str, Any], told: str) -> None:
    async def work() -> None:
        where = msgspec.structs.replace(place, **changes)
        for opened in (PostgresLedger.open(where), PostgresHistory(where).count()):
            with pytest.raises(StoreError, match=told) as caught:
                await opened
            assert "wrong" not in str(caught.value)

    run(work())


def test_a_ledger_of_a_newer_tierwise_is_left_alone(postgres: Server, place: Place) -> None:
    async def work() -> None:
        history = PostgresHistory(place)
        with pytest.raises(StoreError, match="start `tierwise serve` once"):
            await history.count()
        async with await PostgresLedger.open(place) as store:
            await store.outcome(a_decision(1))
        assert await history.count() == 1
        await history.close()
        postgres.sql("UPDATE tierwise.version SET version = 99", place.database)
        for opened in (PostgresLedger.open(place), PostgresHistory(place).count()):
            with pytest.raises(StoreError, match="written by a newer Tierwise"):
                await opened

    run(work())


def test_two_that_open_an_empty_database_at_once_make_its_tables_once(place: Place) -> None:
    async def work() -> None:
        stores = await asyncio.gather(*(PostgresLedger.open(place) for _ in range(5)))
        seqs = await asyncio.gather(*(store.outcome(a_decision(n)) for n, store in enumerate(stores)))
        assert sorted(seqs) == [1, 2, 3, 4, 5]
        await asyncio.gather(*(store.close() for store in stores))

    run(work())


def test_a_reader_cannot_write(place: Place) -> None:
    async def work() -> None:
        async with await PostgresLedger.open(place) as store:
            await store.outcome(a_decision(1))
        connection = await connect(place, read_only=True)
        with pytest.raises(Exception, match="read-only transaction"):
            await connection.execute("DELETE FROM records")
        await disconnect(connection)

    run(work())


def test_records_are_kept_as_long_as_they_should_be_without_being_asked(place: Place) -> None:
    async def work() -> None:
        async with await PostgresLedger.open(place) as store:
            await asyncio.gather(*(store.outcome(a_decision(n, ts=1_000_000_000.0)) for n in range(700)))
            await store.outcome(a_decision(900, ts=4_000_000_000.0))
        async with await PostgresLedger.open(place, Options(keep_s=30 * 86_400)) as store:

            async def pruned() -> bool:
                return await store.count() == 1

            await until(pruned)
            assert [decision.id for decision in await store.latest(2, Filter(since_ts=START))] == [an_id(900)]

    run(work())


def test_with_tls_the_servers_certificate_is_checked(own_server: Server) -> None:
    authority, stranger = trustme.CA(), trustme.CA()
    certificate = authority.issue_cert("127.0.0.1")
    key, chain = own_server.data / "server.key", own_server.data / "server.crt"
    certificate.private_key_pem.write_to_path(key)
    certificate.cert_chain_pems[0].write_to_path(chain)
    key.chmod(0o600)
    for file in (key, chain):
        os.chown(file, own_server.data.stat().st_uid, own_server.data.stat().st_gid)
    files = {"ca": authority, "stranger": stranger}
    for name, one in files.items():
        one.cert_pem.write_to_path(own_server.folder / name)
    where = own_server.database()
    checked = msgspec.structs.replace(where, ca_file=str(own_server.folder / "ca"))

    async def plain() -> None:
        with pytest.raises(StoreError, match="SSL"):
            await PostgresLedger.open(checked)  # a server without TLS is not spoken to in the clear

    run(plain())
    own_server.sql("ALTER SYSTEM SET ssl = on", "postgres")
    own_server.stop()
    own_server.start()

    async def encrypted() -> None:
        async with await PostgresLedger.open(checked) as store:
            await store.outcome(a_decision(1))
            own = "SELECT bool_and(ssl) FROM pg_stat_ssl JOIN pg_stat_activity USING (pid) WHERE application_name = "
            assert own_server.sql(own + "'tierwise'", "postgres") == "t"
        with pytest.raises(StoreError, match="certificate"):
            await PostgresLedger.open(msgspec.structs.replace(checked, ca_file=str(own_server.folder / "stranger")))

    run(encrypted())
