"""Which models ship with the package, and what were they fitted on?

Reads the metadata that `recipes/banking77/evaluate` wrote beside the files.
Invariant: every figure here was measured by the recipe; nothing is typed in by hand.
"""

import functools
from importlib import resources
from pathlib import Path
from typing import Any

import msgspec

from tierwise.core.threshold import Calibration

TASK = "banking77"


class ShippedModel(msgspec.Struct, frozen=True, kw_only=True):
    """One shipped GGUF file. Answers of at least `threshold_logprob` are kept; None keeps nothing."""

    file: str
    sha256: str
    bytes: int
    parameters: int
    context_tokens: int
    threshold_logprob: float | None
    calibration: Calibration


class Demonstration(msgspec.Struct, frozen=True, kw_only=True):
    """The shipped task: its labels, models and what the recipe measured."""

    task: str
    labels: tuple[str, ...]
    target: float
    models: dict[str, ShippedModel]
    measured: dict[str, Any]
    data: dict[str, Any]

    def path(self, model: str) -> Path:
        """Return where the model's file lies."""
        return _folder() / self.models[model].file

    @property
    def messages(self) -> Path:
        """Return where the package's own example messages lie: CSV with `text` and `label`."""
        return _folder() / "messages.csv"


@functools.cache
def demonstration() -> Demonstration:
    """Return the shipped task."""
    return msgspec.json.decode((_folder() / f"{TASK}.json").read_bytes(), type=Demonstration)


def intent_schema(labels: tuple[str, ...]) -> dict[str, Any]:
    """Return the JSON schema to which the shipped models answer."""
    return {
        "type": "object",
        "properties": {"intent": {"enum": list(labels)}},
        "required": ["intent"],
        "additionalProperties": False,
    }


def _folder() -> Path:
    # The embedded engine maps the files itself, so they must be real files: a zipped package is not supported.
    return Path(str(resources.files("tierwise.registry"))) / "shipped" / TASK
