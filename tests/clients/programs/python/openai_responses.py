"""openai for Python, on Responses."""

import json
from typing import Any

from account import DESCRIPTION, PARAMETERS, QUESTION, WORDS, Told, give_account, look_up, told

# set-up
from openai import OpenAI

client = OpenAI(base_url="http://127.0.0.1:7373/v1", api_key="unused")
# set-up ends

TOOLS: list[Any] = [{"type": "function", "name": "look_up", "description": DESCRIPTION, "parameters": PARAMETERS}]


def plain() -> Told:
    answer = client.responses.create(model="auto", input=WORDS)
    return told(answer.output_text, answer.usage.input_tokens, answer.usage.output_tokens)


def stream() -> Told:
    with client.responses.stream(model="auto", input=WORDS) as events:
        pieces = [event.delta for event in events if event.type == "response.output_text.delta"]
        answer = events.get_final_response()
    assert "".join(pieces) == answer.output_text
    return told(answer.output_text, answer.usage.input_tokens, answer.usage.output_tokens)


def converse(ask: Any) -> Told:
    """Ask, carry out what the model calls, and ask again until it answers."""
    items: list[Any] = [{"role": "user", "content": QUESTION}]
    read = written = 0
    while True:
        answer = ask(items)
        read, written = read + answer.usage.input_tokens, written + answer.usage.output_tokens
        calls = [item for item in answer.output if item.type == "function_call"]
        if not calls:
            return told(answer.output_text, read, written)
        items += answer.output
        for call in calls:
            said = look_up(**json.loads(call.arguments))
            items.append({"type": "function_call_output", "call_id": call.call_id, "output": said})


def tools() -> Told:
    return converse(lambda items: client.responses.create(model="auto", input=items, tools=TOOLS))


def tools_stream() -> Told:
    def ask(items: list[Any]) -> Any:
        with client.responses.stream(model="auto", input=items, tools=TOOLS) as events:
            for _ in events:
                pass
            return events.get_final_response()

    return converse(ask)


def stored() -> Told:
    """The tool's result is sent alone: what came before is named by its id."""
    first = client.responses.create(model="auto", input=QUESTION, tools=TOOLS)
    call = next(item for item in first.output if item.type == "function_call")
    said = look_up(**json.loads(call.arguments))
    second = client.responses.create(
        model="auto",
        previous_response_id=first.id,
        input=[{"type": "function_call_output", "call_id": call.call_id, "output": said}],
        tools=TOOLS,
    )
    usages = (first.usage, second.usage)
    return told(second.output_text, sum(u.input_tokens for u in usages), sum(u.output_tokens for u in usages))


if __name__ == "__main__":
    give_account(plain, stream, tools, tools_stream, stored)
