"""A duty not to store lies on the target that answers: nothing of its answer can be built on later, with any client."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import openai
import pytest

from tests.integration.server.conftest import Door, opened_door
from tierwise.config import Document, Settings
from tierwise.core.label import Tier
from tierwise.gateway.workflow import Workflow
from tierwise.policy.settings import Rule, Then, When
from tierwise.registry.settings import EndpointRow, ModelRow
from tierwise.testing import ScriptedUpstream


@pytest.fixture(scope="module")
def door(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Door]:
    home: Path = tmp_path_factory.mktemp("not-stored")
    with ScriptedUpstream.in_thread(models=("m",)) as upstream:
        document = Document(
            endpoint=(
                EndpointRow(name="near", kind="scripted", url=upstream.url, wires=("responses",)),
                EndpointRow(name="mid", kind="scripted", url=upstream.url, tier=Tier.SELF_HOSTED),
            ),
            model=(
                ModelRow(id="near", endpoint="near", served_name="m"),
                ModelRow(id="broken", endpoint="near", served_name="m?fault=bad_json"),
                ModelRow(id="mid", endpoint="mid", served_name="m"),
            ),
            workflow=(
                Workflow(name="falls", candidates=("broken", "mid"), weights={"broken": 1, "mid": 0}, strategy="weighted"),
                Workflow(name="first", candidates=("mid",)),
            ),
            rule=(Rule(when=When(tier=Tier.SELF_HOSTED), then=Then(obligations=("no_store",))),),
        )  # fmt: skip
        with opened_door(Settings(document=document, home=home), upstream) as door:
            yield door


@pytest.fixture(scope="module")
def client(door: Door) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=f"http://127.0.0.1:{door.port}/v1", api_key="k", max_retries=0) as client:
        yield client


def answered(client: openai.OpenAI, model: str, *, stream: bool) -> str:
    if not stream:
        return client.responses.create(model=model, input="remember this").id
    with client.responses.stream(model=model, input="remember this") as events:
        return str(events.get_final_response().id)


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(("model", "kept"), [("near", True), ("auto:first", False), ("auto:falls", False)])
def test_an_answer_under_the_duty_can_neither_be_read_again_nor_continued(
    door: Door, client: openai.OpenAI, model: str, kept: bool, stream: bool
) -> None:
    ident = answered(client, model, stream=stream)
    more: Any = {"model": "near", "input": "and now", "previous_response_id": ident}
    if kept:
        assert client.responses.retrieve(ident).id == ident
        client.responses.create(**more)
        assert b"remember this" in door.upstream.asked[-1].body
        return
    with pytest.raises(openai.NotFoundError):
        client.responses.retrieve(ident)
    with pytest.raises(openai.BadRequestError, match="previous_response_id"):
        client.responses.create(**more)
