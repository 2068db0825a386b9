"""The steps that all models of Pydantic AI take alike; the set-up is in the program that hands its model in."""

import asyncio
from typing import Any

from account import QUESTION, WORDS, Told, give_account, look_up, told
from pydantic_ai import Agent


def give_account_of(model: Any) -> None:
    """Run the steps with this model."""
    bare, agent = Agent(model), Agent(model, tools=[look_up])

    def plain() -> Told:
        return counted(bare.run_sync(WORDS))

    def stream() -> Told:
        return asyncio.run(streamed(bare, WORDS))

    def tools() -> Told:
        return counted(agent.run_sync(QUESTION))

    def tools_stream() -> Told:
        return asyncio.run(streamed(agent, QUESTION))

    give_account(plain, stream, tools, tools_stream)


async def streamed(agent: Any, asked: str) -> Told:
    """Take the text piece by piece; the agent carries out the calls."""
    async with agent.run_stream(asked) as result:
        text = "".join([piece async for piece in result.stream_text(delta=True)])
        return told(text, *tokens(result))


def counted(result: Any) -> Told:
    """Tell the text and the tokens of a run."""
    return told(result.output, *tokens(result))


def tokens(result: Any) -> tuple[int, int]:
    """Return what was read and written over all requests of a run."""
    usage = result.usage() if callable(result.usage) else result.usage
    return usage.input_tokens, usage.output_tokens
