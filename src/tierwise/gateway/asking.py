"""In which words is this endpoint asked? Chooses the wire, and lets it write the request.

The caller's own wire comes first: then the bytes stay the caller's. Any other is written from the conversation, which
is read once. Knows neither connections nor order of trial.
Invariant: what an endpoint cannot be told is named in the request's `dropped`, never left out in silence.
"""

import re
from collections.abc import Callable, Iterable
from itertools import islice

import msgspec

from tierwise.core.call import Call
from tierwise.core.conversation import Block, Conversation, Text, Thinking, Turn
from tierwise.core.errors import LeakStopped, PolicyDenied
from tierwise.core.model import Endpoint, Model
from tierwise.gateway.masking import DUTY, Masked
from tierwise.gateway.thoughts import Kept
from tierwise.wires.instruct import instructed
from tierwise.wires.known import APART, CALLERS, ENDPOINTS, FORGETFUL, SHARED
from tierwise.wires.opaque import core
from tierwise.wires.wire import EncodedRequest, Recipient

MAX_NAMES, MAX_NAME_CHARS = 200, 200
_WORD = re.compile(r"(?<![^.: ])[^.: ]+")
_NAME = re.compile(r"(?:[A-Za-z][A-Za-z_/+-]*(?:\d{1,8}[A-Za-z_/+-]*){0,3})?(?:\[\d{1,6}\])*")
"""Part of a path, such as `messages[3]`, or a kind, such as `web_search_20260209` or `audio/x-wav`."""


class Repair(msgspec.Struct, frozen=True, kw_only=True):
    """An answer that did not fit its schema, and why: the model gets one chance to mend it."""

    answer: str
    problem: str


class Spoken(msgspec.Struct, frozen=True, kw_only=True):
    """A request in the words of `wire`. `instructed`: the schema stands in the prompt, nothing else enforces it."""

    wire: str
    request: EncodedRequest
    instructed: bool = False


class Asking:
    """A call, ready to be put to any endpoint."""

    __slots__ = ("_conversation", "_hide", "_kept", "_masked", "_within", "call")

    def __init__(self, call: Call, kept: Kept | None = None, hide: Callable[[Call], Masked] | None = None) -> None:
        self.call, self._kept, self._hide = call, kept, hide
        self._conversation: Conversation | None = None
        self._masked: Asking | None = None
        self._within: Masked | None = None

    @property
    def conversation(self) -> Conversation:
        """What is asked, free of the caller's wire."""
        if self._conversation is None:
            self._conversation = CALLERS[self.call.wire].read_conversation(self.call)
            if self._kept is not None and self.call.wire in FORGETFUL:
                back = self._kept.given_back(self.call.key_id, self._conversation)
                self._conversation = back if self._within is None else _sealed_under(self._within, back)
        return self._conversation

    @property
    def masked(self) -> Masked:
        """The call with placeholders, or why there is none."""
        if self._masked is None:
            if self._hide is None:
                raise PolicyDenied("nothing here can mask a call", rule=DUTY)
            hidden = self._hide(self.call)
            self._masked = Asking(hidden.call, self._kept)
            self._masked._within = hidden
        if self._masked._within is None:
            raise TypeError("a masked call without its mask")
        return self._masked._within

    def unmaskable(self, endpoint: Endpoint) -> str:
        """Say why this endpoint cannot be sent the call with placeholders; empty where it can."""
        return self.masked.problem_at(endpoint.name)

    def to_masked(
        self,
        endpoint: Endpoint,
        model: Model,
        *,
        logprobs: bool = False,
        unseal: bool = False,
        no_store: bool = False,
        repair: Repair | None = None,
    ) -> Spoken:
        """Write the request with placeholders, as `to` does. Raises PolicyDenied where a value would leave."""
        masked, asking = self.masked, self._masked
        problem = masked.problem_at(endpoint.name)
        if problem or asking is None:
            raise PolicyDenied(f"{model.id}: {problem}", rule=DUTY)
        if repair is not None:
            repair = Repair(answer=masked.text(repair.answer), problem=masked.text(repair.problem))
        spoken = asking.to(endpoint, model, logprobs=logprobs, unseal=unseal, no_store=no_store, repair=repair)
        if masked.leaks(spoken.request):
            raise LeakStopped(f"{model.id}: cannot be masked: a value would have left", rule=DUTY)
        return spoken

    @property
    def sealed(self) -> bool:
        """True if the request carries thinking that an endpoint could refuse to read."""
        return any(
            isinstance(block, Thinking) and block.seal is not None
            for turn in self.conversation.turns
            for block in turn.blocks
        )

    def losses(self, endpoint: Endpoint, model: Model) -> tuple[str, ...]:
        """Return what this endpoint could not be told."""
        return without_content(self.to(endpoint, model).request.dropped)

    def to(
        self,
        endpoint: Endpoint,
        model: Model,
        *,
        logprobs: bool = False,
        unseal: bool = False,
        no_store: bool = False,
        repair: Repair | None = None,
    ) -> Spoken:
        """Write the request for an endpoint. `logprobs` asks for log-probabilities that a gate needs."""
        call = self.call
        wire = wire_for(call, endpoint, model, logprobs=logprobs)
        to = Recipient(
            endpoint=endpoint.name,
            served_name=model.served_name,
            stream=call.stream,
            logprobs=logprobs,
            context_tokens=model.context_tokens,
            max_output_tokens=model.max_output_tokens,
            capabilities=model.capabilities,
            unseal=unseal,
            no_store=no_store,
        )
        promised = needs_instruction(call, model)
        if wire == call.wire and not promised:
            return Spoken(wire=wire, request=SHARED[wire].splice_request(call, to))
        asked = instructed(self.conversation) if promised else self.conversation
        if asked.top_logprobs:  # alternatives are lost between wires, the chosen tokens' own values are not
            asked = msgspec.structs.replace(
                asked, top_logprobs=None, logprobs=True, foreign=(*asked.foreign, asked.name("top_logprobs"))
            )
        if repair is not None:
            asked = msgspec.structs.replace(asked, turns=asked.turns + _mending(repair))
        return Spoken(wire=wire, request=ENDPOINTS[wire].encode_request(asked, to), instructed=promised)


def without_content(names: Iterable[str]) -> tuple[str, ...]:
    """Return names of what was left out as a record may hold them: of bounded size, and no words of the caller's.

    Fields and kinds of blocks are whatever a caller or an endpoint writes; what no API would call one becomes `*`.
    """
    told = dict.fromkeys(_WORD.sub(_plain, name[:MAX_NAME_CHARS]) for name in islice(names, MAX_NAMES + 1))
    return (*islice(told, MAX_NAMES), *(("…",) if len(told) > MAX_NAMES else ()))


def _plain(word: re.Match[str]) -> str:
    return word[0] if _NAME.fullmatch(word[0]) else "*"


def _sealed_under(masked: Masked, asked: Conversation) -> Conversation:
    """Leave out kept thoughts that were not sealed under these placeholders: values could stand in them."""

    def fits(block: Block) -> bool:
        seal = block.seal if isinstance(block, Thinking) else None
        return seal is None or masked.pseudonyms.knows_seal(seal.origin, core(seal.data))

    turns = tuple(msgspec.structs.replace(turn, blocks=tuple(filter(fits, turn.blocks))) for turn in asked.turns)
    return msgspec.structs.replace(asked, turns=turns)


def needs_instruction(call: Call, model: Model) -> bool:
    """Say whether the answer's format can only be asked for in words; who only counts is asked for no answer."""
    if call.wire in APART:
        return False
    features, able = call.features, model.capabilities
    return "schema" not in able if features.schema else features.json and "json" not in able


def wire_for(call: Call, endpoint: Endpoint, model: Model, *, logprobs: bool) -> str:
    """Choose among the wires that the endpoint speaks."""
    if call.wire in APART:
        return call.wire
    # Only this one tells the server how much of the request to read; any other may cut it without a word.
    if endpoint.context_wire is not None and model.context_tokens is not None:
        return endpoint.context_wire
    spoken = [name for name in endpoint.wires if name not in APART]
    if call.wire in spoken and (not logprobs or ENDPOINTS[call.wire].LOGPROBS):
        return call.wire
    needed = logprobs or call.features.logprobs
    return next((name for name in spoken if ENDPOINTS[name].LOGPROBS), spoken[0]) if needed else spoken[0]


def _mending(repair: Repair) -> tuple[Turn, ...]:
    told = f"This does not fit: {repair.problem}. Answer again, with the corrected JSON and nothing else."
    said: tuple[Block, ...] = (Text(text=repair.answer),)
    return (Turn(role="assistant", blocks=said), Turn(role="user", blocks=(Text(text=told),)))
