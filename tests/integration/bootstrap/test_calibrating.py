"""The embedded engine is really timed, on small files; nothing of it stays but one line of figures."""

import asyncio
import math
from datetime import date

import pytest

from tierwise.bootstrap.calibrating import calibrate, keep, read
from tierwise.core.errors import ConfigError, Overloaded
from tierwise.hardware.calibrate import SAMPLES
from tierwise.hardware.sample import Sample
from tierwise.hardware.speed import Costs, Measured, Range
from tierwise.providers.engine import installed

SMALL = {
    name: Sample(
        layers=2, width=256, feed_forward=256, heads_kv=2, packing=one.packing, experts=one.experts // 4, used=one.used
    )
    for name, one in SAMPLES.items()
}
COSTS = Costs(weights=((4.5, 2e-11), (16.0, 4e-11)), look_s=4e-10, layer_s=1e-5)
FOUND = Measured(
    part="a processor", kind="cpu", answer=COSTS, prompt=COSTS, spread=Range(low=0.9, high=1.1),
    prompt_spread=Range(low=0.8, high=1.2),
)  # fmt: skip


@pytest.mark.skipif(not installed(), reason="the extra 'embedded' is not installed")
def test_the_engine_loads_every_made_up_file_and_is_timed(tmp_path):
    found = asyncio.run(calibrate(tmp_path, "a processor", SMALL, for_s=0.0, unsteady=math.inf))
    assert found.part == "a processor"
    for costs in (found.answer, found.prompt):
        assert all(0 < each < math.inf for _, each in costs.weights)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(not installed(), reason="the extra 'embedded' is not installed")
def test_times_that_differ_more_than_is_allowed_are_no_measurement(tmp_path):
    with pytest.raises(Overloaded, match="calibrate again when it is idle"):
        asyncio.run(calibrate(tmp_path, "a processor", SMALL, for_s=0.0, unsteady=0.5))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(not installed(), reason="the extra 'embedded' is not installed")
def test_a_folder_that_cannot_be_written_is_an_error_that_names_it(tmp_path):
    with pytest.raises(ConfigError, match="nowhere"):
        asyncio.run(calibrate(tmp_path / "nowhere", "a processor", SMALL))


def test_what_was_measured_is_used_until_the_machine_is_another(tmp_path):
    file = tmp_path / "home" / "speed.json"
    assert read(file, "a processor", 4) == ()
    keep(file, FOUND, 4, date(2026, 11, 21))
    assert read(file, "a processor", 4) == (FOUND,)
    assert read(file, "a processor", 8) == ()
    assert read(file, "another", 4) == ()
    assert [one.name for one in file.parent.iterdir()] == ["speed.json"]


@pytest.mark.parametrize("damaged", [b"", b"{}", b"\xff", b'{"measured": 1}'])
def test_figures_that_cannot_be_read_are_as_if_nothing_was_measured(tmp_path, damaged):
    file = tmp_path / "speed.json"
    file.write_bytes(damaged)
    assert read(file, "a processor", 4) == ()
