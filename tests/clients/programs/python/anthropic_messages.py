"""anthropic for Python."""

from typing import Any

from account import DESCRIPTION, PARAMETERS, QUESTION, WORDS, Told, give_account, look_up, told

# set-up
from anthropic import Anthropic

client = Anthropic(base_url="http://127.0.0.1:7373", api_key="unused")
# set-up ends

TOOLS: list[Any] = [{"name": "look_up", "description": DESCRIPTION, "input_schema": PARAMETERS}]
ASKED: Any = {"model": "auto", "max_tokens": 1000, "messages": [{"role": "user", "content": WORDS}]}


def text_of(answer: Any) -> str:
    return "".join(block.text for block in answer.content if block.type == "text")


def tokens(answer: Any) -> tuple[int, int]:
    """Return what was read and written; what was cached stands beside the input on this wire."""
    usage = answer.usage
    cached = (usage.cache_read_input_tokens or 0) + (usage.cache_creation_input_tokens or 0)
    return usage.input_tokens + cached, usage.output_tokens


def plain() -> Told:
    answer = client.messages.create(**ASKED)
    return told(text_of(answer), *tokens(answer))


def stream() -> Told:
    with client.messages.stream(**ASKED) as events:
        pieces = list(events.text_stream)
        answer = events.get_final_message()
    assert "".join(pieces) == text_of(answer)
    return told(text_of(answer), *tokens(answer))


def converse(ask: Any) -> Told:
    """Ask, carry out what the model calls, and ask again until it answers."""
    messages: list[Any] = [{"role": "user", "content": QUESTION}]
    read = written = 0
    while True:
        answer = ask({"model": "auto", "max_tokens": 1000, "messages": messages, "tools": TOOLS})
        read, written = read + tokens(answer)[0], written + tokens(answer)[1]
        calls = [block for block in answer.content if block.type == "tool_use"]
        if not calls:
            return told(text_of(answer), read, written)
        messages.append({"role": "assistant", "content": answer.content})
        results = [{"type": "tool_result", "tool_use_id": c.id, "content": look_up(**c.input)} for c in calls]
        messages.append({"role": "user", "content": results})


def tools() -> Told:
    return converse(lambda asked: client.messages.create(**asked))


def tools_stream() -> Told:
    def ask(asked: Any) -> Any:
        with client.messages.stream(**asked) as events:
            return events.get_final_message()

    return converse(ask)


def count() -> Told:
    counted = client.messages.count_tokens(model="auto", messages=ASKED["messages"])
    return told("counted" if counted.input_tokens > 0 else "counted none")


def models() -> Told:
    return told(" ".join(sorted(model.id for model in client.models.list())))


if __name__ == "__main__":
    give_account(plain, stream, tools, tools_stream, count, models)
