"""How is an item asked? What comes of a prompt and an item, and what is said of those that do not fit."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tierwise.core.errors import ConfigError
from tierwise.evals.item import Item
from tierwise.evals.prompt import Prompt, parts, read, render

PROMPT = Prompt(system="Sort for {{shop}}.", user="Message: {{ text }}\nDo it.", temperature=0, max_output_tokens=9)


def item(**fields: object) -> Item:
    return Item(id="1", fields=fields, cluster="a", split="prove")


def test_fields_go_to_their_places_and_settings_into_the_body() -> None:
    body = render(PROMPT, item(shop="Bank", text="hello"), "small")
    assert body == {
        "model": "small", "temperature": 0, "max_completion_tokens": 9,
        "messages": [
            {"role": "system", "content": "Sort for Bank."}, {"role": "user", "content": "Message: hello\nDo it."},
        ],
    }  # fmt: skip


@given(st.text(), st.text())
def test_what_stands_in_a_field_is_never_read_as_a_place(shop: str, text: str) -> None:
    body = render(PROMPT, item(shop=shop + "{{text}}", text=text + "{{secret}}"), "m")
    assert body["messages"][0]["content"] == f"Sort for {shop}{{{{text}}}}."
    assert body["messages"][1]["content"] == f"Message: {text}{{{{secret}}}}\nDo it."


def test_a_place_without_its_field_is_an_error_that_names_both() -> None:
    with pytest.raises(ConfigError, match=r"item '1' has no field 'shop' .* it has text"):
        render(PROMPT, item(text="hello"), "m")


def test_without_a_prompt_the_one_text_is_the_message_and_two_are_a_question() -> None:
    assert render(None, item(text="hello", n=3), "m") == {
        "model": "m", "messages": [{"role": "user", "content": "hello"}],
    }  # fmt: skip
    with pytest.raises(ConfigError, match=r"no one text field to send .*question, text"):
        render(None, item(text="hello", question="what?"), "m")


def test_a_recorded_request_goes_out_as_it_was_under_another_system_text() -> None:
    said = [{"role": "system", "content": "old"}, {"role": "user", "content": "hello"}]
    recorded = item(messages=said, max_tokens=5, temperature=1, user="alice")
    assert render(None, recorded, "m") == {"model": "m", "messages": said, "max_tokens": 5, "temperature": 1}
    body = render(Prompt(system="new", temperature=0, max_output_tokens=7), recorded, "m")
    assert body["messages"] == [{"role": "system", "content": "new"}, said[1]]
    assert (body["temperature"], body["max_completion_tokens"], "max_tokens" in body) == (0, 7, False)


def test_examples_and_a_schema_are_sent(tmp_path: Path) -> None:
    path = tmp_path / "prompt.toml"
    path.write_text(
        'user = "{{text}}"\n[[example]]\nuser = "a"\nassistant = "1"\n'
        '[schema]\ntype = "object"\n[schema.properties.intent]\ntype = "string"\n'
    )
    body = render(read(path), item(text="b"), "m")
    assert [one["content"] for one in body["messages"]] == ["a", "1", "b"]
    shape = body["response_format"]["json_schema"]
    assert shape["strict"] and shape["schema"]["properties"] == {"intent": {"type": "string"}}


def test_the_digest_tells_prompts_apart_and_nothing_else() -> None:
    assert Prompt(user="a").digest == Prompt(user="a", system="").digest != Prompt(user="b").digest
    assert Prompt(user="a", temperature=0).digest != Prompt(user="a").digest


def test_the_parts_are_the_words_of_the_request_by_where_they_come_from() -> None:
    found = parts(PROMPT, item(shop="Bank", text="hello"))
    assert found == {"system": "Sort for .", "instructions": "Message: \nDo it.", "fields": "Bank\nhello"}
    assert parts(None, item(text="hello")) == {"fields": "hello"}


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("user = 3\n", "Expected `str`"),
        ("users = 'a'\n", "users"),
        ("temperature = 5\n", "temperature"),
        ("user = \n", "line 1"),
        ("user = 'ü'\n", "UTF-8"),
    ],
)
def test_a_file_that_is_no_prompt_is_refused_with_what_is_wrong(tmp_path: Path, text: str, told: str) -> None:
    path = tmp_path / "prompt.toml"
    path.write_bytes(text.encode("latin-1"))
    with pytest.raises(ConfigError, match=told) as caught:
        read(path)
    assert caught.value.file == str(path)
