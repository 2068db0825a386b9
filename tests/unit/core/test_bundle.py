"""What exactly was measured? A bundle's name, and what tells two apart."""

import msgspec

from tierwise.core.bundle import Bundle

ONE = Bundle(workflow="w", models=(("small", "sha256:aa"), ("large", "sha256:bb")), prompt="p1")


def test_a_bundle_is_named_by_all_of_its_parts() -> None:
    assert msgspec.structs.replace(ONE).digest == ONE.digest
    for name in ("workflow", "prompt", "engine", "policy", "gates", "scorer"):
        assert msgspec.structs.replace(ONE, **{name: "other"}).digest != ONE.digest


def test_what_changed_is_told_down_to_the_model() -> None:
    other = msgspec.structs.replace(ONE, prompt="p2", models=(("small", "sha256:aa"), ("large", "sha256:cc")))
    assert ONE.changed(other) == ("models (large)", "prompt")
    assert ONE.changed(ONE) == ()
