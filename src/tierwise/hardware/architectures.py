"""How do the layers of an architecture remember? The rows shipped in `hardware/rows`, read once, on first use.

Invariant: an architecture is a row; no code asks for one by name.
"""

import functools
import tomllib
from importlib import resources
from typing import Literal

import msgspec

Sliding = Literal["", "every", "listed"]
Recurrent = Literal["", "without_heads", "interval", "all", "beside"]
State = Literal["", "scan", "convolution", "shift", "delta"]


class Rule(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How the layers of some architectures remember; the words are explained where the rows stand.

    `shared_after`: the layers from there on use the caches of those before, where the header does not say.
    """

    names: tuple[str, ...]
    sliding: Sliding = ""
    period: int = 1
    first_full: bool = False
    window: int = 0
    shared_after: int | None = None
    recurrent: Recurrent = ""
    state: State = ""
    cache: bool = True


@functools.cache
def rules() -> dict[str, Rule]:
    """Return every rule by the names that it holds for."""
    text = resources.files("tierwise.hardware").joinpath("rows", "architectures.toml").read_text("utf-8")
    rows = msgspec.convert(tomllib.loads(text)["row"], tuple[Rule, ...])
    return {name: rule for rule in rows for name in rule.names}
