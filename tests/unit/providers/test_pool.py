"""Which connections does a pool keep, and for how long? With a clock that is set by hand, and no sockets."""

import asyncio
from typing import Any, cast

from tierwise.providers.address import Origin
from tierwise.providers.connection import KEEP_IDLE_S, Connection
from tierwise.providers.pool import Pool


class Hours:
    """A loop as a pool needs it: time passes when the test says so."""

    def __init__(self) -> None:
        self.now = 0.0
        self.due: list[tuple[float, Any]] = []

    def time(self) -> float:
        return self.now

    def call_later(self, seconds: float, then: Any) -> "Hours":
        self.due.append((self.now + seconds, then))
        return self

    def cancel(self) -> None:
        self.due.clear()

    def pass_by(self, seconds: float) -> None:
        self.now += seconds
        ready = [one for one in self.due if one[0] <= self.now]
        self.due = [one for one in self.due if one[0] > self.now]
        for _, then in ready:
            then()


def pool_and_loop() -> tuple[Pool, Hours]:
    loop = Hours()
    origin = Origin(host="127.0.0.1", port=1, secure=False)
    return Pool(cast(asyncio.AbstractEventLoop, loop), origin, None, 1000), loop


def kept(pool: Pool, loop: Hours) -> Connection:
    connection = Connection(cast(asyncio.AbstractEventLoop, loop), pool)
    connection.idle_since = loop.time()
    pool.keep(connection)
    return connection


def test_what_is_idle_is_closed_without_another_request() -> None:
    pool, loop = pool_and_loop()
    crowd = [kept(pool, loop) for _ in range(200)]
    loop.pass_by(KEEP_IDLE_S / 2)
    young = kept(pool, loop)
    assert len(loop.due) == 1, "one timer for all of them"
    loop.pass_by(KEEP_IDLE_S / 2)
    assert all(one.closed for one in crowd)
    assert not young.closed
    loop.pass_by(KEEP_IDLE_S)
    assert young.closed
    assert not loop.due, "nothing to watch over any more"
    kept(pool, loop)
    assert loop.due


def test_the_one_used_last_is_taken_first_and_an_old_one_never() -> None:
    pool, loop = pool_and_loop()
    first, last = kept(pool, loop), kept(pool, loop)
    assert pool.take(loop.time()) is last
    assert pool.take(loop.time() + KEEP_IDLE_S) is None
    assert first.closed
