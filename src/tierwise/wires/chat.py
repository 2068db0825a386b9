"""OpenAI Chat Completions, both directions: what callers ask and get, what endpoints are sent and answer.

`decode_request` and `encode_request` are about calls, `AnswerDecoder`, `decode_answer` and `error_from` about what an
endpoint says, the rest about what the caller gets. Nothing here connects, waits or reads a clock.
"""

from tierwise.wires.chat_answer import AnswerDecoder, decode_answer
from tierwise.wires.chat_error import error_body, error_from
from tierwise.wires.chat_reply import encode_answer, encode_stream, stream_end, stream_error
from tierwise.wires.chat_request import WIRE, decode_request, encode_request
from tierwise.wires.encoded import EncodedRequest
from tierwise.wires.tokens import tokens_upper

__all__ = [
    "WIRE",
    "AnswerDecoder",
    "EncodedRequest",
    "decode_answer",
    "decode_request",
    "encode_answer",
    "encode_request",
    "encode_stream",
    "error_body",
    "error_from",
    "stream_end",
    "stream_error",
    "tokens_upper",
]
