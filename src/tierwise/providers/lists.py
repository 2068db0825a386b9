"""Which models does an API list? The list that every server of the chat wire has, and those of outside APIs.

Knows no server that can be asked more than this: those are in `questions`.
Invariant: only what a server said is reported; what it does not say is None or left out.
"""

from collections.abc import Iterable

import msgspec

from tierwise.core.secret import Secret
from tierwise.providers.asker import Asker, ServedModel, Told, count, listed
from tierwise.providers.transport import Address

Header = tuple[str, str | Secret]
_VERSION: Header = ("anthropic-version", "2023-06-01")


class Listed(msgspec.Struct):
    """One model of a list. Servers add the context under one of several names."""

    id: str
    owned_by: str = ""
    max_model_len: int | None = None
    context_length: int | None = None
    context_window: int | None = None
    max_context_length: int | None = None
    max_input_tokens: int | None = None

    @property
    def context_tokens(self) -> int | None:
        """The context under whichever name it came."""
        return count(
            self.max_model_len
            or self.context_length
            or self.context_window
            or self.max_context_length
            or self.max_input_tokens
        )


class Answer(msgspec.Struct):
    """A list as the chat wire has it."""

    data: list[Listed]


async def ask_any(asker: Asker) -> Told | None:
    """Ask for the list of models."""
    answer = await asker.get(asker.address, "/models", Answer)
    return None if answer is None else _told(asker, answer.data)


async def ask_versioned(asker: Asker) -> Told | None:
    """Ask a server of the Messages wire, which wants to know for which version it was asked.

    https://platform.claude.com/docs/en/api/models (2026-11)
    """
    address = asker.address
    answer = await asker.get(_with(address, _VERSION), "/models", Answer)
    return None if answer is None else _told(asker, answer.data)


async def ask_bare(asker: Asker) -> Told | None:
    """Ask a server whose list is not wrapped: https://docs.together.ai/reference/models (2026-11)."""
    answer = await asker.get(asker.address, "/models", list[Listed])
    return None if answer is None else _told(asker, answer)


class _Generating(msgspec.Struct, rename="camel"):
    name: str
    input_token_limit: int | None = None
    supported_generation_methods: list[str] = []


class _GeneratingList(msgspec.Struct):
    models: list[_Generating]


async def ask_gemini(asker: Asker) -> Told | None:
    """Ask Gemini, whose names carry a prefix and whose list holds more than makes text.

    https://ai.google.dev/api/models (2026-11)
    """
    answer = await asker.get(asker.address, "/models?pageSize=1000", _GeneratingList)
    if answer is None:
        return None
    return Told(
        models=listed(
            ServedModel(
                id=one.name.removeprefix("models/"),
                context_tokens=count(one.input_token_limit),
                capabilities=asker.able(),
            )
            for one in answer.models
            if "generateContent" in one.supported_generation_methods
        )
    )


def _told(asker: Asker, models: Iterable[Listed]) -> Told:
    return Told(
        models=listed(
            ServedModel(id=one.id, context_tokens=one.context_tokens, capabilities=asker.able()) for one in models
        )
    )


def _with(address: Address, header: Header) -> Address:
    return msgspec.structs.replace(address, headers=(*address.headers, header))
