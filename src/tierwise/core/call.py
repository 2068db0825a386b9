"""What is being asked? One `Call`, whatever wire it came on.

`body` holds the caller's bytes; the other fields are what routing, policy and gates read from exactly these bytes.
Invariant: a `Call` is never changed; what an endpoint needs differently is spliced into a copy of `body` by its wire.
"""

from decimal import Decimal
from typing import Any, Literal

import msgspec

from tierwise.core.grant import Grant
from tierwise.core.label import Label
from tierwise.core.rollout import RolloutRecord
from tierwise.core.trace import Trace

PartKind = Literal["text", "tool_call", "tool_result", "tool_definition", "schema", "name", "metadata", "image", "file"]


class Part(msgspec.Struct, frozen=True, kw_only=True):
    """One piece of the request that could carry sensitive text; `path` is its place, e.g. `messages[2].content`."""

    kind: PartKind
    path: str
    text: str
    role: str = ""


class Hints(msgspec.Struct, frozen=True, kw_only=True):
    """What the caller says about the call, from headers or `metadata`. A hint never lifts a rule."""

    workflow: str | None = None
    label: Label | None = None
    quality: float | None = None
    max_cost_usd: Decimal | None = None
    latency_ms: float | None = None
    session: str | None = None


class Features(msgspec.Struct, frozen=True, kw_only=True):
    """The objective facts a route is chosen by; stored in the decision record, free of content.

    `input_tokens_est` is an upper estimate without the answer's schema, which engines with a grammar do not read as
    prompt: that is `schema_tokens_est`. `max_output_tokens` is the caller's own limit, None when not given.
    """

    input_tokens_est: int
    schema_tokens_est: int = 0
    max_output_tokens: int | None = None
    tools: int = 0
    images: int = 0
    files: int = 0
    schema: bool = False
    json: bool = False
    stream: bool = False
    logprobs: bool = False
    n: int = 1
    embeddings: bool = False


class Call(msgspec.Struct, frozen=True, kw_only=True):
    """One request of a caller, decoded once. `json_schema` and `tools` are parsed JSON, for the gates.

    `answers` are the ids of the tool calls whose results end the request: it continues a tool loop. `headers` are
    those of the caller that an endpoint of the same wire understands. `inherited` is the label of stored state, and
    `previous` the id of the stored answer it begins with. `grant` is what the key `key_id` may do, None without keys.
    `trace` is what the caller said of the trace that the call belongs to. `copy` says whose shadow it is.
    """

    wire: str
    body: bytes
    model: str
    parts: tuple[Part, ...]
    features: Features
    hints: Hints = Hints()
    stream: bool = False
    include_usage: bool = False
    json_schema: dict[str, Any] | None = None
    tools: dict[str, dict[str, Any]] = {}
    answers: tuple[str, ...] = ()
    headers: tuple[tuple[str, str], ...] = ()
    inherited: Label | None = None
    previous: str | None = None
    key_id: str | None = None
    grant: Grant | None = None
    trace: Trace | None = None
    copy: RolloutRecord | None = None
