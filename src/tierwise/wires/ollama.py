"""Ollama's own `/api/chat`, towards endpoints: what they are sent and answer.

Nothing here connects, waits or reads a clock.
"""

from tierwise.wires.ollama_answer import AnswerDecoder, answer_decoder, decode_answer
from tierwise.wires.ollama_request import WIRE, encode_request

LOGPROBS = True

__all__ = ["LOGPROBS", "WIRE", "AnswerDecoder", "answer_decoder", "decode_answer", "encode_request"]
