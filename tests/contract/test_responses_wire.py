"""The promises that every wire keeps, asked of the Responses wire with recorded bytes and with the official client."""

import json
from typing import Any

import httpx2
import msgspec
import openai
import pytest
from hypothesis import given
from hypothesis import strategies as st
from openai.lib.streaming.responses import ResponseStream
from openai.types.responses import Response, ResponseStreamEvent
from pydantic import TypeAdapter

from tests.contract.recording import Recording, named
from tests.contract.responses_recordings import STREAMS, WHOLES
from tierwise.core.answer import Answer, Choice, Delta, Piece, TokenLogprob, ToolCall, assemble
from tierwise.core.call import Call
from tierwise.core.errors import BadReply, ContextTooLong, Overloaded, ProviderError, RateLimited, Verdict
from tierwise.core.usage import Usage
from tierwise.testing import speech_responses
from tierwise.testing.faults import FAULTS, Script
from tierwise.testing.steps import steps_for
from tierwise.wires import chat, messages, responses
from tierwise.wires.wire import Recipient

PATCH = {"type": "custom", "name": "apply_patch"}
WEATHER = {"type": "function", "name": "get_weather", "parameters": {"type": "object"}, "strict": False}
IDENT = "01ARYZ6S41TSV4RRFFQ69G5FAV"


def asked(**more: Any) -> Call:
    body = {"model": "m", "stream": True, "input": "x", "include": ["message.output_text.logprobs"]}
    return responses.decode_request(json.dumps(body | more).encode())


CALL = asked()


def deltas_of(parts: list[bytes]) -> list[Delta]:
    decoder = responses.answer_decoder()
    return [delta for part in parts for delta in decoder.feed(part)] + decoder.finish()


def passed_on(body: bytes) -> bytes:
    """Return what a caller of the same wire gets."""
    writer = responses.answer_writer(CALL, ident=IDENT)
    return b"".join(writer.write(delta) for delta in deltas_of([body])) + writer.end()


def spelled_anew(deltas: list[Delta], call: Call = CALL) -> bytes:
    """Return what a caller gets of an endpoint of another wire that said the same."""
    writer = responses.answer_writer(call, ident=IDENT)
    bare = [msgspec.structs.replace(delta, raw=b"", event="") for delta in deltas]
    return b"".join(writer.write(delta) for delta in bare) + writer.end()


def spelled(*pieces: Piece, call: Call = CALL) -> list[dict[str, Any]]:
    return events_of(spelled_anew([Delta(pieces=(piece,)) for piece in pieces], call))


def payloads(body: bytes) -> list[bytes]:
    """Return the data of all events, those in several lines joined."""
    blocks = body.removeprefix(b"\xef\xbb\xbf").replace(b"\r\n", b"\n").split(b"\n\n")
    said = (
        b"\n".join(line.removeprefix(b"data:").lstrip() for line in block.split(b"\n") if line.startswith(b"data:"))
        for block in blocks
    )
    return [payload for payload in said if payload and payload != b"[DONE]"]


def events_of(body: bytes) -> list[dict[str, Any]]:
    return [json.loads(payload) for payload in payloads(body)]


def renumbered(answer: Answer) -> Answer:
    """Return an answer with its calls numbered: where they stand among other items is not what they mean."""
    choices = tuple(
        msgspec.structs.replace(
            choice,
            tool_calls=tuple(msgspec.structs.replace(call, index=at) for at, call in enumerate(choice.tool_calls)),
        )
        for choice in answer.choices
    )
    return msgspec.structs.replace(answer, choices=choices, raw=b"", ordered=(), foreign=(), ident=None)


@pytest.mark.parametrize("recording", STREAMS, ids=named)
class TestStreams:
    def test_the_meaning(self, recording: Recording) -> None:
        deltas = deltas_of([recording.body])
        assert assemble(deltas) == recording.answer
        assert tuple(piece for delta in deltas for piece in delta.pieces if piece.content) == recording.pieces
        assert tuple(name for delta in deltas for name in delta.foreign) == recording.foreign

    def test_the_caller_gets_the_endpoints_own_payloads(self, recording: Recording) -> None:
        assert payloads(passed_on(recording.body)) == payloads(recording.body)

    def test_the_caller_gets_the_name_of_every_event(self, recording: Recording) -> None:
        frames = [frame for frame in passed_on(recording.body).split(b"\n\n") if frame]
        told = [frame.split(b"\n")[0].removeprefix(b"event: ").decode() for frame in frames]
        assert told == [event["type"] for event in events_of(recording.body)]

    def test_the_end_is_held_back_and_tells_the_whole_response(self, recording: Recording) -> None:
        writer = responses.answer_writer(CALL, ident=IDENT)
        for delta in deltas_of([recording.body]):
            assert writer.response == b""
            writer.write(delta)
        assert payloads(writer.end()) == payloads(recording.body)[-1:]
        assert json.loads(writer.response) == events_of(recording.body)[-1]["response"]

    def test_what_the_caller_gets_means_the_same(self, recording: Recording) -> None:
        assert deltas_of([passed_on(recording.body)]) == deltas_of([recording.body])

    def test_spelled_anew_it_means_the_same(self, recording: Recording) -> None:
        again = assemble(deltas_of([spelled_anew(deltas_of([recording.body]))]))
        created = b'"response.created"' in recording.body
        served = recording.answer.served_model if created else "m"
        assert renumbered(again) == renumbered(msgspec.structs.replace(recording.answer, served_model=served))

    def test_cut_before_its_last_event_it_is_incomplete(self, recording: Recording) -> None:
        text = recording.body
        last = text.index(b'data: {"type":"' + payloads(text)[-1][9:30])
        for place in [*range(0, last, 37), last, text.index(b"}", last)]:
            with pytest.raises(BadReply) as caught:
                deltas_of([text[:place]])
            assert caught.value.code == ("upstream_incomplete" if place else "upstream_invalid")

    def test_the_official_client_reads_what_is_spelled_anew(self, recording: Recording) -> None:
        body = spelled_anew(deltas_of([recording.body]))
        for event in events_of(body):
            EVENTS.validate_python(event)
        told = official(body)
        assert [event.type for event in told] == [event["type"] for event in events_of(body)]
        [meant] = recording.answer.choices
        response = told[-1].response
        assert response.output_text == meant.text
        calls = [(item.call_id, item.name) for item in response.output if item.type == "function_call"]
        assert calls == [(call.id, call.name) for call in meant.tool_calls]

    def test_the_official_order_of_events(self, recording: Recording) -> None:
        check_order(events_of(spelled_anew(deltas_of([recording.body]))))


EVENTS: TypeAdapter[Any] = TypeAdapter(ResponseStreamEvent)


def official(body: bytes) -> list[Any]:
    """Read a stream with the official client: its framing, its types, and what it puts together."""
    head = {"content-type": "text/event-stream"}
    answer = httpx2.Response(200, headers=head, content=body, request=httpx2.Request("POST", "http://127.0.0.1"))
    with openai.OpenAI(api_key="k", base_url="http://127.0.0.1") as client:
        raw: Any = openai.Stream(cast_to=ResponseStreamEvent, response=answer, client=client)  # type: ignore[type-var]
        stream = ResponseStream(raw_stream=raw, text_format=openai.omit, input_tools=openai.omit, starting_after=None)
        return list(stream)


def check_order(events: list[dict[str, Any]]) -> None:
    """Check that every item is added, spelled and done in its place, and that it comes to what the end tells."""
    assert [event["sequence_number"] for event in events] == list(range(len(events)))
    assert [event["type"] for event in events[:2]] == ["response.created", "response.in_progress"]
    last = events[-1]["response"]
    assert events[-1]["type"] == f"response.{last['status']}"
    assert {event["response"]["id"] for event in (*events[:2], events[-1])} == {last["id"]}
    items: list[dict[str, Any]] = []
    parts: list[dict[str, Any]] = []
    open_ = False
    for event in events[2:-1]:
        kind = event["type"].removeprefix("response.")
        if kind == "output_item.added":
            assert not open_ and event["output_index"] == len(items)
            items.append(event["item"])
            parts, open_ = [], True
            continue
        assert open_ and event["output_index"] == len(items) - 1
        if kind == "output_item.done":
            done, open_ = event["item"], False
            assert done["id"] == items[-1]["id"]
            assert done | {"status": None} == items[-1] | {"status": None} | sealed(done)
            items[-1] = done
            continue
        assert event["item_id"] == items[-1]["id"]
        index = event.get("content_index", event.get("summary_index"))
        match kind:
            case "content_part.added" | "reasoning_summary_part.added":
                assert index == len(parts)
                parts.append(event["part"])
                items[-1]["content" if kind[0] == "c" else "summary"] = parts
            case "output_text.delta":
                parts[index]["text"] += event["delta"]
                parts[index]["logprobs"] += event["logprobs"]
            case "reasoning_summary_text.delta":
                parts[index]["text"] += event["delta"]
            case "refusal.delta":
                parts[index]["refusal"] += event["delta"]
            case "function_call_arguments.delta":
                items[-1]["arguments"] += event["delta"]
            case "custom_tool_call_input.delta":
                items[-1]["input"] += event["delta"]
            case "content_part.done" | "reasoning_summary_part.done":
                assert event["part"] == parts[index]
            case "output_text.done":
                assert (event["text"], event["logprobs"]) == (parts[index]["text"], parts[index]["logprobs"])
            case "reasoning_summary_text.done":
                assert event["text"] == parts[index]["text"]
            case "refusal.done":
                assert event["refusal"] == parts[index]["refusal"]
            case "function_call_arguments.done":
                assert event["arguments"] == items[-1]["arguments"]
            case "custom_tool_call_input.done":
                assert event["input"] == items[-1]["input"]
            case other:
                pytest.fail(other)
    assert not open_
    assert items == last["output"]
    assert len({item["id"] for item in items}) == len(items)


def sealed(item: dict[str, Any]) -> dict[str, Any]:
    """Return what only the end of an item tells."""
    return {"encrypted_content": item["encrypted_content"]} if "encrypted_content" in item else {}


# requests


@st.composite
def written(draw: st.DrawFn) -> tuple[bytes, list[bytes], list[str]]:
    """Write a request as nobody would, and return with it the members that nobody has to change, and all its words."""
    gap = st.sampled_from([b"", b" ", b"\n", b"\t\r\n  "])
    words: list[str] = []

    def said() -> str:
        words.append(draw(st.text('abcxyz\u00e9\u4e2d"\\/ ', min_size=3, max_size=12)) + f"-{len(words)}")
        return words[-1]

    def value(depth: int) -> bytes:
        match draw(st.sampled_from(["text", "escaped", "number", "plain", "list", "object"][: 6 if depth else 4])):
            case "text":
                return json.dumps(said(), ensure_ascii=False).encode()
            case "escaped":
                return json.dumps(said()).replace("/", "\\/").encode()
            case "number":
                return draw(st.sampled_from([b"1", b"1.50", b"-0.0", b"1E+2", b"12345678901234567890"]))
            case "plain":
                return draw(st.sampled_from([b"null", b"true", b"false", b"[]", b"{}"]))
            case "list":
                return b"[%b]" % b",".join(
                    draw(gap) + value(depth - 1) + draw(gap) for _ in range(draw(st.integers(1, 3)))
                )
            case _:
                return obj([(f"k{at}", value(depth - 1)) for at in range(draw(st.integers(1, 3)))])

    def member(name: str, data: bytes) -> bytes:
        return b'%b"%b"%b:%b%b%b' % (draw(gap), name.encode(), draw(gap), draw(gap), data, draw(gap))

    def obj(members: list[tuple[str, bytes]]) -> bytes:
        return b"{%b}" % b",".join(member(name, data) for name, data in members)

    own = st.sampled_from(["x_extra", "service_tier", "prompt_cache_key", "safety_identifier", "zeta", "alpha"])
    more = [(name, value(3)) for name in draw(st.lists(own, unique=True, max_size=4))]
    text = obj(
        draw(st.permutations([("type", b'"input_text"'), ("text", json.dumps(said()).encode()), ("x_part", value(2))]))
    )
    item = obj(draw(st.permutations([("role", b'"user"'), ("content", b"[%b]" % text), ("x_item", value(2))])))
    kept = [member("input", b"[%b%b]" % (draw(gap), item)), member("instructions", json.dumps(said()).encode())]
    kept += [member(name, data) for name, data in more]
    model = [member("model", b'"auto"'), member("stream", b"true"), member("store", b"false")]
    return b"{%b}" % b",".join(draw(st.permutations(kept + model))), kept, words


@given(written())
def test_an_endpoint_of_this_wire_gets_the_callers_bytes(asking: tuple[bytes, list[bytes], list[str]]) -> None:
    body, kept, words = asking
    call = responses.decode_request(body)
    sent = responses.splice_request(call, Recipient(endpoint="e", served_name="served", stream=True))
    assert sent.body == body.replace(b'"auto"', b'"served"', 1)
    assert (sent.path, sent.dropped, sent.headers) == ("/responses", (), ())
    whole = responses.splice_request(call, Recipient(endpoint="e", served_name="served", stream=False)).body
    assert json.loads(whole) == json.loads(body) | {"model": "served", "stream": False}
    assert all(member.strip() in whole for member in kept)
    seen = "\n".join(part.text for part in call.parts)
    missing = [word for word in words if word not in seen and json.dumps(word, ensure_ascii=False)[1:-1] not in seen]
    assert missing == []


# the writer


WORDS = st.text(st.characters(exclude_categories=("Cs",)), min_size=1, max_size=6)
ARGUMENTS = ['{"city": "Bern"}', "{}", '{"a":[1,2,{"b":"\\u00e9"}]}', ""]


@st.composite
def mixed(draw: st.DrawFn) -> list[Piece]:
    """Make the pieces of an answer: words and thinking, and parallel calls whose arguments come in turns."""
    calls = draw(st.lists(st.tuples(st.sampled_from(ARGUMENTS), st.integers(1, 9)), max_size=3))
    waiting = [
        [ToolCall(index=place, id=f"c{place}", name=draw(st.sampled_from(["get_weather", "apply_patch"])))]
        + [ToolCall(index=place, arguments=text[at : at + size]) for at in range(0, len(text), size)]
        for place, (text, size) in enumerate(calls)
    ]
    pieces = []
    for kind in draw(
        st.lists(st.sampled_from(["text", "reasoning", "refusal", "seal", "call", "call", "call"]), max_size=15)
    ):
        rows = [row for row in waiting if row]
        if kind != "call":
            pieces.append(Piece(**{kind: draw(WORDS)}))
        elif rows:
            pieces.append(Piece(tool_calls=(draw(st.sampled_from(rows)).pop(0),)))
    pieces += [Piece(tool_calls=(call,)) for row in waiting for call in row]
    return [*pieces, Piece(finish=draw(st.sampled_from(["stop", "tool_calls", "length", "content_filter", None])))]


@given(mixed(), st.sampled_from([[WEATHER], [WEATHER, PATCH]]))
def test_whatever_comes_interleaved_is_written_in_order_and_whole(pieces: list[Piece], tools: list[Any]) -> None:
    call = asked(tools=tools)
    body = spelled_anew([Delta(pieces=(piece,)) for piece in pieces], call)
    events = events_of(body)
    check_order(events)
    for event in events:
        EVENTS.validate_python(event)
    assert [event.type for event in official(body)] == [event["type"] for event in events]
    [meant] = assemble([Delta(pieces=tuple(pieces))]).choices
    [read] = assemble(deltas_of([body])).choices
    assert (read.text, read.refusal) == (meant.text, meant.refusal)
    assert read.reasoning == meant.reasoning
    assert [(made.id, made.name) for made in read.tool_calls] == unique_in_order(pieces)
    if PATCH not in tools:
        expected = {made.id: made.arguments or "{}" for made in meant.tool_calls}
        assert {made.id: made.arguments for made in read.tool_calls} == expected


def unique_in_order(pieces: list[Piece]) -> list[tuple[str, str]]:
    return [(call.id, call.name) for piece in pieces for call in piece.tool_calls if call.id]


def test_words_do_not_cut_a_call_whose_arguments_still_come() -> None:
    events = spelled(
        Piece(tool_calls=(ToolCall(index=0, id="a", name="f", arguments='{"x"'),)),
        Piece(text="meanwhile"),
        Piece(tool_calls=(ToolCall(index=1, id="b", name="g", arguments="{}"),)),
        Piece(tool_calls=(ToolCall(index=0, arguments=":1}"),)),
        Piece(text=" and after"),
        Piece(finish="tool_calls"),
    )
    check_order(events)
    output = events[-1]["response"]["output"]
    assert [item.get("arguments") or item["content"][0]["text"] for item in output] == [
        '{"x":1}', "{}", "meanwhile and after",
    ]  # fmt: skip


def test_a_free_form_tool_gets_its_text_back() -> None:
    call = asked(tools=[PATCH])
    made = ToolCall(id="c", name="apply_patch", arguments='{"input":"*** \\u00e9"}')
    for text, meant in ((made.arguments, "*** \u00e9"), ("{", "{"), ('{"patch":1}', '{"patch":1}'), ("", "")):
        events = spelled(Piece(tool_calls=(msgspec.structs.replace(made, arguments=text),)), call=call)
        [item] = events[-1]["response"]["output"]
        assert (item["type"], item["call_id"], item["input"]) == ("custom_tool_call", "c", meant)


@pytest.mark.parametrize(
    ("finish", "status", "reason", "item"),
    [
        ("stop", "completed", None, "completed"),
        ("length", "incomplete", "max_output_tokens", "incomplete"),
        ("content_filter", "incomplete", "content_filter", "incomplete"),
        ("pause", "completed", None, "completed"),
    ],
)
def test_why_it_ended(finish: str, status: str, reason: str | None, item: str) -> None:
    calls = (ToolCall(index=0, id="a", name="f", arguments="{}"), ToolCall(index=1, id="b", name="f", arguments="{"))
    for pieces, items in (
        ((Piece(text="x"),), [item]),
        ((Piece(text="x"), Piece(tool_calls=calls)), ["completed", "completed", item]),
    ):
        told = spelled(*pieces, Piece(finish=finish))[-1]["response"]
        assert (told["status"], (told["incomplete_details"] or {}).get("reason")) == (status, reason)
        assert [part["status"] for part in told["output"]] == items


def test_an_answer_without_content_is_an_answer() -> None:
    events = spelled(Piece(finish="stop"))
    assert [event["type"] for event in events] == ["response.created", "response.in_progress", "response.completed"]
    assert events[-1]["response"]["output"] == []


def test_what_was_asked_is_told_again() -> None:
    told: dict[str, Any] = {
        "instructions": "Be brief.", "max_output_tokens": 9, "metadata": {"a": "b"}, "parallel_tool_calls": False,
        "reasoning": {"effort": "low"}, "store": False, "temperature": 0.5, "text": {"verbosity": "low"},
        "tool_choice": "required", "tools": [WEATHER], "top_p": 0.5, "truncation": "auto", "user": "u",
    }  # fmt: skip
    call = msgspec.structs.replace(asked(**told), previous="resp_0")
    for event in (spelled(Piece(text="x"), call=call)[0], spelled(Piece(text="x"), call=call)[-1]):
        response = event["response"]
        assert {name: response[name] for name in told} == told
        assert (response["previous_response_id"], response["id"]) == ("resp_0", f"resp_{IDENT}")
        Response.model_validate(response)


def test_what_was_not_asked_has_the_vendors_defaults() -> None:
    response = spelled(Piece(text="x"))[-1]["response"]
    assert (response["store"], response["previous_response_id"], response["tools"]) == (True, None, [])
    assert (response["model"], response["usage"], response["created_at"]) == ("m", None, 1469918176)


def test_no_end_but_from_the_end() -> None:
    writer = responses.answer_writer(CALL, ident=IDENT)
    frames = [writer.write(Delta(pieces=(piece,))) for piece in (Piece(text="x"), Piece(finish="stop"), Piece(text=""))]
    assert b"response.completed" not in b"".join(frames)
    assert writer.response == b""
    assert writer.end().count(b"event: response.completed\n") == 1
    assert json.loads(writer.response)["status"] == "completed"


@pytest.mark.parametrize("raw", [True, False], ids=["passed on", "spelled anew"])
@pytest.mark.parametrize("written", [0, 1, 5])
def test_an_error_in_a_stream_is_an_error_to_the_official_client(raw: bool, written: int) -> None:
    writer = responses.answer_writer(CALL, ident=IDENT)
    deltas = deltas_of([STREAMS[0].body])[:written]
    deltas = deltas if raw else [msgspec.structs.replace(delta, raw=b"", event="") for delta in deltas]
    frames = b"".join(writer.write(delta) for delta in deltas)
    body = responses.error_body(502, "It broke.", "server_error", None, "upstream_incomplete")
    frames += writer.error(body)
    events = events_of(frames)
    assert [event["sequence_number"] for event in events] == list(range(len(events)))
    EVENTS.validate_python(events[-1])
    assert (events[-1]["type"], events[-1]["code"], events[-1]["message"]) == (
        "error",
        "upstream_incomplete",
        "It broke.",
    )
    with pytest.raises(openai.APIError, match="It broke"):
        official(frames)
    with pytest.raises(Overloaded, match="It broke"):
        deltas_of([frames])


def test_log_probabilities_only_for_those_who_asked() -> None:
    tokens = (TokenLogprob(b"a", -0.5), TokenLogprob(b"\xf0\x9f", -1.0))
    pieces = (
        Piece(tokens=tokens[1:]),
        Piece(text="a", tokens=tokens[:1]),
        Piece(tokens=tokens[1:]),
        Piece(finish="stop"),
    )
    for call, shown in ((CALL, [[240, 159], [97], [240, 159]]), (asked(include=[]), [])):
        events = spelled(*pieces, call=call)
        rows = events[-1]["response"]["output"][0]["content"][0]["logprobs"]
        assert [row["bytes"] for row in rows] == shown
        whole = Answer(choices=(Choice(text="a", tokens=tokens, finish="stop"),))
        body = json.loads(responses.encode_answer(whole, call, ident=IDENT))
        assert len(body["output"][0]["content"][0]["logprobs"]) == (2 if shown else 0)


# whole answers


@pytest.mark.parametrize("recording", WHOLES, ids=named)
def test_whole_answers(recording: Recording) -> None:
    answer = responses.decode_answer(recording.body)
    assert answer.raw == recording.body
    assert Answer(choices=answer.choices, usage=answer.usage, served_model=answer.served_model) == recording.answer
    assert tuple(piece for piece in answer.pieces if piece.content) == recording.pieces
    assert answer.foreign == recording.foreign
    assert responses.encode_answer(answer, CALL, ident=IDENT) == recording.body


@pytest.mark.parametrize("recording", [WHOLES[0], WHOLES[3]], ids=named)
def test_a_whole_answer_spelled_anew_means_the_same(recording: Recording) -> None:
    answer = msgspec.structs.replace(responses.decode_answer(recording.body), raw=b"")
    body = responses.encode_answer(answer, CALL, ident=IDENT)
    Response.model_validate_json(body)
    again = responses.decode_answer(body)
    assert renumbered(again) == msgspec.structs.replace(renumbered(answer), served_model=answer.served_model or "m")


def test_a_call_that_was_cut_is_marked_as_such() -> None:
    answer = msgspec.structs.replace(responses.decode_answer(WHOLES[1].body), raw=b"")
    told = json.loads(responses.encode_answer(answer, CALL, ident=IDENT))
    assert (told["status"], told["output"][0]["status"]) == ("incomplete", "incomplete")


@pytest.mark.parametrize("recording", STREAMS, ids=named)
def test_streamed_and_whole_are_the_same_to_a_caller_of_this_wire(recording: Recording) -> None:
    deltas = deltas_of([recording.body])
    told = events_of(spelled_anew(deltas))[-1]["response"]
    pieces = tuple(piece for delta in deltas for piece in delta.pieces)
    answer = Answer(ordered=pieces, usage=recording.answer.usage, served_model=recording.answer.served_model)
    assert json.loads(responses.encode_answer(answer, CALL, ident=IDENT)) == told


# errors


ERRORS = [
    ("server_error", Overloaded, Verdict.RETRY_SAME),
    ("rate_limit_exceeded", RateLimited, Verdict.NEXT),
    ("context_length_exceeded", ContextTooLong, Verdict.NEXT),
    ("invalid_image", BadReply, Verdict.NEXT),
]


def ways(code: str) -> dict[str, dict[str, Any]]:
    said = {"code": code, "message": "later"}
    return {
        "error": {"type": "error", "sequence_number": 9, "param": None} | said,
        "an error within": {"type": "error", "sequence_number": 9, "error": said},
        "no type": {"error": said},
        "failed": {"type": "response.failed", "response": {"id": "r", "status": "failed", "error": said, "output": []}},
        "failed at the end": {"type": "response.completed", "response": {"status": "failed", "error": said}},
    }


@pytest.mark.parametrize(("code", "error", "verdict"), ERRORS, ids=[code for code, _, _ in ERRORS])
@pytest.mark.parametrize("way", list(ways("")))
@pytest.mark.parametrize("at", [0, 2, 5], ids=["first", "before content", "in the middle"])
def test_errors_in_a_stream(code: str, error: type[ProviderError], verdict: Verdict, way: str, at: int) -> None:
    events = STREAMS[0].body.split(b"\n\n")[:at]
    said = ways(code)[way]
    name = f"event: {said['type']}\n".encode() if "type" in said else b""
    body = b"".join(event + b"\n\n" for event in [*events, name + b"data: " + json.dumps(said).encode()])
    decoder = responses.answer_decoder()
    deltas: list[Delta] = []
    with pytest.raises(error, match="later") as caught:
        deltas += decoder.feed(body)
        decoder.feed(b"")
    assert (type(caught.value), caught.value.verdict, len(deltas)) == (error, verdict, at)
    assert not decoder.finished


def test_an_error_that_only_the_name_of_its_event_tells() -> None:
    with pytest.raises(Overloaded):
        deltas_of([b'event: error\ndata: {"code":"server_error","message":"x"}\n\n'])


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html></html>",
        b"{}",
        b"[]",
        b'{"output":"x"}',
        b'{"output":[1]}',
        b'{"output":null,"status":"completed"}',
        b'{"choices":[{"message":{"content":"x"}}]}',
        b"\xff\xfe",
        b"[" * 100_000,
    ],
)
def test_what_is_no_answer(body: bytes) -> None:
    with pytest.raises(BadReply):
        responses.decode_answer(body)
    with pytest.raises(ProviderError):
        deltas_of([body])


@pytest.mark.parametrize("status", ["queued", "in_progress"])
def test_an_answer_that_is_still_being_made_is_none(status: str) -> None:
    with pytest.raises(BadReply) as caught:
        responses.decode_answer(json.dumps({"status": status, "output": []}).encode())
    assert caught.value.code == "upstream_incomplete"


@pytest.mark.parametrize("payload", [b"[1]", b"{", b"null", b'"x"', b'{"type":"\\ud800"}', b"\xff"])
def test_what_is_no_event(payload: bytes) -> None:
    with pytest.raises(BadReply) as caught:
        deltas_of([b"data: " + payload + b"\n\n"])
    assert caught.value.code == "upstream_invalid"


@pytest.mark.parametrize(
    "said",
    [
        b'{"error":{"message":"x","code":"server_error"}}',
        b'{"id":"r","status":"failed","error":{"code":"server_error","message":"x"},"output":[]}',
    ],
)
def test_a_whole_error_that_came_with_200(said: bytes) -> None:
    for read in (responses.decode_answer, lambda body: deltas_of([body])):
        with pytest.raises(Overloaded):
            read(said)


def test_a_failure_without_a_reason() -> None:
    for status in ("failed", "cancelled"):
        with pytest.raises(BadReply, match="failed"):
            responses.decode_answer(json.dumps({"status": status, "error": None, "output": []}).encode())


def test_an_event_of_eight_megabytes_is_read_and_a_larger_one_refused() -> None:
    event = b'data: {"type":"response.output_text.delta","delta":"%b"}\n\n'
    size = 8 * 1024 * 1024 - len(event) - 20
    stream = event % (b"x" * size)
    last = b'data: {"type":"response.completed","response":{"status":"completed","output":[]}}\n\n'
    parts = [stream[at : at + 65_536] for at in range(0, len(stream), 65_536)]
    assert len(assemble(deltas_of([*parts, last])).choices[0].text) == size
    with pytest.raises(BadReply) as caught:
        deltas_of([event % (b"x" * (size + 100)), last])
    assert caught.value.code == "upstream_too_large"


def test_members_of_wrong_types_are_no_reason_to_fail() -> None:
    odd: list[dict[str, Any]] = [
        {"type": "response.created", "response": 1},
        {"type": "response.output_item.added", "output_index": "x", "item": []},
        {"type": "response.output_item.added", "output_index": None, "item": {"type": 5}},
        {
            "type": "response.output_text.delta",
            "output_index": [],
            "delta": 5,
            "logprobs": [{"token": 1, "bytes": [999]}],
        },
        {"type": "response.output_text.delta", "delta": "", "logprobs": [{"logprob": 1, "bytes": ["x"]}, 3]},
        {"type": "response.reasoning_text.delta", "output_index": 3, "content_index": {}, "delta": None},
        {"type": "response.output_item.done", "output_index": 7, "item": {"type": "message", "content": 5}},
        {"type": "response.output_item.done", "output_index": 8, "item": {"type": "reasoning", "summary": "x"}},
        {"type": "evil\nevent: response.completed"},
        {"type": "response.completed", "response": {"usage": {"input_tokens": -1, "output_tokens": 1}, "output": 5}},
    ]
    deltas = deltas_of([b"".join(b"data: " + json.dumps(event).encode() + b"\n\n" for event in odd)])
    assert assemble(deltas).choices[0] == Choice(tokens=(TokenLogprob(b"", 1.0),), finish="stop")
    assert assemble(deltas).usage is None
    writer = responses.answer_writer(CALL, ident=IDENT)
    assert b"\nevent: response.completed" not in b"".join(writer.write(delta) for delta in deltas)
    assert [piece for delta in deltas for piece in delta.pieces if piece.content] == []


# The scripted upstream knows nothing of the wires: what one writes, the other has to read.


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
@pytest.mark.parametrize("fault", sorted(FAULTS & {"none", "truncation", "no_usage", "cut", "drop", "in_band_error", "html", "empty_body", "bad_json", "wrong_type", "huge_line"}))  # fmt: skip
def test_the_scripted_upstream_is_read_and_never_falsely(fault: str, stream: bool) -> None:
    request = {"model": "m", "input": "one two three", "stream": stream}
    script = msgspec.convert({"fault": fault, "size": 9_000_000}, Script)
    steps = steps_for(request, "m", script, 1, speech_responses)
    sent = b"".join(step for step in steps.steps if isinstance(step, bytes)).partition(b"\r\n\r\n")
    body = sent[2] if b"chunked" not in sent[0] else unchunked(sent[2])
    if fault in ("none", "truncation", "no_usage") or (fault == "huge_line" and not stream):
        answer = assemble(deltas_of([body])) if stream else responses.decode_answer(body)
        [choice] = answer.choices
        assert choice.finish == ("length" if fault == "truncation" else "stop")
        told = Usage(input=steps.prompt_tokens, output=steps.completion_tokens)
        assert answer.usage is None if fault == "no_usage" else answer.usage is not None
        if answer.usage is not None:
            assert answer.usage.input == told.input
            assert answer.usage.output + answer.usage.reasoning == told.output
    else:
        with pytest.raises(ProviderError):
            deltas_of([body]) if stream else responses.decode_answer(body)


def unchunked(body: bytes) -> bytes:
    data = b""
    while body:
        size, _, body = body.partition(b"\r\n")
        data += body[: int(size, 16)]
        body = body[int(size, 16) + 2 :]
    return data


# between wires


def test_an_answer_of_another_wire_reaches_the_caller_as_it_was_meant() -> None:
    said = (
        b'data: {"model":"g","choices":[{"index":0,"delta":{"role":"assistant","reasoning_content":"Hm"}}]}\n\n'
        b'data: {"choices":[{"index":0,"delta":{"content":"x"}}],"usage":null}\n\n'
        b'data: {"choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"function":{"name":"f","arguments":""}}]}}]}\n\n'
        b'data: {"choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"function":{"name":"g","arguments":"{}"}}]}}]}\n\n'
        b'data: {"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}\n\n'
        b'data: {"choices":[],"usage":{"prompt_tokens":3,"completion_tokens":2}}\n\ndata: [DONE]\n\n'
    )
    decoder = chat.answer_decoder(mark="k")
    events = events_of(spelled_anew([*decoder.feed(said), *decoder.finish()]))
    check_order(events)
    told = events[-1]["response"]
    assert [item["type"] for item in told["output"]] == ["reasoning", "message", "function_call", "function_call"]
    assert [item["arguments"] for item in told["output"][2:]] == ["{}", "{}"]
    assert (told["model"], told["usage"]["total_tokens"]) == ("g", 5)


@pytest.mark.parametrize("recording", STREAMS, ids=named)
@pytest.mark.parametrize("other", [chat, messages], ids=["chat", "messages"])
def test_callers_of_other_wires_get_the_same_words_and_calls(recording: Recording, other: Any) -> None:
    body = b'{"model":"m","max_tokens":9,"stream":true,"messages":[{"role":"user","content":"x"}]}'
    writer = other.answer_writer(other.decode_request(body), ident=IDENT)
    bare = [msgspec.structs.replace(delta, raw=b"", event="") for delta in deltas_of([recording.body])]
    decoder = other.answer_decoder()
    frames = b"".join(writer.write(delta) for delta in bare) + writer.end()
    [read] = assemble([*decoder.feed(frames), *decoder.finish()]).choices
    [meant] = renumbered(recording.answer).choices
    assert read.text + read.refusal == meant.text + meant.refusal
    assert [(call.id, call.name, call.arguments) for call in read.tool_calls] == [
        (call.id, call.name, call.arguments) for call in meant.tool_calls
    ]
    assert read.reasoning == meant.reasoning
