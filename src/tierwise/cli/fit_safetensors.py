"""What does a folder of safetensors hold, here or on a hub? Its config.json and the headers of its files, no tensor.

Of a model in many files on a hub one header is read, and the others count with their sizes.
"""

import io
from collections.abc import Callable, Collection, Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Final

from tierwise.core.errors import InvalidCall
from tierwise.hardware.catalogued import spread
from tierwise.hardware.gguf import Header, Unreadable
from tierwise.hardware.layers import shape
from tierwise.hardware.plan import Candidate
from tierwise.hardware.safetensors import (
    MAX_CONFIG_BYTES,
    MAX_HEADER_BYTES,
    Tensor,
    file_names,
    read_model,
    read_tensors,
)

CONFIG: Final = "config.json"
INDEX: Final = "model.safetensors.index.json"
SINGLE: Final = "model.safetensors"
MOST_READ: Final = 8
"""So many files of a hub are opened at most."""

Opened = Callable[[str], AbstractContextManager[io.BufferedReader]]
"""Opens a file of the model by its name."""


def is_one(names: Collection[str]) -> bool:
    """Say whether files of these names make a model."""
    return CONFIG in names and (INDEX in names or SINGLE in names)


def in_folder(folder: Path) -> tuple[Candidate, Header]:
    """Read a folder here. Raises InvalidCall where it holds no model, OSError where it cannot be read."""
    sizes = {one.name: one.stat().st_size for one in folder.iterdir() if one.is_file()}
    if not is_one(sizes):
        told = f"{folder} holds no {CONFIG} with {SINGLE} or {INDEX}: name a GGUF file, or a folder that has them"
        raise InvalidCall(told, param="MODEL")
    return read(lambda name: (folder / name).open("rb"), sizes, len(sizes), str(folder))


def read(opened: Opened, sizes: Mapping[str, int], most: int, where: str) -> tuple[Candidate, Header]:
    """Return the model, and what its files say of it; `sizes` are those of all files there, by their names.

    Raises:
        InvalidCall: a file is missing or damaged.
    """
    try:
        files = file_names(_text(opened, INDEX, MAX_HEADER_BYTES)) if INDEX in sizes else (SINGLE,)
        if missing := [name for name in files if name not in sizes]:
            raise Unreadable(f"its index names {missing[0]}, which is not there")
        some = files if len(files) <= most else files[:1]
        header = read_model(_text(opened, CONFIG, MAX_CONFIG_BYTES), [_tensors(opened, name, sizes) for name in some])
    except Unreadable as error:
        raise InvalidCall(f"{where} cannot be judged: {error}", param="MODEL") from error
    if not header.parameters:
        raise InvalidCall(f"{where} holds no tensors", param="MODEL")
    found, each = shape(header), header.weight_bytes / header.parameters
    label = f"{8 * each:.0f} bits"
    if some == files:
        whole = Candidate(quantization=label, shape=found, weights=header.weights, parameters=header.parameters)
        return whole, header
    total = sum(sizes[name] for name in files)
    laid = spread(found, total)
    return Candidate(
        quantization=label, shape=found, weights=laid, parameters=int(total / each), evidence="sizes"
    ), header


def _text(opened: Opened, name: str, most: int) -> bytes:
    with opened(name) as source:
        return source.read(most + 1)


def _tensors(opened: Opened, name: str, sizes: Mapping[str, int]) -> dict[str, Tensor]:
    with opened(name) as source:
        return read_tensors(source, sizes[name])
