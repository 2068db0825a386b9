"""How does the caller get his own values back? Restores the answer to a masked call, piece by piece or whole.

An answer on the caller's wire keeps the endpoint's bytes but for the strings that change; what is held back at the end
of a text comes in an event of its own. Knows no policy. Invariant: any split of a stream restores the same texts.
"""

import re
from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from tierwise.core.answer import Answer, Choice, Delta, Piece, ToolCall
from tierwise.core.errors import BadReply
from tierwise.policy.pseudonyms import Pseudonyms, Restorer
from tierwise.wires.continued import Track, added, closed, tracks
from tierwise.wires.opaque import core
from tierwise.wires.seals import open_seal
from tierwise.wires.splice import edit
from tierwise.wires.stream import read_object, spans_of
from tierwise.wires.strings import Where, escaped, respelled

MAX_HOLDING = 256
"""Texts of one answer of which something is held back at once; each piece looks at all of them."""
Place = tuple[int, str, int]
_encode = msgspec.json.Encoder().encode
_ASIDE = re.compile(r"input|summary|reasoning|instructions")
_WORDS = ("reasoning", "text", "refusal")
Spell = Callable[[str], str]


class Restoring:
    """One answer. `wire` is the caller's where the endpoint speaks it too; `json`: the words were asked for as JSON."""

    def __init__(self, pseudonyms: Pseudonyms, endpoint: str, wire: str, *, json: bool) -> None:
        self._pseudonyms, self._endpoint, self._wire = pseudonyms, endpoint, wire
        self._words: Spell = escaped if json else str
        self._texts: dict[Place, Restorer] = {}
        self._tracks: dict[Track, tuple[Restorer, dict[str, Any]]] = {}
        self._holding: dict[Place | Track, Restorer] = {}
        self._inserted = 0

    def streamed(self, deltas: list[Delta]) -> list[Delta]:
        """Return the deltas of a stream with the values in them."""
        out: list[Delta] = []
        for delta in deltas:
            pieces = tuple(made for piece in delta.pieces for made in self._piece(piece))
            if delta.raw:
                raw, before = self._event(delta)
                out += before
                out.append(msgspec.structs.replace(delta, raw=raw, pieces=pieces))
            else:
                out.append(msgspec.structs.replace(delta, pieces=pieces))
        return out

    def whole(self, answer: Answer) -> Answer:
        """Return a whole answer with the values in it."""
        ordered = tuple(made for piece in answer.ordered for made in self._piece(piece))
        ordered += tuple(made for choice in answer.choices for made in self._rest(choice.index, _WORDS, calls=True))
        return msgspec.structs.replace(
            answer,
            choices=tuple(map(self._choice, answer.choices)),
            ordered=ordered,
            raw=respelled(answer.raw, self._string) if answer.raw and self._told(answer.raw) else answer.raw,
        )

    # pieces, as any wire spells them

    def _piece(self, piece: Piece) -> list[Piece]:
        if piece.seal:
            enclosed = open_seal(piece.seal)
            self._pseudonyms.remember_seal(self._endpoint, core(enclosed.data if enclosed else piece.seal))
        said = {field: getattr(piece, field) for field in _WORDS}
        going_on = [field for field in _WORDS if said[field]]
        out = self._let_go(piece, going_on)
        words: dict[str, Any] = {field: self._text((piece.choice, field, 0), said[field]) for field in going_on}
        calls = tuple(self._call(piece.choice, call) for call in piece.tool_calls)
        more: dict[str, Any] = {"stop_sequence": self._plain(piece.stop_sequence)} if piece.stop_sequence else {}
        if piece.finish is None and not piece.seal:
            return [*out, msgspec.structs.replace(piece, tool_calls=calls, **words, **more)]
        # The seal and the end come behind everything that was held back.
        bare = msgspec.structs.replace(piece, seal="", finish=None, stop_sequence=None, tool_calls=calls, **words)
        out += [bare] if bare.content or bare.tokens else []
        out += self._rest(piece.choice, _WORDS if piece.finish else ("reasoning",), calls=piece.finish is not None)
        end = Piece(choice=piece.choice, seal=piece.seal, finish=piece.finish, **more)
        return [*out, end]

    def _let_go(self, piece: Piece, going_on: list[str]) -> list[Piece]:
        """Return what was held back of texts that other content follows."""
        if not piece.content:
            return []
        ended = [field for field in _WORDS if field not in going_on]
        return self._rest(piece.choice, ended, calls=False) if going_on or piece.tool_calls else []

    def _rest(self, choice: int, fields: Sequence[str], *, calls: bool) -> list[Piece]:
        out = []
        for place, restorer in list(self._holding.items()):
            if isinstance(place, Track) or place[0] != choice:
                continue
            _, field, index = place
            if field in fields:
                held: dict[str, Any] = {field: restorer.finish()}
                out.append(Piece(choice=choice, **held))
            elif field == "call" and calls:
                out.append(Piece(choice=choice, tool_calls=(ToolCall(index=index, arguments=restorer.finish()),)))
            self._note(place, restorer)
        return out

    def _text(self, place: Place, text: str) -> str:
        found = self._texts.get(place)
        if found is None:
            field = place[1]
            spell = escaped if field == "call" else self._words if field == "text" else str
            found = self._texts[place] = Restorer(self._pseudonyms, spell)
        said = found.feed(text)
        self._note(place, found)
        return said

    def _note(self, place: Place | Track, restorer: Restorer) -> None:
        """Keep in mind that a text holds something back. Raises BadReply where too many do."""
        if not restorer.holds:
            self._holding.pop(place, None)
            return
        self._holding[place] = restorer
        if len(self._holding) > MAX_HOLDING:
            raise BadReply("The endpoint left too many texts of its answer open at once.", code="upstream_invalid")

    def _call(self, choice: int, call: ToolCall) -> ToolCall:
        arguments = self._text((choice, "call", call.index), call.arguments)
        return msgspec.structs.replace(call, id=self._plain(call.id), name=self._plain(call.name), arguments=arguments)

    def _choice(self, choice: Choice) -> Choice:
        restored = self._pseudonyms.restored
        calls = tuple(
            msgspec.structs.replace(
                call, id=restored(call.id), name=restored(call.name), arguments=restored(call.arguments, escaped)
            )
            for call in choice.tool_calls
        )
        words = {field: restored(getattr(choice, field), self._words if field == "text" else str) for field in _WORDS}
        return msgspec.structs.replace(choice, tool_calls=calls, **words)

    def _plain(self, text: str) -> str:
        return self._pseudonyms.restored(text)

    # events, as the endpoint wrote them

    def _event(self, delta: Delta) -> tuple[bytes, list[Delta]]:
        """Return the event with the values in it, and those that have to come before it."""
        event = read_object(delta.raw, None)
        going_on = tracks(self._wire, event)
        named, number = set(going_on.values()), event.get("sequence_number")
        before: list[Delta] = []
        for track, restorer in list(self._holding.items()):
            if isinstance(track, Track) and track not in named and closed(self._wire, event, track):
                last = self._tracks[track][1]
                raw = _encode(added(self._wire, last, track, restorer.finish()))
                before.append(Delta(raw=_numbered(raw, number, self._inserted), event=str(last.get("type") or "")))
                self._inserted += 1
                self._note(track, restorer)

        def change(where: Where, text: str) -> str | None:
            track = going_on.get(where.path) if going_on and where.kind == "text" else None
            return self._string(where, text) if track is None else self._fed(track, event, text)

        raw = delta.raw
        if going_on or self._told(raw):
            raw = respelled(raw, change)
        return (_numbered(raw, number, self._inserted) if self._inserted else raw), before

    def _fed(self, track: Track, event: dict[str, Any], text: str) -> str:
        restorer, _ = self._tracks.get(track, (None, event))
        if restorer is None:
            spell = escaped if track.arguments else self._words if track.words else str
            restorer = Restorer(self._pseudonyms, spell)
        self._tracks[track] = (restorer, event)
        said = restorer.feed(text)
        if closed(self._wire, event, track):
            said += restorer.finish()
        self._note(track, restorer)
        return said

    def _told(self, raw: bytes) -> bool:
        return self._pseudonyms.tag.encode() in raw

    def _string(self, where: Where, text: str) -> str | None:
        if self._pseudonyms.tag not in text:
            return None
        spell: Spell = str
        if where.direct and where.name == "arguments":
            spell = str if self._wire == "messages" else escaped  # there arguments are no JSON in a string
        elif where.name in ("text", "content") and _ASIDE.search(where.path) is None:
            spell = self._words
        return self._pseudonyms.restored(text, spell)


def _numbered(raw: bytes, number: object, moved: int) -> bytes:
    """Count the events that were put in between, on the wire that numbers them."""
    if not isinstance(number, int):
        return raw
    return edit(raw, put={"sequence_number": b"%d" % (number + moved)}, spans=spans_of(raw))
