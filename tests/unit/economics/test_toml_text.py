"""What is written as TOML reads back as the same value, whatever its texts are."""

import tomllib
from decimal import Decimal

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from tierwise.economics.given import Given
from tierwise.economics.toml_text import toml_text


class Leaf(msgspec.Struct, frozen=True, kw_only=True):
    name: str
    number: Given = Given(value=Decimal(0))
    limits: dict[str, int] = {}


class Tree(msgspec.Struct, frozen=True, kw_only=True):
    leaf: Leaf | None = None
    leaves: tuple[Leaf, ...] = ()
    words: tuple[str, ...] = ()
    whole: bool = False


texts = st.text(st.characters(codec="utf-8"))
leaves = st.builds(
    Leaf,
    name=texts,
    number=st.builds(Given, value=st.decimals(0, 10**6, places=4), source=texts),
    limits=st.dictionaries(texts, st.integers(-9, 9), max_size=2),
)
trees = st.builds(
    Tree, leaf=st.none() | leaves, leaves=st.lists(leaves, max_size=3).map(tuple), words=st.lists(texts).map(tuple),
    whole=st.booleans(),
)  # fmt: skip


@given(trees)
def test_it_reads_back_as_it_was(tree: Tree) -> None:
    assert msgspec.convert(tomllib.loads(toml_text(tree, "# on top\n")), Tree) == tree


def test_a_number_with_its_range_stays_on_one_line() -> None:
    text = toml_text(Leaf(name="a", number=Given(value=Decimal("2.50"), high=Decimal(3))))
    assert text == 'name = "a"\nnumber = { value = "2.50", high = "3" }\n'
