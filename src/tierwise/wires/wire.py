"""What must a wire format be able to do? The two faces of one: towards callers and towards endpoints.

A module of this package that has these names is a wire; `known` lists them. Nothing here connects, waits or reads a
clock. Invariant: a decoder and a writer see every event of a stream once, in order, however its bytes are split.
"""

from typing import Protocol

import msgspec

from tierwise.core.answer import Answer, Delta
from tierwise.core.call import Call, Hints
from tierwise.core.conversation import Conversation
from tierwise.core.model import Capability
from tierwise.core.secret import Secret


class EncodedRequest(msgspec.Struct, frozen=True, kw_only=True):
    """One POST: `path` goes behind the endpoint's URL, or behind its server's root without `/v1` where `root` says so.
    `dropped` names what the target cannot take, as the caller spells it; `headers` go with this request only."""

    path: str
    body: bytes
    root: bool = False
    dropped: tuple[str, ...] = ()
    headers: tuple[tuple[str, str], ...] = ()


class Recipient(msgspec.Struct, frozen=True, kw_only=True):
    """Who gets the request, as far as writing it is concerned.

    `endpoint` is the name that seals carry. `logprobs` asks for log-probabilities although the caller did not.
    `context_tokens` and `max_output_tokens` are the model's own limits, where known. With `unseal` all sealed thinking
    is left out: the endpoint has refused it. With `no_store` the endpoint is not asked to keep the answer.
    """

    endpoint: str
    served_name: str
    stream: bool
    logprobs: bool = False
    context_tokens: int | None = None
    max_output_tokens: int | None = None
    capabilities: frozenset[Capability] = frozenset()
    unseal: bool = False
    no_store: bool = False


class AnswerReader(Protocol):
    """Reads a streamed answer. What precedes an error in the same bytes comes first, the error with the next call."""

    @property
    def finished(self) -> bool:
        """True once the answer is whole and nothing more can come."""

    def feed(self, data: bytes) -> list[Delta]:
        """Return the deltas that these bytes complete. Raises `ProviderError` for an error or junk in the stream."""

    def finish(self) -> list[Delta]:
        """End the stream: return what its end completes. Raises `BadReply` (`upstream_incomplete`) if it was cut."""


class AnswerWriter(Protocol):
    """Writes a streamed answer for one caller: a state machine with an explicit end."""

    @property
    def response(self) -> bytes:
        """The complete answer as the end tells it, on wires that do; empty before, and on the others."""

    def write(self, delta: Delta) -> bytes:
        """Return the events that this delta makes; the one that says that the answer is complete is held back."""

    def end(self) -> bytes:
        """Return what says that the answer is complete."""

    def error(self, body: bytes) -> bytes:
        """Return the event that says that the answer broke; `body` is from `error_body`. Nothing may follow it."""


class CallerWire(Protocol):
    """What callers of a wire ask and get."""

    WIRE: str

    def decode_request(self, body: bytes, hints: Hints = ...) -> Call:
        """Read a caller's body. Raises `InvalidCall` with `param` and `code`."""

    def read_conversation(self, call: Call) -> Conversation:
        """Read a call of this wire for an endpoint of another."""

    def answer_writer(self, call: Call, *, ident: str, strip_logprobs: bool = ...) -> AnswerWriter:
        """Begin a streamed answer; `ident` makes the answer's own id where an endpoint of another wire gave none."""

    def encode_answer(self, answer: Answer, call: Call, *, ident: str, strip_logprobs: bool = ...) -> bytes:
        """Write a whole answer."""

    def error_body(self, status: int, message: str, type: str, param: str | None, code: str | None) -> bytes:  # noqa: A002
        """Write an error in this wire's shape; `type` is OpenAI's word for it."""


class EndpointWire(Protocol):
    """What endpoints of a wire are sent and answer."""

    WIRE: str
    LOGPROBS: bool

    def encode_request(self, conversation: Conversation, to: Recipient) -> EncodedRequest:
        """Write a request that came on another wire."""

    def answer_decoder(self, *, key: Secret | None = ..., mark: str = ...) -> AnswerReader:
        """Begin to read a streamed answer. `key` is masked should the endpoint repeat it; `mark` makes ids unique."""

    def decode_answer(self, body: bytes, *, key: Secret | None = ..., mark: str = ...) -> Answer:
        """Read a whole answer. Raises `ProviderError`, mostly `BadReply`, for anything else."""


class SharedWire(CallerWire, EndpointWire, Protocol):
    """A wire that both sides speak."""

    def splice_request(self, call: Call, to: Recipient) -> EncodedRequest:
        """Change in the caller's bytes only what this endpoint needs differently."""
