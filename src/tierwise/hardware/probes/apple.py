"""What has a Mac? From `sysctl`, `vm_stat` and `system_profiler`. Apple's own chips share one memory.

The share of it that the graphics part may hold is the system's default where nobody set another: two thirds up to
36 GiB and three quarters above (seen in engines' logs: 21,845 of 32,768 MB; 48 of 64 GiB).
"""

import re

from tierwise.hardware.probes.system import MIB, System, at, field, parsed, word
from tierwise.hardware.snapshot import Cpu, Device

ASKED = (
    "hw.memsize", "hw.physicalcpu", "hw.perflevel0.physicalcpu", "machdep.cpu.brand_string", "machdep.cpu.features",
    "machdep.cpu.leaf7_features", "iogpu.wired_limit_mb", "hw.optional.AdvSIMD", "hw.optional.arm.FEAT_DotProd",
    "hw.optional.arm.FEAT_I8MM", "hw.optional.arm.FEAT_BF16",
)  # fmt: skip
_FEATURES = {"AdvSIMD": "asimd", "FEAT_DotProd": "asimddp", "FEAT_I8MM": "i8mm", "FEAT_BF16": "bf16"}
_SMALL_BYTES = 36 * 1024 * MIB


def memory(system: System) -> tuple[int | None, int | None, str]:
    """Return total and available bytes."""
    return _total(settings(system)), available(system.run("/usr/bin/vm_stat") or ""), "machine"


def settings(system: System) -> dict[str, str]:
    """Return what `sysctl` says of the names that are asked; those that a machine does not know are left out."""
    lines = (system.run("/usr/sbin/sysctl", *ASKED) or "").splitlines()
    return {key: value.strip() for key, colon, value in (line.partition(":") for line in lines) if colon}


def _total(known: dict[str, str]) -> int | None:
    return field(known.get("hw.memsize", ""), r"^(\d+)$")


def available(text: str) -> int | None:
    """Read the memory that macOS could give at once: free, inactive, speculative and purgeable pages."""
    page = field(text, r"page size of (\d+) bytes")
    kinds = ("free", "inactive", "speculative", "purgeable")
    pages = [field(text, rf"^Pages {kind}:\s+(\d+)\.") for kind in kinds]
    if page is None or pages[0] is None:
        return None
    return page * sum(count or 0 for count in pages)


def cpu(known: dict[str, str]) -> Cpu:
    """Return the processor."""
    every = field(known.get("hw.physicalcpu", ""), r"^(\d+)$")
    fast = field(known.get("hw.perflevel0.physicalcpu", ""), r"^(\d+)$")
    words = f"{known.get('machdep.cpu.features', '')} {known.get('machdep.cpu.leaf7_features', '')}".lower().split()
    features = [name for key, name in _FEATURES.items() if any(k.endswith(key) and v == "1" for k, v in known.items())]
    features += [name for word_, name in (("avx1.0", "avx"), ("avx2", "avx2"), ("fma", "fma")) if word_ in words]
    return Cpu(
        name=known.get("machdep.cpu.brand_string") or None,
        physical_cores=every,
        fast_cores=fast if fast != every else None,
        features=tuple(sorted(features)),
    )


def devices(system: System, known: dict[str, str], available_bytes: int | None) -> tuple[Device, ...]:
    """Return the graphics parts: Apple's own share the memory, others have theirs."""
    rows = at(parsed(system.run("/usr/sbin/system_profiler", "-json", "SPDisplaysDataType")), "SPDisplaysDataType")
    found = [one for row in rows if (one := _device(row, known, available_bytes))] if isinstance(rows, list) else []
    brand = known.get("machdep.cpu.brand_string", "")
    if not found and brand.startswith("Apple "):
        found = [_shared(brand, known, available_bytes)]
    return tuple(found)


def _device(row: object, known: dict[str, str], available_bytes: int | None) -> Device | None:
    name = word(at(row, "sppci_model")) or word(at(row, "_name"))
    if name is None:
        return None
    if name.startswith("Apple "):
        cores = word(at(row, "sppci_cores"))
        return _shared(f"{name} ({cores} cores)" if cores else name, known, available_bytes)
    own = re.fullmatch(r"(\d{1,9}) (GB|MB)", word(at(row, "spdisplays_vram")) or "")
    size = int(own[1]) * (MIB if own[2] == "MB" else 1024 * MIB) if own else None
    return Device(kind="metal", name=name, memory_total_bytes=size, unified=size is None)


def _shared(name: str, known: dict[str, str], available_bytes: int | None) -> Device:
    total, limit = _total(known), field(known.get("iogpu.wired_limit_mb", ""), r"^(\d+)$")
    share = (
        limit * MIB if limit else None if total is None else total * 2 // 3 if total <= _SMALL_BYTES else total * 3 // 4
    )
    free = share if available_bytes is None else min(share or available_bytes, available_bytes)
    known_free = free if available_bytes is not None else None
    return Device(kind="metal", name=name, memory_total_bytes=share, memory_free_bytes=known_free, unified=True)
