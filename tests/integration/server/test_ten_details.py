"""The ten details that gateways get wrong, each asked of a running one with the official clients.

They are numbered as in the field notes from which they come: thinking that is bound, parallel calls, usage, aborted
streams, the commit point, counting, silent truncation, Responses, prompt caches, and money with identity.
"""

import json
import urllib.error
import urllib.request
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import anthropic
import openai
import pytest

from tests.integration.server.conftest import Door, opened_door, post, until
from tierwise.config import Document, Settings
from tierwise.core.label import Tier
from tierwise.core.model import Capability
from tierwise.core.usage import Price
from tierwise.gateway.workflow import Workflow
from tierwise.registry.settings import EndpointRow, ModelRow
from tierwise.testing import Script, ScriptedUpstream

ABLE: tuple[Capability, ...] = ("stream", "tools", "images", "files", "schema", "json", "thinking")
WIRES = ("chat", "responses", "messages", "gemini")
PRICE = Price(input_usd_per_mtok=Decimal(2), output_usd_per_mtok=Decimal(10))
CITY = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
LOOK: Any = {"name": "look", "input_schema": CITY}
HEAR: Any = {"name": "hear", "input_schema": CITY}
THINK: Any = {"type": "enabled", "budget_tokens": 1024}
SCRIPTS = {
    "plain": "",
    "thinking": "?thinking=let+me+think",
    "zero": "?index=zero",
    "none": "?index=none",
    "pinged": "?ping=true&crlf=true",
    "slow": "?fault=slow_chunks&delay_ms=20",
    "early": "?fault=in_band_error&after=0&ping=true",
    "usage": "?fault=no_usage",
    "cached": "?cached=2",
}


@pytest.fixture(scope="module")
def door(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Door]:
    with ScriptedUpstream.in_thread(models=("m",), context_tokens=100_000) as upstream:
        urls = {"gemini": upstream.generate_url}
        endpoints = [
            EndpointRow(name=w, kind="scripted", url=urls.get(w, upstream.url), wires=(w,), tier=Tier.SELF_HOSTED)
            for w in WIRES
        ]
        endpoints += [
            EndpointRow(name="messages-too", kind="scripted", url=upstream.url, wires=("messages",)),
            EndpointRow(name="outside", kind="scripted", url=upstream.url, wires=("chat",), tier=Tier.FRONTIER),
        ]
        models = [
            ModelRow(
                id=f"{e.name}-{n}", endpoint=e.name, served_name=f"m{script}", capabilities=ABLE, context_tokens=3_000,
                price=PRICE if e.name == "outside" else None,
            )
            for e in endpoints
            for n, script in SCRIPTS.items()
        ]  # fmt: skip
        flows = tuple(
            Workflow(name=f"{w}-early", candidates=(f"{w}-early", "messages-too-plain"), strategy="weighted",
                     weights={f"{w}-early": 1.0, "messages-too-plain": 0.0})
            for w in WIRES
        )  # fmt: skip
        document = Document(endpoint=tuple(endpoints), model=tuple(models), workflow=flows)
        home: Path = tmp_path_factory.mktemp("details")
        with opened_door(Settings(document=document, home=home), upstream) as door:
            yield door


@pytest.fixture(scope="module")
def claude(door: Door) -> Iterator[anthropic.Anthropic]:
    with anthropic.Anthropic(base_url=f"http://127.0.0.1:{door.port}", api_key="k", max_retries=0) as client:
        yield client


@pytest.fixture(scope="module")
def gpt(door: Door) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=f"http://127.0.0.1:{door.port}/v1", api_key="k", max_retries=0) as client:
        yield client


def record(door: Door, head: Any) -> dict[str, Any]:
    ident = head["x-tierwise-decision"]
    with urllib.request.urlopen(f"http://127.0.0.1:{door.port}/v1/decisions/{ident}") as answer:
        return dict(json.load(answer))


def sent(door: Door) -> dict[str, Any]:
    return dict(json.loads(door.upstream.asked[-1].body))


def user(text: Any) -> Any:
    return {"role": "user", "content": text}


class TestOneThinkingIsBound:
    def begun(self, claude: anthropic.Anthropic, model: str) -> tuple[list[Any], Any]:
        """Begin a tool loop with thinking; return the turns so far and what the tool is to say."""
        first = claude.messages.create(
            model=model, max_tokens=1500, messages=[user("please look")], tools=[LOOK], thinking=THINK
        )
        blocks = [block.model_dump(exclude_none=True, exclude={"caller"}) for block in first.content]
        assert [block["type"] for block in blocks] == ["thinking", "tool_use"]
        result = {"type": "tool_result", "tool_use_id": blocks[1]["id"], "content": "It rains"}
        return [user("please look"), {"role": "assistant", "content": blocks}], user([result])

    @pytest.mark.parametrize("endpoint", ["messages", "responses", "gemini"])
    def test_within_its_loop_it_goes_back_unchanged(
        self, door: Door, claude: anthropic.Anthropic, endpoint: str
    ) -> None:
        turns, result = self.begun(claude, f"{endpoint}-thinking")
        raw = claude.messages.with_raw_response.create(
            model=f"{endpoint}-thinking", max_tokens=1500, messages=[*turns, result], tools=[LOOK], thinking=THINK
        )
        assert "x-tierwise-dropped" not in raw.headers or raw.headers["x-tierwise-dropped"] == "thinking"
        assert record(door, raw.headers)["outcome"] == "answered"
        assert "let me think" in json.dumps(sent(door)) or endpoint == "responses"

    def test_on_a_switch_it_is_removed_and_never_text(self, door: Door, claude: anthropic.Anthropic) -> None:
        turns, result = self.begun(claude, "gemini-thinking")
        for model in ("messages-plain", "chat-plain", "responses-plain"):
            raw = claude.messages.with_raw_response.create(
                model=model, max_tokens=1500, messages=[*turns, result], tools=[LOOK]
            )
            assert "let me think" not in json.dumps(sent(door))
            assert "tw1." not in json.dumps(sent(door)), "no envelope reaches an endpoint"
            assert "thinking" in raw.headers["x-tierwise-dropped"]

    def test_a_seal_that_the_server_refuses_is_taken_out_once(self, door: Door, claude: anthropic.Anthropic) -> None:
        forged = {"type": "thinking", "thinking": "let me think", "signature": "c2lnbmVkIGVsc2V3aGVyZQ=="}
        turns = [user("hm"), {"role": "assistant", "content": [forged, {"type": "text", "text": "so"}]}, user("on")]
        raw = claude.messages.with_raw_response.create(
            model="messages-plain", max_tokens=1500, messages=turns, thinking=THINK
        )
        told = record(door, raw.headers)
        assert [attempt["verdict"] for attempt in told["attempts"]][1:] == ["ok"]
        assert "thinking_refused" in told["attempts"][0]["error"]
        assert "let me think" not in json.dumps(sent(door))


class TestTwoParallelCalls:
    @pytest.mark.parametrize("index", ["zero", "none"])
    def test_servers_that_count_every_call_as_the_first_or_not_at_all(
        self, claude: anthropic.Anthropic, gpt: openai.OpenAI, index: str
    ) -> None:
        with claude.messages.stream(
            model=f"chat-{index}", max_tokens=99, messages=[user("please look and hear")], tools=[LOOK, HEAR]
        ) as events:
            blocks = events.get_final_message().content
        assert [(block.name, block.input) for block in blocks if block.type == "tool_use"] == [
            ("look", {"city": "text"}), ("hear", {"city": "text"}),
        ]  # fmt: skip
        tools: Any = [{"type": "function", "name": n, "parameters": CITY, "strict": False} for n in ("look", "hear")]
        stream = gpt.responses.create(model=f"chat-{index}", input="please look and hear", tools=tools, stream=True)
        [whole] = [event.response for event in stream if event.type == "response.completed"]
        calls = [item for item in whole.output if item.type == "function_call"]
        assert [(call.name, json.loads(call.arguments)) for call in calls] == [
            ("look", {"city": "text"}), ("hear", {"city": "text"}),
        ]  # fmt: skip
        assert len({call.call_id for call in calls}) == 2


class TestThreeUsage:
    @pytest.mark.parametrize("endpoint", WIRES)
    def test_it_is_asked_for_upstream_and_shown_only_if_asked_for(
        self, door: Door, gpt: openai.OpenAI, endpoint: str
    ) -> None:
        create = gpt.chat.completions.with_raw_response.create
        for asked in (False, True):
            more: Any = {"stream_options": {"include_usage": True}} if asked else {}
            raw = create(model=f"{endpoint}-plain", messages=[user("a b c")], stream=True, **more)
            with raw.parse() as stream:
                shown = [chunk.usage for chunk in stream if chunk.usage is not None]
            assert [(usage.prompt_tokens, usage.completion_tokens) for usage in shown] == [(3, 3)] * asked
            used = record(door, raw.headers)["attempts"][0]["usage"]
            assert (used["input"], used["output"], used["estimated"]) == (3, 3, False)

    def test_without_any_it_is_estimated_and_marked(self, door: Door, gpt: openai.OpenAI) -> None:
        raw = gpt.chat.completions.with_raw_response.create(model="chat-usage", messages=[user("a b c")])
        assert record(door, raw.headers)["attempts"][0]["usage"]["estimated"] is True

    @pytest.mark.parametrize("endpoint", WIRES)
    def test_cached_input_is_inside_on_one_wire_and_beside_on_another(
        self, claude: anthropic.Anthropic, gpt: openai.OpenAI, endpoint: str
    ) -> None:
        beside = claude.messages.create(model=f"{endpoint}-cached", max_tokens=9, messages=[user("a b c")]).usage
        assert (beside.input_tokens, beside.cache_read_input_tokens) == (1, 2)
        inside = gpt.chat.completions.create(model=f"{endpoint}-cached", messages=[user("a b c")]).usage
        assert inside is not None
        assert inside.prompt_tokens_details is not None
        assert (inside.prompt_tokens, inside.prompt_tokens_details.cached_tokens) == (3, 2)


class TestFourAbortedStreams:
    @pytest.mark.parametrize("model", ["outside-slow", "chat-slow"])
    def test_the_row_is_written_and_the_cost_known(self, door: Door, model: str) -> None:
        body = {"model": model, "messages": [user("a b c d e f g h")], "stream": True}
        asked = len(door.upstream.asked)
        with door.line() as line:
            line.sendall(post(json.dumps(body).encode()))
            head = line.recv(4096).decode()
        ident = head.lower().split("x-tierwise-decision: ")[1].split("\r\n")[0]
        assert until(lambda: record(door, {"x-tierwise-decision": ident})["outcome"] == "cancelled")
        told, request = record(door, {"x-tierwise-decision": ident}), door.upstream.asked[asked]
        used = told["attempts"][0]["usage"]
        if model == "outside-slow":
            assert (used["output"], used["estimated"]) == (8, False), "it bills on, so it is read to its end"
            assert Decimal(str(told["total_cost_usd"])) == Decimal("0.000096")
            assert not request.cancelled
        else:
            assert used["estimated"] is True
            assert until(lambda: request.cancelled), "a slot inside is freed at once"


class TestFiveTheCommitPoint:
    @pytest.mark.parametrize("endpoint", WIRES)
    def test_what_is_no_content_commits_nothing(self, door: Door, gpt: openai.OpenAI, endpoint: str) -> None:
        """The stream begins with its frame, pings and comments, then an error with status 200: another model answers."""
        raw = gpt.chat.completions.with_raw_response.create(
            model=f"auto:{endpoint}-early", messages=[user("a b c")], stream=True
        )
        with raw.parse() as stream:
            said = "".join(choice.delta.content or "" for chunk in stream for choice in chunk.choices)
        assert said == "a b c"
        assert [attempt["model"] for attempt in record(door, raw.headers)["attempts"]][-1] == "messages-too-plain"

    @pytest.mark.parametrize("endpoint", WIRES)
    def test_pings_comments_and_line_ends_of_http_change_nothing(self, gpt: openai.OpenAI, endpoint: str) -> None:
        with gpt.chat.completions.create(model=f"{endpoint}-pinged", messages=[user("a b c")], stream=True) as stream:
            assert "".join(choice.delta.content or "" for chunk in stream for choice in chunk.choices) == "a b c"


class TestSixCounting:
    def test_a_route_is_taken_on_the_upper_bound_of_what_is_really_sent(self, gpt: openai.OpenAI) -> None:
        tools: Any = [{"type": "function", "function": {"name": "look", "description": "x" * 9000, "parameters": CITY}}]
        with pytest.raises(openai.APIStatusError, match="context is 3000"):
            gpt.chat.completions.create(model="chat-plain", messages=[user("a")], tools=tools)


class TestSevenSilentTruncation:
    def test_a_prompt_of_which_too_little_was_read_is_marked(self, door: Door, gpt: openai.OpenAI) -> None:
        text = "".join(f"{n}," for n in range(1300))
        raw = gpt.chat.completions.with_raw_response.create(model="chat-plain", messages=[user(text)], max_tokens=5)
        assert "may have cut it" in record(door, raw.headers)["attempts"][0]["suspicion"]


class TestEightResponsesIsNotChat:
    @pytest.mark.parametrize("endpoint", WIRES)
    def test_state_is_ours_and_keeps_its_label(self, door: Door, gpt: openai.OpenAI, endpoint: str) -> None:
        marked: Any = {"x-tierwise-label": "confidential"}
        first = gpt.responses.create(model=f"{endpoint}-plain", input="remember the word", extra_headers=marked)
        again = gpt.responses.create(model=f"{endpoint}-plain", input="and now", previous_response_id=first.id)
        assert again.previous_response_id == first.id or endpoint == "responses"
        assert "remember the word" in json.dumps(sent(door))
        assert "previous_response_id" not in sent(door)
        with pytest.raises(openai.PermissionDeniedError):
            gpt.responses.create(model="outside-plain", input="and now", previous_response_id=first.id)

    @pytest.mark.parametrize("endpoint", WIRES)
    def test_a_cut_answer_is_incomplete(self, gpt: openai.OpenAI, endpoint: str) -> None:
        answer = gpt.responses.create(model=f"{endpoint}-plain", input=" ".join("x" * 40), max_output_tokens=16)
        assert answer.status == "incomplete"
        assert answer.incomplete_details is not None
        assert answer.incomplete_details.reason == "max_output_tokens"

    def test_what_another_wire_lacks_is_named(self, gpt: openai.OpenAI) -> None:
        search: Any = [{"type": "web_search"}]
        raw = gpt.responses.with_raw_response.create(model="chat-plain", input="a", tools=search)
        assert "tools[0]: web_search" in raw.headers["x-tierwise-dropped"]


class TestNinePromptCaches:
    def test_marks_stay_where_they_are_and_nothing_is_put_before_them(
        self, door: Door, claude: anthropic.Anthropic
    ) -> None:
        mark: Any = {"type": "ephemeral"}
        system: Any = [{"type": "text", "text": "rules", "cache_control": mark}]
        turns: Any = [user([{"type": "text", "text": "long", "cache_control": mark}])]
        for _ in range(2):
            claude.messages.create(model="messages-plain", max_tokens=9, system=system, messages=turns)
        first, second = (request.body for request in door.upstream.asked[-2:])
        assert first == second
        assert (sent(door)["system"], sent(door)["messages"]) == (system, turns)


class TestTenMoneyRetriesIdentity:
    def test_the_price_is_that_of_the_model_which_answered(self, door: Door, gpt: openai.OpenAI) -> None:
        raw = gpt.chat.completions.with_raw_response.create(model="outside-plain", messages=[user("a b c")])
        told = record(door, raw.headers)
        assert Decimal(str(told["total_cost_usd"])) == Decimal("0.000036")
        assert told["attempts"][0]["served_model"] == raw.headers["x-tierwise-model"]

    @pytest.mark.parametrize("status", [400, 401, 403, 404, 413, 422])
    def test_what_cannot_succeed_is_not_asked_again(self, door: Door, gpt: openai.OpenAI, status: int) -> None:
        door.upstream.script(Script(fault="error", status=status))
        before = len(door.upstream.asked)
        with pytest.raises(openai.APIStatusError) as caught:
            gpt.chat.completions.create(model="chat-plain", messages=[user("a")])
        assert len(door.upstream.asked) == before + 1
        assert caught.value.response.headers["x-should-retry"] == "false"

    def test_a_refusal_is_an_answer(self, door: Door, gpt: openai.OpenAI, claude: anthropic.Anthropic) -> None:
        door.upstream.script(Script(fault="refusal"), Script(fault="refusal"))
        said = gpt.chat.completions.create(model="chat-plain", messages=[user("a")]).choices[0].message
        assert said.refusal
        assert claude.messages.create(model="chat-plain", max_tokens=99, messages=[user("a")]).stop_reason == "refusal"
