"""The steps that LiteLLM takes alike on every wire; the set-up is in the program that hands its settings in."""

import json
from typing import Any

import litellm
from account import DESCRIPTION, PARAMETERS, QUESTION, WORDS, Told, give_account, look_up, told

TOOLS: list[Any] = [
    {"type": "function", "function": {"name": "look_up", "description": DESCRIPTION, "parameters": PARAMETERS}}
]


def give_account_of(at: dict[str, str]) -> None:
    """Run the steps with these settings."""

    def whole(messages: list[Any], **more: Any) -> Any:
        return litellm.completion(**at, messages=messages, **more)

    def joined(messages: list[Any], **more: Any) -> Any:
        events = litellm.completion(
            **at, messages=messages, stream=True, stream_options={"include_usage": True}, **more
        )
        return litellm.stream_chunk_builder(list(events), messages=messages)

    def plain() -> Told:
        return counted(whole([{"role": "user", "content": WORDS}]))

    def stream() -> Told:
        return counted(joined([{"role": "user", "content": WORDS}]))

    def tools() -> Told:
        return converse(whole)

    def tools_stream() -> Told:
        return converse(joined)

    give_account(plain, stream, tools, tools_stream)


def converse(ask: Any) -> Told:
    """Ask, carry out what the model calls, and ask again until it answers."""
    messages: list[Any] = [{"role": "user", "content": QUESTION}]
    read = written = 0
    while True:
        answer = ask(messages, tools=TOOLS)
        read, written = read + answer.usage.prompt_tokens, written + answer.usage.completion_tokens
        message = answer.choices[0].message
        if not message.tool_calls:
            return told(message.content, read, written)
        messages.append(message.model_dump())
        for call in message.tool_calls:
            said = look_up(**json.loads(call.function.arguments))
            messages.append({"role": "tool", "tool_call_id": call.id, "content": said})


def counted(answer: Any) -> Told:
    """Tell the text and the tokens of one answer."""
    return told(answer.choices[0].message.content, answer.usage.prompt_tokens, answer.usage.completion_tokens)
