"""When is a candidate good enough? What a table of criteria may say."""

import msgspec
import pytest

from tierwise.core.criteria import Criteria


def test_a_margin_is_a_share_and_a_promise_is_never_certain() -> None:
    assert msgspec.convert({"margin": 0.05}, Criteria).margin == 0.05
    for wrong in (
        {"margin": 5},
        {"confidence": 1.0},
        {"max_wrong": 0},
        {"concurrency": 0},
        {"margins": 0.1},
        {"error_cost_usd": "-1"},
    ):
        with pytest.raises(msgspec.ValidationError):
            msgspec.convert(wrong, Criteria)
