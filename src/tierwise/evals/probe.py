"""Does an endpoint do what it is told? A handful of small real requests to one model, each about one promise.

They go the way of any attempt (wires, transport, keys), but past routing, policy and ledger: nothing but the synthetic
text below is ever sent. Invariant: a probe that an endpoint does not answer leaves no result.
"""

import asyncio
import random
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import msgspec

from tierwise.core.call import Call
from tierwise.core.decision import AttemptRecord
from tierwise.core.errors import (
    ConfigError,
    ContextTooLong,
    InvalidCall,
    ProviderError,
    Refused,
    TierwiseError,
    TimedOut,
    Unauthorized,
    Unreachable,
)
from tierwise.core.model import Endpoint, Model
from tierwise.evals import damage
from tierwise.evals.damage import Judged, Reading, Seen, finding
from tierwise.gateway.asking import Asking
from tierwise.gateway.attempt import Attempt, Reach
from tierwise.gateway.decide import Hop
from tierwise.providers.transport import Transport
from tierwise.quality.settings import Gates
from tierwise.registry.probed import Check, Finding, Probed, row_digest, unprobed
from tierwise.wires import chat, embeddings
from tierwise.wires.known import ENDPOINTS

FREE = "Count from 1 to 40 in digits, with one space between the numbers. Write nothing else."
SKY = "Which colour is the sky on a clear day? Answer in one word."
CALL_IT = "Call the tool note_weather with the weather 'sunny'. Do nothing else."
GREET = "Say hello."
COLOUR = {"colour": "tierwise-vermilion-17"}
SCHEMA = {
    "type": "object",
    "properties": {"colour": {"type": "string", "enum": [COLOUR["colour"]]}},
    "required": ["colour"],
    "additionalProperties": False,
}
TOOL = "note_weather"
TOOLS = [
    {
        "type": "function",
        "function": {
            "name": TOOL,
            "description": "Note down the weather.",
            "parameters": {
                "type": "object",
                "properties": {"weather": {"type": "string"}},
                "required": ["weather"],
                "additionalProperties": False,
            },
        },
    }
]
WORDS = (
    "river", "stone", "table", "green", "window", "paper", "music", "garden", "bread", "winter", "silver", "bridge",
    "forest", "letter", "orange", "kitchen", "market", "candle", "summer", "mountain", "yellow", "street", "copper",
    "island", "shoulder", "village", "basket", "harbour", "engine", "meadow", "thunder", "pencil",
)  # fmt: skip

ROOM_TOKENS, THINKING_ROOM_TOKENS = 384, 2_048
SHORT_TOKENS = 16
PROMPT_TOKENS = 200
"""More than any prompt takes that is not there to be long, with its schema or its tool."""
MOST_SECOND_ROUNDS = 6
# What is tried where the row says no context, and what of a context a prompt may fill.
UNKNOWN_CONTEXT_TOKENS = 8_192
SHARE = 0.85
SHARES = (0.5, 1.0)
UNGATED = Gates(
    empty=False, truncated=False, json=False, schema=False, tool_arguments=False, repetition=False,
    hold_back_chars=1 << 30,
)  # fmt: skip
# The ways to say how long an answer may be and that chance is not wanted; newer models refuse the first.
MANNERS: tuple[tuple[str, dict[str, Any]], ...] = (
    ("max_tokens", {"temperature": 0, "seed": 7}),
    ("max_completion_tokens", {}),
)

Tell = Callable[[str], None]


class Unprobed(Exception):
    """The model could not be probed; the text says why. `down`: nor could any other model of its endpoint."""

    def __init__(self, message: str, *, down: bool = False) -> None:
        super().__init__(message)
        self.down = down


class Estimate(msgspec.Struct, frozen=True, kw_only=True):
    """What a probe sends and may get at most."""

    requests: int
    input_tokens: int
    output_tokens: int


def estimate(model: Model, endpoint: Endpoint, most_tokens: int) -> Estimate:
    """Bound what probing a model takes, before anything is sent."""
    # The free answer, and a tool that is asked for twice, come on top of the checks; a cut prompt is sent once more.
    short = len(spoken(endpoint, model)) * (len(list(_checks(model))) + 2)
    long = len(SHARES) + 3
    read = round(_goal(model, most_tokens) * (sum(SHARES) + 1)) + 2 * MOST_SECOND_ROUNDS * len(WORDS)
    return Estimate(
        requests=short + long,
        input_tokens=short * PROMPT_TOKENS + read,
        output_tokens=short * _room(model) + long * SHORT_TOKENS,
    )


def spoken(endpoint: Endpoint, model: Model) -> tuple[str, ...]:
    """Return the wires on which the gateway would ask this model."""
    if endpoint.context_wire is not None and model.context_tokens is not None:
        return (endpoint.context_wire,)
    return tuple(name for name in endpoint.wires if name != embeddings.WIRE)


class Prober:
    """Asks endpoints, one request at a time. `most_tokens` bounds the longest prompt; `seed` makes each run's new."""

    def __init__(self, transport: Transport, reach: Reach, *, most_tokens: int, seed: int) -> None:
        self._transport, self._reach = transport, reach
        self._most_tokens, self._random = most_tokens, random.Random(seed)

    async def probe(self, model: Model, endpoint: Endpoint, *, version: str | None, tell: Tell) -> Probed:
        """Find out what this model does with what it is told. Raises Unprobed where it does not answer at all."""
        if (why := unprobed(endpoint, model)) is not None:
            raise Unprobed(why)
        at = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        findings: list[Finding] = []
        served: str | None = None
        read: int | None = None
        for place, wire in enumerate(spoken(endpoint, model)):
            on_wire = msgspec.structs.replace(
                endpoint, wires=(wire,), context_wire=wire if wire == endpoint.context_wire else None
            )
            asked = _Asked(self._transport, self._reach, model, on_wire)
            findings += await _promises(asked, model, wire, tell)
            if place == 0:
                tell("context")
                judged, read = await self._context(asked, model)
                findings.append(finding("context", wire, judged))
            served = served or asked.served_model
        return Probed(
            model=model.id,
            endpoint=endpoint.name,
            row=row_digest(endpoint, model),
            at=at,
            findings=tuple(findings),
            served_model=served,
            version=version,
            read_tokens=read,
        )

    async def _context(self, asked: "_Asked", model: Model) -> tuple[Judged, int | None]:
        """Send growing prompts, each with a beginning of its own: what a cache leaves out of the count then is none."""
        goal = _goal(model, self._most_tokens)
        second = max(2, min(MOST_SECOND_ROUNDS, goal // (8 * len(WORDS))))
        readings = [await self._read(asked, rounds) for rounds in (1, second)]
        slope = damage.tokens_per_word(readings)
        if slope is None:
            return damage.context(readings, model.context_tokens)
        for share in SHARES:
            rounds = 1 + int((goal * share - (readings[0].seen.read or 0)) / (slope * len(WORDS)))
            if rounds <= second:
                continue
            reading = await self._read(asked, rounds)
            readings.append(reading)
            if damage.cut_short(readings, reading):
                readings.append(await self._read(asked, rounds))
                break
            if reading.seen.trouble:
                break
        return damage.context(readings, model.context_tokens)

    async def _read(self, asked: "_Asked", rounds: int) -> Reading:
        """Every round holds each word once, in another order: as many tokens each time, and no common beginning."""
        words = [word for _ in range(rounds) for word in self._random.sample(WORDS, k=len(WORDS))]
        return Reading(words=len(words), seen=await asked(" ".join((*words, "\nAnswer: OK.")), SHORT_TOKENS))


class _Asked:
    """One model at one endpoint on one wire; call it with a question."""

    def __init__(self, transport: Transport, reach: Reach, model: Model, endpoint: Endpoint) -> None:
        self._transport, self._reach, self._model, self._endpoint = transport, reach, model, endpoint
        self._manner = MANNERS[0]
        self.room = _room(model)
        self.served_model: str | None = None

    @property
    def fixed(self) -> bool:
        """True while temperature and seed are taken."""
        return bool(self._manner[1])

    async def first(self, text: str, limit: int) -> Seen:
        """Ask the first question in the manner that the endpoint takes. Raises Unprobed if it takes none."""
        seen = Seen()
        for manner in MANNERS:
            self._manner = manner
            seen = await self(text, limit)
            if seen.trouble != "refused":
                break
        if seen.trouble:
            raise Unprobed(f"{seen.told} (on {self._endpoint.wires[0]})", down=seen.trouble == "down")
        return seen

    async def __call__(self, text: str, limit: int, **more: Any) -> Seen:
        """Ask, and say what was seen; an error of the endpoint is a sight too."""
        length, chance = self._manner
        said = {"role": "user", "content": text}
        body = {"model": self._model.id, "messages": [said], length: limit, **chance, **more}
        return await self._ask(chat.decode_request(msgspec.json.encode(body)))

    async def _ask(self, call: Call) -> Seen:
        attempt = Attempt(Hop(model=self._model, endpoint=self._endpoint), Asking(call))
        deadline = asyncio.get_running_loop().time() + self._endpoint.limits.total_timeout_s
        try:
            await attempt.run(self._transport, self._reach, UNGATED, deadline)
        except ContextTooLong as error:
            return Seen(trouble="too_long", told=_in_words(error))
        except (Refused, InvalidCall) as error:
            return Seen(trouble="refused", told=_in_words(error))
        except (Unreachable, TimedOut, Unauthorized, ConfigError) as error:
            return Seen(trouble="down", told=_in_words(error))
        except ProviderError as error:
            return Seen(trouble="failed", told=_in_words(error))
        finally:
            attempt.close()
        record: AttemptRecord = attempt.record()
        self.served_model = self.served_model or record.served_model
        choices = attempt.whole().choices
        if not choices:
            return Seen(usage=attempt.usage, untold=tuple(attempt.dropped))
        return Seen(
            text=choices[0].text,
            calls=choices[0].tool_calls,
            tokens=len(choices[0].tokens),
            finish=choices[0].finish,
            usage=attempt.usage,
            untold=tuple(attempt.dropped),
        )


def _checks(model: Model) -> Iterator[Check]:
    """What is asked of this model on each wire: what every model does, and what its row promises."""
    yield from ("repeats", "stop", "max_tokens")
    promised: tuple[Check, ...] = ("schema", "tools", "logprobs")
    yield from (check for check in promised if check in model.capabilities)
    if "stream" in model.capabilities:
        yield "stream_usage"


async def _promises(asked: _Asked, model: Model, wire: str, tell: Tell) -> list[Finding]:
    """Ask about every promise but the context."""
    tell(f"a free answer on {wire}")
    free = await asked.first(FREE, asked.room)
    findings = []
    for check in _checks(model):
        if check != "logprobs" or ENDPOINTS[wire].LOGPROBS:
            tell(f"{check} on {wire}")
            findings.append(finding(check, wire, await _judged(check, asked, free)))
    return findings


async def _judged(check: Check, asked: _Asked, free: Seen) -> Judged:
    match check:
        case "repeats":
            return damage.repeats(free, await asked(FREE, asked.room), fixed=asked.fixed)
        case "stop":
            mark = damage.mark_in(free.text)
            return damage.stop(free, mark, await asked(FREE, asked.room, stop=[mark]) if mark else Seen())
        case "max_tokens":
            limit = max(1, min(SHORT_TOKENS, (free.written or len(free.text.split())) // 2 - 1))
            return damage.max_tokens(free, limit, await asked(FREE, limit))
        case "schema":
            shape = {"type": "json_schema", "json_schema": {"name": "colour", "schema": SCHEMA, "strict": True}}
            return damage.schema(await asked(SKY, asked.room, response_format=shape), COLOUR)
        case "tools":
            return await _tools(asked)
        case "logprobs":
            return damage.logprobs(await asked(GREET, SHORT_TOKENS, logprobs=True))
        case "stream_usage":
            return damage.stream_usage(await asked(GREET, SHORT_TOKENS, stream=True))
        case "context":
            raise ValueError("the context is asked about once, not on each wire")


async def _tools(asked: _Asked) -> Judged:
    """Force a tool; where it cannot be forced, ask for it in words."""
    choice = {"type": "function", "function": {"name": TOOL}}
    seen = await asked(GREET, asked.room, tools=TOOLS, tool_choice=choice)
    if seen.trouble != "refused" and "tool_choice" not in seen.untold:
        return damage.tools(seen, TOOL, forced=True)
    return damage.tools(await asked(CALL_IT, asked.room, tools=TOOLS), TOOL, forced=False)


def _room(model: Model) -> int:
    """Return how long an answer may be: thinking comes before it, and prompt and answer share the context."""
    room = THINKING_ROOM_TOKENS if "thinking" in model.capabilities else ROOM_TOKENS
    return max(1, min(room, (model.context_tokens or UNKNOWN_CONTEXT_TOKENS) // 4))


def _goal(model: Model, most_tokens: int) -> int:
    """Return the longest prompt in tokens: towards the context, but with room for an answer and within the bound."""
    return round(SHARE * min(model.context_tokens or UNKNOWN_CONTEXT_TOKENS, most_tokens)) - SHORT_TOKENS


def _in_words(error: TierwiseError) -> str:
    """Return what the endpoint said as well: a probe asks nothing that may not be told."""
    status = f" {error.status}" if isinstance(error, ProviderError) and error.status else ""
    return f"{type(error).__name__}{status}: {error}"[:300]
