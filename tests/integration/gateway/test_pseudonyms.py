"""Nothing of a value leaves where a rule wants placeholders, and the caller reads his own values, on every wire."""

import asyncio
import base64
import json
import random
from collections.abc import Awaitable
from typing import Any

import pytest

from tests.integration.gateway.conftest import Build, House
from tierwise.core.call import Call, Hints
from tierwise.core.errors import NoCandidate, PolicyDenied, TierwiseError
from tierwise.core.label import Label, Tier
from tierwise.core.model import Capability
from tierwise.policy.settings import LabelSettings, Pattern, Rule, Then, When
from tierwise.registry.settings import EndpointRow, ModelRow
from tierwise.testing import Script
from tierwise.wires.known import CALLERS

MASKED = Rule(name="hide", when=When(tier=Tier.FRONTIER), then=Then(obligations=("pseudonymise",)))
OPEN = LabelSettings(
    ceilings={Label.CONFIDENTIAL: Tier.FRONTIER, Label.RESTRICTED: Tier.FRONTIER},
    patterns={"merger": Pattern(pattern="project falcon", label=Label.CONFIDENTIAL)},
)
WIRES = ("chat", "messages", "responses")
VALUES = (
    "4024007134564847",
    "4024 0071 3456 4847",
    "DE89 3704 0044 0532 0130 00",
    "536-22-1234",
    "AKIAQYLPMN5HHHFPZAM2",
    "project falcon",
    "ghp_16C7e42F292c6912E7710c838347Ae178B4a",
)
NEEDLES = (*VALUES, "hunter2\"xyz", "hunter2\\\"xyz", "s3cretpw9", "5362212", "40240071")
PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
ABLE: tuple[Capability, ...] = ("stream", "tools", "images", "files", "schema", "json", "thinking")
SCHEMA = {"type": "object", "properties": {"to": {"type": "string"}}, "required": ["to"]}


def run(scene: Awaitable[None]) -> None:
    asyncio.run(scene)  # type: ignore[arg-type]


def spoken(house: Build, wire: str, **more: Any) -> Any:
    """Open a house whose far model speaks one wire; only it is asked."""
    return house(labels=OPEN, rule=(MASKED,), only=wire, **more)


def decoded(wire: str, body: dict[str, Any], hints: Hints = Hints(), key: str | None = None) -> Call:
    import msgspec

    call = CALLERS[wire].decode_request(json.dumps(body).encode(), hints)
    return msgspec.structs.replace(call, key_id=key)


def body_of(wire: str, text: str, *, stream: bool, rng: random.Random, tools: bool = False) -> dict[str, Any]:
    """Write a conversation with values in every corner of it."""
    some = lambda: rng.choice(VALUES)  # noqa: E731
    login = f'the password is "hunter2{chr(92)}"xyz"' if rng.random() < 0.3 else f"postgres://ann:s3cretpw9@db {some()}"
    arguments = {"to": some(), "note": f"line\n{some()}\t\"quoted\"", some(): [some()]}
    document = base64.b64encode(f"notes: {some()}\n{login}".encode()).decode()
    match wire:
        case "chat":
            body: dict[str, Any] = {
                "messages": [
                    {"role": "system", "content": f"You help {some()}."},
                    {"role": "user", "content": [{"type": "text", "text": f"hi {login}"}, {
                        "type": "file", "file": {"filename": f"{some()}.txt", "file_data": f"data:text/plain;base64,{document}"},
                    }]},
                    {"role": "assistant", "content": f"noted {some()}", "tool_calls": [
                        {"id": "c1", "type": "function", "function": {"name": "pay", "arguments": json.dumps(arguments)}}]},
                    {"role": "tool", "tool_call_id": "c1", "content": json.dumps({"balance": 4024007134564847, "of": some()})},
                    {"role": "user", "content": text},
                ],
                "metadata": {"customer": some()},
            }  # fmt: skip
            tool: dict[str, Any] = {"type": "function", "function": {
                "name": "pay", "description": f"pays {some()}", "parameters": SCHEMA}}  # fmt: skip
        case "messages":
            body = {
                "max_tokens": 500, "system": f"You help {some()}.",
                "messages": [
                    {"role": "user", "content": [{"type": "text", "text": f"hi {login}"}, {
                        "type": "document", "title": f"{some()}.txt",
                        "source": {"type": "text", "media_type": "text/plain", "data": f"notes: {some()}"},
                    }]},
                    {"role": "assistant", "content": [
                        {"type": "text", "text": f"noted {some()}"},
                        {"type": "tool_use", "id": "c1", "name": "pay", "input": arguments}]},
                    {"role": "user", "content": [
                        {"type": "tool_result", "tool_use_id": "c1", "content": f"done {some()}"},
                        {"type": "text", "text": text}]},
                ],
            }  # fmt: skip
            tool = {"name": "pay", "description": f"pays {some()}", "input_schema": SCHEMA}
        case _:
            body = {
                "instructions": f"You help {some()}.", "store": False, "metadata": {"customer": some()},
                "input": [
                    {"role": "user", "content": [{"type": "input_text", "text": f"hi {login}"}, {
                        "type": "input_file", "filename": f"{some()}.txt", "file_data": f"data:text/plain;base64,{document}"}]},
                    {"type": "function_call", "call_id": "c1", "name": "pay", "arguments": json.dumps(arguments)},
                    {"type": "function_call_output", "call_id": "c1", "output": f"done {some()}"},
                    {"role": "user", "content": [{"type": "input_text", "text": text}]},
                ],
            }  # fmt: skip
            tool = {"type": "function", "name": "pay", "description": f"pays {some()}", "parameters": SCHEMA, "strict": False}
    return {"model": "far", "stream": stream} | body | ({"tools": [tool]} if tools else {})


async def written(reply: Any, call: Call) -> bytes:
    """Return what the caller gets on his wire."""
    wire = CALLERS[call.wire]
    if reply.answer is not None:
        return wire.encode_answer(reply.answer, call, ident="x")
    writer = wire.answer_writer(call, ident="x")
    out = [writer.write(delta) async for delta in reply.deltas]
    return b"".join((*out, writer.end()))


def said(wire: str, data: bytes, *, stream: bool) -> tuple[str, str]:
    """Read an answer as a client does: its words and the arguments of its calls."""
    from tierwise.wires.known import ENDPOINTS

    reader: Any = ENDPOINTS[wire]
    if not stream:
        answer = reader.decode_answer(data)
    else:
        from tierwise.core.answer import assemble

        decoder = reader.answer_decoder()
        answer = assemble([*decoder.feed(data), *([] if decoder.finished else decoder.finish())])
    choice = answer.choices[0]
    return choice.text, choice.tool_calls[0].arguments if choice.tool_calls else ""


def far(wire: str) -> dict[str, Any]:
    return {"far_wires": (wire,)}


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("endpoint", WIRES)
@pytest.mark.parametrize("caller", WIRES)
def test_no_value_leaves_and_each_comes_back(house: Build, caller: str, endpoint: str, stream: bool) -> None:
    async def scene() -> None:
        async with house(labels=OPEN, rule=(MASKED,), wires={"far": (endpoint,)}, able=ABLE) as h:
            for seed in range(12):
                rng = random.Random(f"{caller}{endpoint}{stream}{seed}")
                text = f"send {rng.choice(VALUES)} to {rng.choice(VALUES)}, now"
                call = decoded(caller, body_of(caller, text, stream=stream, rng=rng))
                data = await written(await h.gateway.handle(call), call)
                assert said(caller, data, stream=stream)[0] == text
            sent = b"\n".join(request.body for request in h.upstreams["far"].asked).decode()
            sent += json.dumps([json.loads(request.body) for request in h.upstreams["far"].asked], ensure_ascii=False)
            assert len(h.upstreams["far"].asked) == 12
            for needle in NEEDLES:
                assert needle not in sent
                assert base64.b64encode(f"notes: {needle}".encode()).decode()[:16] not in sent
            assert h.asked() == {"near": 0, "mid": 0, "far": 12}

    run(scene())
