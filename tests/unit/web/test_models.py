"""Models as the page shows them: what each value is, and where it is from."""

from typing import Any

from tierwise.web.models import Shown, shown

MODEL: dict[str, Any] = {
    "id": "near", "endpoint": "box", "served_name": "gpt-oss:20b", "tier": "local", "tasks": [],
    "capabilities": ["stream"], "context_tokens": 8192, "price": None, "strength": None, "latency_ms": None,
    "capacity": None, "resting_s": 0.0, "own": None, "stated_tokens": None, "lacks": {}, "probe": None, "file": None,
}  # fmt: skip
PROBE = {
    "model": "near", "endpoint": "box", "row": "abc", "at": "2026-11-20T10:00:00+00:00", "read_tokens": 4000,
    "findings": [
        {"check": "context", "verdict": "ignored", "detail": "cut at 4,000", "wire": "chat"},
        {"check": "stop", "verdict": "honoured", "detail": "", "wire": "chat"},
    ],
}  # fmt: skip


def one(endpoint: dict[str, Any] | None = None, **more: Any) -> Shown:
    place = {"name": "box", "unusable": None, "engine": None} | (endpoint or {})
    (found,) = shown([MODEL | more], [place])
    return found


def test_a_licence_is_that_of_the_open_model_that_is_served() -> None:
    assert one().licence == "Apache-2.0" and "gpt-oss-20b" in one().licence_said
    assert one(served_name="mine").licence == ""
    assert one(served_name="mine", tier="frontier").licence_said == "its maker's terms"


def test_a_price_says_whose_word_it_is() -> None:
    price = {"input_usd_per_mtok": "1.80", "output_usd_per_mtok": "9", "source": "annex B", "as_of": "2026-11-21"}
    found = one(price=price | {"origin": "list"}).price
    assert found is not None and (found.text, found.said) == ("$1.8 / $9", "a public list: annex B, 2026-11-21")
    plain = one(price=price | {"source": "", "as_of": ""}).price
    assert plain is not None and plain.said == "the configuration"
    own = one(own=price | {"source": "the machine rack"}).price
    assert own is not None and own.own and "no bill" in own.said
    assert one().price is None


def test_health_says_why_it_cannot_be_asked() -> None:
    assert one().health == "can be asked"
    assert one({"unusable": "no key"}).health == "no key"
    assert one(resting_s=12.0).health == "rests for 12 s, it failed"
    assert one(tier="frontier").health == "refused until it has a price"
    assert one({"engine": "ready"}).health == "ready"


def test_capacity_is_what_its_server_says() -> None:
    assert one().capacity == ""
    busy = {"requests": 2, "slots": 4, "loaded": False, "load_ms": 3000.0, "wait_ms": 1500.0}
    assert one(capacity=busy).capacity == "2 of 4 slots; a wait of 1.5 s; cold, loads for 3.0 s"
    assert one(capacity={"requests": 1, "loaded": True}).capacity == "1 under way; loaded"


def test_a_probe_shows_what_was_not_done_as_promised() -> None:
    found = one(probe=PROBE, context_tokens=4000, stated_tokens=8192)
    assert found.damage == ("context ignored: cut at 4,000",)
    assert (found.context, found.context_said) == (4000, "8,192 stated, a probe read no more than 4,000")
    assert one(capacity={"context_tokens": 2048}).context_said == "loaded with 2,048 now, its server says"


def test_the_filter_finds_names_tiers_tasks_and_licences() -> None:
    words = one(tasks=["Search"]).words
    assert all(word in words for word in ("near", "local", "search", "apache", "stream", "gpt-oss:20b"))
