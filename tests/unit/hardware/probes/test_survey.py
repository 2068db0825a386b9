"""What is seen of forty-odd machines: each a set of files and outputs, with what should be known of it."""

import pytest

from tests.unit.hardware.probes.recorded import (
    BMC,
    BRIDGE,
    CORE,
    DOORS,
    FAILED,
    GIB,
    GRACE,
    LISTED,
    MIB,
    NVIDIA_SMI,
    OLD,
    PCI_IDS,
    PI,
    RYZEN,
    TOLD,
    VULKAN,
    XEON,
    Recorded,
    amd_smi,
    card,
    group,
    intel_mac,
    linux,
    mac,
    nvidia,
    radeon,
    rocm_smi,
    smi,
    windows,
    xpu_smi,
)  # fmt: skip
from tierwise.hardware.probes.survey import plain, whole
from tierwise.hardware.probes.windows import QUESTION
from tierwise.hardware.snapshot import Device

UNKNOWN = None


def cuda(name, total, free, **more):
    """A card of so many MiB."""
    total, free = (None if size is None else size * MIB for size in (total, free))
    return Device(kind="cuda", name=name, memory_total_bytes=total, memory_free_bytes=free, **more)


def rocm(name, total, free, **more):
    return Device(**{"kind": "rocm", "driver": "amdgpu"} | more, name=name, memory_total_bytes=total * MIB, memory_free_bytes=free * MIB)  # fmt: skip


def metal(name, total, free):
    return Device(kind="metal", name=name, memory_total_bytes=total, memory_free_bytes=free, unified=True)


WSL = {"/proc/sys/kernel/osrelease": "5.15.167.4-microsoft-standard-WSL2\n"}
# name: the machine, its devices, words of its notes
DEVICES = {
    "a server without any card": (linux(files=BRIDGE | BMC), [], []),
    "one NVIDIA card": (
        linux(files=BRIDGE | nvidia(), tools=smi("NVIDIA GeForce RTX 4090, 24564, 23028, 550.54.14, [N/A]")),
        [cuda("NVIDIA GeForce RTX 4090", 24564, 23028, driver="550.54.14")],
        [],
    ),
    "a card with the display on it": (
        linux(files=nvidia(), tools=smi("NVIDIA GeForce RTX 3060, 12288, 10211, 535.183.01, [N/A]")),
        [cuda("NVIDIA GeForce RTX 3060", 12288, 10211, driver="535.183.01")],
        [],
    ),
    "two cards of two sizes": (
        linux(
            files=nvidia() | nvidia("0000:02:00.0", "0x2484"),
            tools=smi(
                "NVIDIA GeForce RTX 3090, 24576, 24236, 535.183.01, [N/A]", "NVIDIA GeForce RTX 3070, 8192, 7950, 535.183.01, [N/A]"
            ),
        ),
        [
            cuda("NVIDIA GeForce RTX 3090", 24576, 24236, driver="535.183.01"),
            cuda("NVIDIA GeForce RTX 3070", 8192, 7950, driver="535.183.01"),
        ],
        [],
    ),
    "eight cards of a data centre": (
        linux(2048, 1900, 224, tools=smi(*["NVIDIA H100 80GB HBM3, 81559, 81004, 535.129.03, Disabled"] * 8)),
        [cuda("NVIDIA H100 80GB HBM3", 81559, 81004, driver="535.129.03")] * 8,
        [],
    ),
    "one of the largest cards": (
        linux(128, 120, tools=smi("NVIDIA H200, 143771, 143156, 570.86.15, Disabled")),
        [cuda("NVIDIA H200", 143771, 143156, driver="570.86.15")],
        [],
    ),
    "a card cut into slices": (
        linux(tools=smi("NVIDIA A100-SXM4-40GB, 40960, 39000, 535.104.05, Enabled") | {"nvidia-smi -L": LISTED, "nvidia-smi -q": TOLD}),
        [
            cuda("NVIDIA A100-SXM4-40GB MIG 3g.20gb", 19968, 19949, slice_of="NVIDIA A100-SXM4-40GB", driver="535.104.05"),
            cuda("NVIDIA A100-SXM4-40GB MIG 1g.5gb", 4864, 3840, slice_of="NVIDIA A100-SXM4-40GB", driver="535.104.05"),
        ],
        [],
    ),
    "slices of which the tool tells no memory": (
        linux(tools=smi("NVIDIA A100-SXM4-40GB, 40960, 39000, 535.104.05, Enabled") | {"nvidia-smi -L": LISTED}),
        [
            cuda("NVIDIA A100-SXM4-40GB MIG 3g.20gb", None, None, slice_of="NVIDIA A100-SXM4-40GB", driver="535.104.05"),
            cuda("NVIDIA A100-SXM4-40GB MIG 1g.5gb", None, None, slice_of="NVIDIA A100-SXM4-40GB", driver="535.104.05"),
        ],
        [],
    ),
    "a card in MIG mode without a slice": (
        linux(tools=smi("NVIDIA H100 PCIe, 81559, 81000, 535.104.05, Enabled")), [], ["no slice"],
    ),
    "a whole card beside one that is cut": (
        linux(
            tools=smi("NVIDIA A100-SXM4-40GB, 40960, 39000, 535.104.05, Enabled", "NVIDIA L4, 23034, 22500, 535.104.05, [N/A]")
            | {"nvidia-smi -L": LISTED.replace("  MIG 1g.5gb      Device  1: (UUID: MIG-a28ad590-3fda-56dd-84fc-0a0b96edc58d)\n", ""), "nvidia-smi -q": TOLD}
        ),
        [
            cuda("NVIDIA L4", 23034, 22500, driver="535.104.05"),
            cuda("NVIDIA A100-SXM4-40GB MIG 3g.20gb", 19968, 19949, slice_of="NVIDIA A100-SXM4-40GB", driver="535.104.05"),
        ],
        [],
    ),
    "a part of a card, given to a virtual machine": (
        linux(32, 30, tools=smi("GRID A100-10C, 10240, 9300, 535.161.07, Disabled")),
        [cuda("GRID A100-10C", 10240, 9300, driver="535.161.07")],
        [],
    ),
    "an NVIDIA desktop whose memory is the machine's": (
        linux(120, 110, 20, cpu=GRACE, tools=smi("NVIDIA GB10, [N/A], [N/A], 580.126.09, [N/A]")),
        [cuda("NVIDIA GB10", 120 * 1024, 110 * 1024, unified=True, driver="580.126.09")],
        [],
    ),
    "a small board with such a part": (
        linux(62, 55, 12, tools=smi("Orin (nvgpu), [N/A], [N/A], 540.4.0, [N/A]")),
        [cuda("Orin (nvgpu)", 62 * 1024, 55 * 1024, unified=True, driver="540.4.0")],
        [],
    ),
    "a card whose memory nobody may see": (
        linux(tools=smi("NVIDIA A40, [Insufficient Permissions], [Insufficient Permissions], 535.1, [N/A]")),
        [cuda("NVIDIA A40", None, None, driver="535.1")],
        [],
    ),
    "a card that is lost": (
        linux(files=nvidia(), tools={NVIDIA_SMI: "Unable to determine the device handle for GPU 0000:01:00.0: Unknown Error\n"}),
        [], ["Unable to determine"],
    ),
    "a driver that does not answer": (linux(files=nvidia(), tools={NVIDIA_SMI: FAILED}), [], ["couldn't communicate"]),
    "no driver at all": (linux(files=card("0000:01:00.0", "0x10de", "0x2684")), [], ["install its driver"]),
    "a driver too old for the question": (
        linux(files=nvidia(), tools={NVIDIA_SMI: 'Field "mig.mode.current" is not a valid field to query.\n'}), [], ["not a valid field"],
    ),
    "Linux inside of Windows, the tool where Windows puts it": (
        linux(15, 13, files=WSL, tools={f"/usr/lib/wsl/lib/{NVIDIA_SMI}": "NVIDIA GeForce RTX 4070 Laptop GPU, 8188, 7059, 551.61, [N/A]\n"}),
        [cuda("NVIDIA GeForce RTX 4070 Laptop GPU", 8188, 7059, driver="551.61")],
        [],
    ),
    "Linux inside of Windows without a card": (linux(8, 7, files=WSL), [], []),
    "an AMD card, named by amd-smi": (
        linux(files=DOORS | radeon("0000:03:00.0", "0x744c", 24560, 560, 32000), tools=amd_smi(("0000:03:00.0", "AMD Radeon RX 7900 XTX"))),
        [rocm("AMD Radeon RX 7900 XTX", 24560, 24000)],
        [],
    ),
    "accelerators, in the form of later releases": (
        linux(
            1024, 900,
            files=DOORS | radeon("0000:05:00.0", "0x74a1", 196592, 283) | radeon("0000:26:00.0", "0x74a1", 196592, 100000),
            tools=amd_smi(("0000:05:00.0", "AMD Instinct MI300X"), ("0000:26:00.0", "AMD Instinct MI300X"), wrapped=True),
        ),
        [rocm("AMD Instinct MI300X", 196592, 196309), rocm("AMD Instinct MI300X", 196592, 96592)],
        [],
    ),
    "an AMD card, named by rocm-smi after a warning": (
        linux(files=DOORS | radeon("0000:2d:00.0", "0x73bf", 16368, 660), tools=rocm_smi(("0000:2D:00.0", "Navi 21 [Radeon RX 6800/6800 XT / 6900 XT]"))),
        [rocm("Radeon RX 6800/6800 XT / 6900 XT", 16368, 15708)],
        [],
    ),
    "an AMD card, named by the list of the bus": (
        linux(files=DOORS | radeon("0000:03:00.0", "0x744c", 20464, 26) | {"/usr/share/misc/pci.ids": PCI_IDS}),
        [rocm("Navi 31 [Radeon RX 7900 XT/7900 XTX/7900 GRE/7900M]", 20464, 20438)],
        [],
    ),
    "an AMD card that nothing names": (
        linux(files=DOORS | radeon("0000:03:00.0", "0x7550", 16304, 304)), [rocm("AMD part 0x7550", 16304, 16000)], [],
    ),
    "an AMD card with a name of its own": (
        linux(files=DOORS | radeon("0000:83:00.0", "0x740f", 65520, 20, product_name="Instinct MI210\n")), [rocm("Instinct MI210", 65520, 65500)], [],
    ),
    "an AMD card without the door for computing": (
        linux(files=VULKAN | radeon("0000:03:00.0", "0x73ff", 8176, 176)), [rocm("AMD part 0x73ff", 8176, 8000, kind="vulkan")], [],
    ),
    "a card beside the graphics of the processor": (
        linux(
            64, 60,
            files=DOORS | radeon("0000:03:00.0", "0x73bf", 16368, 660, 32000) | radeon("0000:0e:00.0", "0x164e", 64, 25, 32000, 14),
            tools=amd_smi(("0000:03:00.0", "AMD Radeon RX 6900 XT"), ("0000:0e:00.0", "AMD Radeon Graphics")),
        ),
        [rocm("AMD Radeon RX 6900 XT", 16368, 15708), rocm("AMD Radeon Graphics", 32000, 31986, unified=True)],
        [],
    ),
    "a processor with graphics and a small carve-out": (
        linux(60, 50, cpu=RYZEN, files=DOORS | radeon("0000:c4:00.0", "0x15bf", 4096, 300, 30720, 20)),
        [rocm("AMD part 0x15bf", 30720, 30700, unified=True)],
        [],
    ),
    "one with a carve-out that is larger than what it shares": (
        linux(31, 27, cpu=RYZEN, files=DOORS | radeon("0000:c4:00.0", "0x1586", 98304, 304, 15872, 20), tools=amd_smi(("0000:c4:00.0", "Radeon 8060S Graphics"))),
        [rocm("Radeon 8060S Graphics", 98304, 98000)],
        [],
    ),
    "one that shares more than the machine has free": (
        linux(124, 20, cpu=RYZEN, files=DOORS | radeon("0000:c4:00.0", "0x1586", 512, 300, 122880, 100), tools=amd_smi(("0000:c4:00.0", "Radeon 8060S Graphics"))),
        [rocm("Radeon 8060S Graphics", 122880, 20480, unified=True)],
        [],
    ),
    "an AMD card that the container was not given": (linux(files=radeon("0000:03:00.0", "0x744c", 24560)), [], ["/dev/kfd"]),
    "an AMD card without its driver": (linux(files=DOORS | card("0000:03:00.0", "0x1002", "0x744c", "vfio-pci")), [], ["load amdgpu"]),
    "two Intel cards, told whole": (
        linux(
            files=VULKAN | card("0000:18:00.0", "0x8086", "0xe211", "xe") | card("0000:3a:00.0", "0x8086", "0xe211", "xe"),
            tools=xpu_smi(
                ("0000:18:00.0", "Intel(R) Arc(TM) Pro B60 Graphics", 25669140480, 25447600128),
                ("0000:3a:00.0", "Intel(R) Arc(TM) Pro B60 Graphics", 25669140480, 1000),
            ),
        ),
        [
            Device(kind="xpu", name="Intel Arc Pro B60 Graphics", memory_total_bytes=25669140480, memory_free_bytes=25447600128, driver="xe"),
            Device(kind="xpu", name="Intel Arc Pro B60 Graphics", memory_total_bytes=25669140480, memory_free_bytes=1000, driver="xe"),
        ],
        [],
    ),
    "an Intel card whose memory takes a second question": (
        linux(
            files=VULKAN | card("0000:4d:00.0", "0x8086", "0x56c0", "i915", "0x038000"),
            tools=xpu_smi(("0000:4d:00.0", "Intel(R) Data Center GPU Flex 170", 14248 * MIB, 14200 * MIB), whole=False),
        ),
        [Device(kind="xpu", name="Intel Data Center GPU Flex 170", memory_total_bytes=14248 * MIB, memory_free_bytes=14200 * MIB, driver="i915")],
        [],
    ),
    "an Intel card without its tool": (
        linux(files=VULKAN | card("0000:03:00.0", "0x8086", "0x56a0", "i915") | {"/usr/share/hwdata/pci.ids": PCI_IDS}),
        [Device(kind="xpu", name="DG2 [Arc A770]", driver="i915")],
        ["install xpu-smi"],
    ),
    "graphics inside of an Intel processor": (
        linux(32, 20, cpu=CORE, files=VULKAN | card("0000:00:02.0", "0x8086", "0x7d55", "i915") | {"/usr/share/misc/pci.ids": PCI_IDS}),
        [Device(kind="xpu", name="Meteor Lake-P [Intel Arc Graphics]", memory_total_bytes=32 * GIB, memory_free_bytes=20 * GIB, unified=True, driver="i915")],
        [],
    ),
    "Intel graphics that the container was not given": (linux(files=card("0000:00:02.0", "0x8086", "0x7d55", "i915")), [], ["/dev/dri"]),
    "a Mac of 8 GiB": (mac("Apple M1", 8, 4, 8, 7), [metal("Apple M1 (7 cores)", 8 * GIB * 2 // 3, 4 * GIB)], []),
    "a Mac of 32 GiB, nearly all of it free": (mac("Apple M1 Max", 32, 8, 10, 32, free=30), [metal("Apple M1 Max (32 cores)", 32 * GIB * 2 // 3, 32 * GIB * 2 // 3)], []),
    "a Mac of 64 GiB": (mac("Apple M2 Max", 64, 8, 12, 38, free=60), [metal("Apple M2 Max (38 cores)", 48 * GIB, 48 * GIB)], []),
    "a Mac whose owner set the share": (mac("Apple M3 Ultra", 512, 24, 32, 80, 475_136, free=500), [metal("Apple M3 Ultra (80 cores)", 475_136 * MIB, 475_136 * MIB)], []),
    "a Mac without its profiler": (mac("Apple M4 Pro", 48, 10, 14), [metal("Apple M4 Pro", 36 * GIB, 24 * GIB)], []),
    "a Mac with parts of others": (
        intel_mac(),
        [Device(kind="metal", name="Intel UHD Graphics 630", unified=True), Device(kind="metal", name="AMD Radeon Pro 5500M", memory_total_bytes=8 * GIB)],
        [],
    ),
    "a Mac whose tools say nothing": (Recorded("Darwin", 8), [], []),
    "Windows with a card": (
        windows(QUESTION, ["NVIDIA GeForce RTX 4080", "AMD Radeon(TM) Graphics"], smi("NVIDIA GeForce RTX 4080, 16376, 15000, 560.94, [N/A]")),
        [cuda("NVIDIA GeForce RTX 4080", 16376, 15000, driver="560.94")],
        ["AMD Radeon(TM) Graphics is not counted"],
    ),
    "Windows whose PowerShell is locked": (Recorded("Windows", 8, {}, {}), [], []),
    "a system without /proc": (Recorded("FreeBSD", 4), [], []),
}  # fmt: skip


@pytest.mark.parametrize("name", DEVICES)
def test_its_devices(name):
    system, devices, words = DEVICES[name]
    found = whole(system)
    assert list(found.devices) == devices
    assert len(found.notes) == len(words)
    assert all(word in note for word, note in zip(words, found.notes, strict=True)), found.notes


LIMITED = {"/proc/self/cgroup": "0::/\n"}
# name: the machine, cores, memory in all, memory free, what bounds it
MEMORY = {
    "a plain machine": (linux(64, 48), 16, 64 * GIB, 48 * GIB, "machine"),
    "a group without a limit": (linux(files={"/proc/self/cgroup": "0::/user.slice\n"} | group("user.slice", "max", GIB)), 16, 64 * GIB, 48 * GIB, "machine"),
    "a container whose cache can be given back": (linux(files=LIMITED | group("", 2 * GIB, GIB * 3 // 2, GIB)), 16, 2 * GIB, GIB * 3 // 2, "container"),
    "a container inside of another": (
        linux(files={"/proc/self/cgroup": "0::/a/b/c\n"} | group("a", 4 * GIB, 4 * GIB) | group("a/b", 3 * GIB, GIB) | group("a/b/c", "max", GIB)),
        16, 3 * GIB, 0, "container",
    ),
    "a container under old control groups": (
        linux(files={"/proc/self/cgroup": "12:cpu,cpuacct:/x\n5:memory:/docker/1\n"} | group("docker/1", GIB, GIB // 2, GIB // 4, 1) | group("", 9223372036854771712, 1000, 0, 1)),
        16, GIB, GIB * 3 // 4, "container",
    ),
    "a path that leads out of the container": (linux(files={"/proc/self/cgroup": "0::/../../other\n"} | group("", GIB, 0)), 16, GIB, GIB, "container"),
    "a quota of one core and a half": (linux(files=LIMITED | {"/sys/fs/cgroup/cpu.max": "150000 100000\n"}), 2, 64 * GIB, 48 * GIB, "machine"),
    "a quota below one core": (linux(files=LIMITED | {"/sys/fs/cgroup/cpu.max": "5000 100000\n"}), 1, 64 * GIB, 48 * GIB, "machine"),
    "no quota": (linux(files=LIMITED | {"/sys/fs/cgroup/cpu.max": "max 100000\n"}), 16, 64 * GIB, 48 * GIB, "machine"),
    "an old quota": (linux(files={"/sys/fs/cgroup/cpu/cpu.cfs_quota_us": "200000\n", "/sys/fs/cgroup/cpu/cpu.cfs_period_us": "100000\n"}), 2, 64 * GIB, 48 * GIB, "machine"),
    "no /proc": (Recorded(), 16, UNKNOWN, UNKNOWN, "machine"),
    "a /proc that says nonsense": (Recorded(files={"/proc/meminfo": "MemTotal: lots\n"}), 16, UNKNOWN, UNKNOWN, "machine"),
    "a Mac": (mac("Apple M2", 16, 4, 8, 10), 8, 16 * GIB, 8 * GIB, "machine"),
    "Windows": (windows(QUESTION), 16, 33_356_052 * 1024, 20_000_000 * 1024, "machine"),
    "a system of another kind": (Recorded("FreeBSD", 4), 4, UNKNOWN, UNKNOWN, "machine"),
}  # fmt: skip


@pytest.mark.parametrize("name", MEMORY)
def test_its_memory_and_cores(name):
    system, cores, total, free, bound = MEMORY[name]
    for found in (plain(system), whole(system)):
        known = (found.cores, found.memory_total_bytes, found.memory_available_bytes, found.memory_limit)
        assert known == (cores, total, free, bound)


HYBRID = {"/sys/devices/cpu_core/cpus": "0-11\n", "/sys/devices/cpu_atom/cpus": "12-21\n"}
ARM = {f"/sys/devices/system/cpu/cpu{n}/cpu_capacity": "1024\n" if n < 10 else "718\n" for n in range(20)}
EVEN = {f"/sys/devices/system/cpu/cpu{n}/cpu_capacity": "1024\n" for n in range(4)}
# name: the machine, the processor's name, its cores, those of the faster kind, some of its features
CPUS = {
    "two threads a core": (linux(), "AMD EPYC 9354P 32-Core Processor", 32, None, {"avx2", "avx512_bf16"}),
    "two sockets": (linux(cpu=XEON), "Intel(R) Xeon(R) Platinum 8480+", 112, None, {"amx_int8", "avx512_vnni"}),
    "an old one": (linux(cpu=OLD), "Intel(R) Core(TM) i5-2400 CPU @ 3.10GHz", 4, None, {"avx"}),
    "cores of two sizes": (linux(cpu=CORE, files=HYBRID), "Intel(R) Core(TM) Ultra 7 155H", 16, 12, {"avx_vnni", "avx2"}),
    "a small board": (linux(cpu=PI, files=EVEN), "Raspberry Pi 5 Model B Rev 1.0", 4, None, {"asimd", "asimddp"}),
    "ARM cores of two sizes": (linux(cpu=GRACE, files=ARM), None, 20, 10, {"sve2", "i8mm", "bf16"}),
    "ARM with a name in the tree of devices": (
        linux(cpu=GRACE, files={"/proc/device-tree/model": "NVIDIA Jetson AGX Orin\0"}), "NVIDIA Jetson AGX Orin", 20, None, {"sve2"},
    ),
    "Apple": (mac("Apple M4 Pro", 48, 10, 14), "Apple M4 Pro", 14, 10, {"asimd", "asimddp", "i8mm"}),
    "Intel in a Mac": (intel_mac(), "Intel(R) Core(TM) i9-9880H CPU @ 2.30GHz", 8, None, {"avx", "avx2", "fma"}),
    "in Windows": (windows(QUESTION), "AMD Ryzen 7 7800X3D 8-Core Processor", 8, None, set()),
    "nothing known": (Recorded(), None, None, None, set()),
}  # fmt: skip


@pytest.mark.parametrize("name", CPUS)
def test_its_processor(name):
    system, told, physical, fast, features = CPUS[name]
    found = whole(system).cpu
    assert (found.name, found.physical_cores, found.fast_cores) == (told, physical, fast)
    assert features <= set(found.features)
    assert "fpu" not in found.features, "only what matters to an engine"


def test_linux_inside_of_windows_is_told_apart():
    assert whole(linux(files=WSL)).wsl
    assert not whole(linux()).wsl


def test_there_are_enough_of_them():
    assert len(DEVICES) + len(MEMORY) + len(CPUS) >= 40
    assert len(DEVICES) >= 40


def test_what_is_shared_is_never_more_than_the_machine_has():
    for name, (system, _, _) in DEVICES.items():
        here = whole(system)
        for device in here.devices:
            if device.unified and here.memory_available_bytes is not None:
                assert (device.memory_free_bytes or 0) <= here.memory_available_bytes, name
