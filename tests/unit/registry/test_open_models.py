"""Do the rows of open models agree with themselves?"""

import re
from collections import Counter
from datetime import date

import pytest

from tierwise.registry.open_models import OpenModel, open_model, open_models

each = pytest.mark.parametrize("row", open_models(), ids=lambda row: row.name)


def test_every_name_means_one_model() -> None:
    names = Counter(name for row in open_models() for name in row.names)
    assert not [name for name, count in names.items() if count > 1]


@pytest.mark.parametrize("name", ["gpt-oss-20b", "GPT-OSS-20B", "openai/gpt-oss-20b"])
def test_a_model_is_found_by_any_of_its_names(name: str) -> None:
    row = open_model(name)
    assert row is not None
    assert row.name == "gpt-oss-20b"


def test_what_no_row_names_is_not_found() -> None:
    assert open_model("gpt-oss-21b") is None


@each
def test_every_layer_is_of_one_kind(row: OpenModel) -> None:
    assert sum(one.layers for one in row.attention) == row.layers


@each
def test_a_kind_of_layer_says_what_it_keeps(row: OpenModel) -> None:
    assert row.cache_numbers_per_token is not None
    for one in row.attention:
        assert (one.window_tokens is not None) == (one.kind == "sliding")
        assert row.heads % (one.kv_heads or 1) == 0


@each
def test_a_mixture_uses_a_part_of_itself(row: OpenModel) -> None:
    if row.experts is None:
        assert row.active_parameters is None or row.active_parameters < row.parameters
        return
    assert row.experts.used < row.experts.count
    assert row.active_parameters is not None
    assert row.active_parameters < row.parameters
    assert row.experts.layers is None or row.experts.layers <= row.layers


@pytest.mark.parametrize(
    ("name", "numbers"),
    [
        # 60 layers, of which 10 keep everything: 4 heads with keys and values of 512.
        ("gemma-4-31b", 10 * 4 * 2 * 512),
        ("gemma-4-e2b", 3 * 1 * 2 * 512),
        ("deepseek-v3", 61 * (512 + 64)),
        ("llama-3.1-8b", 32 * 8 * 2 * 128),
        ("qwen3.5-35b-a3b", 10 * 2 * 2 * 256),
    ],
)
def test_only_layers_that_keep_everything_grow_with_a_long_text(name: str, numbers: int) -> None:
    row = open_model(name)
    assert row is not None
    assert row.cache_numbers_per_token == numbers


@pytest.mark.parametrize(
    "family", ["gemma", "qwen", "gpt-oss", "llama", "mistral", "deepseek", "minimax", "glm", "phi"]
)
def test_the_current_families_have_rows(family: str) -> None:
    assert any(row.family == family for row in open_models())


@each
def test_a_row_names_sources_and_a_day(row: OpenModel) -> None:
    assert row.source
    assert all(one.startswith("https://") for one in row.source)
    assert date.fromisoformat(row.as_of) >= date(2026, 11, 1)
    assert re.fullmatch(r"[A-Za-z0-9.+-]+", row.license)


@each
def test_what_the_layers_hold_is_near_what_the_maker_says(row: OpenModel) -> None:
    """Weights of embeddings, attention and feed-forward, added up: a digit that was read wrongly shows here."""
    counted = _counted(row)
    if counted is not None:
        assert counted == pytest.approx(row.parameters, rel=0.04)


def _counted(row: OpenModel) -> float | None:
    """Return the parameters that follow from the row; None where a row says too little of a layer."""
    width = row.experts.feed_forward if row.experts else row.feed_forward
    if width is None or any(one.kind not in ("full", "sliding") for one in row.attention):
        return None
    total = row.vocabulary * row.hidden * (1 if row.tied_embeddings else 2)
    for one in row.attention:
        assert one.kv_heads is not None
        assert one.key_dim is not None
        value = one.value_dim or one.key_dim
        total += one.layers * row.hidden * (row.heads + one.kv_heads) * (one.key_dim + value)
    if row.experts is None:
        return total + row.layers * 3 * row.hidden * width
    experts = row.experts
    sparse = experts.layers or row.layers
    each = experts.count * width + experts.shared * (experts.shared_feed_forward or width)
    return total + 3 * row.hidden * (sparse * each + (row.layers - sparse) * (row.feed_forward or 0))
