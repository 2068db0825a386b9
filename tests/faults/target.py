"""Which gateway is asked, and how much of it can be seen? A foreign one from outside only, ours also from inside.

Invariant: `inside` and `upstream` are None where they are not ours, and no case may need them without saying so.
"""

import sqlite3
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from tests.faults import http
from tests.faults.doors import ALL, CHAT, Door
from tests.faults.http import Heard, Reply
from tierwise.testing import ScriptedUpstream

MB = 1 << 20


class Inside:
    """What our own gateway wrote down."""

    def __init__(self, ledger: Path) -> None:
        self._db = sqlite3.connect(f"file:{ledger}?mode=ro", uri=True, check_same_thread=False)

    def close(self) -> None:
        self._db.close()

    @property
    def last(self) -> int:
        """The number of the last record."""
        return int(self._db.execute("SELECT coalesce(max(seq), 0) FROM records").fetchone()[0])

    @property
    def open(self) -> int:
        """How many calls are under way."""
        return int(self._db.execute("SELECT count(*) FROM intents").fetchone()[0])

    def since(self, number: int) -> list[tuple[str, str, bytes]]:
        """Return id, outcome and bytes of the records after a number."""
        rows = self._db.execute("SELECT id, outcome, record FROM records WHERE seq > ? ORDER BY seq", (number,))
        return [(str(ident), str(outcome), bytes(record)) for ident, outcome, record in rows]


@dataclass(frozen=True, kw_only=True)
class Target:
    """A gateway. `models` are its names by role (see `stage.ROLES`); `body_limit` is what it reads of a body.

    `secrets` may be in no answer and no record. `patience_s` is how long it may let a slow peer wait. `open` is the same gateway without keys, where there is one.
    """

    host: str
    port: int
    key: str | None = None
    models: dict[str, str] = field(default_factory=lambda: {"ordinary": "m"})
    wires: frozenset[str] = frozenset(door.wire for door in ALL)
    body_limit: int = 32 * MB
    patience_s: float = 15.0
    secrets: tuple[str, ...] = ()
    upstream: ScriptedUpstream | None = None
    inside: Inside | None = None
    open: "Target | None" = None

    @property
    def model(self) -> str:
        """The ordinary model."""
        return self.models["ordinary"]

    def head(self, *more: str, key: str | None = None, kind: str | None = "application/json") -> list[str]:
        """Return the lines of a right head; `key` is another than the target's, empty for none."""
        shown = self.key if key is None else key
        lines = [f"Host: {self.host}:{self.port}"]
        lines += [f"Content-Type: {kind}"] * (kind is not None)
        lines += [f"Authorization: Bearer {shown}"] * bool(shown)
        return [*lines, *more]

    def post(self, door: Door, body: bytes, *more: str, **head: Any) -> bytes:
        """Write a request at a door, on a connection that ends with the answer."""
        return http.request(door.path, body, [*self.head(*_version(door), "Connection: close", **head), *more])

    async def send(self, data: bytes | Iterable[bytes | float], **how: Any) -> Heard:
        """Send raw bytes."""
        return await http.exchange(self.host, self.port, data, **how)

    async def ask(self, door: Door, body: bytes | None = None, *more: str, **head: Any) -> Reply | None:
        """Ask at a door; None where no answer came."""
        heard = await self.send(self.post(door, door.raw(self.model) if body is None else body, *more, **head))
        return heard.final[0] if heard.final else None

    async def known(self) -> "Target":
        """Return the target as far as it can be found out: which wires it has, and which models."""
        listed = await self.send(http.request("/v1/models", head=self.head("Connection: close"), method="GET"))
        rows = (listed.final[0].json() or {}).get("data", []) if listed.final else []
        models = {row["id"]: row["id"] for row in rows if isinstance(row, dict) and "id" in row} | self.models
        replies = {door: await self.ask(door) for door in ALL if not door.stream}
        wires = frozenset(door.wire for door, reply in replies.items() if reply is not None and reply.status == 200)
        return replace(self, models=models, wires=wires)

    async def well(self) -> list[str]:
        """Say whether a good request is answered as ever."""
        reply = await self.ask(CHAT)
        if reply is not None and reply.status == 200:
            return []
        return [f"a good request right after it is not answered: {reply and (reply.status, reply.body[:120])}"]


def _version(door: Door) -> list[str]:
    return ["anthropic-version: 2023-06-01"] if door.anthropic else []
