"""What can be asked? An `Endpoint` (one server, one wire) and a `Model` (what it serves).

Values only: rows are read in `registry`, probed in `providers`.
Invariant: unknown is `None`, never 0 and never "".
"""

from typing import Final, Literal

import msgspec

from tierwise.core.label import Tier
from tierwise.core.secret import Secret
from tierwise.core.usage import Price

Capability = Literal[
    "stream", "tools", "images", "files", "schema", "json", "logprobs", "n", "audio", "thinking", "embeddings"
]

Environment = Literal["development", "production"]


class Limits(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Time and size limits for the traffic to one endpoint.

    `drain_timeout_s`: an endpoint outside bills what it writes whether or not anybody reads it; when a caller leaves or
    a gate stops a stream, the answer is read on for so long, to learn what it costs. Endpoints inside are left at once,
    which frees them.
    """

    connect_timeout_s: float = 5.0
    first_byte_timeout_s: float = 120.0
    idle_timeout_s: float = 60.0
    total_timeout_s: float = 600.0
    drain_timeout_s: float = 30.0
    max_connections: int = 256
    max_answer_bytes: int = 64 * 1024 * 1024


FileFormat = Literal["gguf", "linear"]
"""What a file in this process's care holds: the weights of a language model, or those of words for labels."""


ENGINE_CHECKPOINTS: Final = 4
"""Copies of windows and recurrent states that an engine of ours keeps of each slot; the memory check counts them."""


class EngineOptions(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How an engine of ours loads a file of this format. `threads` 0 lets the engine choose."""

    file: str
    format: FileFormat = "gguf"
    context_tokens: int | None = None
    slots: int = 4
    threads: int = 0


class Endpoint(msgspec.Struct, frozen=True, kw_only=True):
    """One server. `url` carries the version path and is empty where an engine of ours answers.

    `wires` are the wire formats that it speaks, the one to prefer first: a caller's own wire is taken before any other.
    `context_wire` is the one that alone sets the context length. `grammar` is true where a schema binds the decoder
    and is not read as part of the prompt. `key_header` carries the key, as a bearer token where it is `authorization`.
    `networks` are those that its address must lie in, whatever its name resolves to; none means any.
    `counts` is true where the server counts the tokens of a Messages request exactly when asked. `slots` is how many
    requests it answers at the same time, where the configuration says so.
    """

    name: str
    kind: str
    wires: tuple[str, ...]
    tier: Tier
    url: str = ""
    key: Secret | None = None
    key_ref: str | None = None
    ca_file: str | None = None
    networks: tuple[str, ...] = ()
    region: str | None = None
    retention_days: int | None = None
    trains_on_data: bool | None = None
    agreement: str | None = None
    sla: str | None = None
    environment: Environment | None = None
    limits: Limits = Limits()
    engine: EngineOptions | None = None
    grammar: bool = False
    context_wire: str | None = None
    key_header: str = "authorization"
    counts: bool = False
    slots: int | None = None


class OwnCost(msgspec.Struct, frozen=True, kw_only=True):
    """What a model's tokens cost on a machine of one's own: in full, and as the router compares them with prices.

    It is no price: nobody sends a bill for it, so budgets do not know it.
    """

    full: Price
    routed: Price


class Model(msgspec.Struct, frozen=True, kw_only=True):
    """What an endpoint serves. `tasks` empty means general; else only workflows of these tasks may use it.

    `strength` orders models of unknown quality (higher is stronger); it is a declared fact, not a measurement.
    `family` is who made it, None where nobody said. `own` is what it costs on a machine of one's own that has no price.
    `lacks` says of capabilities that the row promises why they are not among them; `context_note` why the context is
    smaller than the row says, which is `stated_tokens` then.
    """

    id: str
    endpoint: str
    served_name: str
    context_tokens: int | None = None
    max_output_tokens: int | None = None
    capabilities: frozenset[Capability] = frozenset()
    price: Price | None = None
    own: OwnCost | None = None
    tasks: tuple[str, ...] = ()
    strength: float | None = None
    family: str | None = None
    lacks: dict[Capability, str] = {}
    context_note: str = ""
    stated_tokens: int | None = None
