"""Machines as data: what their files hold and what their tools print.

None was recorded on a machine of ours. Each is composed from what the makers document (nvidia-smi's queries and log,
amdgpu's files in sysfs, `amd-smi` and `rocm-smi` JSON, `xpu-smi discovery -j`, `sysctl`, `system_profiler -json`) and
from outputs that people posted with bug reports; sizes are those of the parts that are named.
"""

import json

GIB, MIB = 1 << 30, 1 << 20
NVIDIA_SMI = (
    "nvidia-smi --query-gpu=name,memory.total,memory.free,driver_version,mig.mode.current --format=csv,noheader,nounits"
)
FAILED = (
    "NVIDIA-SMI has failed because it couldn't communicate with the NVIDIA driver. Make sure that the latest NVIDIA "
    "driver is installed and running.\n\n"
)


class Recorded:
    """A machine that answers from what was written down."""

    def __init__(self, kind="Linux", cores=16, files=None, tools=None):
        self.kind, self.cores = kind, cores
        self.files, self.tools = files or {}, tools or {}

    def read(self, path):
        return self.files.get(path, "")

    def names(self, folder):
        start = folder.rstrip("/") + "/"
        return tuple(sorted({path[len(start) :].split("/")[0] for path in self.files if path.startswith(start)}))

    def run(self, *command):
        return self.tools.get(" ".join(command))


def linux(total=64, free=48, cores=16, files=None, tools=None, cpu=None):
    """A Linux with so many GiB of memory."""
    meminfo = f"MemTotal:       {total * MIB} kB\nMemFree:  {MIB} kB\nMemAvailable:   {free * MIB} kB\nBuffers: 1 kB\n"
    own = {"/proc/meminfo": meminfo, "/proc/cpuinfo": EPYC if cpu is None else cpu}
    return Recorded("Linux", cores, own | {"/proc/sys/kernel/osrelease": "6.8.0-64-generic\n"} | (files or {}), tools)


def cores(name, flags, count, threads=1, sockets=1):
    """What /proc/cpuinfo says of `count` cores in each of `sockets`."""
    blocks = [
        f"processor\t: {number}\nmodel name\t: {name}\nphysical id\t: {socket}\ncore id\t\t: {core}\nflags\t\t: {flags}\n"
        for number, (socket, core, _) in enumerate(
            (s, c, t) for s in range(sockets) for c in range(count) for t in range(threads)
        )
    ]
    return "\n".join(blocks)


EPYC = cores("AMD EPYC 9354P 32-Core Processor", "fpu sse4_2 avx avx2 fma f16c avx512f avx512_vnni avx512_bf16", 32, 2)
XEON = cores(
    "Intel(R) Xeon(R) Platinum 8480+", "fpu avx avx2 fma f16c avx512f avx512_vnni amx_tile amx_int8 amx_bf16", 56, 2, 2
)
OLD = cores("Intel(R) Core(TM) i5-2400 CPU @ 3.10GHz", "fpu sse4_2 avx", 4)
CORE = cores("Intel(R) Core(TM) Ultra 7 155H", "fpu avx avx2 fma f16c avx_vnni", 16)
RYZEN = cores("AMD RYZEN AI MAX+ 395 w/ Radeon 8060S", "fpu avx avx2 fma f16c avx512f avx512_vnni avx512_bf16", 16, 2)
PI = (
    "".join(
        f"processor\t: {n}\nBogoMIPS\t: 108.00\nFeatures\t: fp asimd evtstrm aes crc32 atomics fphp asimdhp asimddp\n"
        "CPU implementer\t: 0x41\nCPU part\t: 0xd0b\n\n"
        for n in range(4)
    )
    + "Revision\t: c04170\nModel\t\t: Raspberry Pi 5 Model B Rev 1.0\n"
)
GRACE = "".join(f"processor\t: {n}\nFeatures\t: fp asimd asimddp sve sve2 i8mm bf16\n\n" for n in range(20))


def card(address, vendor, device, driver="", kind="0x030000", **files):
    """A part on the bus, as sysfs shows it."""
    folder = f"/sys/bus/pci/devices/{address}"
    lines = (f"DRIVER={driver}\n" if driver else "") + f"PCI_CLASS={kind[2:]}\nPCI_SLOT_NAME={address}\n"
    own = {"class": f"{kind}\n", "vendor": f"{vendor}\n", "device": f"{device}\n", "uevent": lines}
    return {f"{folder}/{name}": text for name, text in (own | files).items()}


def radeon(address, device, vram, used=0, gtt=0, gtt_used=0, **files):
    """A part whose driver is amdgpu; sizes in MiB."""
    sizes = {"vram_total": vram, "vram_used": used, "gtt_total": gtt, "gtt_used": gtt_used}
    info = {f"mem_info_{name}": f"{size * MIB}\n" for name, size in sizes.items()}
    return card(address, "0x1002", device, "amdgpu", **(info | files))


DOORS = {"/dev/kfd": "", "/dev/dri/card0": "", "/dev/dri/renderD128": ""}
VULKAN = {"/dev/dri/card0": "", "/dev/dri/renderD128": ""}
BRIDGE = card("0000:00:00.0", "0x8086", "0x4621", kind="0x060000")
BMC = card("0000:c3:00.0", "0x1a03", "0x2000", "ast")


def smi(*rows):
    return {NVIDIA_SMI: "".join(f"{row}\n" for row in rows)}


def nvidia(address="0000:01:00.0", device="0x2684"):
    return card(address, "0x10de", device, "nvidia")


LISTED = """GPU 0: NVIDIA A100-SXM4-40GB (UUID: GPU-5d5ba0d6-d33d-2b2c-524d-9e3d8d2b8a77)
  MIG 3g.20gb     Device  0: (UUID: MIG-c7384736-a75d-5afc-978f-d2f1294409fd)
  MIG 1g.5gb      Device  1: (UUID: MIG-a28ad590-3fda-56dd-84fc-0a0b96edc58d)
"""
TOLD = """
==============NVSMI LOG==============

Driver Version                            : 535.104.05
CUDA Version                              : 12.2

Attached GPUs                             : 1
GPU 00000000:36:00.0
    Product Name                          : NVIDIA A100-SXM4-40GB
    MIG Mode
        Current                           : Enabled
        Pending                           : Enabled
    MIG Device
        Index                             : 0
        GPU Instance ID                   : 1
        Compute Instance ID               : 0
        Device Attributes
            Shared
                Multiprocessor count      : 42
        ECC Errors
            Volatile
                SRAM Uncorrectable        : 0
        FB Memory Usage
            Total                         : 19968 MiB
            Reserved                      : 0 MiB
            Used                          : 19 MiB
            Free                          : 19949 MiB
        BAR1 Memory Usage
            Total                         : 32767 MiB
            Free                          : 32767 MiB
    MIG Device
        Index                             : 1
        GPU Instance ID                   : 9
        FB Memory Usage
            Total                         : 4864 MiB
            Reserved                      : 0 MiB
            Used                          : 1024 MiB
            Free                          : 3840 MiB
        BAR1 Memory Usage
            Total                         : 8191 MiB
            Free                          : 8191 MiB
    FB Memory Usage
        Total                             : 40960 MiB
        Free                              : 39000 MiB
"""


def amd_smi(*parts, wrapped=False):
    rows = [{"gpu": n, "asic": {"market_name": name}, "bus": {"bdf": bdf}} for n, (bdf, name) in enumerate(parts)]
    return {"amd-smi static --asic --bus --json": json.dumps({"gpu_data": rows} if wrapped else rows)}


def rocm_smi(*parts):
    rows = {f"card{n}": {"PCI Bus": bdf, "Card Series": name} for n, (bdf, name) in enumerate(parts)}
    return {
        "rocm-smi --showproductname --showbus --json": "WARNING: AMD GPU device(s) is/are in a low-power state.\n"
        + json.dumps(rows)
    }


PCI_IDS = """# List of PCI ID's
1002  Advanced Micro Devices, Inc. [AMD/ATI]
\t150e  Strix [Radeon 880M / 890M]
\t744c  Navi 31 [Radeon RX 7900 XT/7900 XTX/7900 GRE/7900M]
\t\t1002 0e3b  RX 7900 GRE [XFX]
8086  Intel Corporation
\t7d55  Meteor Lake-P [Intel Arc Graphics]
\t56a0  DG2 [Arc A770]
10de  NVIDIA Corporation
\t150e  not this one
"""


def xpu_smi(*parts, whole=True):
    """`parts`: address, name, bytes in all, bytes free."""
    rows = []
    for number, (address, name, total, free) in enumerate(parts):
        row = {"device_id": number, "device_name": name, "device_type": "GPU", "pci_bdf_address": address}
        sizes = {"memory_physical_size_byte": str(total), "memory_free_size_byte": str(free)}
        rows.append((row, row | sizes))
    short = {"device_list": [long if whole else row for row, long in rows]}
    tools = {"xpu-smi discovery -j": json.dumps(short, indent=4)}
    return tools | {f"xpu-smi discovery -d {n} -j": json.dumps(long) for n, (_, long) in enumerate(rows)}


SYSCTL = (
    "/usr/sbin/sysctl hw.memsize hw.physicalcpu hw.perflevel0.physicalcpu machdep.cpu.brand_string machdep.cpu.features "
    "machdep.cpu.leaf7_features iogpu.wired_limit_mb hw.optional.AdvSIMD hw.optional.arm.FEAT_DotProd "
    "hw.optional.arm.FEAT_I8MM hw.optional.arm.FEAT_BF16"
)
PROFILER = "/usr/sbin/system_profiler -json SPDisplaysDataType"


def mac(chip, total, fast, every, gpu_cores=None, limit_mb=0, free=None):
    """A Mac with Apple's chip; sizes in GiB."""
    told = [
        f"hw.memsize: {total * GIB}", f"hw.physicalcpu: {every}", f"hw.perflevel0.physicalcpu: {fast}",
        f"machdep.cpu.brand_string: {chip}", f"iogpu.wired_limit_mb: {limit_mb}", "hw.optional.AdvSIMD: 1",
        "hw.optional.arm.FEAT_DotProd: 1", f"hw.optional.arm.FEAT_I8MM: {int('M1' not in chip)}",
    ]  # fmt: skip
    pages = (free if free is not None else total // 2) * GIB // 16384
    stat = f"Mach Virtual Memory Statistics: (page size of 16384 bytes)\nPages free: {pages}.\nPages active: 5.\n"
    tools = {SYSCTL: "\n".join(told) + "\n", "/usr/bin/vm_stat": stat}
    if gpu_cores:
        row = {"_name": chip, "sppci_model": chip, "sppci_cores": str(gpu_cores), "sppci_bus": "spdisplays_builtin"}
        tools[PROFILER] = json.dumps({"SPDisplaysDataType": [row]}, indent=2)
    return Recorded("Darwin", every, {}, tools)


def intel_mac():
    told = (
        f"hw.memsize: {32 * GIB}\nhw.physicalcpu: 8\nmachdep.cpu.brand_string: Intel(R) Core(TM) i9-9880H CPU @ 2.30GHz\n"
        "machdep.cpu.features: FPU SSE4.2 FMA AVX1.0 F16C\nmachdep.cpu.leaf7_features: BMI1 AVX2 SMEP\n"
    )
    rows = [
        {
            "_name": "kHW_IntelUHDGraphics630Item",
            "sppci_model": "Intel UHD Graphics 630",
            "spdisplays_vram_shared": "1536 MB",
        },
        {"_name": "kHW_AMDRadeonPro5500MItem", "sppci_model": "AMD Radeon Pro 5500M", "spdisplays_vram": "8 GB"},
    ]
    stat = f"Mach Virtual Memory Statistics: (page size of 4096 bytes)\nPages free: {16 * GIB // 4096}.\n"
    return Recorded(
        "Darwin", 16, {}, {SYSCTL: told, "/usr/bin/vm_stat": stat, PROFILER: json.dumps({"SPDisplaysDataType": rows})}
    )


def windows(question, parts=(), tools=None, **said):
    told = {
        "total": 33_356_052,
        "free": 20_000_000,
        "name": "AMD Ryzen 7 7800X3D 8-Core Processor  ",
        "cores": 8,
    } | said
    return Recorded("Windows", 16, {}, {" ".join(question): json.dumps(told | {"parts": list(parts)})} | (tools or {}))


def group(path, limit, current, inactive=0, version=2):
    """The files of one control group."""
    if version == 2:
        base, names, stat = "/sys/fs/cgroup", ("memory.max", "memory.current"), "inactive_file"
    else:
        base, stat = "/sys/fs/cgroup/memory", "total_inactive_file"
        names = ("memory.limit_in_bytes", "memory.usage_in_bytes")
    folder = "/".join(part for part in (base, path) if part)
    values = {
        names[0]: f"{limit}\n",
        names[1]: f"{current}\n",
        "memory.stat": f"anon 5\n{stat} {inactive}\nactive_file 7\n",
    }
    return {f"{folder}/{name}": text for name, text in values.items()}
