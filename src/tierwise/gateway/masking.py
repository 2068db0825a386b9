"""What leaves instead of a call whose values must stay? The same call with placeholders, or why that cannot be.

Two passes over the body: the first learns the values, the second replaces them, wherever they stand. Then the result
is searched as the call was. Knows no endpoints but for the seals that they made.
Invariant: what is found and not replaced, or cannot be looked into, is a reason not to send it.
"""

import re
from collections.abc import Iterable, Iterator, Sequence

import msgspec

from tierwise.core.call import Call, Part
from tierwise.core.errors import InvalidCall, PolicyDenied
from tierwise.gateway.forgiven import Forgiven
from tierwise.policy.detect import Detectors
from tierwise.policy.label import forgiving
from tierwise.policy.pseudonyms import LEAST_LITERAL, Pseudonyms, Span, TooManyValues
from tierwise.policy.readings import fold, readings
from tierwise.policy.spans import Finder, Unplaced
from tierwise.wires.known import CALLERS
from tierwise.wires.opaque import core, document, seal_at, unreadable
from tierwise.wires.strings import Where, is_json, respelled, strings
from tierwise.wires.wire import EncodedRequest

DUTY = "pseudonymise"
_NEUTRAL = "\n~\n"
"""Stands for a placeholder while the masked call is searched: no detector's pattern goes across it."""
MAX_NESTING = 4
"""JSON in strings of JSON in strings, as deep as it is taken apart."""
_MEMBER = re.compile(r"[^.\[\]]+")
_PLAIN_MEMBER = re.compile(r"[a-z_]{1,32}|[0-9]{1,6}|header [a-z-]+")


class Masked(msgspec.Struct, frozen=True, kw_only=True):
    """The call with placeholders. `problem` says why it must not be sent at all; `seals` are those in it by path."""

    call: Call
    pseudonyms: Pseudonyms
    mask: "Mask"
    problem: str = ""
    seals: tuple[tuple[str, str, str], ...] = ()

    @property
    def sent(self) -> Pseudonyms:
        """The placeholders that stand in this call: who has not sent a value does not get it restored."""
        return self.pseudonyms.only(self.mask.used)

    def problem_at(self, endpoint: str) -> str:
        """Say why this endpoint must not be sent it; empty for no reason."""
        if self.problem:
            return self.problem
        for path, origin, seal in self.seals:
            if origin in ("", endpoint) and not self.pseudonyms.knows_seal(endpoint, seal):
                return f"{path} is sealed, and nobody can look inside"
        return ""

    @property
    def unsealed(self) -> bytes:
        """The body with nothing in it that nobody can look into."""
        return _unsealed(self.call.body) if self.seals else self.call.body

    def text(self, text: str) -> str:
        """Return further words with placeholders. Raises PolicyDenied."""
        try:
            return self.mask.text(text)
        except (Unplaced, TooManyValues) as error:
            raise PolicyDenied("what is to be sent cannot be masked", rule=DUTY) from error

    def leaks(self, request: EncodedRequest) -> bool:
        """Say whether a value stands in what is about to leave."""
        said = [*_all_strings(request.body), *(value for _, value in request.headers)]
        return any(True for _ in _holding(said, self.pseudonyms))


def masked(call: Call, pseudonyms: Pseudonyms, detectors: Detectors, forgiven: Forgiven = Forgiven()) -> Masked:
    """Return the call as it may leave. What is `forgiven` is no reason to keep it."""
    mask = Mask(pseudonyms, Finder(detectors), _files(call))
    result = Masked(call=call, pseudonyms=pseudonyms, mask=mask)
    try:
        body = mask.body(call.body)
        hidden = call if body == call.body else _read_again(call, body)
    except Unplaced as error:
        return msgspec.structs.replace(result, problem=f"cannot be masked: {error}")
    except TooManyValues:
        return msgspec.structs.replace(result, problem="cannot be masked: the session has too many values")
    except InvalidCall as error:
        return msgspec.structs.replace(
            result, problem=f"cannot be masked: without its values it is wrong ({error.code})"
        )
    said = (*hidden.parts, *_head(hidden))
    problem = unreadable(call, mask.documents) or _left(said, pseudonyms, detectors, forgiven)
    return Masked(
        call=hidden,
        pseudonyms=pseudonyms,
        mask=mask,
        problem=f"cannot be masked: {problem}" if problem else "",
        seals=tuple(mask.seals),
    )


def masked_answer(body: bytes, pseudonyms: Pseudonyms, detectors: Detectors, forgiven: Forgiven) -> bytes:
    """Return an answer in JSON with placeholders, searched again. Raises Unplaced and TooManyValues."""
    mask = Mask(pseudonyms, Finder(detectors))
    hidden = mask.body(body)
    hidden = _unsealed(hidden) if mask.seals else hidden
    said = [Part(kind="text", path="answer", text=text) for text in _all_strings(hidden)]
    if problem := _left(said, pseudonyms, detectors, forgiven):
        raise Unplaced(problem)
    return hidden


def _unsealed(body: bytes) -> bytes:
    return respelled(body, lambda where, text: "" if where.kind == "text" and seal_at(where.path, text) else None)


class Mask:
    """Replaces what the finder finds, and what the session knows already."""

    def __init__(self, pseudonyms: Pseudonyms, finder: Finder, files: frozenset[str] = frozenset()) -> None:
        self._pseudonyms, self._finder, self._files = pseudonyms, finder, files
        self._spans: dict[tuple[str, str], list[Span]] = {}
        self._learning = False
        self.documents = 0
        self.used: set[str] = set()
        self.seals: list[tuple[str, str, str]] = []

    def body(self, body: bytes) -> bytes:
        """Return a JSON text with placeholders. Raises Unplaced and TooManyValues."""
        for self._learning in (True, False):
            self.documents, self.seals = 0, []
            result = respelled(body, self._top)
        return result

    def text(self, text: str) -> str:
        """Return a text with placeholders. Raises Unplaced and TooManyValues."""
        for self._learning in (True, False):
            result = self._said(text, "", 0)
        return result

    def _top(self, where: Where, text: str) -> str | None:
        name = where.name
        if where.kind == "text" and (name not in _PLAIN or text not in _PLAIN[name]):
            path = where.path
            if path == "model":
                return None  # the endpoint gets its own name for it
            seal = seal_at(path, text)
            if seal is not None:
                if seal.data:
                    self.seals.append((_named(path), seal.origin, core(seal.data)))
                return None
            if path in self._files or text[:5].lower() == "data:":
                return self._document(path, text)
        return self._any(where, text, 0)

    def _any(self, where: Where, text: str, depth: int) -> str | None:
        if self._finder.late():
            raise Unplaced("there is too much to be searched")
        if where.kind == "number" and len(text) < LEAST_LITERAL:
            return None
        return self._said(text, where.name if where.direct and where.kind != "key" else "", depth)

    def _document(self, path: str, text: str) -> str:
        found = document(text)
        if found is None:
            return self._said(text, "", 0)
        self.documents += path in self._files
        said = self._said(found.text, "", 0)
        return text if said == found.text else found.written(said)

    def _said(self, text: str, name: str, depth: int) -> str:
        if depth < MAX_NESTING and is_json(text):
            inner = respelled(text.encode(), lambda where, said: self._any(where, said, depth + 1))
            return inner.decode()
        if self._learning:
            for start, end, kind in self._found(text, name):
                self._pseudonyms.name(kind, text[start:end])
            return text
        spans = [*self._found(text, name), *self._pseudonyms.known_in(text)]
        return self._pseudonyms.masked(text, spans, self.used) if spans else text

    def _found(self, text: str, name: str) -> list[Span]:
        place = (name, text)
        found = self._spans.get(place)
        if found is None:
            found = self._finder.spans(text) + (self._finder.member(name, text) if name else [])
            self._spans[place] = found
        return found


_PLAIN = {
    "role": frozenset(("system", "developer", "user", "assistant", "tool", "function")),
    "type": frozenset(("text", "message", "function", "tool_use", "tool_result", "input_text", "output_text", "object",
                       "string", "number", "integer", "boolean", "array", "function_call", "function_call_output")),
}  # fmt: skip
"""Words of which there are many in every request, and which hold nothing of the caller's."""


def _files(call: Call) -> frozenset[str]:
    return frozenset(part.path for part in call.parts if part.kind == "file")


def _read_again(call: Call, body: bytes) -> Call:
    read = CALLERS[call.wire].decode_request(body)
    return msgspec.structs.replace(
        call, body=body, parts=read.parts, json_schema=read.json_schema, tools=read.tools, answers=read.answers
    )


def _left(said: Sequence[Part], pseudonyms: Pseudonyms, detectors: Detectors, forgiven: Forgiven) -> str:
    """Say where something still stands, written or encoded; empty for nowhere."""
    parts = [msgspec.structs.replace(part, text=pseudonyms.without(part.text, _NEUTRAL)) for part in said]
    for found in detectors.scan(parts, forgiven.hashes):
        if not forgiving(found, forgiven.session):
            return f"{found.detector} in {_named(found.path)} cannot be located"
    held = next(_holding((part.text for part in parts), pseudonyms), None)
    return "" if held is None else f"a value of the session in {_named(parts[held].path)} cannot be located"


def _holding(texts: Iterable[str], pseudonyms: Pseudonyms) -> Iterator[int]:
    """Yield which texts hold a value of the session, also where it is encoded or parted by what nobody sees."""
    known = [fold(value).decode() for value in pseudonyms.names if len(value) >= LEAST_LITERAL]
    for place, text in enumerate(texts if known else ()):
        said = pseudonyms.without(readings(text).decode(), _NEUTRAL)
        if any(value in said for value in known if value):
            yield place


def _named(path: str) -> str:
    """Return a path for the record: a member that could itself be a value is not named."""
    return _MEMBER.sub(lambda found: found[0] if _PLAIN_MEMBER.fullmatch(found[0]) else "*", path)


def _head(call: Call) -> Iterable[Part]:
    return (Part(kind="metadata", path=f"header {name}", text=value) for name, value in call.headers)


def _all_strings(body: bytes, depth: int = 0) -> Iterable[str]:
    for text in strings(body):
        yield text
        if depth < MAX_NESTING and is_json(text):
            yield from _all_strings(text.encode(), depth + 1)
