"""A gate is passed, shut or open; nothing makes up for one that is shut, and what is unknown is not passed."""

from decimal import Decimal
from typing import Any

import msgspec
import pytest

from tests.unit.economics.advice.scene import CONTRACTS, DESK, FLAGSHIP, RACK, TICKETS, number, organisation
from tierwise.core.label import Label
from tierwise.economics.advice.gates import findings, state_of
from tierwise.economics.advice.organisation import Quote, Site


def states(work: Any, server: Site | Quote, **changed: Any) -> dict[str, str]:
    return {one.gate: one.state for one in findings(organisation(**changed), work, server)}


def test_data_goes_as_far_as_its_label_lets_it() -> None:
    restricted = msgspec.structs.replace(CONTRACTS, label=Label.RESTRICTED)
    assert [states(CONTRACTS, one)["data"] for one in (DESK, RACK, FLAGSHIP)] == ["passed", "passed", "failed"]
    assert [states(restricted, one)["data"] for one in (DESK, RACK, FLAGSHIP)] == ["passed", "failed", "failed"]


@pytest.mark.parametrize(
    ("quality", "risk", "state"),
    [
        (number("0.9", "0.8", "0.95"), "careful", "passed"),
        (number("0.9", "0.79", "0.95"), "careful", "open"),
        (number("0.9", "0.79", "0.95"), "even", "passed"),
        (number("0.79", "0.7", "0.95"), "even", "failed"),
        (number("0.7", "0.6", "0.79"), "careful", "failed"),
        (None, "careful", "open"),
        (None, "even", "open"),
    ],
)
def test_quality_holds_at_the_low_end_or_where_risk_is_even_at_the_value(quality: Any, risk: str, state: str) -> None:
    server = msgspec.structs.replace(RACK, quality={} if quality is None else {"tickets": quality})
    assert states(TICKETS, server, risk=risk)["quality"] == state


def test_what_nobody_said_leaves_a_gate_open() -> None:
    asked = msgspec.structs.replace(TICKETS, regions=("eu",), latency_ms=Decimal(500))
    found = findings(organisation(), asked, RACK)
    assert {one.gate: one.state for one in found}.items() >= {("region", "open"), ("latency", "open")}
    assert state_of(found) == "open"


def test_one_gate_that_is_shut_shuts_all() -> None:
    away = msgspec.structs.replace(RACK, region="us", latency_ms=number(100))
    asked = msgspec.structs.replace(TICKETS, regions=("eu",), latency_ms=Decimal(500))
    assert states(asked, away) == {"data": "passed", "region": "failed", "quality": "passed", "latency": "passed"}
    assert state_of(findings(organisation(), asked, away)) == "failed"


def test_work_without_a_network_stays_at_the_edge() -> None:
    offline = msgspec.structs.replace(TICKETS, offline=True)
    assert [states(offline, one)["offline"] for one in (DESK, RACK, FLAGSHIP)] == ["passed", "failed", "failed"]
