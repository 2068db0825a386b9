"""What is known of parts that compute, and of how fast kinds of them really work? The rows in `hardware/rows`.

Read once, on first use. `devices.toml` repeats makers' figures; `speed.toml` is written by `scripts/bench
hardware_speed` from measured runs. Invariant: a name that no row fits wholly is unknown, never the nearest one.
"""

import functools
import re
import tomllib
from importlib import resources
from typing import Any, Final

import msgspec

from tierwise.hardware.snapshot import Device
from tierwise.hardware.speed import Factors, Kind, Part, Range

_OTHER_PARTS: Final = frozenset(
    {"laptop", "mobile", "ti", "super", "xt", "xtx", "gre", "pro", "max", "ultra", "nvl", "v2"}
)
"""Words that make another part of a name: where one is told, the row must say it too."""


class Source(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where figures stand."""

    text: str


class DeviceRow(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One part as its maker describes it. `memory_gb` tells namesakes apart; `sources` are names of sources."""

    name: str
    kind: Kind
    bandwidth_gb_s: float
    sources: tuple[str, ...]
    as_of: str
    tflops: float | None = None
    memory_gb: int | None = None


@functools.cache
def devices() -> tuple[DeviceRow, ...]:
    """Return every known part."""
    return msgspec.convert(_rows("devices.toml")["device"], tuple[DeviceRow, ...])


@functools.cache
def sources() -> dict[str, str]:
    """Return what the sources of the parts are, by their names."""
    return {name: row["text"] for name, row in _rows("devices.toml")["source"].items()}


class _Offered(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    name: str
    memory_gb: int
    source: str
    unified: bool = False


@functools.cache
def offered() -> tuple[Device, ...]:
    """Return the parts to name where a model does not run, with their figures."""
    rows = msgspec.convert(_rows("offered.toml")["part"], tuple[_Offered, ...])
    return tuple(_device(row) for row in rows)


def _device(row: _Offered) -> Device:
    size = row.memory_gb * 10**9 if row.unified else row.memory_gb * 2**30
    known = device(row.name, size)
    if known is None or known.kind == "cpu":
        raise LookupError(f"offered.toml names {row.name}, which devices.toml does not")
    return with_figures(Device(kind=known.kind, name=row.name, memory_total_bytes=size, unified=row.unified))


def with_figures(one: Device) -> Device:
    """Return a device with its maker's figures, where a row has them; a slice of a card has none of its own."""
    row = device(one.name, one.memory_total_bytes) if one.slice_of is None else None
    if row is None:
        return one
    return msgspec.structs.replace(one, bandwidth_gb_s=row.bandwidth_gb_s, tflops=row.tflops)


@functools.cache
def factors() -> dict[Kind, Factors]:
    """Return how each kind of part works."""
    return msgspec.convert(_rows("speed.toml")["kind"], dict[Kind, Factors])


@functools.cache
def after_calibration() -> tuple[Range, Range]:
    """Return between which multiples of what was told answers and prompts lay, once a machine was calibrated."""
    rows = _rows("calibrated.toml")
    return msgspec.convert(rows["answer"], Range), msgspec.convert(rows["prompt"], Range)


def device(name: str, memory_bytes: int | None = None) -> DeviceRow | None:
    """Return the row of a part as its driver names it; None where none fits."""
    told = _words(name)
    fitting = [row for row in devices() if _fits(_words(row.name), told)]
    most = max((len(_words(row.name)) for row in fitting), default=0)
    fitting = [row for row in fitting if len(_words(row.name)) == most]
    if memory_bytes is None:
        return min(fitting, key=lambda row: row.bandwidth_gb_s, default=None)
    return min(fitting, key=lambda row: abs((row.memory_gb or 0) * 1e9 - memory_bytes), default=None)


def part(kind: Kind, name: str, memory_bytes: int | None = None, bandwidth_gb_s: float | None = None) -> Part:
    """Return a part with what is known of it; `bandwidth_gb_s` where it was measured."""
    row = device(name, memory_bytes)
    known = row.bandwidth_gb_s if row is not None else None
    return Part(
        kind=kind,
        name=name,
        bandwidth_gb_s=bandwidth_gb_s or known,
        tflops=None if row is None else row.tflops,
    )


def _fits(row: frozenset[str], told: frozenset[str]) -> bool:
    return row <= told and not (told - row) & _OTHER_PARTS


def _words(name: str) -> frozenset[str]:
    return frozenset(re.findall(r"[a-z0-9]+", name.lower()))


def _rows(name: str) -> dict[str, Any]:
    text = resources.files("tierwise.hardware").joinpath("rows", name).read_text("utf-8")
    return tomllib.loads(text)
