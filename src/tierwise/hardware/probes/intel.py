"""Which Intel parts are there? Cards, whose memory `xpu-smi` tells, and graphics inside a processor, which share its.

Invariant: a card whose memory nobody tells has none that is known.
"""

import re

from tierwise.hardware.probes.linux import Card, listed_name
from tierwise.hardware.probes.system import System, at, parsed, whole, word
from tierwise.hardware.snapshot import Device

VENDOR = "0x8086"
MOST_CARDS = 16
# Cards by the first digits of their numbers: Arc A and Flex, Arc B, Data Center Max.
_CARDS = re.compile(r"0x(56[0-9a-c]|e2[0-2]|0bd|0b6|490)", re.IGNORECASE)


def devices(system: System, cards: tuple[Card, ...]) -> tuple[tuple[Device, ...], tuple[str, ...]]:
    """Return the devices and what is to be said of those that are none."""
    ours = [card for card in cards if card.vendor == VENDOR]
    if not ours:
        return (), ()
    if not system.names("/dev/dri"):
        text = f"an Intel part is on the bus ({ours[0].address}), but /dev/dri is not there"
        return (), (f"{text}: load the driver xe or i915, or pass it into the container",)
    told = _told(system) if any(_CARDS.match(card.device) for card in ours) else {}
    found = tuple(_device(system, card, told.get(card.address)) for card in ours)
    silent = any(not one.unified and one.memory_total_bytes is None for one in found)
    note = "the memory of an Intel card is not known: install xpu-smi, which tells it"
    return found, ((note,) if silent else ())


def _device(system: System, card: Card, told: object) -> Device:
    name = word(at(told, "device_name")) or listed_name(system, card) or f"Intel part {card.device}"
    return Device(
        kind="xpu",
        name=name.replace("(R)", "").replace("(TM)", ""),
        memory_total_bytes=whole(at(told, "memory_physical_size_byte")),
        memory_free_bytes=whole(at(told, "memory_free_size_byte")),
        unified=not _CARDS.match(card.device),
        driver=card.driver,
    )


def _told(system: System) -> dict[str, object]:
    """Return what `xpu-smi` tells of each card, by its address on the bus."""
    rows = at(parsed(system.run("xpu-smi", "discovery", "-j")), "device_list")
    found = {}
    for row in rows[:MOST_CARDS] if isinstance(rows, list) else ():
        number, address = at(row, "device_id"), word(at(row, "pci_bdf_address"))
        if address is not None and at(row, "memory_physical_size_byte") is None:
            row = parsed(system.run("xpu-smi", "discovery", "-d", str(number), "-j")) or row  # noqa: PLW2901
        if address is not None:
            found[address.lower()] = row
    return found
