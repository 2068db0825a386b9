"""A model from a GGUF file that is here: nothing is fetched or copied; it is looked at, and its endpoint made."""

import re
from pathlib import Path

from tierwise.cli.pulls.offer import Offer, Pulled, Tell, Wish
from tierwise.core.errors import ConfigError
from tierwise.core.model import EngineOptions
from tierwise.hardware.admit import admit
from tierwise.hardware.detect import digest
from tierwise.providers.hub_files import label_of
from tierwise.registry.kinds import kinds
from tierwise.registry.settings import EndpointRow, ModelRow

SLOTS = 1


def offer(wish: Wish) -> Offer:
    """Offer the file of that name. Raises ConfigError where it is no complete GGUF file of a model."""
    file = Path(wish.model).expanduser().absolute()
    try:
        admitted, refusal = admit(engine(file)), ""
    except ConfigError as error:
        if not file.is_file() or "does not fit" not in str(error):
            raise
        admitted, refusal = engine(file), str(error)

    def fetch(_: Tell) -> Pulled:
        found = digest(file)
        return Pulled(note=f"{file.name}, sha256 {found}", told={"sha256": found})

    facts: dict[str, str | int | None] = {
        "file": str(file),
        "size_bytes": file.stat().st_size,
        "context_tokens": admitted.context_tokens,
    }
    return Offer(
        facts=facts,
        endpoint=endpoint_row(file, admitted.context_tokens),
        model=model_row(file, admitted.context_tokens),
        to_fetch_bytes=0,
        fetch=fetch,
        refusal=refusal,
    )


def engine(file: Path) -> EngineOptions:
    """Return how a pulled file is loaded."""
    return EngineOptions(file=str(file), slots=SLOTS)


def endpoint_row(file: Path, context_tokens: int | None) -> EndpointRow:
    """Return the endpoint that answers from a file."""
    kind = next(row.kind for row in kinds().values() if row.loads == "gguf")
    return EndpointRow(name=name_of(file), kind=kind, file=str(file), context_tokens=context_tokens, slots=SLOTS)


def model_row(file: Path, context_tokens: int | None, family: str | None = None) -> ModelRow:
    """Return the model of such an endpoint."""
    name = name_of(file)
    return ModelRow(id=name, endpoint=name, context_tokens=context_tokens, family=family)


def name_of(file: Path) -> str:
    """Return what a model is called by its file: the quantization is part of it, since it is part of what answers."""
    label = label_of(file.name)
    stem = file.name.removesuffix(".gguf")
    whole = stem if label.lower() in stem.lower() else f"{stem}-{label}"
    return re.sub(r"[^a-z0-9.]+", "-", whole.lower()).strip("-.") or "model"
