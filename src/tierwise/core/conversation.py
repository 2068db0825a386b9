"""What is being asked, free of any wire? Every caller's wire reads into a `Conversation`, every endpoint's writes one.

Used only where caller and endpoint speak different wires; between equal wires the caller's bytes go on as they are.
Invariant: nothing is silently left out. What has no place here is named in `foreign`; what a writer cannot express
it reports under the caller's own spelling (`spelled`).
"""

from collections.abc import Iterable
from typing import Any, Literal

import msgspec

Role = Literal["system", "developer", "user", "assistant"]
Effort = Literal["none", "minimal", "low", "medium", "high", "xhigh", "max"]


class Seal(msgspec.Struct, frozen=True, kw_only=True):
    """What an endpoint wants to see again with its own thinking, and nobody else can read.

    `wire` says how `data` is written, `origin` names the endpoint that made it ("" where nobody knows any more).
    """

    wire: str
    data: str
    origin: str = ""


class Text(msgspec.Struct, frozen=True, kw_only=True, tag="text"):
    """Words. `cache` marks the end of a prefix that the caller wants cached; `refusal` words that decline."""

    text: str
    cache: bool = False
    refusal: bool = False


class Image(msgspec.Struct, frozen=True, kw_only=True, tag="image"):
    """A picture: an address, or `data` in base64 with its media type."""

    url: str = ""
    data: str = ""
    media_type: str = ""
    detail: str = ""


class File(msgspec.Struct, frozen=True, kw_only=True, tag="file"):
    """A document or a sound: an address, `data` in base64 with its media type, or plain `text`."""

    name: str = ""
    url: str = ""
    data: str = ""
    text: str = ""
    media_type: str = ""


class Thinking(msgspec.Struct, frozen=True, kw_only=True, tag="thinking"):
    """Earlier reasoning of the model. With a seal it is bound to an endpoint; without words it is hidden."""

    text: str = ""
    seal: Seal | None = None


class ToolUse(msgspec.Struct, frozen=True, kw_only=True, tag="tool_use"):
    """A call that the model made; `arguments` is JSON in a string, as it was written."""

    id: str
    name: str
    arguments: str = "{}"


class ToolResult(msgspec.Struct, frozen=True, kw_only=True, tag="tool_result"):
    """What a tool answered, in a turn of the user. `name` is that of the call with this id."""

    id: str
    name: str = ""
    content: tuple[Text | Image | File, ...] = ()
    error: bool = False


Block = Text | Image | File | Thinking | ToolUse | ToolResult


class Turn(msgspec.Struct, frozen=True, kw_only=True):
    """Consecutive blocks of one role; tool results stand in the user's turns, before anything else in them.

    `path` is where the caller wrote it, such as `messages[3]`.
    """

    role: Role
    blocks: tuple[Block, ...]
    path: str = ""
    name: str = ""

    def within(self, what: str, gap: str = ": ") -> str:
        """Name something in this turn as the caller finds it."""
        return f"{self.path}{gap}{what}" if self.path else what


class Tool(msgspec.Struct, frozen=True, kw_only=True):
    """A function that the model may call; `parameters` is its JSON schema."""

    name: str
    description: str = ""
    parameters: dict[str, Any] = {}
    strict: bool | None = None


class ToolChoice(msgspec.Struct, frozen=True, kw_only=True):
    """Which tools are to be called: any or none as the model likes, none, at least one, or the named one."""

    mode: Literal["auto", "none", "required", "named"]
    name: str = ""


class Format(msgspec.Struct, frozen=True, kw_only=True):
    """How the answer is to be written: as any JSON object, or as JSON that fits a schema."""

    kind: Literal["json", "schema"]
    schema: dict[str, Any] = {}
    name: str = "answer"
    strict: bool | None = None


class Reasoning(msgspec.Struct, frozen=True, kw_only=True):
    """How much to think: an effort, or a number of tokens; `visible` asks for words about it."""

    effort: Effort | None = None
    budget_tokens: int | None = None
    visible: bool | None = None


class Conversation(msgspec.Struct, frozen=True, kw_only=True):
    """All that a caller asked. None and empty mean not given.

    `spelled` maps the names of these fields to the caller's (`stop` to `stop_sequences`); `foreign` lists what no
    other wire can express, in the caller's words (`safety_identifier`, `messages[2].content[0]: server_tool_use`).
    """

    turns: tuple[Turn, ...]
    tools: tuple[Tool, ...] = ()
    tool_choice: ToolChoice | None = None
    parallel_tools: bool | None = None
    format: Format | None = None
    reasoning: Reasoning | None = None
    max_output_tokens: int | None = None
    temperature: float | None = None
    top_p: float | None = None
    top_k: int | None = None
    stop: tuple[str, ...] = ()
    seed: int | None = None
    n: int | None = None
    logprobs: bool = False
    top_logprobs: int | None = None
    frequency_penalty: float | None = None
    presence_penalty: float | None = None
    logit_bias: dict[str, float] = {}
    user: str | None = None
    verbosity: str | None = None
    spelled: dict[str, str] = {}
    foreign: tuple[str, ...] = ()

    @property
    def marks_cache(self) -> bool:
        """True if the caller marked where a prefix to be cached ends, in what tools answered too."""
        blocks = [block for turn in self.turns for block in turn.blocks]
        answered = [part for block in blocks if isinstance(block, ToolResult) for part in block.content]
        return any(isinstance(block, Text) and block.cache for block in (*blocks, *answered))

    def given(self, fields: Iterable[str]) -> list[str]:
        """Return those of the fields that ask for anything, as the caller writes them."""
        return [self.name(field) for field in fields if not _says_nothing(field, getattr(self, field))]

    def name(self, field: str) -> str:
        """Return how the caller writes a field."""
        return self.spelled.get(field, field)


_UNASKED = {"n": 1, "top_logprobs": 0, "frequency_penalty": 0, "presence_penalty": 0}
"""Values that are what there is when nothing is asked."""


def _says_nothing(field: str, value: Any) -> bool:
    return value is None or value is False or value in ((), {}) or _UNASKED.get(field) == value
