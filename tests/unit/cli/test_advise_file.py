"""What is known of an organisation comes back from its file as it was, and what is none is refused with its place."""

import tempfile
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from tests.unit.economics.advice.scene import CONTRACTS, DESK, FLAGSHIP, RACK, TICKETS, number, organisation
from tierwise.cli.advise_file import read, written
from tierwise.cli.advise_told import told
from tierwise.core.errors import ConfigError
from tierwise.core.label import Label, Tier
from tierwise.economics.advice.advise import advise
from tierwise.economics.advice.organisation import Organisation
from tierwise.economics.buckets import Bucket, Buckets


@settings(max_examples=60, deadline=None)
@given(
    st.text(st.characters(codec="utf-8"), min_size=1),
    st.decimals(0, 10**9, allow_nan=False, places=6),
    st.booleans(),
)  # fmt: skip
def test_it_reads_back_as_it_was(name: str, amount: Decimal, flag: bool) -> None:
    works = (replace(TICKETS, offline=flag, regions=("eu", "us")), CONTRACTS)
    people = Buckets(people=Bucket(month_usd=replace(number(amount), provenance="contract", source=name)))
    rack = replace(RACK, name=f"x{name}", buckets=people, latency_ms=number(7, 5, 9))
    whole = organisation(machine=(rack, DESK), work=works, capital_usd=amount, reach={Label.INTERNAL: Tier.SELF_HOSTED})
    assert _through_a_file(whole) == whole


def _through_a_file(whole: Organisation) -> Organisation:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "organisation.toml")
        file.write_text(written(whole), "utf-8", newline="")
        return read(file)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("tokens_per_month = 5", "Expected `object`"),
        ("tokens_per_month = { value = -5 }\nwork = []", "-5"),
        ("tokens = 1", "tokens"),
        ("[[work]", "Expected"),
    ],
)
def test_what_is_no_organisation_is_refused_with_its_place(tmp_path: Path, text: str, said: str) -> None:
    file = tmp_path / "organisation.toml"
    file.write_text(text)
    with pytest.raises(ConfigError, match=r"organisation\.toml") as refused:
        read(file)
    assert said in str(refused.value)


def test_a_number_may_stand_without_quotes(tmp_path: Path) -> None:
    file = tmp_path / "organisation.toml"
    file.write_text('tokens_per_month = { value = 1e6 }\n[[work]]\nname = "all"\nneeds = 0.85\n')
    assert read(file).work[0].needs == Decimal("0.85")


def test_the_card_names_every_input_and_what_would_turn_the_answer() -> None:
    found = advise(organisation())
    lines = "\n".join(told(found))
    assert all(one.name in lines for one in found.inputs)
    assert "What would turn it" in lines and found.organisation in lines
    assert "taken as exact" in lines


def test_the_card_of_what_is_unclear_says_what_to_find_out() -> None:
    unsure = replace(FLAGSHIP, input_usd_per_mtok=number(4, "0.1", 9), output_usd_per_mtok=number(8, "0.1", 9))
    lines = "\n".join(told(advise(organisation(offer=(unsure,)))))
    assert lines.startswith("Not enough evidence") and "Find out first" in lines


def test_the_file_on_the_page_is_one_that_can_be_answered_from(tmp_path: Path) -> None:
    page = Path(__file__).parents[3] / "docs" / "reference" / "advise.md"
    file = tmp_path / "organisation.toml"
    file.write_text(page.read_text("utf-8").partition("```text\n")[2].partition("```")[0])
    found = advise(read(file))
    assert found.plan is not None and found.plan.serves[0].server == "rack"
