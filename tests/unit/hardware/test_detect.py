"""The edge to the system: folders that look like machines, tools that are there or not, files."""

import hashlib
import sys

import pytest

from tests.unit.hardware.files import TINY
from tierwise.hardware.detect import Here, digest, machine, read_gguf, visible
from tierwise.hardware.gguf import Unreadable
from tierwise.hardware.snapshot import Device, Machine

GIB = 1 << 30


def lay(root, files):
    for name, content in files.items():
        file = root / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(content)
    return root


@pytest.mark.skipif(sys.platform != "linux", reason="what /proc says is a Linux matter")
def test_a_folder_that_looks_like_a_machine(tmp_path):
    files = {
        "proc/meminfo": f"MemTotal: {16 << 20} kB\nMemAvailable: {8 << 20} kB\n",
        "sys/fs/cgroup/cpu.max": "50000 100000\n",
    }
    here = machine(root=lay(tmp_path, files))
    assert (here.cores, here.memory_total_bytes, here.memory_available_bytes) == (1, 16 * GIB, 8 * GIB)


def test_what_is_not_there_is_empty(tmp_path):
    here = Here(tmp_path)
    assert here.read("/proc/meminfo") == ""
    assert here.read("/") == ""
    assert here.names("/sys/bus/pci/devices") == ()
    assert here.run("no-such-tool-anywhere", "-q") is None


def test_a_tool_is_heard_whatever_its_exit_code():
    assert Here().run(sys.executable, "-c", "print('no driver'); raise SystemExit(9)").strip() == "no driver"


def test_names_are_sorted(tmp_path):
    lay(tmp_path, {"dev/dri/renderD128": "", "dev/dri/card0": ""})
    assert Here(tmp_path).names("/dev/dri") == ("card0", "renderD128")


def test_this_machine(tmp_path):
    here = machine(tmp_path / "not" / "there" / "yet")
    assert here.cores >= 1
    assert 0 < here.memory_available_bytes <= here.memory_total_bytes
    assert here.disk_free_bytes > 0
    assert machine().disk_free_bytes is None


def test_files(tmp_path):
    file = tmp_path / "tiny.gguf"
    file.write_bytes(TINY)
    assert read_gguf(file).name == "Tiny"
    assert read_gguf(str(file)).end_bytes == len(TINY)
    assert digest(file) == hashlib.sha256(TINY).hexdigest()
    with pytest.raises(Unreadable, match="no such file"):
        read_gguf(tmp_path / "other")
    for odd in (tmp_path, "/dev/null"):
        with pytest.raises(Unreadable, match="not a file"):
            read_gguf(odd)


@pytest.mark.parametrize(
    ("seen", "left"),
    [(None, "ab"), ("0,1", "ab"), ("1", "b"), ("", ""), ("-1", ""), ("GPU-8932f937", ""), ("0,MIG-x", ""), ("7", "")],
)
def test_a_device_that_is_hidden_from_programs_is_not_counted(seen: str | None, left: str) -> None:
    cards = tuple(Device(kind="cuda", name=name, memory_total_bytes=1, memory_free_bytes=1) for name in "ab")
    other = Device(kind="rocm", name="c")
    here = visible(Machine(system="Linux", cores=2, devices=(*cards, other)), seen)
    assert [one.name for one in here.devices] == [*left, "c"]
    assert bool(here.notes) == (left != "ab")
