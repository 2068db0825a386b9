"""Are hostile and broken files refused with their line, and is everything else read?"""

import pytest

from tierwise.cli.imports.source import MAX_BYTES, read
from tierwise.cli.imports.table import Table
from tierwise.core.errors import ConfigError

BOMB = "a: &a [x, x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{chr(98 + n)}: &{chr(98 + n)} [{', '.join(['*' + chr(97 + n)] * 10)}]\n" for n in range(8)
)


@pytest.mark.parametrize(
    ("form", "text", "told"),
    [
        ("yaml", BOMB, "its aliases grow"),
        ("yaml", "a: &a [*a]", "its aliases grow"),
        ("yaml", "a: &a\n  <<: *a", "aliases grow|nested"),
        ("yaml", "[" * 5000, "nested more than 48 deep"),
        ("yaml", "a: 1\nb: 2\na: 3", "line 3: the key 'a' stands twice"),
        ("yaml", "a:\n  - !!python/object/apply:os.system [id]", "line 2: the tag"),
        ("yaml", "a: !!python/name:os.system x", "line 1: the tag"),
        ("yaml", "a: [1\nb: 2", "line 2"),
        ("yaml", "? [a]\n: 1", "line 1: a key must be a plain word"),
        ("yaml", "a: *nobody", "line 1"),
        ("yaml", "a: " + "9" * 5000, "line 1: this is no number"),
        ("yaml", "a: 1\n---\nb: 2", "line 2"),
        ("yaml", "a: \x00", "is not YAML"),
        ("yaml", "x" * (MAX_BYTES + 1), "larger than 1024 KiB"),
        ("json", '{"a": 1, "a": 2}', "stands twice"),
        ("json", '{\n"a": }', "line 2"),
        ("json", '{"a": NaN}', "NaN"),
        ("json", "[" * 100_000, "deep"),
        ("toml", "a = 1\nb\nc = 2", "line 2"),
        ("toml", "a = " + "[" * 100_000, "deep|not TOML"),
    ],
)
def test_what_is_refused(form: str, text: str, told: str) -> None:
    with pytest.raises(ConfigError, match=told) as refused:
        read(text, "it", form)
    assert str(refused.value).startswith("it")
    assert len(str(refused.value)) < 300


def test_yaml_is_plain_values_and_lines() -> None:
    source = read("a: &d {x: 1, y: two}\nb:\n  <<: *d\n  x: 2024-01-02\nc: [yes, 1.5, null]\n", "it", "yaml")
    assert source.value == {
        "a": {"x": 1, "y": "two"},
        "b": {"x": "2024-01-02", "y": "two"},
        "c": [True, 1.5, None],
    }
    assert (source.lines[("b",)], source.lines[("b", "x")], source.lines[("c", 1)]) == (3, 4, 5)


def test_a_table_gives_out_what_nobody_took_with_its_place() -> None:
    table = Table.whole(read("a: 1\nb:\n  c: {d: 1}\n  e: x\nf: null\ng: [1]\n", "it", "yaml"))
    inner = table.table("b")
    assert inner is not None
    assert inner.text("e") == "x"
    assert list(table.left()) == [("a", "line 1: a"), ("g", "line 6: g"), ("c", "line 3: b.c")]
    assert list(table.left()) == []


@pytest.mark.parametrize(
    ("reader", "value"),
    [
        ("text", "[1]"),
        ("text", "true"),
        ("number", "x"),
        ("number", "-1"),
        ("number", ".nan"),
        ("number", "1e99"),
        ("flag", "maybe"),
        ("table", "[1]"),
        ("tables", "x"),
        ("tables", "[1]"),
        ("texts", "[1]"),
    ],
)
def test_a_value_of_the_wrong_kind_is_named_with_its_line(reader: str, value: str) -> None:
    table = Table.whole(read(f"first: 1\nname: {value}\n", "it.yaml", "yaml"))
    with pytest.raises(ConfigError, match=r"it\.yaml: line 2: name(\[0\])? must be"):
        getattr(table, reader)("name")
