"""Which decisions may this caller see, and what does it say of them? What is said is written beside the decision.

Invariant: what is said is durable when it is answered; a note is content, and kept only where content is kept whole.
"""

import asyncio
from collections.abc import Callable
from typing import Annotated, Protocol

import msgspec

from tierwise.core.decision import Decision
from tierwise.core.errors import InvalidCall
from tierwise.gateway.kept_content import kept_whole
from tierwise.gateway.rules import Rules
from tierwise.ledger.contents import Contents
from tierwise.ledger.encode import encode_decision, encode_with_content
from tierwise.ledger.protocol import Remarking
from tierwise.ledger.remarks import MAX_NOTE_CHARS, MAX_WHO_CHARS, Remark, What, joined, unsaid
from tierwise.server.errors import PERMISSION, Failure
from tierwise.server.http import Rejected, Request, missing

MAX_BODY_BYTES = 64 * 1024
TOLD = ("decision", "what", "who", "score", "seconds", "note", "ts")
Seconds = Annotated[float, msgspec.Meta(ge=0, le=86_400)]


class Said(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The body. One of `right` and `score` says how good the answer is."""

    decision: Annotated[str, msgspec.Meta(min_length=1, max_length=64)]
    right: bool | None = None
    score: Annotated[float, msgspec.Meta(ge=0, le=1)] | None = None
    seconds: Seconds | None = None
    note: Annotated[str, msgspec.Meta(max_length=MAX_NOTE_CHARS)] = ""
    who: Annotated[str, msgspec.Meta(max_length=MAX_WHO_CHARS)] = ""
    what: What = "feedback"


_body = msgspec.json.Decoder(Said)


def read(body: bytes) -> Said:
    """Read the body; InvalidCall for one that says nothing, or both."""
    try:
        said = _body.decode(body)
    except msgspec.ValidationError as error:
        raise InvalidCall(str(error), code="invalid_value") from None
    except (msgspec.DecodeError, UnicodeError) as error:
        raise InvalidCall(f"the body is not JSON: {error}", code="invalid_json") from None
    if (said.right is None) == (said.score is None):
        raise InvalidCall('say either "right": true or false, or "score": 0 to 1', param="score", code="invalid_value")
    return said


def remark_of(said: Said, decision: Decision, rules: Rules, key_id: str | None) -> Remark:
    """Return what is kept of it. Of whom a key says that they said it, the key's name stands beside."""
    who = said.who if key_id is None else f"{said.who}, by the key {key_id}" if said.who else f"the key {key_id}"
    score = said.score if said.score is not None else float(bool(said.right))
    note = said.note if said.note and kept_whole(decision, rules) else ""
    return Remark(decision=decision.id, score=score, who=who, what=said.what, seconds=said.seconds, note=note)


class Decisions(Protocol):
    """Where recorded decisions are looked up."""

    async def get(self, id_or_prefix: str) -> Decision | None:
        """Return one decision."""

    async def content(self, ident: str) -> Contents | None:
        """Return what is kept of one call."""

    async def remarks(self, *idents: str) -> list[Remark]:
        """Return what was said of these decisions."""


class Decided:
    """The recorded decisions, as their callers may see them. Remarks are written one after the other: each opens the
    ledger anew."""

    def __init__(self, decisions: Decisions, book: Remarking) -> None:
        self._decisions, self._book, self._turn = decisions, book, asyncio.Lock()

    async def show(self, request: Request, wanted: str, anew: Callable[[Decision], Decision]) -> None:
        """Answer with a decision, with what is kept of its content if that is asked for, or with what `anew` makes of
        it by the rules of now."""
        found = await self._seen(request, wanted)
        if b"replay=1" in request.query.split(b"&"):
            return await request.answer(encode_decision(anew(found)))
        found = joined(found, await self._decisions.remarks(found.id))
        if b"content=1" not in request.query.split(b"&"):
            return await request.answer(encode_decision(found))
        if request.grant is not None and not request.grant.allows_label(found.label.value):
            text = f"the key {request.key_id!r} may not read the content of this call: it is {found.label.value}"
            raise Rejected(Failure(status=403, type=PERMISSION, code="label_not_allowed", message=text))
        return await request.answer(encode_with_content(found, await self._decisions.content(found.id)))

    async def hear(self, request: Request, rules: Rules) -> None:
        """Write what the caller says of a decision, and answer with what was kept of it."""
        said = read(await request.body(MAX_BODY_BYTES))
        decision = await self._seen(request, said.decision)
        grant = request.grant
        if said.what == "review" and grant is not None and "admin" not in grant.scopes:
            text = f"the key {grant.name!r} may not review: that wants the scope admin"
            raise Rejected(Failure(status=403, type=PERMISSION, code="scope_missing", message=text))
        if decision.outcome == "pending":
            raise unsaid(decision.id, pending=True)
        async with self._turn:
            made = await asyncio.to_thread(self._book.add, remark_of(said, decision, rules, request.key_id))
        told = {name: getattr(made, name) for name in TOLD} | {"note_kept": bool(made.note)}
        await request.answer(msgspec.json.encode(told))

    async def _seen(self, request: Request, wanted: str) -> Decision:
        """Return a decision that the caller may see, or raise Rejected."""
        # Another key's decision is answered as a missing one, and so are several, so that ids cannot be probed.
        every = request.grant is None or "admin" in request.grant.scopes
        try:
            found = await self._decisions.get(wanted)
        except InvalidCall:
            if every:
                raise
            found = None
        if found is None or not (every or found.key_id == request.key_id):
            raise missing(f"there is no decision {wanted[:64]!a}")
        return found
