"""The official Python clients, made alike: one way to ask, whatever the wire. Each says what it got in the same words."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Protocol

import anthropic
import openai

PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="


@dataclass
class Tool:
    """A tool as each client is told of it."""

    name: str
    schema: dict[str, Any]


@dataclass
class Got:
    """What a client got: words, thinking, calls as (id, name, arguments), tokens, the decision and what was dropped.

    `turn` is what it sends back to go on; `error` is what it raised, after `text`.
    """

    text: str = ""
    thinking: str = ""
    calls: list[tuple[str, str, dict[str, Any]]] = field(default_factory=list)
    tokens: tuple[int, int] = (0, 0)
    finish: str | None = None
    headers: dict[str, str] = field(default_factory=dict)
    turn: list[Any] = field(default_factory=list)
    error: Exception | None = None


class Caller(Protocol):
    """One wire's client. `user`, `image` and `results` write turns as this client wants them."""

    wire: str

    def __init__(self, port: int) -> None: ...

    def close(self) -> None: ...

    def user(self, text: str, image: str | None = None) -> list[Any]: ...

    def results(self, calls: list[tuple[str, str, dict[str, Any]]], text: str) -> list[Any]: ...

    def ask(self, model: str, turns: list[Any], *, stream: bool = False, **wants: Any) -> Got: ...


class Chat:
    """OpenAI's client on Chat Completions."""

    wire = "chat"

    def __init__(self, port: int) -> None:
        self._client = openai.OpenAI(base_url=f"http://127.0.0.1:{port}/v1", api_key="k", max_retries=0)

    def close(self) -> None:
        """Close its connections."""
        self._client.close()

    def user(self, text: str, image: str | None = None) -> list[Any]:
        """Write a turn of the user's."""
        if image is None:
            return [{"role": "user", "content": text}]
        picture = {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{image}"}}
        return [{"role": "user", "content": [{"type": "text", "text": text}, picture]}]

    def results(self, calls: list[tuple[str, str, dict[str, Any]]], text: str) -> list[Any]:
        """Write what the tools answered."""
        return [
            {"role": "tool", "tool_call_id": ident, "content": f"{text} {n}"} for n, (ident, _, _) in enumerate(calls)
        ]

    def ask(self, model: str, turns: list[Any], *, stream: bool = False, **wants: Any) -> Got:
        """Ask."""
        more: dict[str, Any] = {}
        if "tools" in wants:
            more["tools"] = [
                {"type": "function", "function": {"name": tool.name, "parameters": tool.schema}}
                for tool in wants["tools"]
            ]
        if "schema" in wants:
            shape = {"name": "answer", "schema": wants["schema"], "strict": True}
            more["response_format"] = {"type": "json_schema", "json_schema": shape}
        if "stop" in wants:
            more["stop"] = wants["stop"]
        if wants.get("think"):
            more["reasoning_effort"] = "high"
        got = Got()
        create = self._client.chat.completions.with_raw_response.create
        if not stream:
            raw = create(model=model, messages=turns, max_tokens=30_000, **more)
            got.headers, whole = dict(raw.headers), raw.parse()
            message = whole.choices[0].message
            got.text = message.content or ""
            got.thinking = getattr(message, "reasoning_content", None) or ""
            got.calls = [(c.id, c.function.name, json.loads(c.function.arguments)) for c in message.tool_calls or ()]
            got.finish = whole.choices[0].finish_reason
            got.tokens = (whole.usage.prompt_tokens, whole.usage.completion_tokens)
            got.turn = [message.model_dump(exclude_none=True)]
            return got
        raw = create(
            model=model, messages=turns, max_tokens=30_000, stream=True, stream_options={"include_usage": True}, **more
        )  # fmt: skip
        got.headers = dict(raw.headers)
        parts: dict[int, list[str]] = {}
        for chunk in _until_error(raw.parse(), got):
            if chunk.usage:
                got.tokens = (chunk.usage.prompt_tokens, chunk.usage.completion_tokens)
            for choice in chunk.choices:
                got.text += choice.delta.content or ""
                got.thinking += getattr(choice.delta, "reasoning_content", None) or ""
                got.finish = choice.finish_reason or got.finish
                for call in choice.delta.tool_calls or ():
                    part = parts.setdefault(call.index, ["", "", ""])
                    part[0], part[1] = part[0] or call.id or "", part[1] or call.function.name or ""
                    part[2] += call.function.arguments or ""
        got.calls = [(ident, name, json.loads(arguments)) for ident, name, arguments in parts.values()]
        said = {"role": "assistant", "content": got.text or None}
        if parts:
            said["tool_calls"] = [
                {"id": ident, "type": "function", "function": {"name": name, "arguments": arguments}}
                for ident, name, arguments in parts.values()
            ]
        got.turn = [said]
        return got


class Responses:
    """OpenAI's client on Responses."""

    wire = "responses"

    def __init__(self, port: int) -> None:
        self._client = openai.OpenAI(base_url=f"http://127.0.0.1:{port}/v1", api_key="k", max_retries=0)

    def close(self) -> None:
        """Close its connections."""
        self._client.close()

    def user(self, text: str, image: str | None = None) -> list[Any]:
        """Write a turn of the user's."""
        parts: list[Any] = [{"type": "input_text", "text": text}]
        if image is not None:
            parts.append({"type": "input_image", "image_url": f"data:image/png;base64,{image}", "detail": "auto"})
        return [{"role": "user", "content": parts}]

    def results(self, calls: list[tuple[str, str, dict[str, Any]]], text: str) -> list[Any]:
        """Write what the tools answered."""
        return [
            {"type": "function_call_output", "call_id": ident, "output": f"{text} {n}"}
            for n, (ident, _, _) in enumerate(calls)
        ]

    def ask(self, model: str, turns: list[Any], *, stream: bool = False, **wants: Any) -> Got:
        """Ask."""
        more: dict[str, Any] = {}
        if "tools" in wants:
            more["tools"] = [
                {"type": "function", "name": tool.name, "parameters": tool.schema, "strict": False}
                for tool in wants["tools"]
            ]
        if "schema" in wants:
            shape = {"type": "json_schema", "name": "answer", "schema": wants["schema"], "strict": True}
            more["text"] = {"format": shape}
        if wants.get("think"):
            more["reasoning"] = {"effort": "high", "summary": "auto"}
            more["include"] = ["reasoning.encrypted_content"]
        got = Got()
        create = self._client.responses.with_raw_response.create
        if not stream:
            raw = create(model=model, input=turns, store=False, max_output_tokens=30_000, **more)
            got.headers, whole = dict(raw.headers), raw.parse()
        else:
            raw = create(model=model, input=turns, store=False, max_output_tokens=30_000, stream=True, **more)
            got.headers, whole, number = dict(raw.headers), None, -1
            for event in _until_error(raw.parse(), got):
                assert event.sequence_number == number + 1, "sequence numbers have no gap"
                number = event.sequence_number
                if event.type == "response.output_text.delta":
                    got.text += event.delta
                elif event.type in ("response.completed", "response.incomplete"):
                    whole = event.response
            if whole is None:
                return got
            assert got.text == whole.output_text
        got.text, got.finish = whole.output_text, whole.status
        got.tokens = (whole.usage.input_tokens, whole.usage.output_tokens)
        for item in whole.output:
            got.turn.append(item.model_dump(exclude_none=True))
            if item.type == "function_call":
                got.calls.append((item.call_id, item.name, json.loads(item.arguments)))
            elif item.type == "reasoning":
                got.thinking += "".join(part.text for part in item.summary)
        return got


class Messages:
    """Anthropic's client."""

    wire = "messages"

    def __init__(self, port: int) -> None:
        self._client = anthropic.Anthropic(base_url=f"http://127.0.0.1:{port}", api_key="k", max_retries=0)

    def close(self) -> None:
        """Close its connections."""
        self._client.close()

    def user(self, text: str, image: str | None = None) -> list[Any]:
        """Write a turn of the user's."""
        blocks: list[Any] = [{"type": "text", "text": text}]
        if image is not None:
            source = {"type": "base64", "media_type": "image/png", "data": image}
            blocks.append({"type": "image", "source": source})
        return [{"role": "user", "content": blocks}]

    def results(self, calls: list[tuple[str, str, dict[str, Any]]], text: str) -> list[Any]:
        """Write what the tools answered."""
        blocks = [
            {"type": "tool_result", "tool_use_id": ident, "content": f"{text} {n}"}
            for n, (ident, _, _) in enumerate(calls)
        ]
        return [{"role": "user", "content": blocks}]

    def ask(self, model: str, turns: list[Any], *, stream: bool = False, **wants: Any) -> Got:
        """Ask."""
        more: dict[str, Any] = {}
        if "tools" in wants:
            more["tools"] = [{"name": tool.name, "input_schema": tool.schema} for tool in wants["tools"]]
        if "schema" in wants:
            more["output_config"] = {"format": {"type": "json_schema", "schema": wants["schema"]}}
        if "stop" in wants:
            more["stop_sequences"] = wants["stop"]
        if wants.get("think"):
            more["thinking"] = {"type": "enabled", "budget_tokens": 2048}
        got = Got()
        raw_client = self._client.messages.with_raw_response
        if not stream:
            raw = raw_client.create(model=model, messages=turns, max_tokens=20_000, **more)
            got.headers, whole = dict(raw.headers), raw.parse()
        else:
            with self._client.messages.stream(model=model, messages=turns, max_tokens=20_000, **more) as events:
                got.headers = dict(events.response.headers)
                for event in _until_error(events, got):
                    if event.type == "text":
                        got.text += event.text
                if got.error is not None:
                    return got
                whole = events.get_final_message()
        got.finish = whole.stop_reason
        usage = whole.usage
        got.tokens = (usage.input_tokens + (usage.cache_read_input_tokens or 0), usage.output_tokens)
        words = "".join(block.text for block in whole.content if block.type == "text")
        assert got.text in ("", words)
        got.text = words
        got.thinking = "".join(block.thinking for block in whole.content if block.type == "thinking")
        got.calls = [(block.id, block.name, dict(block.input)) for block in whole.content if block.type == "tool_use"]
        kept = {"parsed_output", "caller", "citations", "toolset_name"}
        blocks = [block.model_dump(exclude=kept, exclude_none=True) for block in whole.content]
        got.turn = [{"role": "assistant", "content": blocks}]
        return got


def _until_error(events: Any, got: Got) -> Iterator[Any]:
    """Yield what comes; keep what the client raises."""
    try:
        yield from events
    except (openai.APIError, anthropic.APIError) as error:
        got.error = error
    finally:
        events.close()


CALLERS: tuple[type[Caller], ...] = (Chat, Responses, Messages)
