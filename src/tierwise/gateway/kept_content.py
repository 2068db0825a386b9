"""How much of this call does the ledger keep, and in which form? Gathers what the caller got, and decides at the end.

The request is the caller's body, the answer what he got: with the caller's own values, also where endpoints got
placeholders. The ledger is a place that data goes to like any other: where the label's ceiling does not reach it, and
under the duty not to store, content stays out. Knows no tables.
Invariant: less is kept than was configured wherever anything is in doubt, and the record says why.
"""

import json
import os
import re
from collections.abc import Iterable

import msgspec

from tierwise.core.answer import Answer, Delta
from tierwise.core.call import Call
from tierwise.core.decision import Committed, ContentLevel, ContentRecord, Decision
from tierwise.core.secret import MASK
from tierwise.gateway.forgiven import Forgiven
from tierwise.gateway.masking import masked, masked_answer
from tierwise.gateway.rules import Rules
from tierwise.ledger.contents import SALT_BYTES, Contents, commitment
from tierwise.ledger.keys import BRAND, HIDDEN_CHARS, SHOWN_CHARS
from tierwise.policy.pseudonyms import Pseudonyms, TooManyValues, tag_of
from tierwise.policy.settings import ceilings
from tierwise.policy.spans import Unplaced
from tierwise.wires.known import CALLERS

MAX_KEPT_BYTES = 4 * 1024 * 1024
"""Of a request, and of an answer; what is longer is kept up to there."""
MAX_STREAM_CHARS = 1024 * 1024
"""Of what a stream says."""
LEAST_SECRET_CHARS = 8
_WORDS = ("text", "reasoning", "refusal")
_KEY = re.compile(rb"%b[A-Za-z0-9]{%d}" % (BRAND.encode(), SHOWN_CHARS + HIDDEN_CHARS))


class KeptContent:
    """The content of one call under way, on its way into the ledger."""

    __slots__ = ("_answer", "_call", "_cut", "_finish", "_left_chars", "_said")

    def __init__(self, call: Call) -> None:
        self._call = call
        self._answer: bytes | None = None
        self._said: dict[tuple[int, str, int], list[str]] = {}
        self._finish: dict[int, str] = {}
        self._left_chars, self._cut = MAX_STREAM_CHARS, False

    def whole(self, answer: Answer, ident: str, *, strip_logprobs: bool) -> bytes:
        """Write a whole answer as the caller gets it, and keep that."""
        call = self._call
        self._answer = CALLERS[call.wire].encode_answer(answer, call, ident=ident, strip_logprobs=strip_logprobs)
        return self._answer

    def heard(self, delta: Delta) -> None:
        """Keep what one event of a stream says to the caller."""
        for piece in delta.pieces:
            for field in _WORDS:
                if said := getattr(piece, field):
                    self._add(piece.choice, field, 0, said)
            for call in piece.tool_calls:
                for field in ("id", "name", "arguments"):
                    if said := getattr(call, field):
                        self._add(piece.choice, field, call.index, said)
            if piece.finish:
                self._finish[piece.choice] = piece.finish

    def _add(self, choice: int, field: str, index: int, said: str) -> None:
        if len(said) > self._left_chars:
            said, self._cut = said[: self._left_chars], True
        self._left_chars -= len(said)
        if said:
            self._said.setdefault((choice, field, index), []).append(said)

    def closed(
        self, decision: Decision, decided_by: Rules, now: Rules, forgiven: Forgiven
    ) -> tuple[Decision, Contents | None]:
        """Return the record with what binds it to the content, and the content, None where none is kept.

        `decided_by` are the rules that the call was decided by, `now` those in force when it ends: both must allow it.
        """
        level, why = _level(decision, decided_by, now)
        request, answer = self._call.body, self._gathered()
        if level == "none":
            if not why:
                return decision, None
            sizes = [None if side is None else Committed(size_bytes=len(side), why=why) for side in (request, answer)]
            return msgspec.structs.replace(decision, content=_record(level, sizes)), None
        salt = os.urandom(SALT_BYTES)
        sides: list[tuple[bytes | None, ContentLevel, str]] = [(request, level, why), (answer, level, why)]
        if level == "redacted":
            sides = self._redacted(request, answer, decided_by, forgiven)
        clean = [(None if d is None else _clean(d, decided_by) if k != "hash" else d, k, w) for d, k, w in sides]
        cuts = (False, self._cut)
        committed = [
            None if data is None else _committed(salt, data, len(whole or b""), kept, cut=cut, why=reason)
            for (data, kept, reason), whole, cut in zip(clean, (request, answer), cuts, strict=True)
        ]
        texts = [None if data is None or kept == "hash" else data[:MAX_KEPT_BYTES] for data, kept, _ in clean]
        kept = Contents(id=decision.id, ts=decision.ts, salt=salt, level=level, request=texts[0], answer=texts[1])
        return msgspec.structs.replace(decision, content=_record(level, committed)), kept

    def _gathered(self) -> bytes | None:
        """Return the answer: a whole one as it left, of a stream what it said; None where nothing was answered."""
        if self._answer is not None or not (self._said or self._finish):
            return self._answer
        choices: dict[int, dict[str, object]] = {}
        calls: dict[tuple[int, int], dict[str, str]] = {}
        for (choice, field, index), said in self._said.items():
            row = choices.setdefault(choice, {"index": choice})
            if field in _WORDS:
                row[field] = "".join(said)
                continue
            if (choice, index) not in calls:
                calls[choice, index] = {}
                row.setdefault("tool_calls", []).append(calls[choice, index])  # type: ignore[attr-defined]
            calls[choice, index][field] = "".join(said)
        for choice, finish in self._finish.items():
            choices.setdefault(choice, {"index": choice})["finish"] = finish
        # A surrogate alone, of a stream that was cut inside a character, is nothing that UTF-8 could hold.
        return json.dumps({"choices": list(choices.values())}, ensure_ascii=False).encode("utf-8", "replace")

    def _redacted(
        self, request: bytes, answer: bytes | None, rules: Rules, forgiven: Forgiven
    ) -> list[tuple[bytes | None, ContentLevel, str]]:
        """Return both sides with placeholders, which stand for nothing anywhere else; with `hash` where that fails.

        Where the request cannot be masked its values are not known, and the answer may repeat them.
        """
        pseudonyms = Pseudonyms(tag_of(os.urandom(6)))
        hidden = masked(msgspec.structs.replace(self._call, headers=()), pseudonyms, rules.detectors, forgiven)
        if hidden.problem:
            return [(request, "hash", hidden.problem), (answer, "hash", "the request cannot be masked")]
        if answer is None or self._cut:  # at the cut there may be half of a value, which nothing finds
            why = "it was too long to be masked whole" if self._cut else ""
            return [(hidden.unsealed, "redacted", ""), (answer, "hash", why)]
        try:
            said = masked_answer(answer, pseudonyms, rules.detectors, forgiven)
        except (Unplaced, TooManyValues):
            return [(hidden.unsealed, "redacted", ""), (answer, "hash", "it cannot be masked")]
        return [(hidden.unsealed, "redacted", ""), (said, "redacted", "")]


def kept_whole(decision: Decision, rules: Rules) -> bool:
    """Say whether what people write about this call may be kept: that is content too."""
    return _level(decision, rules, rules)[0] == "full"


def _level(decision: Decision, decided_by: Rules, now: Rules) -> tuple[ContentLevel, str]:
    """Return how much is kept, and why that is less than was configured; empty where it is not."""
    ledger, label = decided_by.ledger, decision.label.value
    level = ledger.content_level(label)
    if level == "none":
        return level, ""
    if "no_store" in _duties(decision):
        return "none", "no_store"
    for rules in (decided_by, now):
        reach = ceilings(rules.labels)[label]
        if level != "hash" and ledger.lies_on.rank > reach.rank:
            return "hash", f"the ledger is {ledger.lies_on}, {label} may reach {reach}"
    return level, ""


def _duties(decision: Decision) -> Iterable[str]:
    """Return the duties that the call was under; where nobody was asked, those of everyone who might have been."""
    yield from decision.obligations
    if not decision.attempts:
        for candidate in decision.candidates:
            for rule in candidate.rules or ():
                yield from rule.effects


def _record(level: ContentLevel, sides: list[Committed | None]) -> ContentRecord:
    request, answer = sides
    if request is None:
        raise TypeError("a call without a request")
    return ContentRecord(level=level, request=request, answer=answer)


def _committed(salt: bytes, data: bytes, size_bytes: int, kept: ContentLevel, *, cut: bool, why: str) -> Committed:
    """Bind the record to what is kept: where values are masked, whoever has salt and text could guess the values of
    a commitment to the whole."""
    told = data if kept == "hash" else data[:MAX_KEPT_BYTES]
    return Committed(
        size_bytes=size_bytes,
        kept=kept,
        sha256=commitment(salt, told),
        truncated=cut or len(told) < len(data),
        why=why,
    )


def _clean(data: bytes, rules: Rules) -> bytes:
    """Take out keys: those that this gateway shows and takes, and whatever looks like one that it made."""
    for secret in rules.secrets:
        text = secret.reveal().encode()
        if len(text) >= LEAST_SECRET_CHARS:
            data = data.replace(text, MASK.encode())
    return _KEY.sub(MASK.encode(), data)
