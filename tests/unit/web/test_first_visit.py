"""The first visit: settings with this gateway's address, no key on the page, and what was found in words."""

from typing import Any

import pytest

from tests.clients.stage import ADDRESS
from tierwise.web import first_visit

HERE = "http://127.0.0.1:9999"
MACHINE: dict[str, Any] = {
    "machine": {
        "system": "Linux", "cores": 8, "cpu": {"name": None}, "memory_total_bytes": 16 << 30,
        "devices": [{"name": "a card"}],
    },
    "catalogue": [
        {"model": "small", "plan": {"verdict": {"fit": "fits"}}}, {"model": "huge", "plan": {"verdict": {"fit": "no"}}},
        {"model": "odd", "plan": None},
    ],
}  # fmt: skip


def model(name: str, tier: str, strength: float | None = None, tasks: tuple[str, ...] = ()) -> dict[str, Any]:
    return {"id": name, "endpoint": f"e-{tier}", "tier": tier, "strength": strength, "tasks": tasks}


def test_the_lines_that_are_driven_have_this_gateways_address() -> None:
    assert first_visit.DRIVEN == ADDRESS
    for keyed in (False, True):
        headers = {"x-tierwise-gateway": HERE} | ({"x-tierwise-auth": "Bearer tw-secret"} if keyed else {})
        start = first_visit.told(headers, None)
        texts = [block.text for client in start.clients for block in client.blocks]
        assert len(start.clients) > 10 and not any(ADDRESS in text for text in texts)
        for client in start.clients:
            assert any(HERE in block.text for block in client.blocks), client.name
        told = "".join((*texts, start.curl))
        assert "tw-secret" not in told and ("YOUR-KEY" in told) is keyed and start.keyed is keyed


def test_an_example_of_a_workflow_compares_a_near_model_with_a_far_one() -> None:
    status = {
        "endpoints": [{"name": "e-local", "tier": "local", "unusable": "no server"}],
        "models": [
            model("far", "frontier", 90), model("task", "local", 1, tasks=("other",)), model("near", "local"),
            model("mid", "self_hosted", 99),
        ],
    }  # fmt: skip
    start = first_visit.told({}, status)
    assert start.candidates == ("near", "far")
    (endpoint,) = start.endpoints
    assert endpoint.models == ("task", "near") and endpoint.unusable == "no server"
    assert first_visit.told({}, None).candidates == () == first_visit.told({}, None).endpoints


def test_the_first_call_asks_what_somebody_here_can_answer() -> None:
    shipped = model("small", "local", tasks=("banking77",))
    only = first_visit.told({}, {"endpoints": [], "models": [shipped]})
    assert only.model == "auto:banking77" and "card" in only.prompt and '"auto:banking77"' in only.curl
    for models in ([shipped, model("general", "local")], [model("another", "local", tasks=("other",))], []):
        start = first_visit.told({}, {"endpoints": [], "models": models})
        assert (start.model, start.prompt) == ("auto", first_visit.FREE) and '"auto"' in start.curl


@pytest.mark.parametrize(("total", "said"), [(16 << 30, "16 GiB of memory"), (None, "memory unknown")])
def test_a_machine_is_told_in_words(total: int | None, said: str) -> None:
    found = first_visit.machine(MACHINE | {"machine": MACHINE["machine"] | {"memory_total_bytes": total}})
    assert (found.cpu, found.cores, found.memory, found.devices) == ("Linux", 8, said, ("a card",))
    assert (found.fitting, found.known) == (("small",), 3)
