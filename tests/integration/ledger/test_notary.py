"""The log is signed on whatever becomes of its witnesses; only a log that is not the one that was signed is told of."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from tests.unit.ledger.samples import a_decision
from tierwise.audit.checkpoint import opened
from tierwise.audit.notes import Signer
from tierwise.core.errors import ConfigError
from tierwise.ledger.notary import Notary, WitnessFile
from tierwise.ledger.store import Ledger
from tierwise.ledger.writer import Options
from tierwise.providers.address import Address
from tierwise.providers.deposit import Deposit
from tierwise.providers.transport import Transport

SIGNER = Signer("ledger.example", bytes(range(32)))


async def a_ledger(folder: Path) -> Ledger:
    return await Ledger.open(folder / "ledger.sqlite", options=Options(signer=SIGNER))


async def signed(ledger: Ledger) -> int:
    return opened((await ledger.checkpoints())[-1], SIGNER.keys).size


def run(work: Any) -> None:
    asyncio.run(asyncio.wait_for(work, 60))


def test_a_witness_that_cannot_be_told_does_not_end_the_signing(tmp_path: Path) -> None:
    """Its certificates are missing: that is no answer of the place, and is known only when it is asked."""
    address = Address(url="https://127.0.0.1:9/log", ca_file=str(tmp_path / "none.pem"))

    async def scene() -> None:
        ledger, transport = await a_ledger(tmp_path), Transport()
        told: list[None] = []
        kept = WitnessFile(tmp_path / "kept", 0.001)
        notary = Notary(
            ledger, SIGNER, 0.001, [Deposit(transport, address, 60), kept], unverified=lambda: told.append(None)
        )
        notary.begin()
        for number in (1, 2):
            await ledger.outcome(a_decision(number))
            while not await ledger.checkpoints() or await signed(ledger) < number:
                await asyncio.sleep(0)
        await notary.close()
        assert "none.pem cannot be used" in (notary.problem or "")
        assert opened(await kept.last() or "", SIGNER.keys).size == 2, "the other one is told all the same"
        assert told == []
        await transport.aclose()
        await ledger.close()

    run(scene())


def test_a_witness_whose_address_is_none_is_refused_before_anything_begins() -> None:
    with pytest.raises(ConfigError):
        Deposit(Transport(), Address(url="s3://bucket/log"), 60)


def test_a_ledger_that_is_away_is_not_said_to_have_been_changed(tmp_path: Path) -> None:
    async def scene() -> None:
        ledger = await a_ledger(tmp_path)
        told: list[None] = []
        notary = Notary(ledger, SIGNER, 60, unverified=lambda: told.append(None))
        await ledger.outcome(a_decision(1))
        await notary.look()
        assert notary.problem is None
        await ledger.close()
        await notary.look()
        assert "is closed" in (notary.problem or "")
        assert told == []

    run(scene())


def test_a_log_that_its_witness_has_seen_longer_is_told_of_and_not_signed_on(tmp_path: Path) -> None:
    async def scene() -> None:
        kept, told = WitnessFile(tmp_path / "kept", 60), list[None]()
        for folder, count in (("first", 2), ("second", 1)):
            (tmp_path / folder).mkdir()
            ledger = await a_ledger(tmp_path / folder)
            for number in range(count):
                await ledger.outcome(a_decision(number + 1))
            notary = Notary(ledger, SIGNER, 60, [kept], unverified=lambda: told.append(None))
            await notary.look()
            assert bool(told) == (folder == "second") == bool(notary.problem)
            assert bool(await ledger.checkpoints()) == (folder == "first")
            await ledger.close()

    run(scene())
