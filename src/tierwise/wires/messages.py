"""Anthropic Messages, both directions: what callers ask and get, what endpoints are sent and answer.

Nothing here connects, waits or reads a clock.
"""

from tierwise.wires.messages_answer import AnswerDecoder, answer_decoder, decode_answer
from tierwise.wires.messages_conversation import encode_request, read_conversation
from tierwise.wires.messages_reply import AnswerWriter, answer_writer, encode_answer, error_body
from tierwise.wires.messages_request import decode_request, splice_request
from tierwise.wires.messages_seals import WIRE

LOGPROBS = False

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
