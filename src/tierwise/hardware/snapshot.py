"""What has this machine? A `Machine` as it was at one moment. Values only; `detect` takes them.

Invariant: unknown is None, never 0; memory that processor and device share is counted once (`Device.unified`).
"""

from typing import Literal

import msgspec

DeviceKind = Literal["cuda", "rocm", "xpu", "metal", "vulkan"]
"""By which interface an engine reaches a device. `vulkan`: a part whose own interface is not there or not known."""


class Cpu(msgspec.Struct, frozen=True, kw_only=True):
    """The processor. `physical_cores` without the doubling of threads; `fast_cores` where cores are of two sizes.

    `features` are the instruction sets that matter to an engine, in the words of Linux: avx2, avx512_bf16, neon, …
    """

    name: str | None = None
    physical_cores: int | None = None
    fast_cores: int | None = None
    features: tuple[str, ...] = ()


class Device(msgspec.Struct, frozen=True, kw_only=True):
    """A part that computes beside the processor.

    `unified`: its memory is the machine's, so that the two are never added; total and free are then the most that it
    may take of it. `bandwidth_gb_s` and `tflops` (half precision) are the maker's figures from a row, None where there
    is none. `slice_of` names the whole part where this is only a slice of it, whose memory is the slice's.
    """

    kind: DeviceKind
    name: str
    memory_total_bytes: int | None = None
    memory_free_bytes: int | None = None
    unified: bool = False
    bandwidth_gb_s: float | None = None
    tflops: float | None = None
    driver: str | None = None
    slice_of: str | None = None


class Machine(msgspec.Struct, frozen=True, kw_only=True):
    """What a process may use here. `memory_limit` says what bounds the memory: the machine or a container.

    `memory_bandwidth_gb_s` was measured, or is None. `notes` say what was seen and could not be asked, with the mend.
    """

    system: str
    cores: int
    cpu: Cpu = Cpu()
    memory_total_bytes: int | None = None
    memory_available_bytes: int | None = None
    memory_limit: str = "machine"
    memory_bandwidth_gb_s: float | None = None
    disk_free_bytes: int | None = None
    devices: tuple[Device, ...] = ()
    wsl: bool = False
    notes: tuple[str, ...] = ()
