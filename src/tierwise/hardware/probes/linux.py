"""What do /proc, /sys and control groups say of memory, processor and the parts on the bus?

Pure text in, values out. Invariant: what a container may use is never reported larger than its limits.
"""

import math
import re

import msgspec

from tierwise.hardware.probes.system import System, field
from tierwise.hardware.snapshot import Cpu

FEATURES = frozenset({
    "avx", "avx2", "fma", "f16c", "avx_vnni", "avx512f", "avx512_vnni", "avx512_bf16", "amx_tile", "amx_int8",
    "amx_bf16", "asimd", "asimddp", "i8mm", "bf16", "sve", "sve2",
})  # fmt: skip
_DISPLAYS = ("0x03", "0x12")  # classes of the bus: display controllers, processing accelerators
_NAMES = ("/usr/share/misc/pci.ids", "/usr/share/hwdata/pci.ids")


class Card(msgspec.Struct, frozen=True, kw_only=True):
    """A part on the bus that shows pictures or computes. Numbers of maker and part as the system writes them."""

    address: str
    vendor: str
    device: str
    driver: str | None = None

    @property
    def folder(self) -> str:
        """Where the system tells more of it."""
        return f"/sys/bus/pci/devices/{self.address}"


def memory(system: System) -> tuple[int | None, int | None, str]:
    """Return total and available bytes and what bounds them, from /proc and control groups (v1 and v2)."""
    meminfo = system.read("/proc/meminfo")
    total = field(meminfo, r"^MemTotal:\s+(\d+) kB", 1024)
    available = field(meminfo, r"^MemAvailable:\s+(\d+) kB", 1024)
    bound = "machine"
    for limit, used in _groups(system):
        if total is None or limit < total:
            total, bound = limit, "container"
        left = max(0, limit - used)
        if available is None or left < available:
            available, bound = left, "container"
    return total, available, bound


def _groups(system: System) -> list[tuple[int, int]]:
    """Limit and use of each control group that this process is in, innermost to outermost."""
    found = []
    for line in system.read("/proc/self/cgroup").splitlines():
        number, _, rest = line.partition(":")
        controllers, _, path = rest.partition(":")
        if number == "0" and not controllers:
            base, names, stat = "/sys/fs/cgroup", ("memory.max", "memory.current"), r"^inactive_file (\d+)"
        elif "memory" in controllers.split(","):
            base = "/sys/fs/cgroup/memory"
            names, stat = ("memory.limit_in_bytes", "memory.usage_in_bytes"), r"^total_inactive_file (\d+)"
        else:
            continue
        for group in _outwards(base, path):
            limit, used = (field(system.read(f"{group}/{name}"), r"^(\d+)$") for name in names)
            if limit is not None and used is not None:
                cache = field(system.read(f"{group}/memory.stat"), stat) or 0
                found.append((limit, max(0, used - cache)))
    return found


def _outwards(base: str, path: str) -> list[str]:
    """Return a group's folder and those around it; a path that leads out of the root names none of ours."""
    parts = [part for part in path.split("/") if part and part != ".."]
    return ["/".join((base, *parts[:count])) for count in range(len(parts), -1, -1)]


def cores(system: System) -> int:
    """Return how many cores may be used: those of the process, under the quotas of its control groups."""
    found = system.cores
    quotas = [re.match(r"(\d{1,18}) (\d{1,18})\b", system.read(f"{group}/cpu.max")) for group in _own_groups(system)]
    old = field(system.read("/sys/fs/cgroup/cpu/cpu.cfs_quota_us"), r"^(\d+)$")
    period = field(system.read("/sys/fs/cgroup/cpu/cpu.cfs_period_us"), r"^(\d+)$")
    shares = [int(one[1]) / int(one[2]) for one in quotas if one and int(one[2])]
    shares += [old / period] if old and period else []
    return min([found, *(max(1, math.ceil(share)) for share in shares)])


def _own_groups(system: System) -> list[str]:
    match = re.search(r"^0::(.*)$", system.read("/proc/self/cgroup"), re.MULTILINE)
    return _outwards("/sys/fs/cgroup", match[1] if match else "")


def cpu(system: System) -> Cpu:
    """Return the processor, from /proc/cpuinfo."""
    text = system.read("/proc/cpuinfo")
    entries = [dict(_pairs(block)) for block in text.split("\n\n") if block.strip()]
    seen = {(entry.get("physical id"), entry["core id"]) for entry in entries if "core id" in entry}
    words = next((entry[key] for entry in entries for key in ("flags", "Features") if key in entry), "")
    names = [entry[key] for key in ("model name", "Model", "cpu model") for entry in entries if entry.get(key)]
    return Cpu(
        name=names[0] if names else system.read("/proc/device-tree/model").strip("\0\n ") or None,
        physical_cores=len(seen) or sum("processor" in entry for entry in entries) or None,
        fast_cores=_fast(system),
        features=tuple(sorted(FEATURES & set(words.split()))),
    )


def _pairs(block: str) -> list[tuple[str, str]]:
    lines = (line.partition(":") for line in block.splitlines())
    return [(key.strip(), value.strip()) for key, colon, value in lines if colon]


def _fast(system: System) -> int | None:
    """Count the processors of the larger kind where there are two kinds."""
    if ranges := system.read("/sys/devices/cpu_core/cpus").strip():
        return sum(
            int(last or first) - int(first) + 1 for first, last in re.findall(r"(\d{1,6})(?:-(\d{1,6}))?", ranges)
        )
    base = "/sys/devices/system/cpu"
    folders = [name for name in system.names(base) if re.fullmatch(r"cpu\d+", name)]
    sizes = [field(system.read(f"{base}/{name}/cpu_capacity"), r"^(\d+)$") for name in folders]
    known = [size for size in sizes if size is not None]
    return known.count(max(known)) if len(set(known)) > 1 else None


def is_wsl(system: System) -> bool:
    """Say whether this Linux runs inside of Windows."""
    return "microsoft" in system.read("/proc/sys/kernel/osrelease").lower()


def cards(system: System) -> tuple[Card, ...]:
    """Return the parts on the bus, whether or not a driver has taken them."""
    found = []
    for address in system.names("/sys/bus/pci/devices"):
        folder = f"/sys/bus/pci/devices/{address}"
        if system.read(f"{folder}/class").startswith(_DISPLAYS):
            driver = re.search(r"^DRIVER=(\S+)", system.read(f"{folder}/uevent"), re.MULTILINE)
            vendor, device = (system.read(f"{folder}/{name}").strip() for name in ("vendor", "device"))
            found.append(Card(address=address, vendor=vendor, device=device, driver=driver[1] if driver else None))
    return tuple(found)


def listed_name(system: System, card: Card) -> str | None:
    """Return the name that the system's own list of parts has for a card."""
    vendor, device = card.vendor.removeprefix("0x"), card.device.removeprefix("0x")
    for file in _NAMES:
        section = re.search(rf"^{vendor} .*\n((?:[\t#].*\n|\n)*)", system.read(file), re.MULTILINE)
        name = re.search(rf"^\t{device}  (.+)$", section[1], re.MULTILINE) if section else None
        if name:
            return name[1].strip()
    return None
