"""What is the machine, all of it? Puts together what each probe finds.

Pure: a `System` answers. Invariant: a part that shares the machine's memory never has more of it than the machine.
"""

import msgspec

from tierwise.hardware.probes import amd, apple, intel, linux, nvidia, windows
from tierwise.hardware.probes.system import System
from tierwise.hardware.snapshot import Device, Machine

Found = tuple[tuple[Device, ...], tuple[str, ...]]


def plain(system: System) -> Machine:
    """Return processor cores and memory alone: what takes no tool, but for a Mac's and Windows' own."""
    if system.kind == "Darwin":
        total, free, bound = apple.memory(system)
    elif system.kind == "Windows":
        total, free, bound = windows.memory(windows.told(system))
    else:
        total, free, bound = linux.memory(system)
    cores = linux.cores(system) if system.kind == "Linux" else system.cores
    return Machine(
        system=system.kind, cores=cores, memory_total_bytes=total, memory_available_bytes=free, memory_limit=bound
    )


def whole(system: System) -> Machine:
    """Return everything that can be asked: processor, memory and devices."""
    if system.kind == "Darwin":
        known = apple.settings(system)
        here = plain(system)
        return msgspec.structs.replace(
            here, cpu=apple.cpu(known), devices=apple.devices(system, known, here.memory_available_bytes)
        )
    if system.kind == "Windows":
        return _windows(system)
    here = plain(system)
    devices, notes = _on_the_bus(system)
    return msgspec.structs.replace(
        here,
        cpu=linux.cpu(system),
        wsl=linux.is_wsl(system),
        devices=tuple(_within(one, here) for one in devices),
        notes=notes,
    )


def _windows(system: System) -> Machine:
    said = windows.told(system)
    total, free, bound = windows.memory(said)
    here = Machine(
        system=system.kind, cores=system.cores, cpu=windows.cpu(said), memory_total_bytes=total,
        memory_available_bytes=free, memory_limit=bound,
    )  # fmt: skip
    devices, notes = nvidia.devices(system)
    within = tuple(_within(one, here) for one in devices)
    return msgspec.structs.replace(here, devices=within, notes=notes + windows.notes(said))


def _on_the_bus(system: System) -> Found:
    cards = linux.cards(system)
    found = [nvidia.devices(system), amd.devices(system, cards), intel.devices(system, cards)]
    devices = tuple(device for some, _ in found for device in some)
    notes = tuple(note for _, some in found for note in some)
    if any(card.vendor == nvidia.VENDOR for card in cards) and not found[0][0] and not found[0][1]:
        text = "an NVIDIA part is on the bus, but nvidia-smi is not there or does not answer"
        notes += (f"{text}: install its driver, or let the container have it",)
    return devices, notes


def _within(device: Device, here: Machine) -> Device:
    """Bound what a part that shares the machine's memory may take of it by what the machine has."""
    if not device.unified:
        return device
    return msgspec.structs.replace(
        device,
        memory_total_bytes=_least(device.memory_total_bytes, here.memory_total_bytes),
        memory_free_bytes=_least(device.memory_free_bytes, here.memory_available_bytes),
    )


def _least(one: int | None, other: int | None) -> int | None:
    known = [count for count in (one, other) if count is not None]
    return min(known, default=None)
