"""Power is read from counters that begin again and from tools that may know nothing; unknown is not 0."""

from pathlib import Path

import pytest

from tierwise.evals.watts import Meter, cards_watts, counters, spent_joules


def package(root: Path, name: str, counted: int, most: int = 1000) -> Path:
    zone = root / "sys/class/powercap" / name
    zone.mkdir(parents=True, exist_ok=True)
    (zone / "energy_uj").write_text(f"{counted}\n")
    (zone / "max_energy_range_uj").write_text(f"{most}\n")
    return zone


def test_packages_are_counted_and_their_parts_are_not_counted_twice(tmp_path: Path) -> None:
    for name in ("intel-rapl:0", "intel-rapl:1", "intel-rapl:0:0"):
        package(tmp_path, name, 7)
    assert counters(tmp_path / "sys/class/powercap") == {"intel-rapl:0": (7, 1000), "intel-rapl:1": (7, 1000)}


def test_a_counter_that_began_again_goes_on() -> None:
    before, after = {"a": (900, 999), "b": (5, 999)}, {"a": (100, 999), "b": (25, 999)}
    assert spent_joules(before, after) == pytest.approx((200 + 20) / 1e6)


def test_a_meter_tells_the_mean_of_what_it_can_read_and_none_where_that_is_nothing(tmp_path: Path) -> None:
    meter = Meter(tmp_path, cards="no-such-tool")
    meter.begin()
    assert meter.end() is None
    package(tmp_path, "intel-rapl:0", 1_000_000, 10**12)
    meter.begin()
    package(tmp_path, "intel-rapl:0", 3_000_000, 10**12)
    found = meter.end()
    assert found is not None and found.watts > 0 and found.of == "processor (RAPL)"
    (tmp_path / "sys/class/powercap/intel-rapl:0/energy_uj").unlink()
    assert meter.end() is None, "a counter that went away measures nothing"


def test_cards_are_added_up_unless_one_does_not_know() -> None:
    assert cards_watts("61.25\n300.75\n") == 362.0
    assert cards_watts("61.25\n[N/A]\n") is None and cards_watts("\n") is None
