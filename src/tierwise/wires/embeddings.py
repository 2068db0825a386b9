"""OpenAI Embeddings, both directions. The same bytes to the endpoint; the encoding that the caller asked comes back.

Source: OpenAI's published API description (Embeddings, read 2026-11).
Invariant: every vector keeps its numbers: base64 is little-endian 32-bit floats, as the official clients read it.
"""

import base64
import binascii
import struct
from typing import Annotated, Any, Literal, NoReturn

import msgspec
from msgspec import Meta

from tierwise.core.answer import Answer
from tierwise.core.call import Call, Features, Hints
from tierwise.core.conversation import Conversation, Text, Turn
from tierwise.core.errors import BadReply, InvalidCall
from tierwise.core.secret import Secret
from tierwise.core.usage import Usage
from tierwise.wires.error import error_in_band, not_an_answer
from tierwise.wires.parts import Gathered, refuse_control
from tierwise.wires.shape import shaped, wrong
from tierwise.wires.splice import edit, parse
from tierwise.wires.stream import count
from tierwise.wires.wire import AnswerReader, AnswerWriter, EncodedRequest, Recipient

WIRE = "embeddings"
LOGPROBS = False
_READ = frozenset(("model", "input", "encoding_format", "dimensions"))
_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder().decode


class _Request(msgspec.Struct):
    model: Annotated[str, Meta(min_length=1, max_length=256)]
    input: str | Annotated[list[Any], Meta(min_length=1, max_length=2048)]
    encoding_format: Literal["float", "base64"] | None = None
    dimensions: Annotated[int, Meta(ge=1, le=100_000)] | None = None


def decode_request(body: bytes, hints: Hints = Hints()) -> Call:
    """Read a caller's body. Raises `InvalidCall` with `param` and `code`.

    Token ids are refused: what is in them cannot be searched, and they mean something else to every model.
    """
    tree = parse(body)
    request = shaped(tree, _Request)
    texts = [request.input] if isinstance(request.input, str) else request.input
    found = Gathered()
    for index, text in enumerate(texts):
        place = "input" if isinstance(request.input, str) else f"input[{index}]"
        if not isinstance(text, str):
            raise InvalidCall(
                f"{place}: send text, not token ids: they cannot be searched for sensitive data, and every model has"
                " its own (LangChain: check_embedding_ctx_length=False).",
                param=place,
                code="invalid_value",
            )
        if not text:
            raise wrong(place, "must not be empty")
        found.add("text", place, text, "user")
    refuse_control(((name, tree[name]) for name in tree.keys() - _READ), "")
    found.rest("", tree, _READ)
    features = Features(input_tokens_est=found.tokens, embeddings=True)
    return Call(wire=WIRE, body=body, model=request.model, parts=tuple(found.parts), features=features, hints=hints)


def splice_request(call: Call, to: Recipient) -> EncodedRequest:
    """Put the served name into the caller's bytes."""
    return EncodedRequest(path="/embeddings", body=edit(call.body, put={"model": _encode(to.served_name)}))


def read_conversation(call: Call) -> Conversation:
    """Read the texts; no endpoint of another wire is asked for vectors."""
    return Conversation(turns=tuple(Turn(role="user", blocks=(Text(text=part.text),)) for part in call.parts))


def encode_request(conversation: Conversation, to: Recipient) -> EncodedRequest:
    """Refuse: vectors are asked for on this wire only."""
    raise TypeError("embeddings are asked for on their own wire")


def decode_answer(body: bytes, *, key: Secret | None = None, mark: str = "") -> Answer:
    """Read an answer. Raises `ProviderError`, mostly `BadReply`, for anything else."""
    try:
        said = _decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise not_an_answer(body, key) from None
    if isinstance(said, dict) and said.get("error"):
        raise error_in_band(said["error"], key)
    rows = said.get("data") if isinstance(said, dict) else None
    if not isinstance(rows, list) or not rows or not all(_is_vector(row) for row in rows):
        raise not_an_answer(body, key)
    usage = said.get("usage")
    tokens = count(usage.get("prompt_tokens")) if isinstance(usage, dict) else None
    model = said.get("model")
    return Answer(
        raw=body,
        usage=None if tokens is None else Usage(input=tokens),
        served_model=model if isinstance(model, str) else None,
    )


def encode_answer(answer: Answer, call: Call, *, ident: str, strip_logprobs: bool = False) -> bytes:
    """Write the vectors in the encoding that was asked for; some servers know only one."""
    wanted = _decode(call.body).get("encoding_format") or "float"
    said = _decode(answer.raw)
    if all(isinstance(row["embedding"], str) == (wanted == "base64") for row in said["data"]):
        return answer.raw
    for row in said["data"]:
        row["embedding"] = as_base64(row["embedding"]) if wanted == "base64" else as_floats(row["embedding"])
    return _encode(said)


def as_base64(vector: list[float] | str) -> str:
    """Return a vector in base64."""
    if isinstance(vector, str):
        return vector
    return base64.b64encode(struct.pack(f"<{len(vector)}f", *vector)).decode()


def as_floats(vector: list[float] | str) -> list[float]:
    """Return a vector as numbers. Raises `BadReply` for what is no base64 of floats."""
    if not isinstance(vector, str):
        return vector
    try:
        data = base64.b64decode(vector, validate=True)
        return list(struct.unpack(f"<{len(data) // 4}f", data))
    except (binascii.Error, ValueError, struct.error):
        raise BadReply("The endpoint sent a vector that is no base64 of floats.", code="upstream_invalid") from None


def error_body(status: int, message: str, type: str, param: str | None, code: str | None) -> bytes:  # noqa: A002
    """Write an error in this wire's shape; the status is only in the head."""
    return _encode({"error": {"message": message, "type": type, "param": param, "code": code}})


def answer_writer(call: Call, *, ident: str, strip_logprobs: bool = False) -> AnswerWriter:
    """Refuse: vectors are not streamed."""
    _not_streamed()


def answer_decoder(*, key: Secret | None = None, mark: str = "") -> AnswerReader:
    """Refuse: vectors are not streamed."""
    _not_streamed()


def _not_streamed() -> NoReturn:
    raise TypeError("embeddings are not streamed")


def _is_vector(row: Any) -> bool:
    return isinstance(row, dict) and isinstance(row.get("embedding"), (list, str))
