"""Which texts say nearly the same? What is near is found, what is not is left, and the order does not matter."""

import random
import string

from hypothesis import given
from hypothesis import strategies as st

from tierwise.evals.data.clusters import by_text, clusters, told
from tierwise.evals.data.near import near


def sentence(chance: random.Random, words: int) -> str:
    return " ".join("".join(chance.choices(string.ascii_lowercase, k=chance.randint(2, 9))) for _ in range(words))


def test_every_twin_with_a_changed_word_is_found_among_thousands_and_nothing_else() -> None:
    chance = random.Random(1)
    texts = [sentence(chance, chance.randint(20, 60)) for _ in range(3000)]
    twins = {}
    for n in chance.sample(range(3000), 300):
        words = texts[n].split()
        words[chance.randrange(len(words))] = "changed"
        twins[len(texts)] = n
        texts.append(" ".join(words))
    groups = near(texts)
    found = {at for at, original in twins.items() if groups.root(at) == groups.root(original)}
    assert len(found) >= 298, "the search may miss one in hundreds, at the edge of what is near"
    assert len({groups.root(at) for at in range(len(texts))}) == len(texts) - len(found)


@given(st.lists(st.text(max_size=40), max_size=20), st.randoms())
def test_the_clusters_do_not_depend_on_the_order(texts: list[str], chance: random.Random) -> None:
    names = by_text(texts)
    order = list(range(len(texts)))
    chance.shuffle(order)
    assert by_text([texts[at] for at in order]) == [names[at] for at in order]


@given(
    st.lists(
        st.dictionaries(st.sampled_from(["document", "customer"]), st.sampled_from("abcd"), max_size=2), max_size=12
    )
)
def test_what_shares_a_name_is_together_and_nothing_is_without_a_chain_of_names(named: list[dict[str, str]]) -> None:
    names = clusters(named, [f"text {n} of its own" for n in range(len(named))])
    for one, first in zip(named, names, strict=True):
        for other, second in zip(named, names, strict=True):
            if one.items() & other.items():
                assert first == second
    for name in set(names):
        members = [one for one, its in zip(named, names, strict=True) if its == name]
        reached = [members.pop()]
        while linked := [one for one in members if any(one.items() & other.items() for other in reached)]:
            reached += linked
            members = [one for one in members if one not in linked]
        assert not [one for one in members if one], "a chain of shared names leads to each"


def test_of_a_conversation_the_words_of_its_user_count() -> None:
    system = {"role": "system", "content": "A long text that all requests have in common, word by word."}
    said = [{"type": "text", "text": "hello"}, {"type": "image_url", "image_url": {"url": "x"}}]
    assert told({"messages": [system, {"role": "user", "content": "hello"}]}) == "hello"
    assert "hello" in told({"messages": [system, {"role": "user", "content": said}]})
    assert told({"a": "x", "n": 3, "flag": True, "more": ["y", {"z": "w"}]}) == "x\n3\ny\nw"
