"""openai for Python, on Chat Completions."""

import json
from typing import Any

from account import DESCRIPTION, PARAMETERS, QUESTION, WORDS, Told, give_account, look_up, told

# set-up
from openai import OpenAI

client = OpenAI(base_url="http://127.0.0.1:7373/v1", api_key="unused")
# set-up ends

TOOLS: list[Any] = [
    {"type": "function", "function": {"name": "look_up", "description": DESCRIPTION, "parameters": PARAMETERS}}
]


def plain() -> Told:
    answer = client.chat.completions.create(model="auto", messages=[{"role": "user", "content": WORDS}])
    return told(answer.choices[0].message.content, answer.usage.prompt_tokens, answer.usage.completion_tokens)


def stream() -> Told:
    with client.chat.completions.stream(
        model="auto", messages=[{"role": "user", "content": WORDS}], stream_options={"include_usage": True}
    ) as events:
        answer = events.get_final_completion()
    return told(answer.choices[0].message.content, answer.usage.prompt_tokens, answer.usage.completion_tokens)


def converse(ask: Any) -> Told:
    """Ask, carry out what the model calls, and ask again until it answers."""
    messages: list[Any] = [{"role": "user", "content": QUESTION}]
    read = written = 0
    while True:
        answer = ask(messages)
        read, written = read + answer.usage.prompt_tokens, written + answer.usage.completion_tokens
        message = answer.choices[0].message
        if not message.tool_calls:
            return told(message.content, read, written)
        messages.append(message)
        for call in message.tool_calls:
            said = look_up(**json.loads(call.function.arguments))
            messages.append({"role": "tool", "tool_call_id": call.id, "content": said})


def tools() -> Told:
    return converse(lambda messages: client.chat.completions.create(model="auto", messages=messages, tools=TOOLS))


def tools_stream() -> Told:
    def ask(messages: list[Any]) -> Any:
        with client.chat.completions.stream(
            model="auto", messages=messages, tools=TOOLS, stream_options={"include_usage": True}
        ) as events:
            return events.get_final_completion()

    return converse(ask)


def models() -> Told:
    return told(" ".join(sorted(model.id for model in client.models.list())))


if __name__ == "__main__":
    give_account(plain, stream, tools, tools_stream, models)
