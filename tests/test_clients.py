"""Do the pages on clients say what the programs use and what came of running them? `scripts/clients` writes both.

Nothing is installed here, and no client is run.
"""

import re

import pytest

from tests.architecture.tree import ROOT
from tests.clients import howto, page
from tests.clients.catalog import EVERY, PLACES, PROGRAMS, WITH_TOOLS, Catalog, Client, catalog
from tests.clients.drive import EXPECTED
from tests.clients.found import Finding, Outcome, found, merged
from tests.clients.stage import ADDRESS
from tierwise.config import Document

ROWS = catalog()
OUTCOME = Outcome(steps=EVERY, faults={}, inexact=None, requests=6, read=3, written=2, dropped=("store",))


@pytest.mark.parametrize("client", ROWS.client, ids=lambda client: client.id)
def test_a_set_up_names_the_gateway_where_it_listens(client: Client) -> None:
    server = Document().server
    assert f"http://{server.host}:{server.port}" == ADDRESS
    assert ADDRESS in client.set_up + "".join(client.files.values())


def test_the_set_ups_shown_are_those_that_are_driven() -> None:
    assert (ROOT / "docs" / "howto" / "clients.md").read_text("utf-8") == howto.howto(ROWS)
    assert (ROOT / "src" / "tierwise" / "web" / "rows" / "clients.json").read_text("utf-8") == howto.rows(ROWS)


def test_the_reference_shows_what_was_found() -> None:
    assert (ROOT / "docs" / "reference" / "clients.md").read_text("utf-8") == page.page(ROWS, found())


def test_every_client_was_driven_at_its_version() -> None:
    by_key = {(finding.client, finding.place): finding for finding in found()}
    for client in ROWS.client:
        for place in PLACES:
            if steps := client.steps_at(place):
                finding = by_key[client.id, place]
                assert (finding.version, finding.outcome.steps) == (ROWS.version(client), steps), (client.id, place)


def test_every_client_completes_a_conversation_with_a_tool() -> None:
    talkers = [client for client in ROWS.client if client.wire != "embeddings"]
    assert all(WITH_TOOLS & set(client.steps) for client in talkers)


def test_every_step_is_explained_and_has_its_expected_text() -> None:
    steps = {step for client in ROWS.client for step in client.steps}
    assert steps == set(page.STEPS) == set(EXPECTED)


def test_every_program_is_used() -> None:
    files = {str(path.relative_to(PROGRAMS)) for path in PROGRAMS.rglob("*.*") if "__pycache__" not in path.parts}
    own = {file for file in files if not re.search(r"/(account\w*|__init__)\.|^server/", file)}
    assert own == {file for client in ROWS.client for file in (client.program, *client.home.values())}


def test_a_selection_is_of_clients_or_of_single_wires() -> None:
    assert [client.id for client in ROWS.selected(["codex", "litellm-chat"])] == ["litellm-chat", "codex-responses"]
    assert ROWS.selected([]) == ROWS.client
    with pytest.raises(LookupError, match="gadget"):
        ROWS.selected(["codex", "gadget"])


# Would the pages notice?


def finding(client: Client, place: str = "chat", outcome: Outcome = OUTCOME, as_of: str = "2026-01-01") -> Finding:
    return Finding(client=client.id, place=place, version="1", as_of=as_of, isolated=True, outcome=outcome)


def only(*clients: Client) -> Catalog:
    return Catalog(environment=ROWS.environment, client=clients)


def test_a_failure_is_shown_and_so_is_what_was_not_run() -> None:
    client = ROWS.selected(["openai-python-chat"])[0]
    failed = Outcome(
        steps=EVERY, faults={"tools": "no |\n text"}, inexact="ledger 1", requests=1, read=1, written=0, dropped=()
    )
    text = page.page(only(client), [finding(client, "gemini", failed)])
    assert "| not run | not run | not run | **failed** | not run |" in text
    assert "before `gemini`: tools: no | text; ledger 1" in text


def test_what_was_dropped_is_shown_with_its_places() -> None:
    client = ROWS.selected(["codex"])[0]
    text = page.page(only(client), [finding(client, "messages"), finding(client, "gemini")])
    assert "| Codex | responses | messages, gemini | `store` |" in text
    assert "What failed" not in text


def test_a_new_finding_takes_the_place_of_the_old_and_strays_go() -> None:
    first, second = ROWS.client[:2]
    old = [finding(second), finding(first), finding(first, "gemini")]
    new = [finding(first, as_of="2026-02-02")]
    assert merged(only(first), old, new) == (new[0], old[2])
    assert [f.client for f in merged(only(first, second), old, [])] == [first.id, first.id, second.id]
