"""Buttons: the line is the command's, and nothing that was typed is an option or another workflow."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tierwise.core.errors import InvalidCall
from tierwise.web.actions import ACTIONS, Action, Choices, usual, words

CHOICES = Choices(workflow="--mails", models=("small", "larger", "od,d"), runs=("20261121-180000-1a2b",))
TYPED = st.one_of(
    st.text(max_size=40),
    st.sampled_from(["--yes", "-h", "--", "small", "0.05", "on", "3", "--config=/etc/passwd", "a b", "20261121-180000-1a2b"]),
)  # fmt: skip


def written(name: str, **given: str) -> tuple[str, ...]:
    return words(ACTIONS[name], given, CHOICES)


@pytest.mark.parametrize(
    ("name", "given", "line"),
    [
        ("compare", {}, ("compare", "--", "--mails")),
        ("compare", {"candidates.small": "on", "limit": "200", "yes": "on"},
         ("compare", "--candidates=small", "--limit=200", "--yes", "--", "--mails")),
        ("compare", {"candidates.auto:--mails": "on", "candidates.small": "on"},
         ("compare", "--candidates=small,auto:--mails", "--", "--mails")),
        ("resume", {}, ("compare", "--resume", "--", "--mails")),
        ("decide", {"run": "20261121-180000-1a2b"}, ("decide", "--run=20261121-180000-1a2b", "--", "--mails")),
        ("certify", {}, ("certify", "--", "--mails")),
        ("start", {"model": "small", "share": "0.05", "why": "a tenth"},
         ("rollout", "start", "--share=0.05", "--why=a tenth", "--", "--mails", "small")),
        ("stop", {}, ("rollout", "stop", "--", "--mails")),
        ("promote", {"unproven": "on"}, ("rollout", "promote", "--unproven", "--", "--mails")),
        ("rollback", {"why": "wrong", "number": "0"}, ("rollback", "--why=wrong", "--", "--mails", "0")),
    ],
)  # fmt: skip
def test_a_form_becomes_the_line_of_its_command(name: str, given: dict[str, str], line: tuple[str, ...]) -> None:
    assert words(ACTIONS[name], given, CHOICES) == line


@given(st.sampled_from(sorted(ACTIONS)), st.data())
def test_nothing_typed_becomes_an_option_or_another_workflow(name: str, data: st.DataObject) -> None:
    action = ACTIONS[name]
    names = [
        *(field.name for field in action.fields),
        *(f"candidates.{one}" for one in CHOICES.models),
        "other",
        "--yes",
    ]
    typed = data.draw(st.dictionaries(st.sampled_from(names), TYPED))
    try:
        line = words(action, typed, CHOICES)
    except InvalidCall:
        return
    own = len(action.words)
    end = line.index("--", own)
    assert line[:own] == action.words and line[end + 1] == CHOICES.workflow
    for word in line[own:end]:
        assert word.partition("=")[0] in {field.option for field in action.fields if field.option}
    places = [field for field in action.fields if not field.option]
    assert len(line) - end - 2 <= len(places)
    for word in line[end + 2 :]:
        assert word in CHOICES.models or word.isdecimal()
    assert not any("\n" in word or "\0" in word for word in line)


@pytest.mark.parametrize(
    ("name", "given", "field"),
    [
        ("start", {"model": "nobody", "share": "0.1"}, "model"),
        ("start", {"model": "small", "share": "1.1"}, "share"),
        ("start", {"model": "small", "share": "0"}, "share"),
        ("start", {"model": "small", "share": "nan"}, "share"),
        ("start", {"model": "small", "share": "1e-2"}, "share"),
        ("start", {"share": "0.1"}, "model"),
        ("start", {"model": "small", "share": "0.1", "why": "a\nb"}, "why"),
        ("start", {"model": "small", "share": "0.1", "why": "x" * 501}, "why"),
        ("start", {"model": "small", "share": "0.1", "shadow": "--yes"}, "shadow"),
        ("compare", {"limit": "-1"}, "limit"),
        ("compare", {"limit": "²"}, "limit"),
        ("compare", {"candidates.nobody": "on"}, "candidates"),
        ("compare", {"candidates.od,d": "on"}, "candidates"),
        ("decide", {"run": "../../etc"}, "run"),
        ("rollback", {"number": "1"}, "why"),
    ],
)
def test_what_a_command_cannot_be_given_is_refused_by_the_name_of_its_field(
    name: str, given: dict[str, str], field: str
) -> None:
    with pytest.raises(InvalidCall) as refused:
        words(ACTIONS[name], given, CHOICES)
    assert refused.value.param == field and refused.value.status == 400


@pytest.mark.parametrize("action", ACTIONS.values(), ids=list(ACTIONS))
def test_the_usual_line_stands_beside_each_button_before_anybody_typed(action: Action) -> None:
    filled = usual(action, CHOICES) | {one.name: "…" for one in action.fields if one.required and one.kind == "text"}
    assert words(action, filled, CHOICES)[: len(action.words)] == action.words


def test_what_changes_who_answers_must_be_agreed_to() -> None:
    assert {one.name for one in ACTIONS.values() if one.warns} == {"start", "stop", "promote", "rollback"}
    for name in ("start", "stop", "promote", "rollback"):
        assert written(name, model="small", share="1", why="x")
