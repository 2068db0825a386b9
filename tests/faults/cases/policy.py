"""Rows 50 to 57: where sensitive text may go, and what is fetched or read. Of 55 to 57 nothing is built yet."""

import base64
import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

from tests.faults import stage
from tests.faults.answers import read
from tests.faults.doors import CALLS, Door
from tests.faults.scene import Elsewhere, Scene, case

CARD = "4929 7315 8642 0978"
WORD = "kestrel-0417-lumen"
PERIMETER = "tests/integration/gateway/test_perimeter.py::test_no_marked_byte_arrives_outside"
PROOFS = (
    Elsewhere(50, PERIMETER),
    Elsewhere(51, PERIMETER),
    Elsewhere(51, "tests/integration/server/test_hostile_callers.py::test_nothing_marked_leaves_in_a_header"),
    Elsewhere(52, "tests/integration/gateway/test_gateway.py::test_naming_a_model_never_lifts_a_rule"),
    Elsewhere(53, "tests/unit/wires/test_urls.py::test_all_else_is_refused"),
    Elsewhere(54, "tests/integration/providers/test_transport.py::test_redirects_are_not_followed"),
)  # fmt: skip


def outside(at: Scene) -> list[bytes]:
    """Return what the outside model was sent since the case began."""
    return [asked.body for asked in at.asked if json.loads(asked.body)["model"] == stage.FAR]


@case(50, CALLS, within=True)
async def all_inside_are_down(at: Scene) -> None:
    """What is marked is refused, whoever marked it; what is not goes outside."""
    for name, text, head in (("card", CARD, ()), ("caller", "one two", ("x-tierwise-label: restricted",))):
        reply = await at.ask(at.door.good("auto:down-inside", text), *head)
        said = read(at.door, reply)
        at.hold(reply.status == 503, f"{name}: {reply.status}")
        at.hold(said.kind == (at.row.anthropic if at.door.anthropic else at.row.openai[0]), f"{name}: {said.kind}")
        # Who was asked and failed says so; who rests is not asked, and then nobody that complies is there.
        at.hold(said.code in ("upstream_unavailable", "no_compliant_backend"), f"{name}: {said.code}")
    at.hold(not outside(at), "something went outside")
    reply = await at.ask(at.door.good("auto:down-inside"))
    at.hold(reply.status == 200 and len(outside(at)) == 1, f"what is not marked: {reply.status}")


def _spelled() -> dict[str, str]:
    """Return the marked text as others would read it too."""
    wide = "".join(chr(ord(digit) + 0xFEE0) if digit.isdigit() else digit for digit in CARD)
    return {
        "plain": CARD,
        "no spaces": CARD.replace(" ", ""),
        "zero width": "\u200b".join(CARD),
        "full width": wide,
        "other digits": "".join(chr(0x0660 + int(digit)) if digit.isdigit() else digit for digit in CARD),
        "base64": base64.b64encode(f"the card is {CARD}, please".encode()).decode(),
        "percent": quote(CARD, safe="") + "%20",
        "escaped": "".join(f"\\u{ord(letter):04x}" for letter in CARD),
        "entities": "".join(f"&#{ord(letter)};" for letter in CARD),
        "hex": f"the card is {CARD}".encode().hex(),
        "other language": f"Моя карта: {CARD}, спасибо",
        "a word of yours": WORD.upper(),
    }


def _placed(door: Door, text: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield a request for each place in which this wire has words."""
    shape = {"type": "object", "properties": {"a": {"type": "string", "description": text}}}
    arguments, model = json.dumps({"a": text}), "auto:either"
    file = base64.b64encode(f"a note\n{text}\n".encode()).decode()

    def words(*texts: str) -> list[dict[str, Any]]:
        return [{"type": "text", "text": one} for one in texts]

    def attached(name: str, data: str) -> dict[str, Any]:
        return {"type": "file", "file": {"filename": name, "file_data": f"data:text/plain;base64,{data}"}}

    yield "unknown field", door.good(model, later={"deep": [text]})
    match door.wire:
        case "chat":
            called = {"id": "c", "type": "function", "function": {"name": "look", "arguments": arguments}}
            user = {"role": "user", "content": "go on"}
            for name, turns in {
                "system": [{"role": "system", "content": text}, user],
                "earlier": [{"role": "user", "content": text}, {"role": "assistant", "content": "so"}, user],
                "name": [user | {"name": text}],
                "arguments": [user, {"role": "assistant", "tool_calls": [called]}, {"role": "tool", "tool_call_id": "c", "content": "x"}],
                "result": [user, {"role": "assistant", "tool_calls": [called | {"function": {"name": "look", "arguments": "{}"}}]},
                           {"role": "tool", "tool_call_id": "c", "content": text}],
                "file": [{"role": "user", "content": [attached("a.txt", file), *words("read it")]}],
                "file name": [{"role": "user", "content": [attached(f"{text}.txt", "eA=="), *words("read it")]}],
                "two parts": [{"role": "user", "content": words(text[: len(text) // 2], text[len(text) // 2 :])}],
            }.items():  # fmt: skip
                yield name, door.good(model, messages=turns)
            yield (
                "tool",
                door.good(model, tools=[{"type": "function", "function": {"name": "look", "parameters": shape}}]),
            )
            yield "metadata", door.good(model, metadata={"note": text})
            yield "user", door.good(model, user=text)
            yield "cache key", door.good(model, prompt_cache_key=text)
        case "responses":
            call = {"type": "function_call", "call_id": "c", "name": "look", "arguments": arguments}
            result = {"type": "function_call_output", "call_id": "c", "output": text}
            yield "instructions", door.good(model, instructions=text)
            yield "arguments", door.good(model, input=["go on", call, result | {"output": "x"}][1:])
            yield "result", door.good(model, input=[call | {"arguments": "{}"}, result])
            yield (
                "tool",
                door.good(model, tools=[{"type": "function", "name": "look", "parameters": shape, "strict": False}]),
            )
            yield "metadata", door.good(model, metadata={"note": text})
            yield "cache key", door.good(model, prompt_cache_key=text)
        case _:
            call = {"type": "tool_use", "id": "c", "name": "look", "input": {"a": text}}
            user = {"role": "user", "content": "go on"}
            yield "system", door.good(model, system=text)
            yield "result", door.good(model, messages=[
                user, {"role": "assistant", "content": [call | {"input": {}}]},
                {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "c", "content": text}]},
            ])  # fmt: skip
            yield "arguments", door.good(model, messages=[
                user, {"role": "assistant", "content": [call]},
                {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "c", "content": "x"}]},
            ])  # fmt: skip
            yield "document", door.good(model, messages=[{"role": "user", "content": [
                {"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": text}},
                {"type": "text", "text": "go on"},
            ]}])  # fmt: skip
            yield "tool", door.good(model, tools=[{"name": "look", "input_schema": shape}])
            yield "metadata", door.good(model, metadata={"user_id": text})


@case(51, CALLS, within=True)
async def in_every_place(at: Scene) -> None:
    """Wherever it stands and however it is spelled: served inside, and the outside model is sent none of it."""
    asked = [(name, at.door.good("auto:either", text)) for name, text in _spelled().items()]
    asked += list(_placed(at.door, CARD))
    for name, body in asked:
        reply = await at.ask(body)
        at.hold(reply.status == 200, f"{name}: {reply.status} {reply.body[:160]!r}")
        at.hold(reply.field("x-tierwise-tier") == "local", f"{name}: at {reply.field('x-tierwise-tier')}")
    at.hold(not outside(at), f"{len(outside(at))} went outside")
    reply = await at.ask(at.door.good("auto:either"))
    at.hold(
        reply.field("x-tierwise-tier") == "frontier", "what is not marked does not go outside: the case shows nothing"
    )


@case(52, CALLS, within=True)
async def the_outside_is_asked_for(at: Scene) -> None:
    """By its name, by its tier, or by an answer that is not good enough: marked text stays, and the record says why."""
    for model in ("outside", "tier:frontier"):
        await at.refused(model, at.door.good(model, CARD))
    reply = await at.ask(at.door.good("auto:climbs", CARD))
    at.hold(reply.status == 502, f"escalation: {reply.status}")  # the gate's own refusal: nobody else may serve it
    for _, _, record in at.records:
        excluded = {one["model"]: one["excluded_by"] for one in json.loads(record)["candidates"]}
        at.hold((excluded.get("outside") or "").startswith("ceiling:"), f"the record says {excluded.get('outside')!r}")
    at.hold(not outside(at), "something went outside")


ADDRESSES = (
    "http://169.254.169.254/latest/meta-data", "http://127.0.0.1:7373/metrics", "http://localhost/x", "http://[::1]/x",
    "http://[::ffff:127.0.0.1]/x", "http://[::ffff:a9fe:a9fe]/x", "http://2130706433/x", "http://0x7f.1/x",
    "http://0177.0.0.1/x", "http://127.1/x", "http://10.0.0.1/x", "http://192.168.1.1/x", "http://172.16.0.1/x",
    "http://user@example.com/x", "http://example.com@127.0.0.1/x", "http://example.com\\@127.0.0.1/x",
    "http:/127.0.0.1/x", "http://printer.local/x", "http://db.internal/x",
    "file:///etc/passwd", "gopher://127.0.0.1:6379/x", "ftp://example.com/x", "//127.0.0.1/x", "javascript:alert(1)",
)  # fmt: skip


def _with_image(door: Door, address: str) -> dict[str, Any]:
    match door.wire:
        case "chat":
            parts: Any = [{"type": "image_url", "image_url": {"url": address}}, {"type": "text", "text": "this?"}]
        case "responses":
            picture = {"type": "input_image", "image_url": address, "detail": "auto"}
            parts = [picture, {"type": "input_text", "text": "this?"}]
        case _:
            parts = [{"type": "image", "source": {"type": "url", "url": address}}, {"type": "text", "text": "this?"}]
    return door.good("second", **{door.turns: [{"role": "user", "content": parts}]})


@case(53, CALLS, within=True)
async def addresses_of_pictures(at: Scene) -> None:
    """What leads inside is refused by its text. What leads to the web is passed on: nothing here ever fetches it."""
    for address in ADDRESSES:
        await at.refused(address, _with_image(at.door, address))
    at.hold(at.asks == 0, "somebody was asked")
    reply = await at.ask(_with_image(at.door, "https://pictures.example/a.png"))
    at.hold(reply.status == 200, f"a public address: {reply.status} {reply.body[:160]!r}")


@case(54, CALLS, needs=("redirected",), within=True)
async def led_elsewhere(at: Scene) -> None:
    """Asked once, and not where it is sent to."""
    reply = await at.ask(at.door.good("redirected"))
    said = read(at.door, reply)
    at.hold((reply.status, said.code) == (502, "upstream_invalid"), f"{reply.status} {said.code}")
    at.hold(at.asks == 1, f"asked {at.asks} times")
