"""Which AMD parts are there? Memory from what the driver writes into /sys, names from `amd-smi` or `rocm-smi`.

Invariant: of a part that has a carved-out memory and shares the machine's, the larger pool counts, never both.
"""

import re

from tierwise.hardware.probes.linux import Card, listed_name
from tierwise.hardware.probes.system import System, at, field, parsed, word
from tierwise.hardware.snapshot import Device

VENDOR = "0x1002"
# Processors with graphics inside (Linux, include/drm/amd_asic_type.h and amdgpu_drv.c; the list of the bus): Raven to
# Krackan, and MI300A.
_INSIDE = frozenset({
    "0x15dd", "0x15d8", "0x1636", "0x1638", "0x164c", "0x1681", "0x164d", "0x164e", "0x13c0", "0x15bf", "0x15c8",
    "0x1900", "0x1901", "0x150e", "0x1586", "0x1114", "0x163f", "0x1435", "0x1506", "0x74a0", "0x13fe", "0x98e4",
})  # fmt: skip


def devices(system: System, cards: tuple[Card, ...]) -> tuple[tuple[Device, ...], tuple[str, ...]]:
    """Return the devices and what is to be said of those that are none."""
    ours = [card for card in cards if card.vendor == VENDOR]
    if not ours:
        return (), ()
    doors = {"rocm": "kfd" in system.names("/dev"), "vulkan": bool(system.names("/dev/dri"))}
    if not any(doors.values()):
        told = "neither /dev/kfd nor /dev/dri is there: load the driver amdgpu, or pass both into the container"
        return (), (f"an AMD part is on the bus ({ours[0].address}), but {told}",)
    without = [card for card in ours if card.driver != "amdgpu"]
    names = _names(system)
    found = tuple(
        _device(system, card, names.get(card.address), computes=doors["rocm"]) for card in ours if card not in without
    )
    notes = (f"the AMD part at {card.address} has no driver: load amdgpu" for card in without)
    return found, tuple(notes)


def _device(system: System, card: Card, name: str | None, *, computes: bool) -> Device:
    own, used, shared, taken = (
        field(system.read(f"{card.folder}/mem_info_{one}"), r"^(\d+)$")
        for one in ("vram_total", "vram_used", "gtt_total", "gtt_used")
    )
    inside = card.device in _INSIDE
    unified = inside and (shared or 0) > (own or 0)
    total, gone = (shared, taken) if unified else (own, used)
    told = word(system.read(f"{card.folder}/product_name"))
    return Device(
        kind="rocm" if computes else "vulkan",
        name=name or told or listed_name(system, card) or f"AMD part {card.device}",
        memory_total_bytes=total,
        memory_free_bytes=None if total is None or gone is None else max(0, total - gone),
        unified=unified,
        driver=word(system.read("/sys/module/amdgpu/version")) or card.driver,
    )


def _names(system: System) -> dict[str, str]:
    """Return names by address on the bus: the market's from `amd-smi`, else the series from `rocm-smi`."""
    said = parsed(system.run("amd-smi", "static", "--asic", "--bus", "--json"))
    rows = at(said, "gpu_data") or said
    pairs = [(at(row, "bus", "bdf"), at(row, "asic", "market_name")) for row in rows] if isinstance(rows, list) else []
    if not pairs:
        said = parsed(system.run("rocm-smi", "--showproductname", "--showbus", "--json"))
        rows = said.values() if isinstance(said, dict) else ()
        pairs = [(at(row, "PCI Bus"), at(row, "Card Series") or at(row, "Card series")) for row in rows]
    return {address.lower(): _short(name) for one, two in pairs if (address := word(one)) and (name := word(two))}


def _short(name: str) -> str:
    """Take the name of the product out of brackets, where the chip's stands before it."""
    match = re.fullmatch(r"[^\[]+\[([^\]]+)\]", name)
    return match[1] if match else name
