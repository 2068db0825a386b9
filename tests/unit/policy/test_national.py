"""The extra: what it finds, that it is said when missing, and that slow checks are asked only so often."""

import importlib
from typing import Any

import pytest

import tierwise.policy.national as national
from tierwise.core.call import Part
from tierwise.core.errors import ConfigError
from tierwise.core.label import Label
from tierwise.policy.detect import Detectors
from tierwise.policy.settings import LabelSettings

LOAD = importlib.import_module
EXTRA = Detectors(LabelSettings(identifiers=True, phone_regions=("DE", "us")), load=LOAD)


def found(text: str, detectors: Detectors = EXTRA) -> set[str]:
    return {f.detector for f in detectors.scan((Part(kind="text", path="messages[0].content", text=text),))}


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("pl_pesel", "PESEL: 44051401359"),
        ("se_pnr", "personnummer 811218-9876"),
        ("fi_hetu", "hetu 131052-308T"),
        ("ch_ahv", "AHV 756.9217.0769.85"),
        ("be_nn", "85.07.30-033.28"),
        ("ca_sin", "my SIN is 123 456 782"),
        ("tr_kimlik", "T.C. Kimlik No: 17291716060"),
        ("no_fnr", "fødselsnummer: 151086 95088"),
        ("kr_rrn", "971013-9019902"),
        ("mx_curp", "BOXW310820HNERXN09"),
        ("phone", "ring me at +49 30 901820"),
        ("phone", "+1 (212) 736-5000"),
        ("phone", "Telefon: 030 901820"),
        ("phone", "phone 212-736-5000"),
        ("phone", "tel. ＋４９ ３０ ９０１８２０"),
    ],
)
def test_an_identifier_of_the_extra_is_found(name: str, text: str) -> None:
    assert name in found(text)


@pytest.mark.parametrize(
    "text",
    [
        "PESEL: 44051401358",
        "44051401359",
        "personnummer 811218-9875",
        "call me at +1 212 555 0123",
        "version +1 2.3.4 of 2026",
        "int32 +2147483647 + 1",
        "diff: +12345678 -12345679",
        "telefon: 12",
        "commit 131052-308Ta",
    ],
)
def test_ordinary_numbers_are_left_alone(text: str) -> None:
    assert found(text) == set()


def test_without_the_setting_nothing_of_it_is_in_force() -> None:
    assert found("PESEL: 44051401359, +49 30 901820", Detectors(LabelSettings())) == set()


def test_a_missing_extra_is_said_with_the_mend() -> None:
    with pytest.raises(ConfigError, match=r"pip install 'tierwise\[identifiers\]'") as caught:
        Detectors(LabelSettings(identifiers=True))
    assert caught.value.key == "labels.identifiers"


def test_a_detector_of_the_extra_is_named_only_with_it() -> None:
    with pytest.raises(ConfigError, match="identifiers = true"):
        Detectors(LabelSettings(detectors={"phone": "off"}))
    without = Detectors(LabelSettings(identifiers=True, detectors={"phone": "off"}), load=LOAD)
    assert found("+49 30 901820", without) == set()


def test_an_unknown_region_is_refused() -> None:
    with pytest.raises(ConfigError, match="phone_regions"):
        Detectors(LabelSettings(identifiers=True, phone_regions=("Germany",)), load=LOAD)


def test_candidates_are_capped_before_the_slow_check() -> None:
    asked: list[str] = []

    def load(name: str) -> Any:
        asked.append(name)
        return LOAD(name)

    detectors = Detectors(LabelSettings(identifiers=True), load=load)
    assert not any(name.startswith("stdnum.") for name in asked)
    text = "\n".join(f"+1 212 555 01{n % 100:02}" for n in range(national.MOST + 1))
    (finding,) = detectors.scan((Part(kind="text", path="p", text=text),))
    assert (finding.detector, finding.label) == ("phone", Label.CONFIDENTIAL)
    assert finding.detail == f"more than {national.MOST} candidates"


def test_a_library_that_breaks_counts_as_a_hit() -> None:
    class Broken:
        SUPPORTED_REGIONS = frozenset({"DE"})

    detectors = Detectors(LabelSettings(identifiers=True), load=lambda _name: Broken())
    (finding,) = detectors.scan((Part(kind="text", path="p", text="call +49 30 901820"),))
    assert (finding.detector, finding.label) == ("scan", Label.RESTRICTED)


def test_every_row_names_a_module_that_can_check() -> None:
    for row in national._ROWS:
        assert callable(LOAD(f"stdnum.{row[1]}").is_valid), row[0]
