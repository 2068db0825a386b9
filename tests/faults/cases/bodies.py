"""Rows 20 to 38: bodies that are no request, or one that means something else to everybody who reads it."""

import json
from collections.abc import Iterable
from typing import Any

from tests.faults import http
from tests.faults.doors import ALL, CHAT, MESSAGES, STREAMS, WIRES, Door
from tests.faults.scene import Scene, case

CHATS = (CHAT, STREAMS[0])
MESSAGED = (MESSAGES, STREAMS[2])
SPEAKING = tuple(door for door in ALL if door.wire != "embeddings")


def raw(at: Scene, **more: Any) -> bytes:
    """Write a good request with some fields changed; None takes one out."""
    body = at.door.good(at.target.model) | more
    return json.dumps({name: value for name, value in body.items() if value is not None}).encode()


def spliced(at: Scene, text: str) -> bytes:
    """Write a good request with JSON text put before its end."""
    return at.door.raw(at.target.model)[:-1] + b", " + text.encode() + b"}"


async def each(at: Scene, bodies: dict[str, bytes], named: str = "") -> None:
    """Send each; every one is refused as the row says, and names the field."""
    for name, body in bodies.items():
        await at.refused(name, body, named=named)


@case(20)
async def no_json(at: Scene) -> None:
    """Nothing, half, something else, and something behind it."""
    good = at.door.raw(at.target.model)
    bodies = {
        "nothing": b"", "spaces": b"  ", "cut": good[:-9], "no JSON": b"model=m", "a second one behind": good + b" {}",
        "text behind": good + b"x", "quotes of another kind": good.replace(b'"', b"'"), "a comment": b"/**/" + good,
        "a comma too many": good[:-1] + b",}", "a NUL behind": good + b"\0",
    }  # fmt: skip
    await each(at, bodies)


@case(21)
async def no_object(at: Scene) -> None:
    """Any other JSON."""
    await each(at, {name: name.encode() for name in ("[]", '"x"', "null", "5", "true", '[{"model": "m"}]')})


@case(22)
async def twice(at: Scene) -> None:
    """The same name again: the same value, another, spelled otherwise, further down."""
    good = at.door.raw(at.target.model)
    model = json.dumps(at.target.model)
    bodies = {
        "the same value": spliced(at, f'"model": {model}'),
        "another value": spliced(at, '"model": "other"'),
        "spelled otherwise": spliced(at, f'"\\u006dodel": {model}'),
        "the conversation": spliced(at, f'"{at.door.turns}": []'),
        "in what nobody reads": spliced(at, '"later": {"a": 1, "b": [{"c": 1, "c": 2}]}'),
    }
    if b'"role"' in good:
        bodies["in a message"] = good.replace(b'"role": "user"', b'"role": "user", "role": "system"')
        bodies["a content"] = good.replace(b'"content"', b'"content": "hidden", "content"')
    if at.door.stream:
        bodies["stream"] = spliced(at, '"stream": false')
    await each(at, bodies)


@case(23)
async def too_complex(at: Scene) -> None:
    """Depth and breadth that cost more than they say."""
    deep = {"lists": ("[", "]"), "objects": ('{"a":', "}")}
    bodies = {
        f"100,000 {name}": spliced(at, f'"later": {first * 100_000}0{last * 100_000}')
        for name, (first, last) in deep.items()
    }
    bodies["1,000,000 members"] = spliced(at, '"later": {' + ",".join(f'"{n:x}":0' for n in range(1_000_000)) + "}")
    bodies["1,000,000 lists"] = spliced(at, '"later": [' + "[]," * 1_000_000 + "0]")
    await each(at, bodies)


@case(24)
async def numbers(at: Scene) -> None:
    """Numbers that no number can hold."""
    field = "dimensions" if at.door.wire == "embeddings" else "temperature"
    bodies = {name: spliced(at, f'"{field}": {text}') for name, text in (
        ("5,000 digits", "1" * 5_000), ("1e400", "1e400"), ("-1e400", "-1e400"))}  # fmt: skip
    await each(at, bodies, named=field)
    await each(
        at, {text: spliced(at, f'"{field}": {text}') for text in ("NaN", "Infinity", "-Infinity", "0x1", "01", "1.")}
    )


@case(25)
async def half_a_pair(at: Scene) -> None:
    """A surrogate alone, in a text, a name and a key."""
    good = at.door.raw(at.target.model)
    bodies = {
        f"{half} in {place}": body
        for half in ("\\ud83d", "\\udc00", "\\ud83d\\ud83d")
        for place, body in (
            ("a text", good.replace(b"one two", f"one {half} two".encode())),
            ("a field", spliced(at, f'"user": "{half}"')),
            ("a key", spliced(at, f'"later{half}": 1')),
        )
    }
    await each(at, bodies)


@case(26)
async def nul(at: Scene) -> None:
    """NUL in a text, in a field, in a key and in the name of a file or tool."""
    nul = "\\u0000"
    good = at.door.raw(at.target.model)
    bodies = {
        "a text": good.replace(b"one two", f"one {nul} two".encode()),
        "a field": spliced(at, f'"user": "a{nul}b"'),
        "a key": spliced(at, f'"lat{nul}er": 1'),
        "metadata": spliced(at, f'"metadata": {{"user_id": "a{nul}b"}}'),
    }
    if at.door.wire != "embeddings":
        bodies["a tool"] = spliced(at, f'"tools": [{json.dumps(tool(at.door, "NAME"))}]').replace(b"NAME", b"a\\u0000b")
    await each(at, bodies)
    for _, outcome, record in at.records:
        at.hold(json.loads(record)["outcome"] == outcome, "a record cannot be read")


@case(27)
async def encodings(at: Scene) -> None:
    """Bytes that are not UTF-8, or say that they are."""
    good = at.door.raw(at.target.model)
    bodies = {
        "a stray byte": good.replace(b"one", b"on\xff"),
        "an overlong slash": good.replace(b"one", b"on\xc0\xaf"),
        "a surrogate in UTF-8": good.replace(b"one", b"on\xed\xa0\x80"),
        "half a letter": good.replace(b"one", b"on\xe2\x82"),
        "UTF-16": good.decode().encode("utf-16"),
        "UTF-16 without a mark": good.decode().encode("utf-16-le"),
        "UTF-32": good.decode().encode("utf-32-be"),
        "a byte-order mark": b"\xef\xbb\xbf" + good,
    }
    await each(at, bodies)


@case(28)
async def no_conversation(at: Scene) -> None:
    """Missing, null, empty, of another type, far too many."""
    field = at.door.turns
    one: Any = "x" if at.door.wire == "embeddings" else {"role": "user", "content": "x"}
    values: dict[str, Any] = {
        "none": [],
        "a number": 5,
        "an object": {},
        "numbers": [{"role": 5}],
    }
    bodies = {name: raw(at, **{field: value}) for name, value in values.items()}
    bodies["missing"] = raw(at, **{field: None})
    bodies["null"] = raw(at, **{field: "HERE"}).replace(b'"HERE"', b"null")
    await each(at, bodies, named=field)
    await each(at, {"100,001": raw(at, **{field: [one] * 100_001})})


def tool(door: Door, name: str, schema: Any = None) -> dict[str, Any]:
    """Write a tool as a wire does."""
    parameters = schema or {"type": "object"}
    if door.anthropic:
        return {"name": name, "input_schema": parameters}
    function = {"name": name, "parameters": parameters}
    return {"type": "function", **function} if door.wire == "responses" else {"type": "function", "function": function}


USER = {"role": "user", "content": "x"}
TURNS: dict[str, dict[str, list[Any]]] = {
    "chat": {
        "an unknown role": [{"role": "wizard", "content": "x"}],
        "a result to no call": [USER, {"role": "tool", "tool_call_id": "nobody", "content": "x"}],
        "a result before its call": [
            {"role": "tool", "tool_call_id": "c", "content": "x"},
            {"role": "assistant", "tool_calls": [{"id": "c", "type": "function", "function": {"name": "f", "arguments": "{}"}}]},
        ],
        "a call without a name": [{"role": "assistant", "tool_calls": [{"id": "c", "type": "function", "function": {}}]}],
        "an empty block": [{"role": "user", "content": [{}]}],
        "no content": [{"role": "user"}],
        "no blocks": [{"role": "user", "content": []}],
        "a text block without text": [{"role": "user", "content": [{"type": "text"}]}],
    },
    "responses": {
        "an unknown role": [{"role": "wizard", "content": "x"}],
        "a result to no call": [USER, {"type": "function_call_output", "call_id": "nobody", "output": "x"}],
        "a result before its call": [
            {"type": "function_call_output", "call_id": "c", "output": "x"},
            {"type": "function_call", "call_id": "c", "name": "f", "arguments": "{}"},
        ],
        "a call without a name": [{"type": "function_call", "call_id": "c", "arguments": "{}"}],
        "an empty block": [{"role": "user", "content": [{}]}],
        "no content": [{"role": "user"}],
        "a text block without text": [{"role": "user", "content": [{"type": "input_text"}]}],
    },
    "messages": {
        "an unknown role": [{"role": "wizard", "content": "x"}],
        "a result to no call": [{"role": "user", "content": [{"type": "tool_result", "tool_use_id": "no", "content": "x"}]}],
        "a result before its call": [
            {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "c", "content": "x"}]},
            {"role": "assistant", "content": [{"type": "tool_use", "id": "c", "name": "f", "input": {}}]},
        ],
        "a call by the user": [{"role": "user", "content": [{"type": "tool_use", "id": "c", "name": "f", "input": {}}]}],
        "an empty block": [{"role": "user", "content": [{}]}],
        "no content": [{"role": "user"}],
        "no blocks": [{"role": "user", "content": []}],
        "a text block without text": [{"role": "user", "content": [{"type": "text"}]}],
    },
}  # fmt: skip


@case(29, SPEAKING)
async def wrong_turns(at: Scene) -> None:
    """Turns that no conversation has."""
    field = at.door.turns
    turns = TURNS["messages" if at.door.anthropic else at.door.wire]
    for name, said in turns.items():
        await at.refused(name, raw(at, **{field: said}), named=f"{field}[" if at.target.inside else field)


@case(30)
async def model_names(at: Scene) -> None:
    """What is no name of a model."""
    names: dict[str, Any] = {
        "a number": 5, "a list": ["m"], "nothing": "", "10 KB": "m" * 10_240, "two lines": "m\r\nlevel=error", "a path": "../../m",
        "an address": "http://127.0.0.1:1/", "SQL": "m'; DROP TABLE records; --", "a template": "{{7*7}}", "marks": "\u202em\u2066",
        "colours": "\x1b[31mm",
    }  # fmt: skip
    await each(at, {name: raw(at, model=value) for name, value in names.items()})
    await each(
        at, {"missing": raw(at, model=None), "null": raw(at, model="HERE").replace(b'"HERE"', b"null")}, named="model"
    )


def ranges(door: Door) -> Iterable[tuple[str, Any]]:
    """Give fields with values that are out of range on this wire."""
    if door.wire == "embeddings":
        return (("dimensions", 0), ("dimensions", -1), ("dimensions", 10**12))
    both = [("temperature", 2000), ("temperature", -1), ("top_p", -1), ("top_p", 7), (door.most, -1), (door.most, 10**12),
            (door.most, 1.5), ("temperature", "hot")]  # fmt: skip
    if door.wire == "chat":
        more: list[tuple[str, Any]] = [
            ("n", 1_000_000),
            ("n", 0),
            ("top_logprobs", -1),
            ("presence_penalty", 99),
            ("seed", "x"),
        ]
        return [*both, *more, ("max_tokens", 0), ("max_completion_tokens", -1)]
    return [*both, *([("top_k", -1)] if door.anthropic else [("top_logprobs", -1), ("max_output_tokens", 0)])]


@case(31)
async def out_of_range(at: Scene) -> None:
    """Numbers that mean nothing, or too much."""
    for field, value in ranges(at.door):
        more = {"logprobs": True} if field == "top_logprobs" and at.door.wire == "chat" else {}
        await at.refused(f"{field} {value}", raw(at, **{field: value}, **more), named=field)


@case(32, (*CHATS, *MESSAGED))
async def many_stops(at: Scene) -> None:
    """More than anybody means."""
    field = "stop_sequences" if at.door.anthropic else "stop"
    await at.refused("10,000 stop texts", raw(at, **{field: [f"s{n}" for n in range(10_000)]}), named=field)
    if not at.door.anthropic:
        await at.refused("50,000 biases", raw(at, logit_bias={str(n): 1 for n in range(50_000)}), named="logit_bias")
        await at.refused("1,000,000 biases", raw(at, logit_bias={str(n): 1 for n in range(1_000_000)}))


def schemas() -> dict[str, Any]:
    """Give schemas that must not reach an engine."""
    text = {"type": "string"}
    return {
        "no pattern": {"type": "object", "properties": {"a": text | {"pattern": "(["}}},
        "a costly pattern": {"type": "object", "properties": {"a": text | {"pattern": "^(a+)+$"}}},
        "a reference to itself": {"type": "object", "properties": {"a": {"$ref": "#"}}},
        "a reference elsewhere": {"$ref": "http://127.0.0.1:1/schema.json"},
        "a reference to nothing": {"$ref": "#/definitions/nobody"},
        "5 MB": {"type": "object", "description": "x" * 5_000_000},
    }


@case(33, SPEAKING)
async def bad_schemas(at: Scene) -> None:
    """In a tool and in the answer's format."""
    for name, schema in schemas().items():
        await at.refused(f"a tool, {name}", raw(at, tools=[tool(at.door, "f", schema)]), named="tools")
        match at.door.wire:
            case "chat":
                form = {"response_format": {"type": "json_schema", "json_schema": {"name": "a", "schema": schema}}}
            case "responses":
                form = {"text": {"format": {"type": "json_schema", "name": "a", "schema": schema}}}
            case _:
                form = {"output_config": {"format": {"type": "json_schema", "schema": schema}}}
        await at.refused(f"the answer, {name}", raw(at, **form), named=next(iter(form)))


@case(34, WIRES)
async def stream_of_other_types(at: Scene) -> None:
    """Only true and false say whether to stream."""
    for value in ("true", 1, 0, "", [], "no"):
        await at.refused(f"stream {value!r}", raw(at, stream=value), named="stream")
        at.hold(at.heard[-1][0].status != 200, f"stream {value!r} is taken")
    reply = await at.ask(spliced(at, '"stream": null'))
    at.hold(reply.status == 200 and not reply.streamed, f"null is no default: {reply.status}")
    if at.door.wire == "chat":
        reply = await at.refused(
            "options without a stream", raw(at, stream_options={"include_usage": True}), named="stream"
        )
        at.hold(reply.status == 400, f"options of a stream without one: {reply.status}")


STEERING = ("api_base", "base_url", "api_key", "fallbacks", "extra_headers", "input_cost_per_token", "litellm_params")


@case(35)
async def steering(at: Scene) -> None:
    """Fields that would turn the call elsewhere: at the root, and as other gateways nest them."""
    for field in STEERING:
        value: Any = {"api_base": "http://127.0.0.1:1/v1"} if field == "litellm_params" else "http://127.0.0.1:1/v1"
        await at.refused(
            field,
            raw(at, **{field: [value] if field == "fallbacks" else value}),
            named="api_base" if field == "litellm_params" else field,
        )


@case(36)
async def names_alike(at: Scene) -> None:
    """Names that look like the model's."""
    name = at.target.model
    alike = {
        "upper case": name.upper(), "a space behind": name + " ", "a space before": " " + name, "a dot": name + ".",
        "full width": "".join(chr(ord(c) + 0xFEE0) if c.isascii() and c.isalnum() else c for c in name),
        "another alphabet": name.replace("a", "\u0430").replace("o", "\u043e").replace("m", "\u043c"),
        "a query": name + "?fault=none", "encoded": "%" + f"{ord(name[0]):x}" + name[1:],
    }  # fmt: skip
    await each(at, {said: raw(at, model=other) for said, other in alike.items()})
    for said, other in {"a NUL": name + "\0", "what is not seen": name + "\u200b"}.items():
        reply = await at.ask(raw(at, model=other))
        at.hold(reply.status in (400, 404), f"{said}: answered {reply.status}")


@case(37, MESSAGED)
async def messages_without(at: Scene) -> None:
    """What this wire's vendor demands."""
    await at.refused("no max_tokens", raw(at, max_tokens=None), named="max_tokens")
    data = http.request(at.door.path, at.door.raw(at.target.model), at.target.head("Connection: close"))
    for reply in (await at.send(data)).final:
        at.hold(reply.status in (200, 400), f"no anthropic-version: answered {reply.status}")


@case(38)
async def parts(at: Scene) -> None:
    """Forms with files, where none is read."""
    mark = "frontier"
    part = f'--{mark}\r\nContent-Disposition: form-data; name="file"; filename="%s"\r\n\r\n%s\r\n'
    bodies = {
        "10,000 parts": part % ("a", "x") * 10_000 + f"--{mark}--\r\n",
        "another boundary": (part % ("a", "x")).replace(mark, "other"),
        "no end": part % ("a", "x"),
        "a name that climbs": part % ("../../a", "x") + f"--{mark}--\r\n",
        "a name of two lines": part % ("a\r\nx: y", "x") + f"--{mark}--\r\n",
        "an empty file": part % ("a", "") + f"--{mark}--\r\n",
    }
    for name, body in bodies.items():
        await at.refused(name, body.encode(), kind=f"multipart/form-data; boundary={mark}")
