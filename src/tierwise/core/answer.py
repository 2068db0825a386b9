"""What came back? `Delta`s as they arrive and the `Answer` they add up to, on whatever wire.

Invariant: `assemble` of the deltas of a streamed answer equals the answer of the same reply not streamed;
role markers, pings and usage are not content, so nothing is committed by them.
"""

from collections.abc import Iterable, Iterator
from typing import Any

import msgspec

from tierwise.core.usage import Usage


class TokenLogprob(msgspec.Struct, frozen=True):
    """One output token, as the bytes it stands for, and its natural log-probability."""

    data: bytes
    logprob: float


class ToolCall(msgspec.Struct, frozen=True, kw_only=True):
    """A tool call, or a piece of one in a stream (`id` and `name` then come only with the first piece)."""

    index: int = 0
    id: str = ""
    name: str = ""
    arguments: str = ""


class Piece(msgspec.Struct, frozen=True, kw_only=True):
    """What one event adds to one choice.

    `finish` is the upstream's reason in one vocabulary (`stop`, `length`, `tool_calls`, `content_filter`, else as it
    came), never invented; `stop_sequence` is the one that ended the answer, where the upstream says. `seal` ends the
    reasoning before it, or, without any, stands for reasoning that is hidden: what this endpoint wants to see again,
    as its own wire writes it.
    """

    choice: int = 0
    text: str = ""
    reasoning: str = ""
    seal: str = ""
    refusal: str = ""
    tool_calls: tuple[ToolCall, ...] = ()
    tokens: tuple[TokenLogprob, ...] = ()
    finish: str | None = None
    stop_sequence: str | None = None

    @property
    def words(self) -> bool:
        """True if this piece says anything beside calls and the reason to stop."""
        return bool(self.text or self.reasoning or self.refusal or self.seal or self.tokens)

    @property
    def content(self) -> bool:
        """True if this piece carries anything that a caller would see as answer."""
        return bool(self.text or self.reasoning or self.refusal or self.tool_calls or self.seal)


class Delta(msgspec.Struct, frozen=True, kw_only=True):
    """One event of an answer.

    `raw` is the upstream's own payload and `event` its name, passed on unchanged to a caller of the same wire.
    `foreign` names what only that wire can express and a caller of another does not get. `ident` is the endpoint's own
    name for the answer.
    """

    raw: bytes = b""
    event: str = ""
    pieces: tuple[Piece, ...] = ()
    foreign: tuple[str, ...] = ()
    usage: Usage | None = None
    served_model: str | None = None
    ident: str | None = None

    @property
    def content(self) -> bool:
        """True if any piece carries content: the event that commits a stream."""
        return any(piece.content for piece in self.pieces)


class Choice(msgspec.Struct, frozen=True, kw_only=True):
    """One complete alternative of an answer; `finish` None means that the upstream never gave a reason."""

    index: int = 0
    text: str = ""
    reasoning: str = ""
    refusal: str = ""
    tool_calls: tuple[ToolCall, ...] = ()
    tokens: tuple[TokenLogprob, ...] = ()
    finish: str | None = None


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """A complete answer. `raw` is the upstream's body where it was not streamed; `foreign` and `ident` as in `Delta`.

    `ordered` keeps the pieces of an answer whose order says more than the choices (text between tool calls, seals).
    """

    choices: tuple[Choice, ...] = ()
    usage: Usage | None = None
    served_model: str | None = None
    ident: str | None = None
    raw: bytes = b""
    ordered: tuple[Piece, ...] = ()
    foreign: tuple[str, ...] = ()

    @property
    def pieces(self) -> tuple[Piece, ...]:
        """The answer as pieces in order, as its stream would have brought them."""
        return self.ordered or tuple(_spelled_out(self.choices))


def whole(pieces: Iterable[Piece], **more: Any) -> Answer:
    """Make the answer that these pieces spell, their order kept; `more` are further fields of `Answer`."""
    ordered = tuple(pieces)
    return msgspec.structs.replace(assemble([Delta(pieces=ordered)]), ordered=ordered, **more)


def _spelled_out(choices: Iterable[Choice]) -> Iterator[Piece]:
    for choice in choices:
        index = choice.index
        if choice.reasoning:
            yield Piece(choice=index, reasoning=choice.reasoning)
        if choice.text or choice.tokens:
            yield Piece(choice=index, text=choice.text, tokens=choice.tokens)
        if choice.refusal:
            yield Piece(choice=index, refusal=choice.refusal)
        if choice.tool_calls:
            yield Piece(choice=index, tool_calls=choice.tool_calls)
        yield Piece(choice=index, finish=choice.finish)


def assemble(deltas: Iterable[Delta]) -> Answer:
    """Add the deltas up to the answer they spell; what the endpoint calls it is no part of what it says."""
    building: dict[int, _Building] = {}
    usage: Usage | None = None
    served: str | None = None
    for delta in deltas:
        usage = delta.usage or usage
        served = served or delta.served_model
        for piece in delta.pieces:
            building.setdefault(piece.choice, _Building()).add(piece)
    choices = tuple(building[index].choice(index) for index in sorted(building))
    return Answer(choices=choices, usage=usage, served_model=served)


class _Building:
    """The pieces of one choice so far."""

    __slots__ = ("calls", "finish", "reasoning", "refusal", "text", "tokens")

    def __init__(self) -> None:
        self.text: list[str] = []
        self.reasoning: list[str] = []
        self.refusal: list[str] = []
        self.tokens: list[TokenLogprob] = []
        self.calls: dict[int, list[ToolCall]] = {}
        self.finish: str | None = None

    def add(self, piece: Piece) -> None:
        self.text.append(piece.text)
        self.reasoning.append(piece.reasoning)
        self.refusal.append(piece.refusal)
        self.tokens.extend(piece.tokens)
        for call in piece.tool_calls:
            self.calls.setdefault(call.index, []).append(call)
        self.finish = piece.finish or self.finish

    def choice(self, index: int) -> Choice:
        calls = tuple(
            ToolCall(
                index=place,
                id=next((part.id for part in parts if part.id), ""),
                name=next((part.name for part in parts if part.name), ""),
                arguments="".join(part.arguments for part in parts),
            )
            for place, parts in sorted(self.calls.items())
        )
        return Choice(
            index=index,
            text="".join(self.text),
            reasoning="".join(self.reasoning),
            refusal="".join(self.refusal),
            tool_calls=calls,
            tokens=tuple(self.tokens),
            finish=self.finish,
        )
