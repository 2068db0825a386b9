"""Nothing is lost in silence: whatever a conversation asks is in the request of every wire, or is named as lost."""

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.wires.conversations import EVERYTHING, PIXEL, SCHEMA
from tierwise.core.conversation import (
    Block,
    Conversation,
    File,
    Format,
    Image,
    Reasoning,
    Seal,
    Text,
    Thinking,
    Tool,
    ToolChoice,
    ToolResult,
    ToolUse,
    Turn,
)
from tierwise.core.model import Capability
from tierwise.wires.known import ENDPOINTS
from tierwise.wires.wire import EncodedRequest, Recipient

WIRES = sorted(ENDPOINTS.keys() - {"embeddings", "count_tokens"})  # those are asked for numbers, on their own wire
VALUES: dict[str, list[Any]] = {
    "tools": [(Tool(name="look", parameters=SCHEMA),), (Tool(name="look"), Tool(name="hear", strict=True))],
    "tool_choice": [ToolChoice(mode="none"), ToolChoice(mode="required"), ToolChoice(mode="named", name="look")],
    "parallel_tools": [False],
    "format": [Format(kind="json"), Format(kind="schema", schema=SCHEMA), Format(kind="schema", schema={"minimum": 1})],
    "reasoning": [
        *(Reasoning(effort=effort) for effort in ("minimal", "low", "medium", "high", "xhigh", "max")),
        *(Reasoning(budget_tokens=tokens) for tokens in (1, 2048, 200_000)),
        Reasoning(effort="low", visible=True), Reasoning(visible=True),
    ],
    "max_output_tokens": [1, 77],
    "temperature": [0.0, 0.3, 1.7],
    "top_p": [0.0, 0.4, 0.97],
    "top_k": [1, 40],
    "stop": [("END",), (" ",), ("END", "\n"), tuple("abcdefgh")],
    "seed": [0, 7, -1, 2**40],
    "n": [2, 8],
    "logprobs": [True],
    "top_logprobs": [1, 3],
    "frequency_penalty": [0.1],  # none at all is what there is unasked
    "presence_penalty": [-0.2],
    "logit_bias": [{"50256": -100.0}],
    "user": ["u-1"],
    "verbosity": ["low"],
}  # fmt: skip
APART = {"turns", "spelled", "foreign"}
NEEDED = {"tool_choice": "tools", "parallel_tools": "tools", "top_logprobs": "logprobs"}
"""A field that says nothing without another."""
SPELLED = {field: f"its.{field}" for field in VALUES}
ASKED = Conversation(turns=(Turn(role="user", blocks=(Text(text="hi"),), path="messages[0]"),), spelled=SPELLED)
NAMES = (
    "any", "claude-sonnet-4-0", "claude-opus-4-5", "claude-sonnet-4-6", "claude-opus-4-7", "claude-opus-5",
    "gemini-2.5-flash", "gemini-2.5-pro", "gemini-3-pro", "gpt-oss:20b", "qwen3:8b",
)  # fmt: skip
ABLE: tuple[frozenset[Capability], ...] = (frozenset(), frozenset(("thinking",)))

recipients = st.builds(
    Recipient,
    endpoint=st.just("there"),
    served_name=st.sampled_from(NAMES),
    stream=st.booleans(),
    capabilities=st.sampled_from(ABLE),
    max_output_tokens=st.sampled_from((None, 32_000)),
)
wires = st.sampled_from(WIRES)


def encoded(wire: str, asked: Conversation, to: Recipient) -> EncodedRequest:
    request = ENDPOINTS[wire].encode_request(asked, to)
    json.loads(request.body)
    assert len(set(request.dropped)) == len(request.dropped), "named once"
    return request


def without(asked: Conversation, field: str) -> Conversation:
    return msgspec.structs.replace(asked, **{field: getattr(ASKED, field)})


def names(dropped: tuple[str, ...], spelled: str) -> bool:
    return any(lost == spelled or lost.startswith((f"{spelled}:", f"{spelled}[")) for lost in dropped)


def test_every_field_is_tried() -> None:
    fields = {field.name for field in msgspec.structs.fields(Conversation)}
    assert VALUES.keys() | APART == fields
    assert all(getattr(EVERYTHING, field) != getattr(ASKED, field) for field in fields - {"n"})


@pytest.mark.parametrize("wire", WIRES)
@pytest.mark.parametrize("field", VALUES)
def test_every_field_is_written_or_named_as_the_caller_spells_it(wire: str, field: str) -> None:
    needed = {NEEDED[field]: VALUES[NEEDED[field]][0]} if field in NEEDED else {}
    base = msgspec.structs.replace(ASKED, **needed)
    for value in VALUES[field]:
        asked = msgspec.structs.replace(base, **{field: value})
        for name in NAMES:
            for able in ABLE:
                to = Recipient(endpoint="there", served_name=name, stream=False, capabilities=able)
                request = encoded(wire, asked, to)
                written = request.body != encoded(wire, base, to).body
                assert written or names(request.dropped, SPELLED[field]), (value, to)
                assert all(lost.startswith("its.") for lost in request.dropped), "nothing else is"


@given(wires, recipients, st.fixed_dictionaries({}, optional={f: st.sampled_from(v) for f, v in VALUES.items()}))
def test_fields_do_not_hide_each_other(wire: str, to: Recipient, fields: dict[str, Any]) -> None:
    fields = {name: value for name, value in fields.items() if NEEDED.get(name, name) in fields}
    choice = fields.get("tool_choice")
    if choice is not None and choice.mode == "none":
        fields.pop("parallel_tools", None)  # how many at once, of none?
    asked = msgspec.structs.replace(ASKED, **fields)
    request = encoded(wire, asked, to)
    for field in fields:
        if field == "logprobs" and "top_logprobs" in fields:
            continue
        if field == "tools" and choice is not None and choice.mode == "none":
            continue  # where a wire cannot say that none is to be called, none is offered
        written = request.body != encoded(wire, without(asked, field), to).body
        assert written or names(request.dropped, SPELLED[field]), field


@pytest.mark.parametrize("wire", WIRES)
@pytest.mark.parametrize("able", ABLE, ids=["plain", "thinks"])
@pytest.mark.parametrize("field", [name for name in VALUES if name not in ("tools", "format", "reasoning")])
def test_what_is_lost_has_no_other_name(wire: str, able: frozenset[Capability], field: str) -> None:
    """The same field, spelled otherwise: the wire's own names do not get into what the caller reads."""
    to = Recipient(endpoint="there", served_name="any", stream=False, capabilities=able)
    ours = msgspec.structs.replace(ASKED, **{field: VALUES[field][-1]})
    theirs = msgspec.structs.replace(ours, spelled={name: f"your {name}" for name in VALUES})
    renamed = tuple(lost.replace("its.", "your ") for lost in encoded(wire, ours, to).dropped)
    assert encoded(wire, theirs, to).dropped == renamed


NOTHING = [
    {"n": 1}, {"logprobs": False}, {"logit_bias": {}}, {"stop": ()}, {"parallel_tools": True}, {"tools": ()},
    {"tool_choice": ToolChoice(mode="auto")}, {"tool_choice": ToolChoice(mode="none")},
    {"reasoning": Reasoning()}, {"spelled": {}},
]  # fmt: skip


@pytest.mark.parametrize("wire", WIRES)
@pytest.mark.parametrize("said", NOTHING, ids=str)
def test_what_says_nothing_is_not_named(wire: str, said: dict[str, Any]) -> None:
    to = Recipient(endpoint="there", served_name="any", stream=False, capabilities=ABLE[1])
    assert encoded(wire, msgspec.structs.replace(ASKED, **said), to).dropped == ()


@pytest.mark.parametrize("wire", WIRES)
@pytest.mark.parametrize("choice", [ToolChoice(mode="required"), ToolChoice(mode="named", name="look")], ids=str)
def test_a_choice_among_no_tools_is_not_sent_where_it_is_refused(wire: str, choice: ToolChoice) -> None:
    to = Recipient(endpoint="there", served_name="any", stream=False)
    request = encoded(wire, msgspec.structs.replace(ASKED, tool_choice=choice), to)
    assert request.dropped == ("its.tool_choice",)
    assert request.body == encoded(wire, ASKED, to).body


@pytest.mark.parametrize("wire", WIRES)
def test_what_only_the_callers_wire_has_stays_named(wire: str) -> None:
    to = Recipient(endpoint="there", served_name="any", stream=False)
    assert encoded(wire, msgspec.structs.replace(ASKED, foreign=("store", "tools[0]: web")), to).dropped[:2] == (
        "store",
        "tools[0]: web",
    )


def user(*blocks: Block, **more: Any) -> tuple[Turn, ...]:
    return (Turn(role="user", blocks=blocks, path="messages[0]", **more),)


def loop(result: ToolResult, *before: Block) -> tuple[Turn, ...]:
    return (
        Turn(role="user", blocks=(Text(text="hi"),), path="messages[0]"),
        Turn(role="assistant", blocks=(*before, ToolUse(id="c1", name="look")), path="messages[1]"),
        Turn(role="user", blocks=(result,), path="messages[2]"),
    )


RESULT = ToolResult(id="c1", name="look", content=(Text(text="rain"),))
HI, PNG = Text(text="hi"), Image(data=PIXEL, media_type="image/png")
PDF = File(data="JVBERi0=", media_type="application/pdf")
SEAL = Seal(wire="elsewhere", data="x", origin="there")
BLOCKS: dict[str, tuple[tuple[Turn, ...], tuple[Turn, ...]]] = {
    "words": (user(HI), user(HI, Text(text="more"))),
    "a mark for the cache": (user(HI), user(Text(text="hi", cache=True))),
    "a mark for the cache in what a tool said": (
        loop(RESULT), loop(ToolResult(id="c1", name="look", content=(Text(text="rain", cache=True),))),
    ),
    "the speaker's name": (user(HI), user(HI, name="ada")),
    "the name of who instructs": (
        (Turn(role="system", blocks=(HI,), path="messages[0]"), *user(HI)),
        (Turn(role="system", blocks=(HI,), path="messages[0]", name="ada"), *user(HI)),
    ),
    "instructions": (user(HI), (Turn(role="system", blocks=(HI,), path="messages[0]"), *user(HI))),
    "instructions in a file": (
        (Turn(role="system", blocks=(HI,), path="messages[0]"), *user(HI)),
        (Turn(role="system", blocks=(HI, File(text="a", media_type="text/plain")), path="messages[0]"), *user(HI)),
    ),
    "instructions in between": (user(HI), (*user(HI), Turn(role="system", blocks=(HI,), path="messages[1]"))),
    "a picture": (user(HI), user(HI, PNG)),
    "a picture by address": (user(HI), user(HI, Image(url="https://example.com/a.png"))),
    "how closely to look": (user(HI, PNG), user(HI, msgspec.structs.replace(PNG, detail="low"))),
    "a document": (user(HI), user(HI, PDF)),
    "a document's name": (user(HI, PDF), user(HI, msgspec.structs.replace(PDF, name="a.pdf"))),
    "a document by address": (user(HI), user(HI, File(url="https://example.com/a.pdf", media_type="application/pdf"))),
    "the name of a document by address": (
        user(HI, File(url="https://example.com/a.pdf")), user(HI, File(url="https://example.com/a.pdf", name="a.pdf")),
    ),
    "a document of words": (user(HI), user(HI, File(text="a", media_type="text/plain"))),
    "the name of a document of words": (user(HI, File(text="a")), user(HI, File(text="a", name="a.txt"))),
    "a sound": (user(HI), user(HI, File(data="AAAA", media_type="audio/wav"))),
    "a sound's name": (
        user(HI, File(data="AAAA", media_type="audio/wav")),
        user(HI, File(data="AAAA", media_type="audio/wav", name="a.wav")),
    ),
    "what a tool said": (loop(ToolResult(id="c1", name="look")), loop(RESULT)),
    "that a tool failed": (loop(RESULT), loop(msgspec.structs.replace(RESULT, error=True))),
    "that a tool failed without a word": (
        loop(ToolResult(id="c1", name="look")), loop(ToolResult(id="c1", name="look", error=True)),
    ),
    "what a tool showed": (loop(RESULT), loop(msgspec.structs.replace(RESULT, content=(*RESULT.content, PNG)))),
    "a document from a tool": (loop(RESULT), loop(msgspec.structs.replace(RESULT, content=(*RESULT.content, PDF)))),
    "words before a call": (loop(RESULT), loop(RESULT, Text(text="Let me look."))),
    "a refusal": (loop(RESULT), loop(RESULT, Text(text="No.", refusal=True))),
    "thinking": (loop(RESULT), loop(RESULT, Thinking(text="hm"))),
    "sealed thinking of another wire": (loop(RESULT), loop(RESULT, Thinking(text="hm", seal=SEAL))),
    "hidden thinking of another wire": (loop(RESULT), loop(RESULT, Thinking(seal=SEAL))),
    "a picture by the model": (loop(RESULT), loop(RESULT, PNG)),
}  # fmt: skip


@pytest.mark.parametrize("wire", WIRES)
@pytest.mark.parametrize("able", ABLE, ids=["plain", "thinks"])
@pytest.mark.parametrize("what", BLOCKS)
def test_every_block_is_written_or_named(wire: str, able: frozenset[Capability], what: str) -> None:
    to = Recipient(endpoint="there", served_name="any", stream=False, capabilities=able)
    bare, full = (encoded(wire, msgspec.structs.replace(ASKED, turns=turns), to) for turns in BLOCKS[what])
    lost = set(full.dropped) - set(bare.dropped)
    assert full.body != bare.body or lost or bare.dropped, "or all that it is part of is lost"
    places = ("messages[", "thinking", "cache_control")
    assert all(name.startswith(places) for name in lost), "where the caller wrote it"
