"""OpenAI Embeddings, both directions. The same bytes to the endpoint; the encoding that the caller asked comes back.

Source: OpenAI's published API description (Embeddings) and what its Python client 3.52 sends and reads, 2026-11.
Invariant: every vector keeps its numbers: base64 is little-endian 32-bit floats, as the official clients read it.
"""

import base64
import binascii
import math
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
from tierwise.wires import chat_reply
from tierwise.wires.error import error_in_band, not_an_answer
from tierwise.wires.hints import metadata_hints, without_hints
from tierwise.wires.parts import Gathered
from tierwise.wires.shape import check_name, shaped, wrong
from tierwise.wires.splice import edit, members, parse, value_of
from tierwise.wires.stream import count, spans_of, utf8
from tierwise.wires.wire import AnswerReader, AnswerWriter, EncodedRequest, Recipient

WIRE = "embeddings"
LOGPROBS = False
FLOAT_BYTES = 4
_READ = frozenset(("model", "input", "encoding_format", "dimensions", "metadata"))
_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder().decode
_decode_rows = msgspec.json.Decoder(list[dict[str, msgspec.Raw]]).decode


class _Request(msgspec.Struct):
    model: Annotated[str, Meta(min_length=1, max_length=256)]
    input: str | Annotated[list[Any], Meta(min_length=1, max_length=2048)]
    encoding_format: Literal["float", "base64"] | None = None
    dimensions: Annotated[int, Meta(ge=1, le=100_000)] | None = None
    metadata: dict[str, Any] | None = None


class _Row(msgspec.Struct):
    embedding: list[float] | str


class _Whole(msgspec.Struct):
    data: list[_Row] | None = None
    usage: Any = None
    model: Any = None
    error: Any = None


_decode_whole = msgspec.json.Decoder(_Whole).decode
_decode_vector = msgspec.json.Decoder(list[float] | str).decode
error_body = chat_reply.error_body


# requests


def decode_request(body: bytes, hints: Hints = Hints()) -> Call:
    """Read a caller's body. Raises `InvalidCall` with `param` and `code`.

    Token ids are refused: what is in them cannot be searched, and they mean something else to every model.
    """
    tree = parse(body)
    request = shaped(tree, _Request)
    check_name(request.model)
    found = Gathered()
    single = isinstance(request.input, str)
    for index, said in enumerate([request.input] if isinstance(request.input, str) else request.input):
        place = "input" if single else f"input[{index}]"
        if not isinstance(said, str):
            raise _unsearchable(place) if _is_token(said) else wrong(place, "must be text")
        if not said:
            raise wrong(place, "must not be empty")
        found.add("text", place, said, "user")
    tokens = found.tokens
    found.metadata(request.metadata)
    found.unread(tree, _READ)
    hints = metadata_hints(request.metadata, over=hints)
    features = Features(input_tokens_est=tokens, embeddings=True)
    return Call(wire=WIRE, body=body, model=request.model, parts=tuple(found.parts), features=features, hints=hints)


def splice_request(call: Call, to: Recipient) -> EncodedRequest:
    """Put the served name into the caller's bytes; hints in `metadata` are taken out."""
    spans = members(call.body)
    put: dict[str, bytes] = {"model": _encode(to.served_name)}
    drop: set[str] = set()
    without_hints(value_of(call.body, spans, "metadata"), put, drop)
    return EncodedRequest(path="/embeddings", body=edit(call.body, put=put, drop=drop, spans=spans))


def read_conversation(call: Call) -> Conversation:
    """Read the texts; no endpoint of another wire is asked for vectors."""
    texts = (Text(text=part.text) for part in call.parts if part.kind == "text")
    return Conversation(turns=tuple(Turn(role="user", blocks=(block,)) for block in texts))


def encode_request(conversation: Conversation, to: Recipient) -> EncodedRequest:
    """Refuse: vectors are asked for on this wire only."""
    raise TypeError("embeddings are asked for on their own wire")


def _is_token(value: Any) -> bool:
    return isinstance(value, list) or (isinstance(value, int) and not isinstance(value, bool))


def _unsearchable(place: str) -> InvalidCall:
    return InvalidCall(
        f"{place}: send text, not token ids: they cannot be searched for sensitive data, and every model has its own"
        " (LangChain: check_embedding_ctx_length=False).",
        param=place,
        code="invalid_value",
    )


# answers


def decode_answer(body: bytes, *, key: Secret | None = None, mark: str = "") -> Answer:
    """Read an answer. Raises `ProviderError`, mostly `BadReply`, for anything else."""
    try:
        whole = _decode_whole(utf8(body))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise not_an_answer(body, key) from None
    if whole.error:
        raise error_in_band(whole.error, key)
    spans_of(body)
    if not whole.data or not all(_is_vector(row.embedding) for row in whole.data):
        raise not_an_answer(body, key)
    tokens = count(whole.usage.get("prompt_tokens")) if isinstance(whole.usage, dict) else None
    return Answer(
        raw=body,
        usage=None if tokens is None else Usage(input=tokens),
        served_model=whole.model if isinstance(whole.model, str) else None,
    )


def encode_answer(answer: Answer, call: Call, *, ident: str, strip_logprobs: bool = False) -> bytes:
    """Write the vectors in the encoding that was asked for; some servers know only one. All other bytes stay."""
    as_text = _decode(value_of(call.body, members(call.body), "encoding_format")) == "base64"
    spans = members(answer.raw)
    rows = _decode_rows(value_of(answer.raw, spans, "data"))
    if all((bytes(row["embedding"])[:1] == b'"') == as_text for row in rows):
        return answer.raw
    for row in rows:
        vector = _decode_vector(row["embedding"])
        row["embedding"] = msgspec.Raw(_encode(as_base64(vector) if as_text else as_floats(vector)))
    return edit(answer.raw, put={"data": _encode(rows)}, spans=spans)


def as_base64(vector: list[float] | str) -> str:
    """Return a vector in base64; one that is text already is so. Raises `BadReply` for what 32 bits cannot hold."""
    if isinstance(vector, str):
        return vector
    try:
        return base64.b64encode(struct.pack(f"<{len(vector)}f", *vector)).decode()
    except OverflowError:
        raise BadReply("The endpoint sent a vector too large for 32 bits.", code="upstream_invalid") from None


def as_floats(vector: list[float] | str) -> list[float]:
    """Return a vector as numbers, as one that is no text already is."""
    if not isinstance(vector, str):
        return vector
    data = base64.b64decode(vector)
    return list(struct.unpack(f"<{len(data) // FLOAT_BYTES}f", data))


def _is_vector(vector: list[float] | str) -> bool:
    """True for at least one number, and nothing that is none: infinity and NaN fit into 32 bits, but into no index."""
    try:
        numbers = as_floats(vector)
    except (binascii.Error, ValueError, struct.error):
        return False
    return bool(numbers) and math.isfinite(sum(numbers))


def answer_writer(call: Call, *, ident: str, strip_logprobs: bool = False) -> AnswerWriter:
    """Refuse: vectors are not streamed."""
    _not_streamed()


def answer_decoder(*, key: Secret | None = None, mark: str = "") -> AnswerReader:
    """Refuse: vectors are not streamed."""
    _not_streamed()


def _not_streamed() -> NoReturn:
    raise TypeError("embeddings are not streamed")
