"""Which command a page of the policy runs: what somebody typed is never an option, and nothing is released unsaid."""

import pytest

from tierwise.core.errors import InvalidCall
from tierwise.web.policy import PASTED, Wanted, wanted


def test_what_is_typed_is_a_value_and_never_an_option() -> None:
    words = wanted({"new": "3"}).release("", "--widen", "--config=/etc/x", widen=False)
    assert words == ("policy", "rollback", "--why=--widen", "--by=--config=/etc/x", "--", "3")
    pasted = Wanted(new=PASTED, draft="d").release("/tmp/x.toml", "why", "", widen=True)
    assert pasted == ("policy", "apply", "--why=why", "--widen", "--since=30d", "--", "/tmp/x.toml")
    assert Wanted(new="own").release("", "why", "", widen=False) == ("policy", "detach", "--why=why")


def test_a_comparison_names_what_is_compared_with_what() -> None:
    found = wanted({"new": "3", "against": "2", "since": "7d", "evil": "1"})
    assert found.diff("") == ("policy", "diff", "--since=7d", "--against=2", "--", "3")
    assert found.query == "new=3&against=2&since=7d"
    assert wanted({"new": PASTED, "draft": "abc"}).diff("f.toml")[-2:] == ("--", "f.toml")


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"new": "--help"},
        {"new": "0"},
        {"new": "/etc/passwd"},
        {"new": "3", "against": "x"},
        {"new": "3", "since": "1y"},
    ],
)
def test_anything_else_is_refused(fields: dict[str, str]) -> None:
    with pytest.raises(InvalidCall):
        wanted(fields)
