"""Agents' sessions, long and real: nothing changes on the way, prefixes stay, and only what is new is looked at."""

import contextlib
import http.client
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import msgspec
import pytest

from tests.integration.server.conftest import Door, opened_door
from tierwise.config import Document, Settings
from tierwise.core.model import Capability
from tierwise.registry.settings import EndpointRow, ModelRow
from tierwise.server.settings import ServerSettings
from tierwise.testing import ScriptedUpstream

WIRES = ("chat", "responses", "messages")
PATHS = {"chat": "/chat/completions", "responses": "/responses", "messages": "/messages"}
ABLE: tuple[Capability, ...] = ("stream", "tools", "images", "files", "schema", "json", "thinking")
PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
TOOLS = ("look", "hear")
Post = Callable[[str, bytes], dict[str, Any]]


@pytest.fixture(scope="module")
def door(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Door]:
    home: Path = tmp_path_factory.mktemp("long")
    with ScriptedUpstream.in_thread(models=("m",), context_tokens=10_000_000) as upstream:
        endpoints = tuple(EndpointRow(name=w, kind="scripted", url=upstream.url, wires=(w,)) for w in WIRES)
        models = tuple(
            ModelRow(
                id=f"at-{w}", endpoint=w, served_name="m?thinking=hm", capabilities=ABLE, context_tokens=10_000_000
            )
            for w in WIRES
        )
        document = Document(endpoint=endpoints, model=models, server=ServerSettings(max_body_bytes=8_000_000))
        with opened_door(Settings(document=document, home=home), upstream) as door:
            yield door


class Talk:
    """One session of an agent on one wire, as its turns are recorded; `words` of text come with every result."""

    def __init__(self, wire: str, model: str, words: int, rules: str = "You are an agent. ") -> None:
        self.wire, self.model, self.words, self.rules = wire, model, words, rules * 40
        self.turns: list[Any] = []
        self.sent: list[bytes] = []
        self.said: list[Any] = []

    def body(self) -> dict[str, Any]:
        """Write the request; the turns come last, so that all before them is the prefix of every later one."""
        rules = self.rules
        match self.wire:
            case "chat":
                tools = [{"type": "function", "function": {"name": name, "parameters": SCHEMA}} for name in TOOLS]
                turns = [{"role": "system", "content": rules}, *self.turns]
                return {"model": self.model, "tools": tools, "reasoning_effort": "high", "messages": turns}
            case "responses":
                tools = [{"type": "function", "name": n, "parameters": SCHEMA, "strict": False} for n in TOOLS]
                asked = {"effort": "high", "summary": "auto"}
                more = {"store": False, "include": ["reasoning.encrypted_content"], "reasoning": asked}
                return {"model": self.model, "instructions": rules, "tools": tools, **more, "input": self.turns}
            case _:
                tools = [{"name": name, "input_schema": SCHEMA} for name in TOOLS]
                system = [{"type": "text", "text": rules, "cache_control": {"type": "ephemeral"}}]
                more = {"max_tokens": 4096, "thinking": {"type": "enabled", "budget_tokens": 1024}}
                return {"model": self.model, "system": system, "tools": tools, **more, "messages": self.turns}

    def go(self, turns: int, post: Post) -> "Talk":
        """Take so many turns: words, one tool, two tools, a picture."""
        place = 0
        while place < turns:
            ask = ("please look", "please look and hear", "go on", "what is this?")[len(self.turns) % 4]
            self._user(f"{ask} {place}", picture=ask.endswith("?"))
            calls = self._answered(post)
            place += 1
            while calls and place < turns:
                self._results(calls, place)
                calls = self._answered(post)
                place += 1
            if calls:
                self._results(calls, place)
        return self

    def _user(self, text: str, *, picture: bool) -> None:
        match self.wire:
            case "chat":
                parts = [{"type": "text", "text": text}]
                url = {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PIXEL}"}}
            case "responses":
                parts = [{"type": "input_text", "text": text}]
                url = {"type": "input_image", "image_url": f"data:image/png;base64,{PIXEL}", "detail": "auto"}
            case _:
                parts = [{"type": "text", "text": text}]
                source = {"type": "base64", "media_type": "image/png", "data": PIXEL}
                url = {"type": "image", "source": source}
        self.turns.append({"role": "user", "content": [*parts, url] if picture else parts})

    def _results(self, calls: list[str], place: int) -> None:
        texts = [
            f"{ident} " + " ".join(f"w{(place * 7919 + n) % 99_991}" for n in range(self.words)) for ident in calls
        ]
        match self.wire:
            case "chat":
                told = [{"role": "tool", "tool_call_id": i, "content": t} for i, t in zip(calls, texts, strict=True)]
            case "responses":
                told = [
                    {"type": "function_call_output", "call_id": i, "output": t}
                    for i, t in zip(calls, texts, strict=True)
                ]
            case _:
                blocks = [
                    {"type": "tool_result", "tool_use_id": i, "content": t} for i, t in zip(calls, texts, strict=True)
                ]
                told = [{"role": "user", "content": blocks}]
        self.turns += told

    def _answered(self, post: Post) -> list[str]:
        """Ask, keep what was said as the official clients send it back, and return the ids of calls."""
        body = msgspec.json.encode(self.body())
        self.sent.append(body)
        answer = post(self.wire, body)
        match self.wire:
            case "chat":
                message = answer["choices"][0]["message"]
                self.turns.append({k: v for k, v in message.items() if k in ("role", "content", "tool_calls")})
                calls = [call["id"] for call in message.get("tool_calls") or ()]
            case "responses":
                self.turns += answer["output"]
                calls = [item["call_id"] for item in answer["output"] if item["type"] == "function_call"]
            case _:
                self.turns.append({"role": "assistant", "content": answer["content"]})
                calls = [block["id"] for block in answer["content"] if block["type"] == "tool_use"]
        self.said.append(_meaning(self.wire, answer))
        return calls


def _meaning(wire: str, answer: dict[str, Any]) -> list[tuple[str, Any]]:
    """Return what an answer says, without ids and seals."""
    found: list[tuple[str, Any]] = []
    match wire:
        case "chat":
            message = answer["choices"][0]["message"]
            found.append(("text", message.get("content") or ""))
            found += [("call", call["function"]["arguments"]) for call in message.get("tool_calls") or ()]
        case "responses":
            for item in answer["output"]:
                if item["type"] == "message":
                    found.append(("text", "".join(part["text"] for part in item["content"])))
                elif item["type"] == "function_call":
                    found.append(("call", item["arguments"]))
        case _:
            found += [
                (block["type"], block.get("text") or block.get("input"))
                for block in answer["content"]
                if block["type"] in ("text", "tool_use")
            ]
    return found


@contextlib.contextmanager
def poster(address: str) -> Iterator[Post]:
    """Give what posts a body to an address and reads the whole answer, on one connection."""
    place = urlsplit(address)
    line = http.client.HTTPConnection(place.hostname or "", place.port or 0, timeout=60)

    def post(wire: str, body: bytes) -> dict[str, Any]:
        head = {"content-type": "application/json", "anthropic-version": "2023-06-01"}
        line.request("POST", place.path + PATHS[wire], body, head)
        answer = line.getresponse()
        said = answer.read()
        assert answer.status == 200, said[:300]
        return dict(msgspec.json.decode(said))

    with contextlib.closing(line):
        yield post


def through(door: Door, wire: str, endpoint: str, turns: int, words: int) -> tuple[Talk, list[bytes]]:
    """Have a session through the gateway; return it and the bodies that the endpoint got."""
    before = len(door.upstream.asked)
    with poster(f"http://127.0.0.1:{door.port}/v1") as post:
        talk = Talk(wire, f"at-{endpoint}", words).go(turns, post)
    return talk, [request.body for request in door.upstream.asked[before:]]


@pytest.mark.parametrize(("turns", "words"), [(50, 400), (300, 550)])
@pytest.mark.parametrize("wire", WIRES)
def test_a_session_through_the_gateway_is_the_direct_one_byte_for_byte(
    door: Door, wire: str, turns: int, words: int
) -> None:
    talk, bodies = through(door, wire, wire, turns, words)
    with poster(door.upstream.url) as post:
        direct = Talk(wire, "m?thinking=hm", words).go(turns, post)
    assert talk.said == direct.said
    assert bodies == [body.replace(f'"at-{wire}"'.encode(), b'"m?thinking=hm"', 1) for body in talk.sent]
    assert len(bodies) == turns
    assert turns < 300 or len(bodies[-1]) > 1_000_000


@pytest.mark.parametrize("endpoint", WIRES)
@pytest.mark.parametrize("wire", WIRES)
def test_what_was_sent_once_is_sent_the_same_way_again(door: Door, wire: str, endpoint: str) -> None:
    """Prompt caches read prefixes: a turn's messages begin with those of the turn before, byte for byte."""
    _, bodies = through(door, wire, endpoint, 50, 50)
    for earlier, later in zip(map(prefix_of, bodies), map(prefix_of, bodies[1:]), strict=False):
        assert later[: len(earlier)] == earlier


def prefix_of(body: bytes) -> list[bytes]:
    """Return what the server's cache sees: tools, instructions, then one message after the other, as they were sent."""
    tree = msgspec.json.decode(body)
    head = [tree.get(name) for name in ("tools", "system", "instructions")]
    return [msgspec.json.encode(part) for part in (*head, *(tree.get("messages") or tree["input"]))]


def test_only_what_is_new_is_searched(door: Door) -> None:
    """The whole session was clean: of a turn's body only what the turn before did not have is looked at."""
    detectors = door.gateway.rules.detectors
    shares: list[float] = []
    with poster(f"http://127.0.0.1:{door.port}/v1") as post:

        def watched(wire: str, body: bytes) -> dict[str, Any]:
            before = detectors.examined_chars
            answer = post(wire, body)
            shares.append((detectors.examined_chars - before) / len(body))
            return answer

        Talk("messages", "at-messages", 550, "Nobody has heard this yet. ").go(100, watched)
    assert shares[0] > 0.15, "all of the first one is new; what has no text is not searched"
    assert max(shares[80:]) < 0.05, "late ones repeat what was looked at; only short texts are, again"
