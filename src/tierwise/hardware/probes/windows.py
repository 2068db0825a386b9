"""What has a Windows machine? From one question to PowerShell. NVIDIA's parts come from their own tool.

What Windows says of a card's memory ends at 4 GiB, so that it is not asked.
"""

from tierwise.hardware.probes.system import System, at, parsed, whole, word
from tierwise.hardware.snapshot import Cpu

_SCRIPT = (
    "$o=Get-CimInstance Win32_OperatingSystem;$p=@(Get-CimInstance Win32_Processor);"
    "$v=@(Get-CimInstance Win32_VideoController|ForEach-Object Name);"
    "@{total=$o.TotalVisibleMemorySize;free=$o.FreePhysicalMemory;name=$p[0].Name;"
    "cores=($p|Measure-Object NumberOfCores -Sum).Sum;parts=$v}|ConvertTo-Json -Compress"
)
QUESTION = ("powershell.exe", "-NoProfile", "-NonInteractive", "-Command", _SCRIPT)


def told(system: System) -> object:
    """Return what PowerShell says, parsed; None where it says nothing."""
    return parsed(system.run(*QUESTION))


def memory(said: object) -> tuple[int | None, int | None, str]:
    """Return total and available bytes; Windows counts in KiB."""
    total, free = (whole(at(said, key)) for key in ("total", "free"))
    return total and total * 1024, None if free is None else free * 1024, "machine"


def cpu(said: object) -> Cpu:
    """Return the processor."""
    return Cpu(name=word(at(said, "name")), physical_cores=whole(at(said, "cores")))


def notes(said: object) -> tuple[str, ...]:
    """Name the parts that are there and not asked, for want of a tool that tells their memory."""
    parts = at(said, "parts")
    names = [name for one in parts if (name := word(one))] if isinstance(parts, list) else []
    unasked = [name for name in names if "NVIDIA" not in name.upper() and "BASIC" not in name.upper()]
    return tuple(f"{name} is not counted: on Windows its memory cannot be asked" for name in unasked)
