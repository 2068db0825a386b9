"""The grammar of scripts in a model's name."""

import pytest

from tierwise.testing.faults import FAULTS, ORDINARY, Script, read_script


def test_a_plain_name_is_ordinary() -> None:
    assert read_script("scripted-1") == ("scripted-1", ORDINARY)


@pytest.mark.parametrize("fault", sorted(FAULTS))
def test_every_fault_can_be_named(fault: str) -> None:
    assert read_script(f"m?fault={fault}")[1].fault == fault


def test_all_values() -> None:
    name = "m?fault=error&times=2&after=3&status=503&retry_after=5&delay_ms=7&size=9&text=a+b%3Fc"
    assert read_script(name) == (
        "m",
        Script(fault="error", times=2, after=3, status=503, retry_after="5", delay_ms=7, size=9, text="a b?c"),
    )


@pytest.mark.parametrize("query", ["", "fault", "fault=none_such", "fault=error&status=bad", "times=", "fautl=error"])
def test_what_does_not_fit_is_an_error(query: str) -> None:
    with pytest.raises(ValueError, match="the script behind 'm' is wrong"):
        read_script("m?" + query)
