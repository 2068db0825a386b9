"""Numbers and JSON in what tools print, whatever they print. Hostile text is no exception anywhere in the probes."""

import json

from hypothesis import given
from hypothesis import strategies as st

from tests.unit.hardware.probes.recorded import DOORS, NVIDIA_SMI, PROFILER, SYSCTL, Recorded, card, linux
from tierwise.hardware.probes.amd import VENDOR as AMD
from tierwise.hardware.probes.intel import VENDOR as INTEL
from tierwise.hardware.probes.linux import cards
from tierwise.hardware.probes.nvidia import VENDOR as NVIDIA
from tierwise.hardware.probes.survey import whole as survey
from tierwise.hardware.probes.system import at, field, mebibytes, parsed, whole, word
from tierwise.hardware.probes.windows import QUESTION
from tierwise.hardware.snapshot import Device

MIB = 1 << 20
KEYS = st.sampled_from(
    [
        "device_list",
        "gpu_data",
        "asic",
        "bus",
        "bdf",
        "market_name",
        "card0",
        "SPDisplaysDataType",
        "sppci_model",
        "_name",
        "sppci_cores",
        "spdisplays_vram",
        "device_id",
        "pci_bdf_address",
        "memory_physical_size_byte",
        "total",
        "free",
        "parts",
        "name",
        "cores",
    ]
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text() | st.just("0000:03:00.0"),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=4),
    max_leaves=12,
)
ROWS = st.lists(st.text("0123456789,.[]N/A MIGDev:()\n ", max_size=60), max_size=5).map("\n".join)
ODD = st.text() | ROWS | JSON.map(json.dumps)


def test_sizes():
    assert [mebibytes(text) for text in ("24564", " 19968 MiB", "14248.00 MiB", "8 MB")] == [
        size * MIB for size in (24564, 19968, 14248, 8)
    ]
    odd = ("[N/A]", "N/A", "", "-1", "[Insufficient Permissions]", "1e9", "12 GiB", "9" * 5000)
    assert {mebibytes(text) for text in odd} == {None}
    assert (field("x 12", r"x (\d+)", MIB), field("x " + "9" * 5000, r"x (\d+)"), field("", r"x (\d+)")) == (
        12 * MIB,
        None,
        None,
    )


def test_json_after_warnings():
    assert parsed('WARNING: low power\n{"card0": {"a": "N/A"}}') == {"card0": {"a": "N/A"}}
    assert parsed("no JSON at all") is None
    assert parsed("{broken") is None
    assert parsed(None) is None


def test_the_way_into_what_was_parsed():
    value = {"asic": {"market_name": "N/A", "bits": "256", "on": True}}
    assert at(value, "asic", "bits") == "256"
    assert at(value, "asic", "bits", "more") is None
    assert (word(at(value, "asic", "market_name")), word(7), word(" x ")) == (None, None, "x")
    assert (whole("256"), whole(7), whole(True), whole("-1"), whole(-1), whole("x")) == (256, 7, None, None, None, None)


@given(ODD)
def test_no_output_of_a_tool_breaks_a_probe(text):
    bus = DOORS | card("0000:03:00.0", "0x1002", "0x744c", "amdgpu") | card("0000:04:00.0", "0x8086", "0xe211", "xe")
    names = (
        NVIDIA_SMI, "nvidia-smi -L", "nvidia-smi -q", "amd-smi static --asic --bus --json",
        "rocm-smi --showproductname --showbus --json", "xpu-smi discovery -j", SYSCTL, PROFILER, "/usr/bin/vm_stat",
        " ".join(QUESTION),
    )  # fmt: skip
    tools = dict.fromkeys(names, text)
    for system in (linux(files=bus, tools=tools), Recorded("Darwin", 4, {}, tools), Recorded("Windows", 4, {}, tools)):
        assert all(isinstance(one, Device) for one in survey(system).devices)


@given(
    st.text(),
    st.sampled_from(
        ["/proc/meminfo", "/proc/cpuinfo", "/proc/self/cgroup", "/sys/fs/cgroup/cpu.max", "/sys/devices/cpu_core/cpus"]
    ),
)
def test_no_file_breaks_a_probe(text, path):
    found = survey(Recorded(files={path: text}))
    assert found.cores >= 1


def test_a_bridge_is_no_card():
    bus = card("0000:00:00.0", INTEL, "0x4621", kind="0x060000") | card("0000:03:00.0", AMD, "0x744c", kind="0x038000")
    bus |= card("0000:04:00.0", NVIDIA, "0x2330", "nvidia", "0x030200") | card(
        "0000:05:00.0", AMD, "0x74a1", "amdgpu", "0x120000"
    )
    assert [one.address[5:7] for one in cards(linux(files=bus))] == ["03", "04", "05"]
    assert cards(Recorded()) == ()
