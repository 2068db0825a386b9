"""Which NVIDIA parts are there? From what `nvidia-smi` prints: cards, slices of cards (MIG), parts without own memory.

The order of its columns is asked for, so that it is ours. Invariant: a card that is cut into slices is not offered.
"""

import re

import msgspec

from tierwise.hardware.probes.system import System, mebibytes, word
from tierwise.hardware.snapshot import Device

VENDOR = "0x10de"
COLUMNS = "name,memory.total,memory.free,driver_version,mig.mode.current"
QUERY = (f"--query-gpu={COLUMNS}", "--format=csv,noheader,nounits")
_TOOLS = ("nvidia-smi", "/usr/lib/wsl/lib/nvidia-smi")  # the second is where Windows puts it for its Linux
_SHARING = re.compile(r"\b(GB10|Orin|Thor|Xavier|Tegra)\b")  # no memory of their own: the tool says N/A


def devices(system: System) -> tuple[tuple[Device, ...], tuple[str, ...]]:
    """Return the devices and what is to be said of those that are none."""
    for tool in _TOOLS:
        said = system.run(tool, *QUERY)
        if said is None:
            continue
        rows = [row for line in said.splitlines() if len(row := [cell.strip() for cell in line.split(",")]) == 5]
        if not rows:
            return (), (_failed(said),)
        cut = [row for row in rows if row[4] == "Enabled"]
        cards = tuple(_card(row) for row in rows if row[4] != "Enabled")
        parts = slices(system.run(tool, "-L") or "", system.run(tool, "-q") or "", cut[0][3]) if cut else ()
        bare = sum(row[4] == "Enabled" for row in rows) and not parts
        return cards + parts, (("a card is in MIG mode and has no slice that can be used here",) if bare else ())
    return (), ()


def _failed(said: str) -> str:
    first = next((line.strip() for line in said.splitlines() if line.strip()), "nothing")
    return f"nvidia-smi gives no device; it says: {first[:160]}"


def _card(row: list[str]) -> Device:
    name, total, free, driver, _mig = row
    return Device(
        kind="cuda",
        name=name,
        memory_total_bytes=mebibytes(total),
        memory_free_bytes=mebibytes(free),
        unified=mebibytes(total) is None and _SHARING.search(name) is not None,
        driver=word(driver),
    )


def slices(listed: str, told: str, driver: str) -> tuple[Device, ...]:
    """Return the slices that `-L` lists, with the memory that `-q` tells, in the same order."""
    sizes, card = _memory_of_slices(told), ""
    found: list[Device] = []
    for line in listed.splitlines():
        if match := re.match(r"GPU \d+: (.+?) \(UUID", line):
            card = match[1]
        elif match := re.match(r"\s+MIG (\S+)\s+Device\s+\d+:", line):
            total, free = sizes[len(found)] if len(found) < len(sizes) else (None, None)
            name = f"{card} MIG {match[1]}"
            slice_ = Device(kind="cuda", name=name, slice_of=card, driver=word(driver))
            found.append(msgspec.structs.replace(slice_, memory_total_bytes=total, memory_free_bytes=free))
    return tuple(found)


def _memory_of_slices(told: str) -> list[tuple[int | None, int | None]]:
    """Find the frame buffer of each `MIG Device` block; blocks are told apart by their indentation."""
    found = []
    for block in re.finditer(r"^( *)MIG Device\n((?:\1 +.*\n?)+)", told, re.MULTILINE):
        usage = re.search(r"^( +)FB Memory Usage\n((?:\1 +.*\n?)+)", block[2], re.MULTILINE)
        cells = dict(re.findall(r"^ *(\w+) *: (.*)$", usage[2], re.MULTILINE)) if usage else {}
        found.append((mebibytes(cells.get("Total", "")), mebibytes(cells.get("Free", ""))))
    return found
