"""OpenAI Chat Completions, both directions: what callers ask and get, what endpoints are sent and answer.

`decode_request`, `splice_request` and the conversation are about calls, the decoders about what an endpoint says, the
rest about what the caller gets. Nothing here connects, waits or reads a clock.
"""

from tierwise.wires.chat_answer import AnswerDecoder, answer_decoder, decode_answer
from tierwise.wires.chat_conversation import encode_request, read_conversation
from tierwise.wires.chat_reply import AnswerWriter, answer_writer, encode_answer, error_body
from tierwise.wires.chat_request import WIRE, decode_request, splice_request

LOGPROBS = True

__all__ = [
    "LOGPROBS",
    "WIRE",
    "AnswerDecoder",
    "AnswerWriter",
    "answer_decoder",
    "answer_writer",
    "decode_answer",
    "decode_request",
    "encode_answer",
    "encode_request",
    "error_body",
    "read_conversation",
    "splice_request",
]
