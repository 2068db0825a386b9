"""What every audited ledger promises: nothing of it can be changed, taken out, moved, put in or cut off unseen."""

import asyncio
import sqlite3
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

import pytest

from tests.contract.stores import KINDS, Open, opener
from tests.unit.ledger.samples import START, a_decision, an_id, an_intent
from tierwise.audit.checkpoint import opened as opened_note
from tierwise.audit.notes import Signer
from tierwise.core.errors import StoreError
from tierwise.ledger.notary import Notary
from tierwise.ledger.protocol import Store
from tierwise.ledger.writer import Options
from tierwise.postgres.connect import Place
from tierwise.postgres.connect import connect as connect_database
from tierwise.verifier import Verifier

SIGNER = Signer("ledger.example", bytes(range(32)))
SIGNED = Options(signer=SIGNER)
KEYS = [str(SIGNER.key)]
DAY_S = 86_400.0


class World:
    """A store of one kind, and somebody who can change what lies in it without the store."""

    def __init__(self, kind: str, request: pytest.FixtureRequest, folder: Path) -> None:
        self.open: Open
        self.open, self.where = opener(kind, request, folder)

    async def tamper(self, *statements: str) -> None:
        """Run SQL that both kinds understand, past everything that guards the store."""
        if isinstance(self.where, Place):
            db = await connect_database(self.where)
            for statement in statements:
                await db.execute(statement.replace("x'", "'\\x"))
            await db.close()
            return
        file = sqlite3.connect(self.where)
        file.executescript(";".join(statements))
        file.close()


@pytest.fixture(params=KINDS)
def world(request: pytest.FixtureRequest, tmp_path: Path) -> World:
    return World(request.param, request, tmp_path)


def run(work: Coroutine[Any, Any, None]) -> None:
    asyncio.run(asyncio.wait_for(work, 90))


async def recorded(store: Store, first: int, last: int, **changes: Any) -> None:
    await asyncio.gather(*(store.outcome(a_decision(number, **changes)) for number in range(first, last + 1)))


async def filled(world: World, *, signed: int = 30, more: int = 0) -> list[str]:
    """Record and sign so many, and some that are not signed; return the checkpoints, as a witness would have them."""
    store = await world.open(SIGNED)
    await recorded(store, 1, signed // 2)
    await store.notarise()
    early = await store.checkpoints()
    await recorded(store, signed // 2 + 1, signed)
    await store.notarise()
    notes = early + await store.checkpoints()
    await recorded(store, signed + 1, signed + more)
    await store.close()
    return notes


async def found(world: World, witnessed: list[str] | None = None) -> Verifier:
    store = await world.open(SIGNED)
    verifier = Verifier(KEYS, witnessed or [])
    await store.read_log(verifier)
    await store.close()
    verifier.end()
    return verifier


def test_what_was_recorded_is_signed_and_whole(world: World) -> None:
    async def scene() -> None:
        notes = await filled(world, signed=30, more=4)
        verifier = await found(world, notes)
        assert verifier.findings == []
        assert (verifier.records, verifier.size, verifier.rows) == (34, 30, 34)
        assert verifier.witnessed == len(notes)
        assert opened_note(notes[-1], SIGNER.keys).size == 30

    run(scene())


def test_calls_without_an_outcome_can_be_asked_for(world: World) -> None:
    async def scene() -> None:
        store = await world.open(SIGNED)
        await store.intent(an_intent(1))
        await store.intent(an_intent(2))
        await store.outcome(a_decision(2))
        assert [call.id for call in await store.open_calls()] == [an_id(1)]
        await store.close()

    run(scene())


TAMPERINGS: dict[str, tuple[str, list[str]]] = {
    "one bit of a record": ("record 7 is not what was signed", ["UPDATE records SET record = x'00' WHERE seq = 7"]),
    "a record and its leaf": (
        "the records up to 30 are not those",
        ["UPDATE records SET record = x'00' WHERE seq = 7",
         "UPDATE leaves SET hash = x'1b3f5d2f5c0f0a1e6c8f3f6b7d1f2e3d4c5b6a79880716253443526170899aab' WHERE seq = 7"],
    ),
    "a record is taken out": ("record 7 is missing", ["DELETE FROM records WHERE seq = 7"]),
    "a record and its leaf are taken out": (
        "record 7 is missing", ["DELETE FROM records WHERE seq = 7", "DELETE FROM leaves WHERE seq = 7"],
    ),
    "the first one is taken out": (
        "record 1 is missing", ["DELETE FROM records WHERE seq = 1", "DELETE FROM leaves WHERE seq = 1"],
    ),
    "two records change places": (
        "record 7 is not what was signed",
        ["UPDATE records SET seq = -7 WHERE seq = 7", "UPDATE records SET seq = 7 WHERE seq = 8",
         "UPDATE records SET seq = 8 WHERE seq = -7"],
    ),
    "one is put in before all": (
        "a record -7 was put in", ["UPDATE records SET seq = -7 WHERE seq = 30", "DELETE FROM leaves WHERE seq = 30"],
    ),
    "one is put in at 0": (
        "a record 0 was put in", ["UPDATE records SET seq = 0 WHERE seq = 30", "DELETE FROM leaves WHERE seq = 30"],
    ),
    "the end is cut off": (
        "the end is cut off: 30 records were signed, 25 are here",
        ["DELETE FROM records WHERE seq > 25", "DELETE FROM leaves WHERE seq > 25"],
    ),
    "the newest checkpoint is another's": (
        "a checkpoint cannot be believed",
        ["UPDATE checkpoints SET note = replace(note, '— ledger.example', '— ledger.example2')"],
    ),
    "a checkpoint says more": (
        "a checkpoint cannot be believed", ["UPDATE checkpoints SET note = replace(note, '30', '31')"],
    ),
    "a removal is claimed": (
        "the statement of what was removed cannot be believed",
        ["DELETE FROM records WHERE seq = 7", "INSERT INTO removals (note) VALUES ('ledger.example')"],
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", TAMPERINGS)
def test_every_kind_of_tampering_is_found(world: World, name: str) -> None:
    said, statements = TAMPERINGS[name]

    async def scene() -> None:
        await filled(world)
        await world.tamper(*statements)
        verifier = await found(world)
        assert any(finding.startswith(said) for finding in verifier.findings), verifier.findings

    run(scene())


@pytest.mark.parametrize("statements", [
    ["DELETE FROM checkpoints", "DELETE FROM leaves", "UPDATE records SET record = x'00' WHERE seq = 2"],
    ["DELETE FROM checkpoints WHERE size = 3", "DELETE FROM leaves WHERE seq > 2", "DELETE FROM records WHERE seq > 2"],
])  # fmt: skip
def test_a_gateway_does_not_sign_anew_what_it_has_signed(world: World, statements: list[str]) -> None:
    async def scene() -> None:
        store = await world.open(SIGNED)
        notary = Notary(store, SIGNER, 10.0)
        await recorded(store, 1, 3)
        await notary.look()
        assert notary.problem is None
        await world.tamper(*statements)
        await recorded(store, 4, 9)
        for _ in range(2):
            await notary.look()
            assert "this gateway has seen 3 records, and here 0 are signed" in str(notary.problem)
        assert await store.checkpoints() == []
        await store.close()

    run(scene())


def test_an_end_that_was_cut_off_with_its_checkpoints_is_what_a_witness_is_for(world: World) -> None:
    async def scene() -> None:
        notes = await filled(world)
        early = notes[0]
        await world.tamper(
            "DELETE FROM records WHERE seq > 15", "DELETE FROM leaves WHERE seq > 15", "DELETE FROM checkpoints",
        )  # fmt: skip
        assert (await found(world)).findings == [], "nobody can see it here"
        assert (await found(world, [early])).findings == [], "nor by what was seen before"
        assert "the end is cut off: 30 records were signed, 15 are here" in (await found(world, notes)).findings

    run(scene())


def test_a_log_that_was_written_anew_from_somewhere_on_is_a_fork_that_a_witness_sees(world: World) -> None:
    async def scene() -> None:
        notes = await filled(world)
        await world.tamper(
            "DELETE FROM records WHERE seq > 15", "DELETE FROM leaves", "DELETE FROM checkpoints",
            *(["UPDATE head SET last_seq = 15"] if isinstance(world.where, Place) else []),
        )  # fmt: skip
        store = await world.open(SIGNED)
        await recorded(store, 101, 115)
        await store.notarise()
        await store.close()
        assert (await found(world)).findings == [], "whoever has the key can write a log anew"
        assert (await found(world, notes[:1])).findings == [], "its beginning is the same"
        assert "the records up to 30 are not those that a witness has seen" in (await found(world, notes)).findings

    run(scene())


@pytest.mark.parametrize(
    ("statement", "said"),
    [
        ("UPDATE checkpoints SET frontier = x'00'", "somebody changed it"),
        ("UPDATE checkpoints SET note = replace(note, 'e', 'a')", "give this gateway the key"),
        ("DELETE FROM leaves WHERE seq > 30", None),
        ("DELETE FROM records WHERE seq = 31", "record 31 is gone"),
    ],
)
def test_what_was_tampered_with_is_not_signed_on(world: World, statement: str, said: str | None) -> None:
    async def scene() -> None:
        await filled(world, signed=30, more=4)
        await world.tamper(statement)
        store = await world.open(SIGNED)
        try:
            if said is None:
                assert await store.notarise() == 4
            else:
                with pytest.raises(StoreError, match=said):
                    await store.notarise()
        finally:
            await store.close()

    run(scene())


def test_records_that_go_by_their_age_leave_a_signed_statement_and_every_proof_stays_valid(world: World) -> None:
    async def scene() -> None:
        store = await world.open(SIGNED)
        await recorded(store, 1, 20, ts=START)
        await recorded(store, 21, 30, ts=START + 2 * DAY_S)
        await store.notarise()
        notes = await store.checkpoints()
        await recorded(store, 31, 33, ts=START)
        assert await store.prune(START + DAY_S) == 23, "three of them before they were signed"
        await recorded(store, 34, 36, ts=START + 2 * DAY_S)
        await store.notarise()
        await store.close()
        verifier = await found(world, notes)
        assert verifier.findings == []
        assert (verifier.records, verifier.removed, verifier.size) == (13, 23, 36)
        await world.tamper("DELETE FROM records WHERE seq = 25")
        assert (await found(world)).findings == ["record 25 is missing, and nothing signed says that it was removed"]

    run(scene())


def test_a_removed_record_does_not_come_back_in_the_place_of_another(world: World) -> None:
    async def scene() -> None:
        store = await world.open(SIGNED)
        await recorded(store, 1, 3, ts=START)
        await recorded(store, 4, 6, ts=START + 2 * DAY_S)
        await store.notarise()
        await world.tamper("CREATE TABLE copies AS SELECT * FROM records")
        await store.prune(START + DAY_S)
        await store.close()
        await world.tamper(
            "INSERT INTO records SELECT * FROM copies WHERE seq = 2", "DELETE FROM records WHERE seq = 5",
        )  # fmt: skip
        findings = (await found(world)).findings
        assert "record 2 was removed, and is here again" in findings
        assert "record 5 is missing, and nothing signed says that it was removed" in findings

    run(scene())


def test_a_ledger_that_is_older_than_its_log_is_signed_as_it_is(world: World) -> None:
    async def scene() -> None:
        store = await world.open()
        await recorded(store, 1, 10, ts=START)
        await recorded(store, 11, 20, ts=START + 2 * DAY_S)
        await store.prune(START + DAY_S)
        await store.close()
        store = await world.open(SIGNED)
        assert await store.notarise() == 20
        await store.close()
        verifier = await found(world)
        assert (verifier.findings, verifier.records, verifier.removed) == ([], 10, 10)

    run(scene())


def test_a_ledger_that_nobody_signs_says_so(world: World) -> None:
    async def scene() -> None:
        store = await world.open()
        with pytest.raises(StoreError, match="no key signs"):
            await store.notarise()
        await store.close()

    run(scene())


def test_many_records_are_signed_in_steps_beside_the_writing(world: World) -> None:
    async def scene() -> None:
        store = await world.open(SIGNED)
        await recorded(store, 1, 2500)
        await asyncio.gather(store.notarise(), recorded(store, 2501, 2600), store.notarise())
        await store.notarise()
        assert len(await store.checkpoints()) <= 2, "of each hour one stays"
        await store.close()
        verifier = await found(world)
        assert (verifier.findings, verifier.size) == ([], 2600)

    run(scene())
