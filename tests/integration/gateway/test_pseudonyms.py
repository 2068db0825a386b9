"""Nothing of a value leaves where a rule wants placeholders, and the caller reads his own values, on every wire."""

import asyncio
import base64
import json
import random
import re
from collections.abc import Awaitable
from typing import Any

import msgspec
import pytest

from tests.integration.gateway.conftest import Build, House
from tierwise.core.answer import assemble
from tierwise.core.call import Call, Hints
from tierwise.core.errors import PolicyDenied, TierwiseError
from tierwise.core.label import Label, Tier
from tierwise.core.model import Capability, Limits
from tierwise.policy.judge import Policy
from tierwise.policy.settings import LabelSettings, Pattern, Rule, Then, When
from tierwise.testing import Script
from tierwise.wires.known import CALLERS, ENDPOINTS

MASKED = Rule(name="hide", when=When(tier=Tier.FRONTIER), then=Then(obligations=("pseudonymise",)))
OPEN = LabelSettings(
    ceilings={Label.CONFIDENTIAL: Tier.FRONTIER, Label.RESTRICTED: Tier.FRONTIER},
    patterns={"merger": Pattern(pattern="project falcon", label=Label.CONFIDENTIAL)},
)
WIRES = ("chat", "messages", "responses")
VALUES = (
    "4024007134564847",
    "4024 0071 3456 4847",
    "DE26 5001 0517 5260 1815 90",
    "536-22-1234",
    "AKIAQYLPMN5HHHFPZAM2",
    "project falcon",
    "ghp_16C7e42F292c6912E7710c838347Ae178B4a",
)
NEEDLES = (*VALUES, 'hunter2"xyz', 'hunter2\\"xyz', "s3cretpw9", "5362212", "40240071")
PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
ABLE: tuple[Capability, ...] = ("stream", "tools", "images", "files", "schema", "json", "thinking")
SCHEMA = {"type": "object", "properties": {"to": {"type": "string"}}, "required": ["to"]}


def run(scene: Awaitable[None]) -> None:
    asyncio.run(scene)  # type: ignore[arg-type]


def decoded(wire: str, body: dict[str, Any], hints: Hints = Hints(), key: str | None = None) -> Call:
    call = CALLERS[wire].decode_request(json.dumps(body).encode(), hints)
    return msgspec.structs.replace(call, key_id=key)


def body_of(wire: str, text: str, *, stream: bool, rng: random.Random, tools: bool = False) -> dict[str, Any]:
    """Write a conversation with values in every corner of it."""
    some = lambda: rng.choice(VALUES)  # noqa: E731
    login = f'the password is "hunter2{chr(92)}"xyz"' if rng.random() < 0.3 else f"postgres://ann:s3cretpw9@db {some()}"
    arguments = {"to": some(), "note": f'line\n{some()}\t"quoted"', some(): [some()]}
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
            tool = {
                "type": "function",
                "name": "pay",
                "description": f"pays {some()}",
                "parameters": SCHEMA,
                "strict": False,
            }
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
    reader: Any = ENDPOINTS[wire]
    if not stream:
        answer = reader.decode_answer(data)
    else:
        decoder = reader.answer_decoder()
        answer = assemble([*decoder.feed(data), *([] if decoder.finished else decoder.finish())])
    choice = answer.choices[0]
    return choice.text, choice.tool_calls[0].arguments if choice.tool_calls else ""


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
            assert not [needle for needle in NEEDLES if needle in sent + texts_in(sent)]
            assert h.asked() == {"near": 0, "mid": 0, "far": 12}
            assert not [needle for needle in NEEDLES if needle.encode() in ledger_of(h)]

    run(scene())


def texts_in(sent: str) -> str:
    """Return what files in base64 say."""
    return "\n".join(base64.b64decode(found).decode() for found in re.findall(r"base64,([A-Za-z0-9+/=]+)", sent))


def ledger_of(h: House) -> bytes:
    """Return every byte that was written to disk."""
    return b"".join(path.read_bytes() for path in h.wired.settings.home.rglob("*") if path.is_file())


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("endpoint", [*WIRES, "gemini", "ollama"])
@pytest.mark.parametrize("caller", WIRES)
def test_arguments_of_calls_come_back_with_values(house: Build, caller: str, endpoint: str, stream: bool) -> None:
    async def scene() -> None:
        async with house(labels=OPEN, rule=(MASKED,), wires={"far": (endpoint,)}, able=ABLE) as h:
            text = 'pay 4024007134564847 with password: "hunter22\\"b\\\\c9"'
            call = decoded(caller, simple(caller, text, stream=stream, tools=[tool_of(caller)]), Hints(session="s"))
            await h.gateway.handle(decoded(caller, simple(caller, text), Hints(session="s")))
            card, password = re.findall(r"[A-Z]+_[0-9]_[A-Z0-9]{6}", h.upstreams["far"].asked[0].body.decode())
            h.upstreams["far"].script(
                Script(tool="pay", arguments=json.dumps({"to": f"{card} and {password}", card: [password]}))
            )
            arguments = said(caller, await written(await h.gateway.handle(call), call), stream=stream)[1]
            value = text.partition(': "')[2][:-1]
            assert json.loads(arguments) == {"to": f"4024007134564847 and {value}", "4024007134564847": [value]}
            assert not any(b"4024007134564847" in request.body for request in h.upstreams["far"].asked)

    run(scene())


def simple(wire: str, text: str, **more: Any) -> dict[str, Any]:
    """Write a request of one message."""
    said = {"input" if wire == "responses" else "messages": [{"role": "user", "content": text}]}
    return {"model": "far"} | said | ({"max_tokens": 99} if wire == "messages" else {}) | more


def tool_of(wire: str) -> dict[str, Any]:
    """Write the tool `pay`, whose argument the scripted model takes from the message."""
    match wire:
        case "chat":
            return {"type": "function", "function": {"name": "pay", "parameters": SCHEMA}}
        case "messages":
            return {"name": "pay", "input_schema": SCHEMA}
        case _:
            return {"type": "function", "name": "pay", "parameters": SCHEMA, "strict": False}


def sent_texts(h: House) -> list[str]:
    return [json.loads(request.body)["messages"][-1]["content"] for request in h.upstreams["far"].asked]


def test_a_session_keeps_its_placeholders_and_another_key_has_others(house: Build) -> None:
    async def scene() -> None:
        async with house(labels=OPEN, rule=(MASKED,)) as h:
            for key, session in (("ann", "s"), ("ann", "s"), ("bob", "s"), ("ann", "t")):
                text = "4024007134564847" + ("" if len(sent_texts(h)) else " ")
                await h.gateway.handle(decoded("chat", simple("chat", text), Hints(session=session), key))
            first, again, other_key, other_session = (text.strip() for text in sent_texts(h))
            assert first == again
            assert len({first, other_key, other_session}) == 3
            # Bob knows Ann's placeholder: it is nothing but a word to him.
            call = decoded("chat", simple("chat", f"tell {first}"), Hints(session="s"), "bob")
            assert said("chat", await written(await h.gateway.handle(call), call), stream=False)[0] == f"tell {first}"
            # Ann sends it herself: she gets it back as she sent it, and nothing else.
            call = decoded("chat", simple("chat", f"tell {first}"), Hints(session="s"), "ann")
            assert said("chat", await written(await h.gateway.handle(call), call), stream=False)[0] == f"tell {first}"

    run(scene())


PICTURE = {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PIXEL}"}}
BINARY = {"type": "file", "file": {"filename": "a.pdf", "file_data": "data:application/pdf;base64," + PIXEL}}
ELSEWHERE = {"type": "file", "file": {"file_id": "file-1"}}


@pytest.mark.parametrize(
    ("caller", "content"),
    [
        ("chat", [{"type": "text", "text": "look"}, PICTURE]),
        ("chat", [{"type": "text", "text": "look"}, BINARY]),
        ("chat", [{"type": "text", "text": "pay 4024 0071"}, {"type": "text", "text": " 3456 4847"}]),
        ("messages", [{"type": "text", "text": "x"}, {"type": "document", "source": {"type": "url", "url": "https://a.example/x"}}]),
        ("responses", [{"type": "input_text", "text": "x"}, {"type": "input_file", "file_url": "https://a.example/x"}]),
    ],
)  # fmt: skip
def test_what_cannot_be_replaced_keeps_the_call_inside(house: Build, caller: str, content: list[Any]) -> None:
    async def scene() -> None:
        async with house(labels=OPEN, rule=(MASKED,), wires={"far": (caller,)}, able=ABLE) as h:
            body = simple(caller, "")
            body["input" if caller == "responses" else "messages"][0]["content"] = content
            with pytest.raises(PolicyDenied) as denied:
                await h.gateway.handle(decoded(caller, body))
            assert "cannot be masked" in str(denied.value)
            assert denied.value.decision is not None
            assert denied.value.decision.candidates[0].excluded_by == "pseudonymise"
            assert h.asked()["far"] == 0
            inside = await h.gateway.handle(decoded(caller, body | {"model": "near"}))
            assert inside.decision.obligations == ()

    run(scene())


HIDDEN = {
    "base64": base64.b64encode(b"pay 4024007134564847 today").decode(),
    "hexadecimal": b"pay 4024007134564847 today".hex(),
    "escapes": 's = "' + "".join(f"\\u{ord(char):04x}" for char in "4024007134564847") + '"; print(s)',
}


@pytest.mark.parametrize("hidden", HIDDEN)
@pytest.mark.parametrize("caller", WIRES)
def test_what_only_decoding_shows_never_leaves_and_is_answered_inside(house: Build, caller: str, hidden: str) -> None:
    async def scene() -> None:
        async with house(labels=OPEN, rule=(MASKED,), wires={"far": (caller,)}, able=ABLE) as h:
            body = simple(caller, f"what does {HIDDEN[hidden]} say?")
            with pytest.raises(PolicyDenied, match=r"card in .* cannot be located"):
                await h.gateway.handle(decoded(caller, body))
            reply = await h.gateway.handle(decoded(caller, body | {"model": "auto"}))
            assert reply.decision.chosen in ("near", "mid")
            assert h.asked()["far"] == 0

    run(scene())


def test_identifiers_of_the_extra_leave_as_placeholders_and_come_back(house: Build) -> None:
    async def scene() -> None:
        extra = msgspec.structs.replace(OPEN, identifiers=True, phone_regions=("DE",))
        async with house(labels=extra, rule=(MASKED,)) as h:
            text = "PESEL: 44051401359, Telefon 030 901820 oder +49 30 901821"
            call = decoded("chat", simple("chat", text, stream=True))
            assert said("chat", await written(await h.gateway.handle(call), call), stream=True)[0] == text
            (sent,) = sent_texts(h)
            assert re.fullmatch(r"PESEL: PL_PESEL_1_\w{6}, Telefon PHONE_2_\w{6} oder PHONE_3_\w{6}", sent)

    run(scene())


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("caller", ["messages", "responses"])
def test_a_seal_goes_back_to_who_made_it_under_placeholders_and_no_other_does(
    house: Build, caller: str, stream: bool
) -> None:
    async def scene() -> None:
        served = {"far": "scripted-far?thinking=about+it"}
        async with house(labels=OPEN, rule=(MASKED,), wires={"far": (caller,)}, able=ABLE, served=served) as h:
            key = "input" if caller == "responses" else "messages"
            thinks: dict[str, Any] = (
                {"thinking": {"type": "enabled", "budget_tokens": 1024}, "max_tokens": 2048}
                if caller == "messages"
                else {"include": ["reasoning.encrypted_content"], "store": False}
            )
            body = simple(caller, "pay 4024007134564847", stream=stream) | thinks
            call = decoded(caller, body, Hints(session="s"))
            turn = answered(caller, await written(await h.gateway.handle(call), call), stream=stream)
            assert any("signature" in block or "encrypted_content" in block for block in turn)
            turns = [*body[key], *([{"role": "assistant", "content": turn}] if caller == "messages" else turn)]
            body |= {key: [*turns, {"role": "user", "content": "and again"}]}
            await h.gateway.handle(decoded(caller, body, Hints(session="s")))
            assert h.asked()["far"] == 2
            assert b"4024007134564847" not in h.upstreams["far"].asked[1].body
            with pytest.raises(PolicyDenied, match="sealed"):
                await h.gateway.handle(decoded(caller, body, Hints(session="other")))

    run(scene())


def answered(wire: str, data: bytes, *, stream: bool) -> list[dict[str, Any]]:
    """Return the blocks or items of an answer, as an official client keeps them for the next turn."""
    if not stream:
        whole = json.loads(data)
        return list(whole["content" if wire == "messages" else "output"])
    events = [json.loads(line[6:]) for line in data.decode().split("\n") if line.startswith("data: ")]
    if wire == "responses":
        return list(events[-1]["response"]["output"])
    blocks: list[dict[str, Any]] = []
    for event in events:
        if event["type"] == "content_block_start":
            blocks.append(event["content_block"])
        elif event["type"] == "content_block_delta":
            delta = event["delta"]
            field = {"text_delta": "text", "thinking_delta": "thinking", "signature_delta": "signature"}[delta["type"]]
            blocks[-1][field] = blocks[-1].get(field, "") + delta[field]
    return blocks


def test_json_that_did_not_fit_goes_back_to_be_mended_with_placeholders(house: Build) -> None:
    async def scene() -> None:
        plain: tuple[Capability, ...] = ("stream",)
        schema = {"type": "object", "properties": {"card": {"type": "string"}}, "required": ["card"]}
        async with house(labels=OPEN, rule=(MASKED,), able=plain) as h:
            body = simple("chat", "4024007134564847") | {
                "response_format": {"type": "json_schema", "json_schema": {"name": "x", "schema": schema}}
            }
            call = decoded("chat", body)
            with pytest.raises(TierwiseError):  # the scripted model repeats the last message, which is no JSON
                await h.gateway.handle(call)
            asked = h.upstreams["far"].asked
            assert len(asked) == 2
            assert not any(b"4024007134564847" in request.body for request in asked)

    run(scene())


def test_without_the_duty_nothing_is_changed_and_the_ceiling_stays_with_it(house: Build) -> None:
    async def scene() -> None:
        async with house(rule=(MASKED,)) as h:
            with pytest.raises(PolicyDenied) as denied:
                await h.gateway.handle(decoded("chat", simple("chat", "4024007134564847")))
            assert denied.value.rule == "ceiling:confidential"
            await h.gateway.handle(decoded("chat", simple("chat", "4024007134564847") | {"model": "near"}))
            assert b"4024007134564847" in h.upstreams["near"].asked[0].body
            assert h.asked()["far"] == 0

    run(scene())


def test_embeddings_and_counts_are_masked_too(house: Build) -> None:
    async def scene() -> None:
        able: tuple[Capability, ...] = (*ABLE, "embeddings")
        async with house(labels=OPEN, rule=(MASKED,), wires={"far": ("embeddings",)}, able=able) as h:
            body = {"model": "far", "input": ["pay 4024007134564847", "project falcon"]}
            await h.gateway.handle(decoded("embeddings", body))
            (request,) = h.upstreams["far"].asked
            assert b"4024" not in request.body
            assert b"falcon" not in request.body

    run(scene())


def test_conversations_at_random(house: Build) -> None:
    async def scene() -> None:
        async with house(labels=OPEN, rule=(MASKED,), able=ABLE) as h:
            for seed in range(60):
                rng = random.Random(seed)
                text = " ".join(
                    rng.choice((*VALUES, "CARD_1_", "and", "é", '"', "to")) for _ in range(rng.randint(1, 9))
                )
                caller, stream = rng.choice(WIRES), rng.random() < 0.5
                body = body_of(caller, text, stream=stream, rng=rng, tools=rng.random() < 0.5)
                call = decoded(caller, body, Hints(session=rng.choice(("a", "b", None))), rng.choice(("ann", "bob")))
                try:
                    data = await written(await h.gateway.handle(call), call)
                except PolicyDenied as denied:
                    assert "cannot be" in str(denied)
                    continue
                assert said(caller, data, stream=stream)[0] == text
            everything = [request.body.decode() for request in h.upstreams["far"].asked]
            assert len(everything) > 50
            everything += [json.dumps(json.loads(body), ensure_ascii=False) for body in everything]
            sent = "\n".join(everything)
            assert not [needle for needle in NEEDLES if needle in sent + texts_in(sent)]

    run(scene())


@pytest.mark.parametrize("stream", [False, True])
def test_what_falls_back_to_the_outside_is_masked_on_that_hop_alone(house: Build, stream: bool) -> None:
    async def scene() -> None:
        served = {"near": "scripted-near?fault=error", "mid": "scripted-mid?fault=bad_json"}
        async with house(labels=OPEN, rule=(MASKED,), served=served) as h:
            call = decoded("chat", simple("chat", "4024007134564847", stream=stream) | {"model": "auto"})
            reply = await h.gateway.handle(call)
            assert said("chat", await written(reply, call), stream=stream)[0] == "4024007134564847"
            assert h.asked()["far"] == 1
            for name in ("near", "mid"):
                assert all(b"4024007134564847" in request.body for request in h.upstreams[name].asked)
            assert not any(b"4024" in request.body for request in h.upstreams["far"].asked)
            record = await h.recorded(reply.decision.id)
            assert record.obligations == ("pseudonymise",)

    run(scene())


def test_a_rule_on_a_label_masks_only_what_carries_it(house: Build) -> None:
    async def scene() -> None:
        rule = Rule(when=When(label=Label.CONFIDENTIAL), then=Then(obligations=("pseudonymise",)))
        labels = LabelSettings(ceilings={Label.CONFIDENTIAL: Tier.FRONTIER}, detectors={"card": "internal"})
        async with house(labels=labels, rule=(rule,)) as h:
            await h.gateway.handle(decoded("chat", simple("chat", "4024007134564847")))
            await h.gateway.handle(
                decoded("chat", simple("chat", "4024007134564847"), Hints(label=Label.CONFIDENTIAL, session="s"))
            )
            first, second = sent_texts(h)
            assert first == "4024007134564847"
            assert re.fullmatch(r"CARD_1_\w{6}", second)

    run(scene())


def test_an_endpoint_that_makes_up_placeholders_learns_and_changes_nothing(house: Build) -> None:
    async def scene() -> None:
        async with house(labels=OPEN, rule=(MASKED,)) as h:
            await h.gateway.handle(decoded("chat", simple("chat", "4024007134564847"), Hints(session="s"), "ann"))
            (name,) = sent_texts(h)
            other = re.sub("_1_", "_2_", name)
            h.upstreams["far"].script(Script(text=f"{name} {other} CARD_1_ {name}{name}"))
            call = decoded("chat", simple("chat", "4024007134564847", stream=True), Hints(session="s"), "bob")
            got = said("chat", await written(await h.gateway.handle(call), call), stream=True)[0]
            assert got == f"{name} {other} CARD_1_ {name}{name}"

    run(scene())


@pytest.mark.parametrize("stream", [False, True])
def test_who_has_not_sent_a_value_does_not_get_it_restored_whatever_the_model_writes(
    house: Build, stream: bool
) -> None:
    async def scene() -> None:
        async with house(labels=OPEN, rule=(MASKED,)) as h:
            # Two people behind one key whose conversations begin alike have one set of placeholders.
            opening = [{"role": "user", "content": "hello"}, {"role": "assistant", "content": "hi"}]
            ask = lambda text: {"model": "far", "messages": [*opening, {"role": "user", "content": text}]}  # noqa: E731
            for text in ("4024007134564847", "4917484589897107"):
                await h.gateway.handle(decoded("chat", ask(text), key="ann"))
            ours, theirs = sent_texts(h)
            h.upstreams["far"].script(Script(text=f"{ours} and {theirs}"))
            call = decoded("chat", ask("4917484589897107") | {"stream": stream}, key="ann")
            got = said("chat", await written(await h.gateway.handle(call), call), stream=stream)[0]
            assert got == f"{ours} and 4917484589897107"

    run(scene())


def test_a_duty_that_a_reload_adds_under_way_keeps_the_call_from_hops_that_were_not_prepared(house: Build) -> None:
    async def scene() -> None:
        hurried = Limits(first_byte_timeout_s=0.5)
        served = {name: f"scripted-{name}?fault=hang" for name in ("near", "mid", "far")}
        async with house(labels=OPEN, served=served, limits=hurried) as h:
            asking = asyncio.create_task(h.gateway.handle(h.call("4024007134564847")))
            async with asyncio.timeout(10):
                while not any(h.asked().values()):
                    await asyncio.sleep(0.01)
            everywhere = Rule(then=Then(obligations=("pseudonymise",)))
            h.gateway.rules = msgspec.structs.replace(h.gateway.rules, policy=Policy(OPEN, (everywhere,)))
            with pytest.raises(TierwiseError, match="now under pseudonymise"):
                await asking
            assert sum(h.asked().values()) == 1

    run(scene())
