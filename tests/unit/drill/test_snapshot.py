"""Rules as a text: read back they decide the same, and nothing secret is in it."""

from decimal import Decimal

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.gateway.test_certified import bank, in_force
from tests.unit.gateway.test_decide import LABELS, ask, order, rule_on, rules
from tierwise.core.label import Label, Tier
from tierwise.core.prices import PriceRow
from tierwise.core.secret import Secret
from tierwise.drill.snapshot import Snapshot
from tierwise.policy.released import Written
from tierwise.policy.settings import LabelSettings, Rule, Then, When

ENCODER = msgspec.json.Encoder(order="deterministic", decimal_format="number")
INSIDE = Rule(when=When(tier=Tier.FRONTIER, label=Label.INTERNAL), then=Then(deny=True), name="inside")


def through(found: Snapshot) -> Snapshot:
    data = ENCODER.encode(found)
    back = msgspec.json.decode(data, type=Snapshot)
    assert ENCODER.encode(back) == data
    return back


@given(st.sampled_from(["auto", "auto:bank", "far", "mid", "tier:local", "gpt-old"]), st.sampled_from(list(Label)))
def test_rules_that_are_read_back_decide_the_same(model: str, label: Label) -> None:
    known = rules(INSIDE)
    back = through(Snapshot.of(known, Written(labels=LABELS, rule=(INSIDE,)))).rules()
    before, after = (rule_on(ask(model), label, in_force=one) for one in (known, back))
    assert after.decision == before.decision and order(after) == order(before)
    assert back.policy.digest == known.policy.digest


def test_a_certificate_counts_on_and_is_still_what_its_digest_names() -> None:
    known = in_force(bank())
    back = through(Snapshot.of(known, Written())).rules()
    before, after = known.certified["bank"].certificate, back.certified["bank"].certificate
    assert before is not None and after is not None and before.digest == after.digest
    assert back.certified["bank"].void(0.0) == known.certified["bank"].void(0.0) == ()


def test_no_secret_address_or_path_is_in_it() -> None:
    known = rules()
    out = msgspec.structs.replace(
        known.catalog.endpoints["out"], key=Secret("hush"), key_ref="env:HUSH", url="https://inside.example/v1",
        ca_file="/etc/ours.pem", networks=("10.0.0.0/8",),
    )  # fmt: skip
    known.catalog.endpoints["out"] = out
    flow = msgspec.structs.replace(known.workflows["bank"], data="/srv/us/rows.jsonl", prompt="/srv/us/prompt.txt")
    known = msgspec.structs.replace(known, workflows=known.workflows | {"bank": flow})
    data = msgspec.json.encode(Snapshot.of(known, Written()))
    for told in (b"hush", b"HUSH", b"inside.example", b"ours.pem", b"10.0.0.0", b"/srv/us", b"***"):
        assert told not in data


def test_a_dated_price_is_kept_as_the_price_of_its_day() -> None:
    known = rules()
    row = PriceRow(
        model="far",
        input_usd_per_mtok=Decimal("1.50"),
        output_usd_per_mtok=Decimal(2),
        kinds=("scripted",),
        source="a list",
    )
    known.catalog.models["far"] = msgspec.structs.replace(known.catalog.models["far"], price=row)
    price = through(Snapshot.of(known, Written())).rules().catalog.models["far"].price
    assert price is not None and (str(price.input_usd_per_mtok), price.source) == ("1.50", "a list")


def test_labels_with_detectors_that_are_not_installed_here_need_none() -> None:
    far_away = LabelSettings(identifiers=True)
    assert through(Snapshot.of(rules(), Written(labels=far_away))).rules().labels == far_away
