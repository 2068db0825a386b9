"""How is an item asked? A prompt with places for its fields, and the Chat Completions body that comes of both.

Knows no model and no store. Invariant: the same prompt, item and model give the same body; what stands in a field is
never read as a place, and a place without its field is an error, never an empty word.
"""

import hashlib
import re
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec

from tierwise.core.errors import ConfigError
from tierwise.evals.item import Item

MAX_BYTES = 1024 * 1024
_PLACE = re.compile(r"\{\{\s*([^{}]+?)\s*\}\}")
# What a recorded request may say beside its messages; the rest is for the caller or for the gateway.
RECORDED = (
    "messages", "tools", "tool_choice", "parallel_tool_calls", "response_format", "max_tokens",
    "max_completion_tokens", "temperature", "top_p", "seed", "stop", "reasoning_effort",
)  # fmt: skip
PartName = Literal["system", "examples", "instructions", "fields", "schema", "messages"]


class Example(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One exchange that shows how to answer."""

    user: str
    assistant: str


class Prompt(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`{{name}}` stands for a field of the item. Without `user` the item's own words are sent: its recorded messages,
    or its one text field. What is unset is left to the endpoint.
    """

    system: str = ""
    user: str = ""
    example: tuple[Example, ...] = ()
    schema: dict[str, Any] | None = None
    max_output_tokens: Annotated[int, msgspec.Meta(ge=1)] | None = None
    temperature: Annotated[float, msgspec.Meta(ge=0, le=2)] | None = None
    top_p: Annotated[float, msgspec.Meta(gt=0, le=1)] | None = None
    seed: int | None = None
    stop: tuple[str, ...] = ()

    @property
    def digest(self) -> str:
        """Return the prompt's name."""
        return "sha256:" + hashlib.sha256(msgspec.json.encode(self, order="deterministic")).hexdigest()

    @property
    def places(self) -> frozenset[str]:
        """The fields that it asks for."""
        return frozenset(_PLACE.findall(self.system) + _PLACE.findall(self.user))


PLAIN = Prompt()
"""Sends the item's own words and nothing else."""


def read(path: Path) -> Prompt:
    """Read a TOML file; ConfigError for what is none."""
    try:
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise ConfigError(f"{path} cannot be read: {error.strerror}", file=str(path)) from error
    if len(data) > MAX_BYTES:
        raise ConfigError(f"{path} is larger than {MAX_BYTES // 1024} KiB: no prompt is", file=str(path))
    return parse(data, str(path))


def parse(data: bytes, name: str) -> Prompt:
    """Read the bytes of a file of this name."""
    try:
        return msgspec.convert(tomllib.loads(data.decode()), Prompt)
    except UnicodeDecodeError as error:
        raise ConfigError(f"{name} is not UTF-8 text (byte {error.start})", file=name) from error
    except (ValueError, msgspec.ValidationError, RecursionError) as error:
        known = ", ".join(Prompt.__struct_fields__)
        raise ConfigError(f"{name} is no prompt: {error}; a prompt is TOML with {known}", file=name) from error


def render(prompt: Prompt | None, item: Item, model: str) -> dict[str, Any]:
    """Return the body of a Chat Completions request. ConfigError where the item lacks a field that is asked for."""
    asked = prompt or PLAIN
    body: dict[str, Any] = {"model": model}
    if not asked.user and isinstance(item.fields.get("messages"), list):
        body |= {name: item.fields[name] for name in RECORDED if item.fields.get(name) is not None}
    body["messages"] = list(_messages(asked, item))
    settings = {
        "max_completion_tokens": asked.max_output_tokens,
        "temperature": asked.temperature,
        "top_p": asked.top_p,
        "seed": asked.seed,
        "stop": list(asked.stop) or None,
    }
    if asked.max_output_tokens is not None:
        body.pop("max_tokens", None)
    body |= {name: value for name, value in settings.items() if value is not None}
    if asked.schema is not None:
        shape = {"name": "answer", "schema": asked.schema, "strict": True}
        body["response_format"] = {"type": "json_schema", "json_schema": shape}
    return body


def parts(prompt: Prompt | None, item: Item) -> dict[PartName, str]:
    """Return what a request is made of: its words by the part of the prompt that they come from."""
    asked = prompt or PLAIN
    found: dict[PartName, str] = {
        "system": _PLACE.sub("", asked.system),
        "examples": "\n".join(f"{one.user}\n{one.assistant}" for one in asked.example),
        "instructions": _PLACE.sub("", asked.user),
        "fields": "\n".join(_word(item, name) for text in (asked.system, asked.user) for name in _PLACE.findall(text)),
        "schema": "" if asked.schema is None else msgspec.json.encode(asked.schema).decode(),
    }
    if not asked.user and isinstance(item.fields.get("messages"), list):
        found["messages"] = msgspec.json.encode(_recorded(asked, item)).decode()
    elif not asked.user:
        found["fields"] = "\n".join(filter(None, (found["fields"], _own_words(item))))
    return {name: text for name, text in found.items() if text}


def written(value: Any) -> str:
    """Return a value as people compare it: JSON, a line for each member."""
    return msgspec.json.format(msgspec.json.encode(value, order="deterministic"), indent=2).decode()


def filled(text: str, item: Item) -> str:
    """Return a text with the item's fields in their places."""
    return _PLACE.sub(lambda place: _word(item, place[1]), text)


def _messages(asked: Prompt, item: Item) -> Iterator[Any]:
    if asked.system:
        yield {"role": "system", "content": filled(asked.system, item)}
    for one in asked.example:
        yield {"role": "user", "content": one.user}
        yield {"role": "assistant", "content": one.assistant}
    if asked.user:
        yield {"role": "user", "content": filled(asked.user, item)}
    elif isinstance(item.fields.get("messages"), list):
        yield from _recorded(asked, item)
    else:
        yield {"role": "user", "content": _own_words(item)}


def _recorded(asked: Prompt, item: Item) -> list[Any]:
    """Return a recorded conversation; a prompt's own system text stands for the recorded one."""
    found: list[Any] = item.fields["messages"]
    return [one for one in found if not (asked.system and _is_system(one))]


def _is_system(message: Any) -> bool:
    return isinstance(message, Mapping) and message.get("role") in ("system", "developer")


def _own_words(item: Item) -> str:
    texts = {name: value for name, value in item.fields.items() if isinstance(value, str) and value.strip()}
    if len(texts) != 1:
        have = ", ".join(sorted(item.fields)) or "none"
        raise ConfigError(
            f"item {item.id!r} has no one text field to send (there are {have}): give the workflow a `prompt` "
            "that says where they go, as {{name}}",
            key="prompt",
        )
    return next(iter(texts.values()))


def _word(item: Item, name: str) -> str:
    """Return a field as text; JSON where it is none."""
    if name not in item.fields:
        have = ", ".join(sorted(item.fields)) or "none"
        raise ConfigError(
            f"item {item.id!r} has no field {name!r} that the prompt asks for; it has {have}", key="prompt"
        )
    value = item.fields[name]
    if value is None:
        return ""
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()
