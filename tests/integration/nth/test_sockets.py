"""Whichever call on a socket fails, and however: what was answered is recorded once, nothing looks finished that is not.

The main scenarios run again and again before a gateway in a process of its own, the n-th socket, connect, accept, read,
write, option or close of it failing, for n = 1, 2, … until a scenario makes fewer calls than n; in every way in which
that call can fail. In CI every so many; all of them with `TIERWISE_NTH_STEP=1`.
"""

import errno
import os
from collections.abc import Iterator
from decimal import Decimal

import pytest

from tests.figures import note
from tests.integration.nth.shim import END, FOR_EVER, NAMES, SHORT, STEP, Kind, possible
from tests.integration.nth.stage import CANARY, Ask, Stage, chat, messages, responses, staged
from tests.postgres.server import Server
from tierwise.ledger.settings import LedgerSettings

STORES = os.environ.get("TIERWISE_STORE", "sqlite,postgres").split(",")
WAYS: dict[Kind, tuple[int, ...]] = {
    "socket": (errno.EMFILE,),
    "connect": (errno.ECONNREFUSED, errno.ETIMEDOUT, errno.EADDRNOTAVAIL),
    "connected": (errno.ECONNREFUSED, errno.ECONNRESET, errno.ETIMEDOUT),
    "accept": (errno.EMFILE, errno.ECONNABORTED, errno.ENOBUFS),
    "read": (errno.ECONNRESET, errno.ETIMEDOUT, END, SHORT),
    "write": (errno.EPIPE, errno.ECONNRESET, SHORT),
    "option": (errno.EINVAL,),
    "close": (errno.EIO,),
}
pytestmark = possible

SCHEMA = {
    "type": "json_schema",
    "json_schema": {
        "name": "place", "strict": True,
        "schema": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"],
                   "additionalProperties": False},
    },
}  # fmt: skip
TOOL = {"type": "function", "function": {"name": "look", "parameters": {"type": "object", "properties": {}}}}
CALLED = {"id": "call_1", "type": "function", "function": {"name": "look", "arguments": "{}"}}
LOOP = [
    {"role": "user", "content": "look it up"},
    {"role": "assistant", "content": None, "tool_calls": [CALLED]},
    {"role": "tool", "tool_call_id": "call_1", "content": "rain"},
]
SCENES: dict[str, tuple[Ask, ...]] = {
    "plain": (chat("near", "one two three"),),
    "stream": (
        chat("near", "four five six", stream=True), messages("near", "seven eight"), responses("near", "nine ten"),
    ),
    "fallback": (chat("auto:steps", "one more"), chat("auto:steps", "and one more", stream=True)),
    "cascade": (
        chat("auto:gated", "", response_format=SCHEMA), chat("auto:gated", "", response_format=SCHEMA, stream=True),
    ),
    "tools": (
        chat("near", "", tools=[TOOL], messages=LOOP[:1]), chat("near", "", tools=[TOOL], messages=LOOP, stream=True),
    ),
    "secret": (
        chat("auto:steps", f"the {CANARY} is ours", label="restricted"),
        chat("auto:steps", f"ours is the {CANARY}", label="restricted", stream=True),
    ),
    "refused": (
        chat("far", f"the {CANARY} is ours", label="restricted", refused=403),
        chat("auto:poor", "no money for this", refused=429),
        chat("nobody", "no such model", refused=404),
    ),
    "outside": (chat("far", "far away"), chat("far", "far and away", stream=True)),
}  # fmt: skip


@pytest.fixture(scope="module", params=STORES)
def stage(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Iterator[Stage]:
    """The gateway over either store; what it says to a server is on sockets too, and fails like the rest."""
    folder = tmp_path_factory.mktemp("sockets")
    if request.param == "sqlite":
        with staged(folder) as stage:
            yield stage
        return
    server: Server = request.getfixturevalue("postgres")
    ledger = LedgerSettings(url=str(server.database()), password="env:NTH_PASSWORD")
    with staged(folder, {"NTH_PASSWORD": server.password}, ledger=ledger) as stage:
        yield stage


class Ran:
    """One run of a scenario."""

    def __init__(self, stage: Stage, scene: str, kind: Kind, first: int, many: int, how: int) -> None:
        self.before = stage.standing()
        stage.inside.hang_up()  # so that there is something to connect, and a kept connection that is dead
        stage.outside.hang_up()
        asked = len(stage.inside.asked) + len(stage.outside.asked)
        stage.page.fail(kind, first, many, how)
        try:
            self.seen = [(ask, *stage.ask(ask)) for ask in SCENES[scene]]
        finally:
            stage.page.heal()
        self.after = stage.standing()
        self.calls = stage.page.calls()[kind]
        self.asked = len(stage.inside.asked) + len(stage.outside.asked) - asked


def check(stage: Stage, ran: Ran) -> None:
    """What must hold, whichever call failed, and however."""
    known = {record["id"] for record in ran.before["records"]}
    idents = [record["id"] for record in ran.after["records"]]
    assert len(set(idents)) == len(idents), "each stands once"
    new = {record["id"]: record for record in ran.after["records"] if record["id"] not in known}
    assert len(new) <= len(ran.seen), "nothing is recorded that nobody asked"
    for _, seen, ident, payload in ran.seen:
        outcome = new[ident]["outcome"] if ident else None
        unheard = b"audit_unavailable" in payload  # the store may have recorded it, and could not say so
        match seen:
            case "whole":
                assert outcome == "answered", "an answer is recorded as one"
                assert new[ident]["tokens"][-1] is not None, "with what the endpoint said it costs"
            case "broken":
                assert unheard or outcome in ("broken", "failed"), "a stream that broke is recorded as broken"
            case "error":
                assert unheard or outcome in ("refused", "failed", None), payload
            case "cut":
                assert outcome in (None, "answered", "broken", "cancelled", "failed", "refused", "interrupted")
    cost = sum(Decimal(record["cost"]) for record in new.values())
    spent = Decimal(ran.after["spent"]["all"]) - Decimal(ran.before["spent"]["all"])
    # What was set aside is settled by now; what an interrupted call cost nobody knows, so all of it counts.
    unknown = any(record["outcome"] == "interrupted" for record in new.values())
    assert spent > cost if unknown else spent == cost, "spent is what is recorded as spent"
    attempts = sum(3 if record["outcome"] == "interrupted" else record["attempts"] for record in new.values())
    # A request on a kept connection that died before any byte of an answer is sent once more.
    assert ran.asked <= 2 * attempts, "nobody was asked without a record"
    assert not any(CANARY.encode() in request.body for request in stage.outside.received), "and nothing marked left"


CASES = [
    pytest.param(kind, how, many, id=f"{kind}-{NAMES[how]}-{'once' if many == 1 else 'on and on'}")
    for kind, ways in WAYS.items()
    for how in ways
    for many in ((1, 3) if kind == "accept" else (1, FOR_EVER))
]


@pytest.mark.parametrize("scene", SCENES)
def test_unharmed_each_scene_is_served_and_its_calls_are_seen(stage: Stage, scene: str) -> None:
    ran = Ran(stage, scene, "none", 1, 1, errno.EIO)
    check(stage, ran)
    assert [seen for _, seen, _, _ in ran.seen] == ["error" if ask.refused else "whole" for ask in SCENES[scene]]
    calls = stage.page.calls()
    asks = len(SCENES[scene])
    assert calls["accept"] >= asks
    assert calls["read"] >= asks
    assert calls["write"] >= asks
    assert calls["close"] >= asks


@pytest.mark.parametrize(("kind", "how", "many"), CASES)
def test_the_nth_call_on_a_socket_fails(stage: Stage, kind: Kind, how: int, many: int) -> None:
    step = STEP if kind in ("read", "write") else min(STEP, 4)
    # A server that was not heard takes a second to be found and asked again, so fewer places of each in CI.
    step = step if STEP == 1 or stage.store == "sqlite" else 6 * step
    failed = 0
    for place, scene in enumerate(SCENES):
        first = 1 + (place + how + min(many, 2)) % step  # not the same places for each way to fail
        while True:
            ran = Ran(stage, scene, kind, first, many, how)
            check(stage, ran)
            assert stage.ask(chat("near", "and now?"))[0] == "whole", "the next request is answered"
            if ran.calls < first:
                break
            failed += 1
            first += step
    note("nth_socket", stage.store, failed=failed, step=step, kind=kind, how=NAMES[how])
