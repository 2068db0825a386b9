"""The steps that all chat models of LangChain take alike; the set-up is in the program that hands its model in."""

from functools import partial
from typing import Any

from account import QUESTION, WORDS, Told, give_account, look_up, told
from langchain_core.messages import HumanMessage, ToolMessage
from langchain_core.tools import tool

TOOL = tool(look_up)


def give_account_of(model: Any) -> None:
    """Run the steps with this model."""

    def plain() -> Told:
        return counted(model.invoke(WORDS))

    def stream() -> Told:
        return counted(joined(model, WORDS))

    def tools() -> Told:
        return converse(model.bind_tools([TOOL]).invoke)

    def tools_stream() -> Told:
        return converse(partial(joined, model.bind_tools([TOOL])))

    give_account(plain, stream, tools, tools_stream)


def joined(model: Any, asked: Any) -> Any:
    """Add the pieces of a stream up, as LangChain does."""
    first, *rest = model.stream(asked)
    for piece in rest:
        first += piece
    return first


def converse(ask: Any) -> Told:
    """Ask, carry out what the model calls, and ask again until it answers."""
    messages: list[Any] = [HumanMessage(QUESTION)]
    read = written = 0
    while True:
        answer = ask(messages)
        read, written = read + answer.usage_metadata["input_tokens"], written + answer.usage_metadata["output_tokens"]
        if not answer.tool_calls:
            return told(answer.text, read, written)
        messages.append(answer)
        messages += [ToolMessage(TOOL.invoke(call["args"]), tool_call_id=call["id"]) for call in answer.tool_calls]


def counted(answer: Any) -> Told:
    """Tell the text and the tokens of one answer."""
    return told(answer.text, answer.usage_metadata["input_tokens"], answer.usage_metadata["output_tokens"])
