"""`tierwise train`, as a user runs it: a file, and a model in the gateway that answers without a language model."""

import json
from pathlib import Path

import openai
import pytest

from tests.acceptance.conftest import Installed
from tests.acceptance.test_first_light import Serve, client
from tests.unit.linear.samples import examples

CONFIG = """
[[endpoint]]
name = "words"
kind = "classifier"
file = "intents.safetensors"

[[model]]
id = "words"
endpoint = "words"

[[workflow]]
name = "cards"
candidates = ["words"]
strategy = "cascade"
gates = { min_logprob = { words = %s } }
"""
SCHEMA = {"type": "object", "properties": {"intent": {"enum": ["lost", "money"]}}, "required": ["intent"]}
ASKED = {"type": "json_schema", "json_schema": {"name": "intent", "schema": SCHEMA}}


@pytest.fixture
def config(installed: Installed, tmp_path: Path) -> Path:
    """Train, and write a configuration beside the file."""
    rows = [{"text": one.text, "label": one.label, "cluster": one.cluster, "split": "train"} for one in examples()]
    (tmp_path / "data.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    words = ("train", str(tmp_path / "data.jsonl"), "--out", str(tmp_path / "intents.safetensors"))
    told = installed.run(*words, "--field", "intent")
    assert "60 rows of data.jsonl" in told.stdout and "on rows not seen" in told.stdout
    assert "fold 5 of 5" in told.stderr
    (tmp_path / "tierwise.toml").write_text(CONFIG % "-0.2")
    return tmp_path / "tierwise.toml"


def test_the_same_data_give_the_same_bytes_and_no_file_is_replaced_unasked(installed: Installed, config: Path) -> None:
    file = config.with_name("intents.safetensors")
    before = file.read_bytes()
    words = ("train", str(config.with_name("data.jsonl")), "--out", str(file), "--field", "intent")
    assert "--force replaces it" in installed.run(*words, code=2).stderr
    told = installed.json(*words, "--force")
    assert file.read_bytes() == before
    assert (told["rows"], told["labels"], told["bytes"]) == (60, 2, len(before))
    assert told["held_out"]["right"] == 60
    assert b"bakery" not in before and b"stole" not in before, "no word of the messages is in it"


def test_it_answers_through_the_gateway_and_its_confidence_is_judged(
    installed: Installed, serve: Serve, config: Path
) -> None:
    with client(serve("--config", str(config))) as caller:
        raw = caller.chat.completions.with_raw_response.create(
            model="auto:cards", messages=[{"role": "user", "content": "I lost my card"}], response_format=ASKED
        )
        assert json.loads(raw.parse().choices[0].message.content or "") == {"intent": "lost"}
        assert raw.parse().choices[0].logprobs is None  # the gate asked for them, the caller did not
        decision = raw.headers["x-tierwise-decision"]
        with caller.chat.completions.with_streaming_response.create(
            model="words", messages=[{"role": "user", "content": "refund"}], stream=True
        ) as streamed:
            said = "".join(c.choices[0].delta.content or "" for c in streamed.parse() if c.choices)
        assert said == "money"
        with pytest.raises(openai.APIStatusError):
            caller.chat.completions.create(
                model="auto:cards", messages=[{"role": "user", "content": "zebra"}], response_format=ASKED
            )
        with pytest.raises(openai.APIStatusError):
            image = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AA"}}
            caller.chat.completions.create(model="words", messages=[{"role": "user", "content": [image]}])
    assert "confidence" in installed.run("show", decision, "--config", str(config)).stdout


def test_doctor_models_and_endpoints_know_it(installed: Installed, config: Path) -> None:
    words = ("--config", str(config))
    (endpoint,) = installed.json("endpoints", *words)
    assert (endpoint["kind"], endpoint["tier"], endpoint["usable"]) == ("classifier", "local", True)
    (model,) = installed.json("models", *words)
    assert set(model["capabilities"]) == {"stream", "schema", "json", "logprobs"}
    found = {one["what"]: one["well"] for one in installed.json("doctor", *words)}
    assert found["endpoint words"]
    assert "probes" not in found, "there is nothing to probe"
    file = config.with_name("intents.safetensors")
    file.write_bytes(file.read_bytes()[:-2])
    broken = {one["what"]: one for one in installed.json("doctor", *words, code=1)}
    assert "cut off" in broken["endpoint words"]["detail"]


def test_rows_that_are_for_claims_are_not_learned(installed: Installed, tmp_path: Path) -> None:
    (tmp_path / "data.csv").write_text("text,label\n" + "".join(f"{one.text},{one.label}\n" for one in examples()))
    done = installed.run("train", str(tmp_path / "data.csv"), "--out", str(tmp_path / "x"), code=2)
    assert "no row of the split train" in done.stderr
