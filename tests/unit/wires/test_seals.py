"""Sealed thinking finds its way back."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tierwise.core.conversation import Seal
from tierwise.wires.seals import enclose, fits, open_seal

TEXT = st.text(max_size=40)


@given(TEXT, TEXT, TEXT)
def test_an_envelope_opens_to_what_was_put_in(wire: str, origin: str, data: str) -> None:
    seal = Seal(wire=wire, origin=origin, data=data)
    envelope = enclose(seal)
    assert re.fullmatch(r"[A-Za-z0-9._-]+", envelope)
    assert open_seal(envelope) == seal


@pytest.mark.parametrize("text", ["", "tw1", "tw1.", "tw1.!!", "tw1.AAAA", "EqQBCgIYAhIM", "tw1.k6FhoWI"])
def test_nothing_else_opens(text: str) -> None:
    assert open_seal(text) is None


def test_who_can_read_a_seal() -> None:
    seal = Seal(wire="messages", data="x", origin="a")
    assert fits(seal, "messages", "a")
    assert not fits(seal, "messages", "b")
    assert not fits(seal, "gemini", "a")
    assert fits(Seal(wire="messages", data="x"), "messages", "b")
    assert not fits(None, "messages", "a")
