"""OpenAI Responses, both directions: what callers ask and get, what endpoints are sent and answer.

Nothing here connects, waits or reads a clock; stored answers are handed in (`with_history`).
"""

from tierwise.wires.chat_reply import error_body
from tierwise.wires.responses_answer import AnswerDecoder, answer_decoder, decode_answer
from tierwise.wires.responses_conversation import encode_request, read_conversation
from tierwise.wires.responses_reply import AnswerWriter, answer_writer, encode_answer
from tierwise.wires.responses_request import decode_request, splice_request
from tierwise.wires.responses_sealed import WIRE

LOGPROBS = False
"""Callers may ask for log-probabilities, but endpoints of this wire do not give them for every token of an answer."""

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
