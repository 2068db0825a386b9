"""What holds for every case, in one place: a case asks through its scene, which hears everything and judges the rest.

A case is a coroutine that takes the scene (`at.target`, `at.door`, `at.row`), asks, and tells problems as sentences.
Invariant: nothing that a case heard goes unjudged: its shape, what it gives away, what was asked, recorded and left.
"""

import asyncio
import json
import re
import time
from collections.abc import Awaitable, Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from tests.faults.doors import ALL, Door, misshapen, unlike
from tests.faults.http import Heard, Reply
from tests.faults.table import BY_NUMBER, Row
from tests.faults.target import Target
from tierwise.testing.connection import Received

SETTLED_S, LEFT_S = 10.0, 30.0
GIVEN_AWAY = re.compile(rb'Traceback|File \\?"|site-packages|\.py\b|/home/|/[r]oot/|/usr/lib|/tmp/')
IDENTS = ("x-tierwise-decision", "x-request-id", "request-id")


class Scene:
    """One case at one door of one target. `unseen` are calls whose answer the case did not stay for."""

    def __init__(self, row: Row, target: Target, door: Door) -> None:
        self.row, self.target, self.door = row, target, door
        self.problems: list[str] = []
        self.heard: list[tuple[Reply, bool]] = []
        self.unseen = 0
        self._asks = len(target.upstream.asked) if target.upstream else 0
        self._records = target.inside.last if target.inside else 0

    def problem(self, text: str) -> None:
        """Tell what did not hold."""
        self.problems.append(text)

    def hold(self, held: bool, text: str) -> None:
        """Tell a problem unless it held."""
        if not held:
            self.problem(text)

    @property
    def asked(self) -> list[Received]:
        """What the upstream was asked since the case began; nothing where that cannot be seen."""
        return self.target.upstream.asked[self._asks :] if self.target.upstream else []

    @property
    def asks(self) -> int:
        """How often the upstream was asked since the case began; 0 where that cannot be seen."""
        return len(self.target.upstream.asked) - self._asks if self.target.upstream else 0

    @property
    def records(self) -> list[tuple[str, str, bytes]]:
        """What was recorded since the case began."""
        return self.target.inside.since(self._records) if self.target.inside else []

    # asking

    async def send(
        self,
        data: bytes | Iterable[bytes | float],
        *,
        anthropic: bool | None = None,
        to: Target | None = None,
        **how: Any,
    ) -> Heard:
        """Send raw bytes; `anthropic` says whose dialect is spoken, where not the door's, `to` asks another target."""
        heard = await (to or self.target).send(data, **how)
        spoken = self.door.anthropic if anthropic is None else anthropic
        self.heard += [(reply, spoken) for reply in heard.final]
        return heard

    async def ask(self, body: bytes | dict[str, Any] | None = None, *more: str, **head: Any) -> Reply:
        """Ask at the door with more lines in the head. What is not answered is a reply with status 0."""
        said = self.door.good(self.target.model) if body is None else body
        data = said if isinstance(said, bytes) else json.dumps(said).encode()
        heard = await self.send(self.target.post(self.door, data, *more, **head))
        return heard.final[0] if heard.final else Reply(0, (), b"", False)

    async def refused(self, name: str, body: bytes | dict[str, Any], *more: str, named: str = "", **head: Any) -> Reply:
        """Ask, and see the answer judged by the row; `named` is what the error has to name."""
        reply = await self.ask(body, *more, **head)
        self.judge(name, reply)
        if named and reply.status >= 400 and named.encode() not in reply.body:
            self.problem(f"{name}: the error does not name {named}: {reply.body[:160]!r}")
        return reply

    async def closed(self, name: str, data: bytes | Iterable[bytes | float], *, anthropic: bool | None = None) -> None:
        """Send bytes; see one answer that the row allows, and the connection ended."""
        heard = await self.send(data, anthropic=anthropic)
        if not heard.final:
            self.hold(heard.closed, f"{name}: neither answered nor closed")
            return
        self.judge(name, heard.final[0], anthropic=anthropic)
        self.hold(len(heard.final) == 1, f"{name}: what stood behind it ran as a request")
        self.hold(heard.closed, f"{name}: the connection was kept")

    async def left(self, limit_s: float) -> None:
        """Wait until no call is under way; for a gateway whose inside cannot be seen, as long as it may take."""
        inside, deadline = self.target.inside, time.monotonic() + max(limit_s, LEFT_S)
        if inside is None:
            await asyncio.sleep(limit_s)
            return
        while (inside.open or not self.records) and time.monotonic() < deadline:
            await asyncio.sleep(0.02)

    def judge(self, name: str, reply: Reply, *, anthropic: bool | None = None) -> None:
        """Hold an answer against the row."""
        spoken = self.door.anthropic if anthropic is None else anthropic
        if reply.status == 0:
            return self.problem(f"{name}: no answer")
        codes = self.target.inside is not None
        for text in unlike(reply, self.row, anthropic=spoken, codes=codes):
            self.problem(f"{name}: {text}")
        return None

    # what holds for all

    async def settle(self) -> list[str]:
        """Judge what holds for every case, and return what does not."""
        found: list[str] = []
        for reply, anthropic in self.heard:
            if reply.status >= 400:
                found += misshapen(reply, anthropic=anthropic)
            found += self._given_away(reply)
            if self.target.inside:
                found += self._identified(reply)
        await self._recorded(found)
        return list(dict.fromkeys([*found, *await self.target.well()]))

    def _given_away(self, reply: Reply) -> Iterator[str]:
        told = b"\n".join(f"{name}: {value}".encode("latin-1") for name, value in reply.fields) + b"\n" + reply.body
        if reply.status >= 400 and (found := GIVEN_AWAY.search(told)):
            yield f"the answer gives away its inside: {found[0].decode()!r} in {reply.body[:160]!r}"
        if any(secret.encode() in told for secret in self.target.secrets):
            yield "the answer repeats a key"
        if self.target.upstream and f":{self.target.upstream.port}".encode() in told:
            yield "the answer names an internal address"

    def _identified(self, reply: Reply) -> Iterator[str]:
        """What is recorded says its id under three names; an id that stands in no record would lead nowhere."""
        idents = {reply.field(name) for name in IDENTS}
        if len(idents) != 1:
            yield f"the answer has several ids: {idents}"
        if reply.status >= 400 and reply.field("x-should-retry") not in ("true", "false"):
            yield f"{reply.status} does not say whether a repeat helps"

    async def _recorded(self, found: list[str]) -> None:
        """See that what was answered is recorded once, what was not is neither recorded nor asked, and no key is kept."""
        target = self.target
        seen = {ident for reply, _ in self.heard if (ident := reply.field(IDENTS[0])) is not None}
        if target.inside is not None:
            deadline = time.monotonic() + SETTLED_S
            while (len(self.records) < len(seen) + self.unseen or target.inside.open) and time.monotonic() < deadline:
                await asyncio.sleep(0.005)
            idents = [ident for ident, _, _ in self.records]
            if not seen <= set(idents) or len(idents) != len(seen) + self.unseen:
                found.append(f"{len(seen) + self.unseen} calls were to be recorded, {len(idents)} are")
            if any(secret.encode() in record for secret in target.secrets for _, _, record in self.records):
                found.append("a record holds a key")
        nothing = bool(self.heard) and all(400 <= reply.status < 500 for reply, _ in self.heard) and not seen
        promised = target.inside is not None or self.row.unforwarded
        if nothing and promised and not self.unseen and self.asks:
            found.append(f"the upstream was asked {self.asks} times for what was refused")


Ask = Callable[[Scene], Awaitable[None]]


@dataclass(frozen=True)
class Case:
    """One way to put a row to a gateway. `needs` are roles of models; `within` is for ours only."""

    row: int
    ask: Ask = field(compare=False)
    doors: tuple[Door, ...]
    needs: tuple[str, ...] = ()
    within: bool = False

    @property
    def name(self) -> str:
        return self.ask.__name__

    def unasked(self, target: Target, door: Door) -> str | None:
        """Say why it cannot be asked here, if so."""
        if self.within and target.inside is None:
            return "only seen from inside"
        if door.wire not in target.wires:
            return f"does not speak {door.wire}"
        lacks = [role for role in self.needs if role not in target.models]
        return f"has no model {', '.join(lacks)}" if lacks else None

    async def problems(self, target: Target, door: Door) -> tuple[list[str], list[str]]:
        """Put it to the gateway: the row's problems, and those with what holds for every row."""
        scene = Scene(BY_NUMBER[self.row], target, door)
        try:
            await self.ask(scene)
        except (LookupError, TypeError, ValueError, AttributeError) as error:
            if target.inside is not None:
                raise
            scene.problem(f"what came cannot be read as an answer: {error!r}")
        common = await scene.settle()
        return scene.problems, common


@dataclass(frozen=True)
class Elsewhere:
    """A row that another test shows: `tests/…/test_x.py::test_name`."""

    row: int
    test: str


def case(
    row: int, doors: tuple[Door, ...] = ALL, *, needs: tuple[str, ...] = (), within: bool = False
) -> Callable[[Ask], Case]:
    """Make a case of a coroutine that takes a scene."""
    return lambda ask: Case(row=row, ask=ask, doors=doors, needs=needs, within=within)
