"""How do the layers of an architecture remember? The rows shipped in `hardware/rows`, read once, on first use.

Invariant: an architecture is a row; no code asks for one by name.
"""

import functools
import tomllib
from importlib import resources
from typing import Any, Literal

import msgspec

Sliding = Literal["", "every", "listed"]
Recurrent = Literal["", "without_heads", "interval", "all", "beside"]
State = Literal["", "scan", "convolution", "shift", "delta"]


class Rule(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How the layers of some architectures remember; the words are explained where the rows stand.

    `shared_after`: the layers from there on use the caches of those before, where the header does not say. `blocks`:
    layers slide only in a model of so many.
    """

    names: tuple[str, ...]
    sliding: Sliding = ""
    period: int = 1
    first_full: bool = False
    window: int = 0
    blocks: int | None = None
    shared_after: int | None = None
    recurrent: Recurrent = ""
    state: State = ""
    cache: bool = True


@functools.cache
def rules() -> dict[str, Rule]:
    """Return every rule by the names that it holds for."""
    rows = msgspec.convert(_shipped()["row"], tuple[Rule, ...])
    return {name: rule for rule in rows for name in rule.names}


@functools.cache
def config_names() -> dict[str, str]:
    """Return the architecture by the `model_type` of a config.json, where its layers can be told from that file."""
    return msgspec.convert(_shipped()["config"], dict[str, str])


def _shipped() -> dict[str, Any]:
    text = resources.files("tierwise.hardware").joinpath("rows", "architectures.toml").read_text("utf-8")
    return tomllib.loads(text)
