"""What does a Responses caller get? Typed events in order, whole answers, errors.

Source: OpenAI's published API description (Responses and its streaming events, read 2026-11).
Invariant: every item is added, then done; sequence numbers have no gap; the last event comes from `end` alone.
"""

from typing import Any

import msgspec

from tierwise.core.answer import Answer, Delta, Piece
from tierwise.core.call import Call
from tierwise.core.usage import Usage
from tierwise.wires.ident import created_s
from tierwise.wires.interleaved import Call as MadeCall
from tierwise.wires.interleaved import Interleaved
from tierwise.wires.logprobs import write_tokens
from tierwise.wires.responses_request import custom_tools
from tierwise.wires.splice import value_of
from tierwise.wires.sse import event
from tierwise.wires.stream import spans_of

TERMINAL = frozenset(("response.completed", "response.incomplete"))
_ECHOED = (
    "instructions", "max_output_tokens", "metadata", "parallel_tool_calls", "reasoning", "store", "temperature", "text",
    "tool_choice", "tools", "top_p", "truncation", "user",
)  # fmt: skip
_INCOMPLETE = {"length": "max_output_tokens", "content_filter": "content_filter"}

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder().decode


class AnswerWriter:
    """Writes the events of a stream: those of an endpoint of this wire as they came, all others spelled anew."""

    def __init__(self, call: Call, *, ident: str) -> None:
        self.response = b""
        self._call, self._ident = call, ident
        self._shows_logprobs = call.features.logprobs
        self._last = b""
        self._number = 0
        self._model = call.model
        self._output: list[dict[str, Any]] = []
        self._item: dict[str, Any] | None = None
        self._part: dict[str, Any] | None = None
        self._tokens: list[dict[str, Any]] = []
        self._said_so_far: list[str] = []
        self._tools = Interleaved()
        self._cut = False
        self._custom: frozenset[str] | None = None
        self._finish: str | None = None
        self._usage: Usage | None = None

    def write(self, delta: Delta) -> bytes:
        """Return the events that this delta makes; the one that says that the answer is complete is held back."""
        if delta.raw:
            frame = event(delta.raw, delta.event)
            if delta.event in TERMINAL:
                self._last = frame
                self.response = value_of(delta.raw, spans_of(delta.raw), "response")
                return b""
            self._number += 1
            return frame
        out: list[bytes] = []
        self._usage = delta.usage or self._usage
        self._model = delta.served_model or self._model
        for piece in delta.pieces:
            if piece.choice == 0:
                self._piece(piece, out)
        return b"".join(out)

    def end(self) -> bytes:
        """Return what says that the answer is complete."""
        if self._last:
            return self._last
        out: list[bytes] = []
        self._start(out)
        self._cut = self._finish in _INCOMPLETE
        self._drain(out, last=True)
        for piece in self._tools.freed(last=True):
            self._said(piece, out)
        self._close(out)
        whole = whole_response(self._call, self._ident, self._model, self._output, self._finish, self._usage)
        self.response = _encode(whole)
        self._event(f"response.{whole['status']}", {"response": whole}, out)
        return b"".join(out)

    def error(self, body: bytes) -> bytes:
        """Return the event that says that the answer broke; `body` is from `error_body`. Nothing may follow it.

        The error stands in it twice: as the wire has it, and under `error`, where the official clients look.
        """
        said = _decode(body)["error"]
        out: list[bytes] = []
        self._event("error", {name: said[name] for name in ("code", "message", "param")} | {"error": said}, out)
        return out[0]

    def _event(self, kind: str, fields: dict[str, Any], out: list[bytes]) -> None:
        payload = _encode({"type": kind, "sequence_number": self._number} | fields)
        self._number += 1
        out.append(event(payload, kind))

    def _start(self, out: list[bytes]) -> None:
        if self._number:
            return
        begun = whole_response(self._call, self._ident, self._model, [], None, None) | {"status": "in_progress"}
        self._event("response.created", {"response": begun}, out)
        self._event("response.in_progress", {"response": begun}, out)

    def _piece(self, piece: Piece, out: list[bytes]) -> None:
        if piece.content:
            self._start(out)
        if piece.words and not self._tools.hold(piece):
            self._said(piece, out)
        if piece.tool_calls:
            if self._item is not None and self._item["type"] in ("message", "reasoning"):
                self._close(out)
            for call in piece.tool_calls:
                self._tools.add(call)
            self._drain(out, last=False)
        for held in self._tools.freed(last=False):
            self._said(held, out)
        if piece.finish is not None:
            self._finish = piece.finish

    def _said(self, piece: Piece, out: list[bytes]) -> None:
        if self._shows_logprobs and not (piece.tool_calls or piece.reasoning or piece.refusal):
            self._tokens += write_tokens(piece.tokens)
        if piece.reasoning:
            self._switch("reasoning", out)
            self._summary(piece.reasoning, out)
        if piece.seal:
            self._switch("reasoning", out)
            if self._item is not None:
                self._item["encrypted_content"] = piece.seal
            self._close(out)
        if piece.text:
            self._switch("message", out)
            self._words("output_text", piece.text, out)
        if piece.refusal:
            self._switch("message", out)
            self._words("refusal", piece.refusal, out)

    def _switch(self, kind: str, out: list[bytes]) -> None:
        if self._item is not None and self._item["type"] == kind:
            return
        self._drain(out, last=True)
        self._close(out)
        self._open(new_item(kind, self._ident, len(self._output)), out)

    def _open(self, item: dict[str, Any], out: list[bytes]) -> None:
        self._item = item
        self._output.append(item)
        self._event("response.output_item.added", {"output_index": len(self._output) - 1, "item": item}, out)

    def _close(self, out: list[bytes], *, whole: bool = False) -> None:
        item, self._item = self._item, None
        if item is None:
            return
        if item["type"] == "reasoning":
            self._summary_done(item, out)
        elif item["type"] == "message":
            self._part_done(item, out)
        if "status" in item:
            item["status"] = "incomplete" if self._cut and not whole else "completed"
        self._event("response.output_item.done", {"output_index": len(self._output) - 1, "item": item}, out)

    def _where(self, **more: Any) -> dict[str, Any]:
        item = self._output[-1]
        return {"item_id": item["id"], "output_index": len(self._output) - 1} | more

    # reasoning

    def _summary(self, text: str, out: list[bytes]) -> None:
        item = self._output[-1]
        if not item["summary"]:
            part = {"type": "summary_text", "text": ""}
            self._event("response.reasoning_summary_part.added", self._where(summary_index=0, part=part), out)
            item["summary"].append(part)
        self._said_so_far.append(text)
        self._event("response.reasoning_summary_text.delta", self._where(summary_index=0, delta=text), out)

    def _summary_done(self, item: dict[str, Any], out: list[bytes]) -> None:
        if item["summary"]:
            part = item["summary"][0]
            part["text"] = self._take()
            where = self._where(summary_index=0)
            self._event("response.reasoning_summary_text.done", where | {"text": part["text"]}, out)
            self._event("response.reasoning_summary_part.done", where | {"part": part}, out)

    # words

    def _words(self, kind: str, text: str, out: list[bytes]) -> None:
        item = self._output[-1]
        if self._part is None or self._part["type"] != kind:
            self._part_done(item, out)
            self._part = new_part(kind)
            item["content"].append(self._part)
            place = len(item["content"]) - 1
            self._event("response.content_part.added", self._where(content_index=place, part=self._part), out)
        self._said_so_far.append(text)
        more = {"logprobs": self._take_tokens(self._part)} if kind == "output_text" else {}
        place = len(item["content"]) - 1
        self._event(f"response.{kind}.delta", self._where(content_index=place, delta=text) | more, out)

    def _part_done(self, item: dict[str, Any], out: list[bytes]) -> None:
        part, self._part = self._part, None
        if part is None:
            return
        where = self._where(content_index=len(item["content"]) - 1)
        part["text" if part["type"] == "output_text" else "refusal"] = self._take()
        if part["type"] == "output_text":
            self._take_tokens(part)
            self._event("response.output_text.done", where | {"text": part["text"], "logprobs": part["logprobs"]}, out)
        else:
            self._event("response.refusal.done", where | {"refusal": part["refusal"]}, out)
        self._event("response.content_part.done", where | {"part": part}, out)

    def _take(self) -> str:
        """Put the words of what is being closed together: once, for they come in as many pieces as tokens."""
        text = "".join(self._said_so_far)
        self._said_so_far.clear()
        return text

    def _take_tokens(self, part: dict[str, Any]) -> list[dict[str, Any]]:
        """Put tokens into their part; some make no text of their own, such as half a character."""
        tokens, self._tokens = self._tokens, []
        part["logprobs"] += tokens
        return tokens

    # calls

    def _drain(self, out: list[bytes], *, last: bool) -> None:
        for step, call, text in self._tools.drain(last=last):
            custom = self._is_custom(call.name)
            if step == "open":
                self._close(out)
                self._open(new_call(call, self._ident, len(self._output), custom=custom), out)
            elif step == "add" and not custom:
                self._event("response.function_call_arguments.delta", self._where(delta=text), out)
            elif step == "close":
                self._call_done(call, out, custom=custom)

    def _call_done(self, call: MadeCall, out: list[bytes], *, custom: bool) -> None:
        item = self._output[-1]
        if custom:
            item["input"] = free_form(call.said)
            self._event("response.custom_tool_call_input.delta", self._where(delta=item["input"]), out)
            self._event("response.custom_tool_call_input.done", self._where(input=item["input"]), out)
        else:
            item["arguments"] = call.said or "{}"
            if not call.said:
                self._event("response.function_call_arguments.delta", self._where(delta="{}"), out)
            done = {"name": item["name"], "arguments": item["arguments"]}
            self._event("response.function_call_arguments.done", self._where(**done), out)
        self._close(out, whole=call.whole)

    def _is_custom(self, name: str) -> bool:
        if self._custom is None:
            self._custom = custom_tools(self._call.body)
        return name in self._custom


def answer_writer(call: Call, *, ident: str, strip_logprobs: bool = False) -> AnswerWriter:
    """Begin a streamed answer. A gate's log-probabilities never come on this wire, so there are none to strip."""
    return AnswerWriter(call, ident=ident)


def encode_answer(answer: Answer, call: Call, *, ident: str, strip_logprobs: bool = False) -> bytes:
    """Write a whole answer for the caller."""
    if answer.raw:
        return answer.raw
    writer = AnswerWriter(call, ident=ident)
    writer.write(Delta(pieces=answer.pieces, usage=answer.usage, served_model=answer.served_model))
    writer.end()
    return writer.response


def new_item(kind: str, ident: str, place: int) -> dict[str, Any]:
    """Begin a message or reasoning."""
    if kind == "reasoning":
        return {"id": f"rs_{ident}_{place}", "type": "reasoning", "summary": []}
    return {
        "id": f"msg_{ident}_{place}",
        "type": "message",
        "status": "in_progress",
        "role": "assistant",
        "content": [],
    }


def new_call(call: MadeCall, ident: str, place: int, *, custom: bool) -> dict[str, Any]:
    """Begin a call of a function or of a free-form tool."""
    if custom:
        kind = {"id": f"ctc_{ident}_{place}", "type": "custom_tool_call"}
        return kind | {"call_id": call.id, "name": call.name, "input": ""}
    return {
        "id": f"fc_{ident}_{place}", "type": "function_call", "status": "in_progress", "call_id": call.id,
        "name": call.name, "arguments": "",
    }  # fmt: skip


def new_part(kind: str) -> dict[str, Any]:
    """Begin words or a refusal."""
    if kind == "refusal":
        return {"type": "refusal", "refusal": ""}
    return {"type": "output_text", "text": "", "annotations": [], "logprobs": []}


def free_form(arguments: str) -> str:
    """Return the text for a free-form tool from the arguments of the function that stood for it."""
    try:
        value = _decode(arguments or "{}")
    except (msgspec.DecodeError, RecursionError):
        return arguments
    said = value.get("input") if isinstance(value, dict) else None
    return said if isinstance(said, str) else arguments


def whole_response(
    call: Call, ident: str, model: str, output: list[dict[str, Any]], finish: str | None, usage: Usage | None
) -> dict[str, Any]:
    """Write the response object: what was asked, and what came of it."""
    asked = _decode(call.body)
    cut = _INCOMPLETE.get(finish or "")
    told: dict[str, Any] = {
        "id": f"resp_{ident}",
        "object": "response",
        "created_at": created_s(ident),
        "status": "completed" if cut is None else "incomplete",
        "background": False,
        "error": None,
        "incomplete_details": None if cut is None else {"reason": cut},
        "model": model,
        "output": output,
        "usage": None if usage is None else usage_of(usage),
    }
    told |= {"parallel_tool_calls": True, "tool_choice": "auto", "tools": [], "metadata": {}, "store": True}
    told |= {"instructions": None, "temperature": None, "top_p": None, "previous_response_id": call.previous}
    return told | {name: asked[name] for name in _ECHOED if asked.get(name) is not None}


def usage_of(usage: Usage) -> dict[str, Any]:
    """Write usage as this wire counts: cached input and reasoning inside the totals."""
    given, written = usage.read, usage.written
    kept = usage.cache_write + usage.cache_write_1h
    return {
        "input_tokens": given,
        "input_tokens_details": {"cached_tokens": usage.cache_read, "cache_write_tokens": kept},
        "output_tokens": written,
        "output_tokens_details": {"reasoning_tokens": usage.reasoning},
        "total_tokens": given + written,
    }
