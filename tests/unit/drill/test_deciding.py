"""The gateway's own decision for recorded calls, and what is proven of each answer."""

from typing import Any

import msgspec

from tests.unit.drill.traffics import S, call, kind
from tests.unit.gateway.test_certified import bank, certificate, in_force
from tests.unit.gateway.test_decide import WORKFLOWS, ask, facts, order, rule_on, rules
from tierwise.core.certificate import Accepts
from tierwise.core.label import Label
from tierwise.drill.deciding import Deciding, Way
from tierwise.drill.traffic import Kind
from tierwise.gateway.rules import Rules


def way(known: Rules, what: Kind, **changed: Any) -> Way:
    one = msgspec.structs.replace(call(0, 0), **changed)
    return Deciding(known, facts())("call", what, one, 1000 * S)


def test_the_order_is_that_of_the_gateway() -> None:
    for model, label in (("auto", Label.INTERNAL), ("auto:bank", Label.CONFIDENTIAL), ("mid", Label.PUBLIC)):
        found = way(rules(), kind(model, label))
        assert [hop.model.id for hop in found.hops] == order(rule_on(ask(model), label))


def test_a_refusal_has_its_cause_and_says_what_excluded_each_model() -> None:
    found = way(rules(), kind("far", Label.RESTRICTED))
    assert (found.cause, found.by) == ("policy", (("far", "ceiling:restricted"),))
    assert way(rules(), kind("nobody")).cause == "unknown_model"
    assert way(rules(), kind("near"), read=5000).cause == "context"


def test_the_same_call_is_decided_once_and_a_longer_one_again() -> None:
    deciding = Deciding(rules(), facts())
    first, same = (deciding("x", kind(), call(0, 0), now) for now in (1, 2))
    longer = deciding("x", kind(), msgspec.structs.replace(call(0, 0), read=5000), 3)
    assert first is same and first is not longer


def test_where_the_first_is_drawn_each_call_has_its_own_draw() -> None:
    drawn = msgspec.structs.replace(WORKFLOWS[0], strategy="weighted", candidates=("mid", "far"))
    deciding = Deciding(msgspec.structs.replace(rules(), workflows={"bank": drawn}), facts())
    firsts = {deciding(f"call {n}", kind("auto:bank"), call(0, 0), 1).hops[0].model.id for n in range(40)}
    assert firsts == {"mid", "far"}


def test_a_step_is_certified_after_those_before_it_and_the_baseline_always() -> None:
    found = way(in_force(bank()), kind("auto:bank"))
    assert [hop.model.id for hop in found.hops] == ["mid", "scoped", "far"]
    assert found.evidence("mid", ("mid",)) == "certified"
    assert found.evidence("scoped", ("mid", "scoped")) == "certified"
    assert found.evidence("scoped", ("scoped",)) == "out_of_order"
    assert found.evidence("far", ("far",)) == "certified"


def test_what_no_certificate_accepts_is_declared_or_unknown() -> None:
    nothing = certificate(accepts=(Accepts(model="mid", threshold=None),), quality=())
    found = way(in_force(bank(trusted=("scoped",)), nothing), kind("auto:bank"))
    assert found.evidence("mid", ("mid",)) == "none" and found.evidence("scoped", ("scoped",)) == "trusted"
    assert way(rules(), kind("auto")).evidence("far", ("far",)) == "none"
