"""Do a Modelfile and lists of models mean here what they meant there?"""

import json

import pytest

from tests.unit.cli.imports.test_litellm import rules_of
from tierwise.cli.imports.draft import Draft
from tierwise.cli.imports.ollama import draft
from tierwise.core.errors import ConfigError


def imported(text: str) -> Draft:
    return draft(text, "Modelfile", {})


def test_a_modelfile_is_a_model_with_its_context_and_the_rest_is_named() -> None:
    made = imported(
        '# mine\nfrom llama3.2:3b\nPARAMETER num_ctx 8192\nPARAMETER temperature 1\nSYSTEM """You\nFROM x\n"""\n'
    )
    model = rules_of(made).catalog.models["llama3.2:3b"]
    assert model.context_tokens == 8192
    assert [note.partition(":")[0] for note in made.notes[:2]] == ["line 4", "line 5"]
    assert "ollama create NAME -f Modelfile" in made.notes[-1]


def test_a_file_of_weights_is_one_of_the_embedded_engine() -> None:
    made = imported("FROM ./models/My Model.gguf\nPARAMETER num_ctx 4096\n")
    (endpoint,) = rules_of(made).catalog.endpoints.values()
    assert endpoint.engine is not None
    assert endpoint.engine.file.endswith("/models/My Model.gguf")
    assert made.models.keys() == {"my-model"}


LISTED = """NAME               ID              SIZE      MODIFIED
llama3.2:3b        a80c4f17acd5    2.0 GB    3 weeks ago
embedder:latest    0a109f422b47    274 MB    2 days ago
"""
TAGS = {"models": [
    {"name": "llama3.2:3b", "model": "llama3.2:3b", "size": 1, "details": {"family": "llama", "context_length": 131072}, "capabilities": ["completion", "tools"]},
    {"name": "embedder:latest", "capabilities": ["embedding"]},
]}  # fmt: skip


@pytest.mark.parametrize("text", [LISTED, json.dumps(TAGS), json.dumps(TAGS["models"])], ids=["list", "tags", "bare"])
def test_every_model_of_a_list(text: str) -> None:
    catalog = rules_of(imported(text)).catalog
    assert catalog.models.keys() == {"llama3.2:3b", "embedder:latest"}
    assert {endpoint.kind for endpoint in catalog.endpoints.values()} == {"ollama"}


def test_what_a_list_says_of_a_model() -> None:
    models = rules_of(imported(json.dumps(TAGS))).catalog.models
    assert "tools" in models["llama3.2:3b"].capabilities
    assert models["llama3.2:3b"].context_tokens == 131072
    assert models["embedder:latest"].capabilities == {"embeddings"}


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "has no FROM"),
        ("RUN x", "line 1: 'RUN' is no instruction"),
        ("FROM a\nPARAMETER num_ctx many", "line 2: num_ctx"),
        ('FROM a\nSYSTEM """x', "line 2: .*does not end"),
        ("FROM ./folder", "not one GGUF file"),
        ("FROM ./a-*.gguf", "not one GGUF file"),
        ("NAME ID SIZE MODIFIED\n", "names no model"),
        ('{"models": [{}]}', "name is missing"),
        ('{"models": 1', "line 1"),
    ],
)
def test_wrong_input_is_told_with_its_line(text: str, told: str) -> None:
    with pytest.raises(ConfigError, match=told):
        imported(text)
