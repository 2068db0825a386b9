"""The probes, on folders that look like machines and containers."""

import hashlib
import sys

import pytest

from tests.unit.hardware.files import TINY
from tierwise.hardware.detect import digest, linux_memory, machine, read_gguf, vm_stat_available
from tierwise.hardware.gguf import Unreadable

GIB = 1 << 30
MEMINFO = "MemTotal:       16777216 kB\nMemFree:         1000000 kB\nMemAvailable:    8388608 kB\nBuffers: 1 kB\n"


def lay(root, **files):
    for name, content in files.items():
        file = root / name.replace("__", "/").replace("_DOT_", ".")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(content)
    return root


def group(root, path, limit, current, inactive):
    folder = root / "sys/fs/cgroup" / path
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "memory.max").write_text(f"{limit}\n")
    (folder / "memory.current").write_text(f"{current}\n")
    (folder / "memory.stat").write_text(f"anon 5\ninactive_file {inactive}\nactive_file 7\n")


def test_a_plain_machine(tmp_path):
    lay(tmp_path, proc__meminfo=MEMINFO)
    assert linux_memory(tmp_path) == (16 * GIB, 8 * GIB, "machine")


def test_a_group_without_a_limit(tmp_path):
    lay(tmp_path, proc__meminfo=MEMINFO, proc__self__cgroup="0::/user.slice\n")
    group(tmp_path, "user.slice", "max", GIB, 0)
    assert linux_memory(tmp_path) == (16 * GIB, 8 * GIB, "machine")


def test_a_container_whose_cache_can_be_given_back(tmp_path):
    lay(tmp_path, proc__meminfo=MEMINFO, proc__self__cgroup="0::/\n")
    group(tmp_path, "", 2 * GIB, GIB + GIB // 2, GIB)
    assert linux_memory(tmp_path) == (2 * GIB, GIB + GIB // 2, "container")


def test_the_tightest_of_nested_groups_counts(tmp_path):
    lay(tmp_path, proc__meminfo=MEMINFO, proc__self__cgroup="0::/a/b/c\n")
    group(tmp_path, "a", 4 * GIB, 4 * GIB, 0)
    group(tmp_path, "a/b", 3 * GIB, GIB, 0)
    group(tmp_path, "a/b/c", "max", GIB, 0)
    assert linux_memory(tmp_path) == (3 * GIB, 0, "container")


def test_old_control_groups(tmp_path):
    lay(tmp_path, proc__meminfo=MEMINFO, proc__self__cgroup="12:cpu,cpuacct:/x\n5:memory:/docker/1\n")
    folder = tmp_path / "sys/fs/cgroup/memory/docker/1"
    folder.mkdir(parents=True)
    (folder / "memory.limit_in_bytes").write_text(f"{GIB}\n")
    (folder / "memory.usage_in_bytes").write_text(f"{GIB // 2}\n")
    (folder / "memory.stat").write_text(f"total_inactive_file {GIB // 4}\n")
    above = folder.parent.parent
    (above / "memory.limit_in_bytes").write_text("9223372036854771712\n")
    (above / "memory.usage_in_bytes").write_text("1000\n")
    assert linux_memory(tmp_path) == (GIB, GIB // 2 + GIB // 4, "container")


def test_nothing_to_read_is_unknown(tmp_path):
    assert linux_memory(tmp_path) == (None, None, "machine")


@pytest.mark.skipif(sys.platform != "linux", reason="quotas of cores are a Linux matter")
def test_a_quota_of_cores(tmp_path):
    lay(tmp_path, sys__fs__cgroup__cpu_DOT_max="50000 100000\n")
    assert machine(root=tmp_path).cores == 1
    lay(tmp_path, sys__fs__cgroup__cpu_DOT_max="max 100000\n")
    assert machine(root=tmp_path).cores >= 1


def test_this_machine(tmp_path):
    here = machine(tmp_path / "not" / "there" / "yet")
    assert here.cores >= 1
    assert 0 < here.memory_available_bytes <= here.memory_total_bytes
    assert here.disk_free_bytes > 0
    assert machine().disk_free_bytes is None


VM_STAT = """Mach Virtual Memory Statistics: (page size of 16384 bytes)
Pages free:                               10000.
Pages active:                            500000.
Pages inactive:                           20000.
Pages speculative:                         3000.
Pages throttled:                              0.
Pages wired down:                        100000.
Pages purgeable:                            400.
"""


def test_memory_on_macos():
    assert vm_stat_available(VM_STAT) == 16384 * 33_400
    assert vm_stat_available("") is None


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
