"""What one lap may cost at most, before it is made."""

from decimal import Decimal

import msgspec
import pytest

from tests.unit.gateway.test_decide import rules
from tierwise.core.secret import Secret
from tierwise.core.usage import Price
from tierwise.gateway.asking import Asking, Repair
from tierwise.gateway.attempt import Attempt, upstream_id
from tierwise.gateway.decide import Hop
from tierwise.wires import chat

ASKED = Asking(chat.decode_request(b'{"model":"auto","messages":[{"role":"user","content":"hi"}]}'))
PRICE = Price(input_usd_per_mtok=Decimal(2), output_usd_per_mtok=Decimal(10), cache_write_usd_per_mtok=Decimal(4))


def reserved(price: Price | None, repair: Repair | None) -> Decimal:
    catalog = rules().catalog
    model = msgspec.structs.replace(next(iter(catalog.models.values())), price=price)
    hop = Hop(model=model, endpoint=catalog.endpoints[model.endpoint], reserve_usd=Decimal("0.01"))
    return Attempt(hop, ASKED, repair=repair).reserve_usd


def test_a_lap_that_sends_an_answer_back_to_be_mended_may_cost_what_reading_it_costs() -> None:
    repair = Repair(answer="word " * 800, problem="4000 characters that are not JSON")
    assert reserved(PRICE, None) == Decimal("0.01")
    # An upper estimate of 2,000 tokens and more, each at the dearest price of input.
    assert reserved(PRICE, repair) >= Decimal("0.01") + 2000 * Decimal(4) / 1_000_000
    assert reserved(None, repair) == Decimal("0.01"), "what is not metered costs nothing more"


@pytest.mark.parametrize("odd", ["", "x" * 129, "two words", "line\nbreak", "müll", "id-of-sk-secret-1", None])
def test_what_is_no_name_or_holds_our_key_does_not_get_into_the_record(odd: str | None) -> None:
    assert upstream_id("chatcmpl-7", None, Secret("sk-secret-1")) == "chatcmpl-7"
    assert upstream_id(odd, None, Secret("sk-secret-1")) is None
