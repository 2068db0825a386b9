"""Stages: nobody is told to be further than what is recorded shows."""

from typing import Any

import pytest

from tierwise.web.stage import NAMES, stage


def at(**given: Any) -> str:
    usual: dict[str, Any] = {
        "verdict": None, "certificate": None, "void": (), "trial": False, "used": False, "calls": 0,
    }  # fmt: skip
    return stage(**(usual | given)).name


@pytest.mark.parametrize(
    ("given", "name"),
    [
        ({}, "pilot"),
        ({"verdict": "stop"}, "pilot"),
        ({"verdict": "not_enough_evidence", "trial": True}, "pilot"),
        ({"verdict": "expand", "calls": 100}, "pilot"),
        ({"verdict": "expand", "trial": True}, "controlled production"),
        ({"verdict": "expand", "used": True}, "controlled production"),
        ({"certificate": "sha256:x", "trial": True, "calls": 9}, "controlled production"),
        ({"certificate": "sha256:x"}, "controlled production"),
        (
            {"verdict": "expand", "certificate": "sha256:x", "void": ("it expired",), "calls": 9},
            "controlled production",
        ),
        ({"certificate": "sha256:x", "void": ("it expired",), "calls": 9}, "pilot"),
        ({"certificate": "sha256:x", "calls": 9}, "platform"),
        ({"certificate": "sha256:x", "calls": 9, "used": True, "verdict": "adjust"}, "platform"),
    ],
)
def test_the_stage_follows_from_what_is_recorded(given: dict[str, Any], name: str) -> None:
    assert at(**given) == name


def test_each_stage_says_why_and_what_is_next() -> None:
    found = [
        stage(verdict=verdict, certificate=certificate, void=void, trial=trial, used=used, calls=calls)
        for verdict in (None, "expand", "adjust", "stop", "not_enough_evidence")
        for certificate, void in ((None, ()), ("sha256:x", ()), ("sha256:x", ("an incident of drift is open",)))
        for trial in (False, True) for used in (False, True) for calls in (0, 5)
    ]  # fmt: skip
    assert {one.name for one in found} == set(NAMES)
    assert all(one.why and one.next for one in found)


def test_drift_takes_a_platform_back() -> None:
    whole = {"verdict": "expand", "certificate": "sha256:x", "calls": 9}
    assert at(**whole) == "platform"
    assert at(**whole, void=("an incident of drift is open",)) == "controlled production"
