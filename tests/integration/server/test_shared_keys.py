"""One key at two gateways over one ledger in PostgreSQL: what is done to it on one machine holds on all."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import msgspec
import pytest

from tests.integration.server.conftest import everything, opened_door, until
from tests.integration.server.test_keys import BROKEN, END, Kept, body, settings
from tests.postgres.server import Server
from tierwise.config import Settings
from tierwise.ledger.settings import LedgerSettings
from tierwise.server.settings import ServerSettings
from tierwise.testing import ScriptedUpstream

WIRES = ("chat", "responses", "messages")


@pytest.fixture
def machines(tmp_path: Path, upstream: ScriptedUpstream, postgres: Server) -> Iterator[tuple[Kept, Kept]]:
    """Two gateways, each with a home of its own; what they share is the database and the secret."""
    environ = {"LEDGER_PASSWORD": postgres.password, "PEPPER": "5a" * 32}
    ledger = LedgerSettings(url=str(postgres.database()), password="env:LEDGER_PASSWORD")

    def machine(name: str) -> Settings:
        own = settings(upstream, tmp_path / name, ledger=ledger, server=ServerSettings(key_pepper="env:PEPPER"))
        return msgspec.structs.replace(own, environ=environ)

    one, two = machine("one"), machine("two")
    with opened_door(one, upstream) as first, opened_door(two, upstream) as second:
        yield Kept(first, one), Kept(second, two)


def test_a_key_that_is_revoked_on_one_machine_is_dead_on_all_open_streams_too(machines: tuple[Kept, Kept]) -> None:
    one, two = machines
    key = one.key(name="alice")
    asked = len(one.door.upstream.asked)
    lines = [
        (wire, kept.stream(key, wire, body(wire, "slow", "one " * 200, stream=True)))
        for kept in machines
        for wire in WIRES
    ]
    with ThreadPoolExecutor(len(lines) + 2) as pool:
        waiting = [pool.submit(kept.ask, key, "chat", body("chat", "late")) for kept in machines]
        assert until(lambda: len(one.door.upstream.asked) == asked + len(lines) + 2)
        assert two.book.revoke("alice")
        rests = pool.map(everything, [line for _, line in lines])
        assert [call.result()[0] for call in waiting] == [401, 401], "long before the 8 s that it takes"
    for (wire, line), rest in zip(lines, rests, strict=True):
        line.close()
        assert BROKEN[wire] in rest
        assert END[wire] not in rest
        assert b"revoked or expired" in rest
    assert [kept.ask(key, "chat", body("chat", "small"))[0] for kept in machines] == [401, 401]


def test_a_new_text_is_taken_everywhere_at_once_and_the_old_one_nowhere(machines: tuple[Kept, Kept]) -> None:
    one, two = machines
    old = one.key(name="alice")
    assert [kept.ask(old, "chat", body("chat", "small"))[0] for kept in machines] == [200, 200]
    new = two.book.rotate("alice", bytes.fromhex("5a" * 32))[1].reveal()
    assert [kept.ask(new, "chat", body("chat", "small"))[0] for kept in machines] == [200, 200]
    for kept in machines:
        assert until(lambda kept=kept: kept.ask(old, "chat", body("chat", "small"))[0] == 401, limit_s=2)  # type: ignore[misc]
