"""What has this machine, and what is in this file? The probes: the only module of `hardware` that touches the system.

It decides nothing. Invariant: what a container may use is never reported larger than its limits; nothing is changed.
"""

import hashlib
import math
import os
import platform
import re
import shutil
import subprocess
from pathlib import Path

from tierwise.hardware.gguf import Header, Unreadable, read_header
from tierwise.hardware.snapshot import Machine
from tierwise.linear import header as linear
from tierwise.linear.header import Layout

_MAX_PROC_BYTES = 64 * 1024
_DIGEST_CHUNK_BYTES = 1024 * 1024


def machine(folder: Path | None = None, root: Path = Path("/")) -> Machine:
    """Look at this machine; `folder` is where free disk space is asked. `root` is for tests."""
    system = platform.system()
    total, available, limit = _darwin_memory() if system == "Darwin" else linux_memory(root)
    return Machine(
        system=system,
        cores=_cores(root),
        memory_total_bytes=total,
        memory_available_bytes=available,
        memory_limit=limit,
        disk_free_bytes=None if folder is None else _disk_free(folder),
    )


def read_gguf(name: str | Path) -> Header:
    """Read the header of a model file. Raises OSError and Unreadable."""
    file = Path(name)
    if not file.is_file():  # a pipe or a device would block, a folder cannot be read
        raise Unreadable("it is not a file" if file.exists() else "there is no such file")
    with file.open("rb") as source:
        return read_header(source, os.fstat(source.fileno()).st_size)


def read_linear(name: str | Path) -> Layout:
    """Read the header of a linear model's file. Raises OSError and `linear.header.Unreadable`."""
    file = Path(name)
    if not file.is_file():
        raise linear.Unreadable("it is not a file" if file.exists() else "there is no such file")
    with file.open("rb") as source:
        return linear.read_header(source.read(linear.MAX_HEAD_BYTES), os.fstat(source.fileno()).st_size)


def digest(file: Path) -> str:
    """Return the SHA-256 of a file, as hexadecimal text."""
    with file.open("rb") as source:
        state = hashlib.sha256()
        while chunk := source.read(_DIGEST_CHUNK_BYTES):
            state.update(chunk)
    return state.hexdigest()


def linux_memory(root: Path) -> tuple[int | None, int | None, str]:
    """Return total and available bytes and what bounds them, from /proc and control groups (v1 and v2)."""
    meminfo = _text(root / "proc/meminfo")
    total = _field(meminfo, r"^MemTotal:\s+(\d+) kB", 1024)
    available = _field(meminfo, r"^MemAvailable:\s+(\d+) kB", 1024)
    bound = "machine"
    for limit, used in _groups(root):
        if total is None or limit < total:
            total, bound = limit, "container"
        left = max(0, limit - used)
        if available is None or left < available:
            available, bound = left, "container"
    return total, available, bound


def _groups(root: Path) -> list[tuple[int, int]]:
    """Limit and use of each control group that this process is in, innermost to outermost."""
    found = []
    for line in _text(root / "proc/self/cgroup").splitlines():
        number, _, rest = line.partition(":")
        controllers, _, path = rest.partition(":")
        if number == "0" and not controllers:
            base, names, stat = root / "sys/fs/cgroup", ("memory.max", "memory.current"), r"^inactive_file (\d+)"
        elif "memory" in controllers.split(","):
            base = root / "sys/fs/cgroup/memory"
            names, stat = ("memory.limit_in_bytes", "memory.usage_in_bytes"), r"^total_inactive_file (\d+)"
        else:
            continue
        folder = base / path.strip("/")
        for group in (folder, *folder.parents):
            if not group.is_relative_to(base):
                break
            limit, used = (_field(_text(group / name), r"^(\d+)$") for name in names)
            if limit is not None and used is not None:
                found.append((limit, used - (_field(_text(group / "memory.stat"), stat) or 0)))
    return found


def _cores(root: Path) -> int:
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    match = re.match(r"(\d+) (\d+)", _text(root / "sys/fs/cgroup/cpu.max"))
    if match and int(match[2]):
        cores = min(cores, max(1, math.ceil(int(match[1]) / int(match[2]))))
    return cores


def _disk_free(folder: Path) -> int | None:
    for place in (folder, *folder.parents):
        if place.is_dir():
            return shutil.disk_usage(place).free
    return None


def _darwin_memory() -> tuple[int | None, int | None, str]:
    total = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    try:
        shown = subprocess.run(["/usr/bin/vm_stat"], capture_output=True, text=True, timeout=5, check=False).stdout
    except (OSError, subprocess.TimeoutExpired):
        return total, None, "machine"
    return total, vm_stat_available(shown), "machine"


def vm_stat_available(text: str) -> int | None:
    """Read the memory that macOS could give at once: free, inactive, speculative and purgeable pages."""
    page = _field(text, r"page size of (\d+) bytes")
    kinds = ("free", "inactive", "speculative", "purgeable")
    pages = [_field(text, rf"^Pages {kind}:\s+(\d+)\.") for kind in kinds]
    if page is None or pages[0] is None:
        return None
    return page * sum(count or 0 for count in pages)


def _text(file: Path) -> str:
    try:
        with file.open("rb") as source:
            return source.read(_MAX_PROC_BYTES).decode("utf-8", "replace")
    except OSError:
        return ""


def _field(text: str, pattern: str, unit: int = 1) -> int | None:
    match = re.search(pattern, text, re.MULTILINE)
    return int(match[1]) * unit if match else None
