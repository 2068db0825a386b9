"""A bundle names what answers: the same parts make the same one, and any part that changes makes another."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from tierwise.core.bundle import Bundle
from tierwise.core.label import Label, Tier
from tierwise.evals.bundles import bundle_now, bundle_of, together
from tierwise.evals.weights import FILE, Kept, Told, Weights, read, weights
from tierwise.gateway.rules import Rules
from tierwise.gateway.workflow import Workflow
from tierwise.policy.detect import Detectors
from tierwise.policy.judge import Policy
from tierwise.policy.settings import LabelSettings, Rule, Then, When
from tierwise.quality.settings import Gates
from tierwise.registry.load import load
from tierwise.registry.settings import EndpointRow, ModelRow


class Place(msgspec.Struct, frozen=True):
    home: Path

    @property
    def base(self) -> Path:
        return self.home


FLOW = Workflow(name="bank", candidates=("small", "own"), prompt="prompt.toml", scorer="python:mine.py:right")


def rules(place: Path, *extra: Rule) -> Rules:
    endpoints = (
        EndpointRow(name="here", kind="embedded", file=str(place / "small.gguf")),
        EndpointRow(name="there", kind="scripted", tier=Tier.SELF_HOSTED, url="http://10.0.0.1:8000/v1"),
    )
    models = (ModelRow(id="small", endpoint="here"), ModelRow(id="own", endpoint="there", served_name="big"))
    labels = LabelSettings()
    return Rules(
        catalog=load(endpoints, models, lambda _ref: None),
        policy=Policy(labels, extra),
        labels=labels,
        detectors=Detectors(labels),
    )


@pytest.fixture
def place(tmp_path: Path) -> Path:
    (tmp_path / "small.gguf").write_bytes(b"weights")
    (tmp_path / "prompt.toml").write_text('user = "{{text}}"')
    (tmp_path / "mine.py").write_text("def right(text, reference): return 1.0")
    return tmp_path


def found(place: Path, *extra: Rule, flow: Workflow = FLOW, kept: Kept | None = None) -> Bundle:
    path = place / "weights.json"
    if kept is not None:
        path.write_bytes(msgspec.json.encode(kept))
    known = rules(place, *extra)
    assert path.name == FILE
    return bundle_now(known, flow, ("small", "own"), Place(place))


def rewritten(name: str, text: str) -> Callable[[Path], dict[str, Any]]:
    def change(place: Path) -> dict[str, Any]:
        (place / name).write_text(text)
        return {}

    return change


CHANGES: list[tuple[str, Callable[[Path], dict[str, Any]]]] = [
    ("models (small)", rewritten("small.gguf", "other weights")),
    ("models (own)", lambda _: {"kept": Kept(told={"scripted at http://10.0.0.1:8000/v1": Told(digests={"big": "1"})})}),
    ("engine", lambda _: {"kept": Kept(told={"scripted at http://10.0.0.1:8000/v1": Told(version="9")})}),
    ("prompt", rewritten("prompt.toml", 'user = "Please: {{text}}"')),
    ("scorer", rewritten("mine.py", "def right(text, reference): return 0.0")),
    ("scorer", lambda _: {"flow": msgspec.structs.replace(FLOW, scorer="exact")}),
    ("gates", lambda _: {"flow": msgspec.structs.replace(FLOW, gates=Gates(refusal=True))}),
    ("policy", lambda _: {"extra": (Rule(when=When(label=Label.RESTRICTED), then=Then(deny=True)),)}),
]  # fmt: skip


@pytest.mark.parametrize(("part", "change"), CHANGES, ids=[f"{part}-{at}" for at, (part, _) in enumerate(CHANGES)])
def test_any_part_that_changes_makes_another_bundle(
    place: Path, part: str, change: Callable[[Path], dict[str, Any]]
) -> None:
    before = found(place)
    told = change(place)
    after = found(place, *told.pop("extra", ()), **told)
    assert before.changed(after) == (part,)
    assert before.digest != after.digest


def test_nothing_that_changes_makes_the_same_bundle(place: Path) -> None:
    assert found(place).digest == found(place).digest


def test_the_strictness_that_a_certificate_sets_is_no_part_of_the_bundle(place: Path) -> None:
    sure = msgspec.structs.replace(FLOW, gates=Gates(min_logprob={"small": -0.1}), certificate="sha256:0")
    assert found(place, flow=sure) == found(place)


def test_a_file_is_named_by_what_stands_in_it_and_hashed_once(place: Path) -> None:
    path = place / "weights.json"
    known = rules(place).catalog
    first = weights(known, ("small",), path)
    assert first.names["small"].startswith("sha256:")
    forged = msgspec.structs.replace(next(iter(read(path).files.values())), sha256="kept")
    path.write_bytes(msgspec.json.encode(Kept(files={str(place / "small.gguf"): forged})))
    assert weights(known, ("small",), path).names["small"] == "sha256:kept"
    os.utime(place / "small.gguf", ns=(1, 1))
    assert weights(known, ("small",), path).names == first.names


def test_what_is_not_there_has_no_name(place: Path) -> None:
    (place / "small.gguf").unlink()
    assert weights(rules(place).catalog, ("small", "gone"), place / "w").names == {"small": "", "gone": ""}


def test_a_server_that_tells_no_digest_is_named_by_address_without_a_secret(place: Path) -> None:
    assert weights(rules(place).catalog, ("own",), place / "w").names["own"] == (
        "scripted big at http://10.0.0.1:8000/v1"
    )


def test_a_damaged_file_of_weights_is_made_anew(place: Path) -> None:
    (place / "weights.json").write_bytes(b"{")
    assert found(place) == found(place)


def test_bundles_of_several_models_make_one_unless_they_differ_elsewhere(place: Path) -> None:
    known, path = rules(place), place / "weights.json"
    both = weights(known.catalog, ("small", "own"), path)
    one, other = (bundle_of(known, FLOW, (name,), both, Place(place)) for name in ("small", "own"))
    assert together([one, other]) == bundle_of(known, FLOW, ("small", "own"), both, Place(place))
    with pytest.raises(ValueError, match="more than their models"):
        together([one, msgspec.structs.replace(other, prompt="another")])
    with pytest.raises(ValueError, match="more than their models"):
        together([one, msgspec.structs.replace(other, models=(("small", "other"),))])


def test_weights_that_are_not_known_name_nobody(place: Path) -> None:
    assert bundle_of(rules(place), FLOW, ("small",), Weights(), Place(place)).models == (("small", ""),)
