"""Anthropic's count of a Messages request, both directions: asked where a server counts, made up nowhere.

Source: Anthropic's published API reference (Count tokens, read 2026-11); llama.cpp's server answers the same.
Invariant: what is counted is what a Messages endpoint would be sent.
"""

from typing import NoReturn

import msgspec

from tierwise.core.answer import Answer
from tierwise.core.call import Call, Hints
from tierwise.core.conversation import Conversation
from tierwise.core.secret import Secret
from tierwise.core.usage import Usage
from tierwise.wires import messages
from tierwise.wires.error import error_in_band, not_an_answer
from tierwise.wires.messages_request import decode_request as decode_messages
from tierwise.wires.stream import count, read_object
from tierwise.wires.wire import AnswerReader, AnswerWriter, EncodedRequest, Recipient

WIRE = "count_tokens"
LOGPROBS = False
_encode = msgspec.json.Encoder().encode


def decode_request(body: bytes, hints: Hints = Hints()) -> Call:
    """Read a caller's body: a Messages request that need not say how long the answer may be."""
    return msgspec.structs.replace(decode_messages(body, hints, counting=True), wire=WIRE, stream=False)


def splice_request(call: Call, to: Recipient) -> EncodedRequest:
    """Change what a Messages endpoint would need changed."""
    return msgspec.structs.replace(messages.splice_request(call, to), path="/messages/count_tokens")


def read_conversation(call: Call) -> Conversation:
    """Read the request as one of the Messages wire."""
    return messages.read_conversation(call)


def encode_request(conversation: Conversation, to: Recipient) -> EncodedRequest:
    """Never called: nobody asks for a count in other words."""
    raise TypeError("counts are asked for on their own wire")


def decode_answer(body: bytes, *, key: Secret | None = None, mark: str = "") -> Answer:
    """Read a count, which is free of charge. Raises `ProviderError`, mostly `BadReply`, for anything else."""
    said = read_object(body, key)
    if said.get("error"):
        raise error_in_band(said["error"], key)
    if count(said.get("input_tokens")) is None:
        raise not_an_answer(body, key)
    return Answer(raw=body, usage=Usage())


def encode_answer(answer: Answer, call: Call, *, ident: str, strip_logprobs: bool = False) -> bytes:
    """Pass the count on."""
    return answer.raw


def counted(tokens: int) -> bytes:
    """Write a count."""
    return _encode({"input_tokens": tokens})


def error_body(status: int, message: str, type: str, param: str | None, code: str | None) -> bytes:  # noqa: A002
    """Write an error as the Messages wire does."""
    return messages.error_body(status, message, type, param, code)


def answer_writer(call: Call, *, ident: str, strip_logprobs: bool = False) -> AnswerWriter:
    """Never called: counts are not streamed."""
    _not_streamed()


def answer_decoder(*, key: Secret | None = None, mark: str = "") -> AnswerReader:
    """Never called: counts are not streamed."""
    _not_streamed()


def _not_streamed() -> NoReturn:
    raise TypeError("counts are not streamed")
