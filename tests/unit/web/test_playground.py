"""The playground's page: who can be asked, what stands in the columns at first, and how a test case is kept."""

from typing import Any

import pytest

from tierwise.core.errors import InvalidCall
from tierwise.web.playground import MOST_COLUMNS, choices, columns, keeping


def model(name: str, tier: str = "local", tasks: tuple[str, ...] = (), *able: str) -> dict[str, Any]:
    return {"id": name, "tier": tier, "tasks": tasks, "capabilities": able}


STATUS = {
    "models": [
        model("small"), model("sorter", "local", ("sorting",)), model("large", "frontier"),
        model("vectors", "self_hosted", (), "embeddings"),
    ],
    "workflows": [{"name": "sorting", "candidates": ["sorter", "large"]}, {"name": "open", "candidates": []}],
}  # fmt: skip


def test_a_column_may_ask_a_route_a_workflow_a_tier_or_a_model_and_nothing_that_only_makes_embeddings() -> None:
    found = {one.name: one.models for group in choices(STATUS).values() for one in group}
    assert found == {
        "auto": ("small", "large"),
        "auto:sorting": ("sorter", "large"),
        "auto:open": ("small", "sorter", "large"),
        "tier:local": ("small", "sorter"),
        "tier:frontier": ("large",),
        "small": ("small",), "sorter": ("sorter",), "large": ("large",),
    }  # fmt: skip


def test_where_nothing_is_known_the_route_can_still_be_asked_for() -> None:
    assert list(choices({})) == ["Tierwise chooses"] and columns(choices({}), []) == ["auto"]


def test_columns_are_those_of_the_address_as_far_as_they_can_be_asked() -> None:
    groups = choices(STATUS)
    assert columns(groups, []) == ["auto", "small"]
    assert columns(groups, ["large", "nobody", "tier:local"]) == ["large", "tier:local"]
    assert len(columns(groups, ["small"] * 9)) == MOST_COLUMNS


def test_a_test_case_goes_to_the_command_on_its_standard_input_and_never_as_an_option() -> None:
    words, given = keeping("--help", '{"input": "secret words",  "reference": "x"}')
    assert words[-2:] == ("--", "--help") and given == '{"input":"secret words","reference":"x"}'
    assert not any("secret" in word for word in words)


@pytest.mark.parametrize(
    ("workflow", "item"), [("", "{}"), ("sorting", "[]"), ("sorting", "no JSON"), ("sorting", "[" * 9999)]
)
def test_what_is_no_test_case_starts_no_command(workflow: str, item: str) -> None:
    with pytest.raises(InvalidCall):
        keeping(workflow, item)
