"""Which of a repository's files are the weights of one quantization? Read from their names, as its users do.

Pure. It knows no sizes of memory. Invariant: a file is of one quantization or of none, and parts of one file stay
together, in their order.
"""

import re
from collections.abc import Iterable

import msgspec

from tierwise.providers.hub import HubFile

_PART = re.compile(r"-(\d{5})-of-(\d{5})(?=\.gguf$)", re.IGNORECASE)
_LABEL = re.compile(
    r"(?<![A-Za-z0-9])((?:UD-)?(?:I?Q\d(?:_[A-Z0-9]+)*|TQ\d_\d|MXFP4(?:_[A-Z]+)*|NVFP4|BF16|F16|F32))(?![A-Za-z0-9])",
    re.IGNORECASE,
)
_ASIDE = re.compile(r"(^|[^a-z])(mmproj|imatrix|vocab|draft|mtp)([^a-z]|$)", re.IGNORECASE)


class Quantized(msgspec.Struct, frozen=True, kw_only=True):
    """The weights in one quantization: one file, or the parts of one."""

    quantization: str
    files: tuple[HubFile, ...]

    @property
    def size_bytes(self) -> int:
        """Return what all parts take on a disk."""
        return sum(file.size_bytes for file in self.files)


def quantized(files: Iterable[HubFile]) -> tuple[Quantized, ...]:
    """Return the GGUF weights among the files, the largest first; without projectors and what only helps them."""
    whole: dict[str, list[HubFile]] = {}
    for file in sorted(files, key=lambda one: one.name):
        if file.name.lower().endswith(".gguf") and not _ASIDE.search(file.name.rpartition("/")[2]):
            whole.setdefault(_PART.sub("", file.name), []).append(file)
    found = [Quantized(quantization=label_of(name), files=tuple(parts)) for name, parts in whole.items()]
    return tuple(sorted(found, key=lambda one: -one.size_bytes))


def label_of(name: str) -> str:
    """Return the quantization that a name tells, in capitals; the name itself where it tells none."""
    folder, _, file = name.rpartition("/")
    labels = _LABEL.findall(file.removesuffix(".gguf")) or _LABEL.findall(folder)
    return labels[-1].upper() if labels else file.removesuffix(".gguf")
