"""The machine as `tierwise fit` tells it, and what may be fetched: names of the catalogue, and nothing else."""

from pathlib import Path
from typing import Any

import pytest

from tierwise.core.errors import InvalidCall
from tierwise.web.machine import calibrated, fitting, named, offered, parts

HERE: dict[str, Any] = {
    "system": "Linux", "cores": 8, "cpu": {"name": None, "physical_cores": 4, "features": ["avx2"]},
    "memory_total_bytes": 32 * 1024**3, "memory_available_bytes": None, "memory_limit": "container",
    "memory_bandwidth_gb_s": None, "disk_free_bytes": 10**9, "notes": ["nvidia-smi said nothing"],
    "devices": [{"kind": "cuda", "name": "card", "memory_total_bytes": 24 * 1024**3, "memory_free_bytes": 20 * 1024**3,
                 "unified": False, "bandwidth_gb_s": 1008.0, "driver": "580"}],
}  # fmt: skip
JUDGED: dict[str, Any] = {
    "model": "gemma-4-e2b", "pull": "gemma-4-e2b:Q4_K_M",
    "plan": {
        "verdict": {"fit": "fits", "reason": "needs 3.4 GiB"}, "quantization": "Q4_K_M", "evidence": "catalogue",
        "setup": {"context_tokens": 32768, "layers_on_device": 12}, "at_least_bytes": 3 * 1024**3, "layers": 36,
        "device": "card", "whole_on_device": False, "decode": {"low": 1.9, "high": 43.3, "evidence": "formula"},
    },
}  # fmt: skip


def test_each_part_says_how_it_is_known_and_what_is_unknown() -> None:
    facts, notes = parts(HERE)
    told = {one.name: (one.value, one.said) for one in facts}
    assert told["Processor"] == ("without a name: 8 cores, 4 physical", "avx2")
    assert told["Memory"] == ("unknown free of 32.0 GiB", "what a container may take")
    assert told["Bandwidth"] == ("–", "could not be measured")
    assert told["cuda"] == ("card: 20.0 GiB free of 24.0 GiB", "driver 580; 1008 GB/s is its maker's figure")
    assert notes == ["nvidia-smi said nothing"]
    assert parts(HERE | {"devices": []})[0][-1].value == "none beside the processor"


def test_what_fits_is_told_with_its_range_and_can_be_fetched() -> None:
    found = fitting(JUDGED)
    assert (found.verdict, found.speed, found.pull) == ("fits", "1.9 to 43", "gemma-4-e2b:Q4_K_M")
    assert found.where == "card, 12 of 36 layers" and found.licence == "Apache-2.0"
    assert "estimate" in found.evidence and "formula" in found.evidence


def test_what_does_not_fit_has_a_reason_and_no_button() -> None:
    plan = JUDGED["plan"] | {"verdict": {"fit": "does_not_fit", "reason": "needs 90 GiB"}, "device": None}
    found = fitting(JUDGED | {"plan": plan})
    assert (found.verdict, found.reason, found.speed, found.context, found.pull) == (
        "does not fit", "needs 90 GiB", "–", "–", "",
    )  # fmt: skip


@pytest.mark.parametrize(
    "text", ["", "nobody", "--yes", "file:/etc/passwd", "gemma-4-e2b:--anyway", "gemma-4-e2b:Q4 K"]
)
def test_only_what_the_catalogue_names_can_be_fetched(text: str) -> None:
    with pytest.raises(InvalidCall, match="catalogue"):
        named(text)


def test_a_name_of_the_catalogue_may_have_a_quantization() -> None:
    assert named("gemma-4-e2b")[1] == "gemma-4-e2b"
    assert named("Gemma-4-E2B:Q4_K_M")[1] == "gemma-4-e2b:Q4_K_M"


def test_a_calibration_says_when_and_with_what(tmp_path: Path) -> None:
    file = tmp_path / "calibration.json"
    assert calibrated(file) is None
    file.write_text('{"measured": {}, "cores": 8, "engine": "llama.cpp 1", "as_of": "2026-11-20"}')
    assert calibrated(file) == "timed on 2026-11-20: 8 cores, llama.cpp 1"
    for broken in ("[]", "{", '{"as_of": 3}', "null"):
        file.write_text(broken)
        assert calibrated(file) is None


def test_an_offer_names_its_size_and_what_is_not_told() -> None:
    told = {one.name: one.value for one in offered({"size_bytes": 3_400_000_000, "licence": None, "to_fetch_bytes": 0})}
    assert told == {"size": "3.40 GB", "licence": "not told", "to fetch": "0.00 GB"}
