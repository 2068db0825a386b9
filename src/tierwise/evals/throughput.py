"""How many tokens a second does an endpoint of ours serve, at how many calls at once, within a latency target?

Calls go the way of any attempt (wires, transport, keys), but past routing, policy and ledger: nothing but the synthetic
text below is sent. Each prompt begins as no other does, so that no cache serves it.
Invariant: a load whose calls did not all succeed, or never said how many tokens they were, is no measurement.
"""

import asyncio
import math
import random
import statistics
from collections.abc import Awaitable, Callable, Sequence
from time import perf_counter
from typing import Any

import msgspec

from tierwise.core.errors import ProviderError, TierwiseError
from tierwise.core.model import Endpoint, Model
from tierwise.economics.serving import Run, within_target
from tierwise.gateway.asking import Asking
from tierwise.gateway.attempt import Attempt, Reach
from tierwise.gateway.decide import Hop
from tierwise.providers.transport import Transport
from tierwise.quality.settings import Gates
from tierwise.wires import chat

WORDS = (
    "river", "stone", "table", "green", "window", "paper", "music", "garden", "bread", "winter", "silver", "bridge",
    "forest", "letter", "orange", "kitchen", "market", "candle", "summer", "mountain", "yellow", "street", "copper",
)  # fmt: skip
TASK = "\n\nWrite a long story about these words. Never stop by yourself."
AT_FIRST_TOKEN = Gates(
    empty=False, truncated=False, json=False, schema=False, tool_arguments=False, repetition=False, hold_back_chars=1
)
ROUNDS = 3
GAIN = 1.05
"""Twice the calls at once must bring so many times the tokens to be worth trying again."""
LEAST_SHARE = 0.1
"""Below so much of its time left for writing, the speed of writing is no more than noise."""


class Unmeasured(Exception):
    """Nothing can be measured there; the text says why."""


class Load(msgspec.Struct, frozen=True, kw_only=True):
    """So many calls at once, each of about so many tokens to read and at most so many to write."""

    at_once: int
    input_words: int
    output_tokens: int


class Timed(msgspec.Struct, frozen=True, kw_only=True):
    """One call: how long until its first token and until its last, and how many it read and wrote."""

    first_ms: float
    whole_ms: float
    read: int
    written: int


class Round(msgspec.Struct, frozen=True, kw_only=True):
    """All calls of a load, made once, in so many seconds."""

    seconds: float
    calls: tuple[Timed, ...]

    @property
    def read_per_s(self) -> float:
        """Return the tokens read each second."""
        return sum(one.read for one in self.calls) / self.seconds

    @property
    def written_per_s(self) -> float:
        """Return the tokens written each second."""
        return sum(one.written for one in self.calls) / self.seconds


class Measured(msgspec.Struct, frozen=True, kw_only=True):
    """What a load came to: medians over its rounds, and the 95th percentile of waiting over all of its calls."""

    at_once: int
    context_tokens: int
    read_per_s: float
    written_per_s: float
    first_ms: float
    whole_ms: float
    rounds: tuple[tuple[float, float], ...]
    calls_per_s: float

    @property
    def run(self) -> Run:
        """The load as a run whose cost can be told; the target is for the first token."""
        return Run(requests_per_s=self.calls_per_s, tokens_per_s=self.written_per_s, latency_ms=self.first_ms)


class Speeds(msgspec.Struct, frozen=True, kw_only=True):
    """What a machine does each second while it does nothing else: its least, middle and most over the rounds."""

    read_per_s: tuple[float, float, float]
    written_per_s: tuple[float, float, float]
    at_once: int
    context_tokens: int


Ask = Callable[[str, int], Awaitable[Timed]]
Tell = Callable[[str], None]


class Asker:
    """Asks one model, streamed, with no gate between. Raises Unmeasured where it does not answer as is needed."""

    def __init__(self, transport: Transport, reach: Reach, model: Model, endpoint: Endpoint) -> None:
        self._transport, self._reach, self._model, self._endpoint = transport, reach, model, endpoint

    async def __call__(self, text: str, output_tokens: int) -> Timed:
        """Ask once."""
        said: dict[str, Any] = {"model": self._model.id, "messages": [{"role": "user", "content": text}]}
        body = said | {"max_tokens": output_tokens, "stream": True}
        attempt = Attempt(
            Hop(model=self._model, endpoint=self._endpoint), Asking(chat.decode_request(msgspec.json.encode(body)))
        )
        started = perf_counter()
        deadline = asyncio.get_running_loop().time() + self._endpoint.limits.total_timeout_s
        try:
            await attempt.run(self._transport, self._reach, AT_FIRST_TOKEN, deadline)
            first = perf_counter()
            async for _ in attempt.rest():
                pass
        except TierwiseError as error:
            status = f" {error.status}" if isinstance(error, ProviderError) and error.status else ""
            raise Unmeasured(f"{type(error).__name__}{status}: {error}"[:300]) from error
        finally:
            attempt.close()
        usage, ended = attempt.usage, perf_counter()
        if usage is None or not usage.written:
            raise Unmeasured("it does not say how many tokens it wrote")
        return Timed(
            first_ms=(first - started) * 1000, whole_ms=(ended - started) * 1000, read=usage.read, written=usage.written
        )


async def once(ask: Ask, load: Load, chance: random.Random) -> Round:
    """Make all calls of a load at once."""
    texts = [prompt(load.input_words, chance) for _ in range(load.at_once)]
    started = perf_counter()
    calls = await asyncio.gather(*(ask(text, load.output_tokens) for text in texts))
    return Round(seconds=perf_counter() - started, calls=tuple(calls))


def prompt(words: int, chance: random.Random) -> str:
    """Return a prompt of so many words, which begins as no other does."""
    return " ".join([f"{chance.getrandbits(64):x}", *chance.choices(WORDS, k=max(1, words))]) + TASK


async def measure(
    ask: Ask, *, input_words: int, output_tokens: int, most_at_once: int, most_first_ms: float, seed: int, tell: Tell
) -> tuple[list[Measured], Speeds | None]:
    """Double the calls at once while that brings more and callers wait no longer than the target.

    Returns every load that was tried, and the machine's speeds at the best of them; None where none holds the target.
    """
    chance, tried = random.Random(seed), list[Measured]()
    await once(ask, Load(at_once=1, input_words=input_words, output_tokens=2), chance)  # what loads, loads now
    at_once, best = 1, None
    while at_once <= most_at_once:
        tell(f"{at_once} at once")
        before = best.written_per_s if best is not None else 0.0
        tried.append(
            await repeated(ask, Load(at_once=at_once, input_words=input_words, output_tokens=output_tokens), chance)
        )
        best = at_target(tried, most_first_ms)
        if best is not tried[-1] or best.written_per_s <= GAIN * before:
            break
        at_once *= 2
    if best is None:
        return tried, None
    tell(f"reading alone, {best.at_once} at once")
    reading = await repeated(ask, Load(at_once=best.at_once, input_words=input_words, output_tokens=1), chance)
    return tried, speeds(reading, best)


def at_target(tried: Sequence[Measured], most_first_ms: float) -> Measured | None:
    """Return the load, of those tried by growing size, that `economics.serving` counts at this target."""
    runs = [one.run for one in tried]
    best = within_target(runs, most_first_ms)
    return None if best is None else next(one for one, run in zip(tried, runs, strict=True) if run is best)


async def repeated(ask: Ask, load: Load, chance: random.Random) -> Measured:
    """Make a load some times, one after another."""
    return summed(load, [await once(ask, load, chance) for _ in range(ROUNDS)])


def summed(load: Load, rounds: list[Round]) -> Measured:
    """Return what the rounds of a load came to."""
    calls = [one for each in rounds for one in each.calls]
    return Measured(
        at_once=load.at_once,
        context_tokens=round(statistics.mean(one.read + one.written for one in calls)),
        read_per_s=statistics.median(each.read_per_s for each in rounds),
        written_per_s=statistics.median(each.written_per_s for each in rounds),
        first_ms=_p95([one.first_ms for one in calls]),
        whole_ms=_p95([one.whole_ms for one in calls]),
        rounds=tuple((each.read_per_s, each.written_per_s) for each in rounds),
        calls_per_s=statistics.median(len(each.calls) / each.seconds for each in rounds),
    )


def speeds(reading: Measured, both: Measured) -> Speeds | None:
    """Take reading and writing apart: what reading takes of each second is not there for writing.

    read/s over the speed of reading, and written/s over that of writing, add up to the whole of the time.
    """
    # The one token that each call of `reading` wrote is in its time: reading is a little faster than this says.
    fast = sorted(read for read, _ in reading.rounds)
    alone = statistics.median(fast)
    left = [(written, 1 - read / alone) for read, written in both.rounds]
    if any(share < LEAST_SHARE for _, share in left):
        return None
    slow = sorted(written / share for written, share in left)
    return Speeds(
        read_per_s=(fast[0], alone, fast[-1]),
        written_per_s=(slow[0], statistics.median(slow), slow[-1]),
        at_once=both.at_once,
        context_tokens=both.context_tokens,
    )


def _p95(values: list[float]) -> float:
    return sorted(values)[max(0, math.ceil(0.95 * len(values)) - 1)]
