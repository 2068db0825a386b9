"""What does a file of a linear model hold? Its header, read without loading a weight.

The file is one of safetensors (github.com/huggingface/safetensors, format as of 0.6): the length of a JSON header, the
header, the numbers. Nothing in it is run. Knows neither NumPy nor memory.
Invariant: whatever the bytes, it ends with a `Header` or `Unreadable`; every place in the file follows from two counts,
labels and features, and a file of another size is refused.
"""

from typing import Annotated, Final

import msgspec

from tierwise.linear.words import FEATURES

FORMAT: Final = 1
MAX_HEAD_BYTES: Final = 4 * 1024 * 1024
"""No header ends later than this."""
MAX_FILE_BYTES: Final = 1024 * 1024 * 1024
MAX_LABELS: Final = 4096
MAX_NAME_CHARACTERS: Final = 200
_LENGTH_BYTES: Final = 8
_ALIGNMENT: Final = 8

Count = Annotated[int, msgspec.Meta(ge=0, le=1 << 40)]


class Unreadable(ValueError):
    """The bytes are not a linear model that can be used; the text says why."""


class Trained(msgspec.Struct, frozen=True, kw_only=True):
    """What it was fitted on: the digest of the data, and how much of it."""

    dataset: str
    splits: tuple[str, ...]
    rows: Count
    clusters: Count


class HeldOut(msgspec.Struct, frozen=True, kw_only=True):
    """How often it was right on rows that it had not seen: each was judged by a model fitted on the other folds.

    `low` and `high` bound the share at 95 %, `said` is the mean of what it took its chance for.
    """

    folds: Count
    rows: Count
    right: Count
    low: float
    high: float
    said: float


class Header(msgspec.Struct, frozen=True, kw_only=True):
    """What the file says of itself. `field` is the name of the answer's one field; `temperature` is in the weights."""

    format: int
    tierwise: str
    features: str
    field: str
    labels: tuple[str, ...]
    temperature: float
    penalty: float
    trained: Trained
    held_out: HeldOut | None = None


class Place(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where one array lies, counted from the end of the header."""

    dtype: str
    shape: tuple[Count, ...]
    data_offsets: tuple[Count, Count]


class _Metadata(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    linear: str = msgspec.field(name="tierwise.linear")


class _Top(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    metadata: _Metadata = msgspec.field(name="__metadata__")
    keys: Place
    idf: Place
    bias: Place
    weights: Place


class Layout(msgspec.Struct, frozen=True, kw_only=True):
    """A header, the number of its features, and where in the file the arrays begin."""

    header: Header
    features: int
    begins: int
    places: dict[str, Place]


def places(features: int, labels: int) -> dict[str, Place]:
    """Return where the arrays lie, in their order."""
    shapes: dict[str, tuple[str, int, tuple[int, ...]]] = {
        "keys": ("U32", 4, (features,)),
        "idf": ("F32", 4, (features,)),
        "bias": ("F32", 4, (labels,)),
        "weights": ("F16", 2, (features, labels)),
    }
    found, at = {}, 0
    for name, (dtype, width, shape) in shapes.items():
        end = at + width * shape[0] * (shape[1] if len(shape) > 1 else 1)
        found[name] = Place(dtype=dtype, shape=shape, data_offsets=(at, end))
        at = end
    return found


def written(header: Header, features: int) -> bytes:
    """Return what stands before the arrays."""
    metadata = _Metadata(linear=msgspec.json.encode(header).decode())
    text = msgspec.json.encode(_Top(metadata=metadata, **places(features, len(header.labels))))
    text += b" " * (-len(text) % _ALIGNMENT)
    return len(text).to_bytes(_LENGTH_BYTES, "little") + text


def read_header(head: bytes, size_bytes: int) -> Layout:
    """Read the header from the first `MAX_HEAD_BYTES` of a file of `size_bytes`. Raises Unreadable."""
    begins = _LENGTH_BYTES + int.from_bytes(head[:_LENGTH_BYTES], "little")
    if size_bytes > MAX_FILE_BYTES:
        raise Unreadable(f"it is larger than {MAX_FILE_BYTES // 1024**2} MiB")
    if not _LENGTH_BYTES < begins <= min(len(head), MAX_HEAD_BYTES):
        raise Unreadable("it is not a file of a linear model, which `tierwise train` writes")
    try:
        top = msgspec.json.decode(head[_LENGTH_BYTES:begins], type=_Top)
        header = msgspec.json.decode(top.metadata.linear, type=Header)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Unreadable(f"it is not a file of a linear model: {error}") from error
    if header.format != FORMAT or header.features != FEATURES:
        raise Unreadable(f"Tierwise {header.tierwise[:40]!r} made it, whose linear models are others: train anew")
    named(header)
    features = top.keys.shape[0] if top.keys.shape else 0
    expected = places(features, len(header.labels))
    if not features or expected != {name: getattr(top, name) for name in expected}:
        raise Unreadable("its arrays are not those of a linear model")
    if size_bytes != begins + expected["weights"].data_offsets[1]:
        raise Unreadable("it is cut off, or something follows its weights")
    return Layout(header=header, features=features, begins=begins, places=expected)


def named(header: Header) -> None:
    """Raise Unreadable for labels, or the name of a field, that are none."""
    if not 2 <= len(header.labels) <= MAX_LABELS or len(set(header.labels)) < len(header.labels):
        raise Unreadable(f"there must be between 2 and {MAX_LABELS} labels that differ")
    if not all(0 < len(name) <= MAX_NAME_CHARACTERS and name.isprintable() for name in (header.field, *header.labels)):
        raise Unreadable("a label, or the name of its field, is empty, too long or cannot be shown")
