"""Each check fails what it should and passes what it should; all choices count."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tierwise.core.answer import Answer, Choice, TokenLogprob, ToolCall
from tierwise.core.call import Call, Features
from tierwise.core.usage import Usage
from tierwise.quality.checks import LONG_TIMES, LOOP_CHARS, TIMES, repeated
from tierwise.quality.gate import check_answer, check_head, needs_logprobs, needs_whole, threshold
from tierwise.quality.settings import Gates

SCHEMA = {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]}


def call(**facts: Any) -> Call:
    features = Features(
        input_tokens_est=1,
        json="json_schema" in facts or facts.pop("json", False),
        max_output_tokens=facts.pop("limit", None),
    )
    return Call(wire="chat", body=b"", model="m", parts=(), features=features, **facts)


def verdict(choice: Choice, *, gates: Gates = Gates(), asked: Call | None = None) -> str:
    result = check_answer(gates, asked or call(), Answer(choices=(choice,)), model_id="m").record
    return "pass" if result.verdict == "pass" else result.name


LOOP = "The same line again. " * 20
CASES: list[tuple[str, Choice, dict[str, Any], str]] = [
    ("text", Choice(text="fine", finish="stop"), {}, "pass"),
    ("blank", Choice(text=" \n", finish="stop"), {}, "empty"),
    ("cut by the model", Choice(text="so", finish="length"), {}, "truncated"),
    ("cut by the caller", Choice(text="so", finish="length"), {"limit": 5}, "pass"),
    ("cut JSON by the caller", Choice(text='{"n":', finish="length"), {"limit": 5, "json_schema": SCHEMA}, "pass"),
    ("JSON", Choice(text="[1]", finish="stop"), {"json": True}, "pass"),
    ("no JSON", Choice(text="[1", finish="stop"), {"json": True}, "json"),
    ("fits", Choice(text='{"n":1}', finish="stop"), {"json_schema": SCHEMA}, "pass"),
    ("fits not", Choice(text='{"n":"1"}', finish="stop"), {"json_schema": SCHEMA}, "schema"),
    ("no JSON at all", Choice(text="n is 1", finish="stop"), {"json_schema": SCHEMA}, "schema"),
    ("tool", Choice(tool_calls=(ToolCall(name="f", arguments='{"n":1}'),)), {"tools": {"f": SCHEMA}}, "pass"),
    ("tool unknown", Choice(tool_calls=(ToolCall(name="g"),)), {"tools": {"f": SCHEMA}}, "tool_arguments"),
    (
        "tool broken",
        Choice(tool_calls=(ToolCall(name="f", arguments="{n"),)),
        {"tools": {"f": SCHEMA}},
        "tool_arguments",
    ),
    (
        "tool unfit",
        Choice(tool_calls=(ToolCall(name="f", arguments="{}"),)),
        {"tools": {"f": SCHEMA}},
        "tool_arguments",
    ),
    ("tool without arguments", Choice(tool_calls=(ToolCall(name="f"),)), {"tools": {"f": {}}}, "pass"),
    ("loop", Choice(text="Well. " + LOOP, finish="stop"), {}, "repetition"),
    ("ruler", Choice(text="Title\n" + "-" * 300, finish="stop"), {}, "pass"),
    ("loop of one letter", Choice(text="a" * 300, finish="stop"), {}, "repetition"),
    (
        "loop of a paragraph",
        Choice(text="So it goes. " + ("This sentence is quite long, and it comes back. " * 5)),
        {},
        "repetition",
    ),
    ("a sentence said thrice", Choice(text="This sentence is quite long, and it comes back. " * 3), {}, "pass"),
    ("a matrix that ends", Choice(text="[" + "0, " * 200 + "0]"), {"json": True}, "pass"),
    ("nothing, cut by the caller", Choice(text="", finish="length"), {"limit": 1}, "pass"),
    ("NaN is not JSON", Choice(text='{"n": NaN}'), {"json": True}, "json"),
    ("deep", Choice(text="[" * 100_000), {"json": True}, "json"),
    ("JSON before more", Choice(text='{"n": 1} and so on'), {"json_schema": SCHEMA}, "schema"),
    ("fenced", Choice(text='```json\n{"n": 1}\n```'), {"json_schema": SCHEMA}, "schema"),
    ("tool instead of JSON", Choice(tool_calls=(ToolCall(name="f"),)), {"tools": {"f": {}}, "json": True}, "pass"),
    (
        "tool with a list",
        Choice(tool_calls=(ToolCall(name="f", arguments="[]"),)),
        {"tools": {"f": {}}},
        "tool_arguments",
    ),
    ("list", Choice(text="\n".join(f"- item {n}" for n in range(60)), finish="stop"), {}, "pass"),
]


@pytest.mark.parametrize(("choice", "facts", "expected"), [case[1:] for case in CASES], ids=[case[0] for case in CASES])
def test_cases(choice: Choice, facts: dict[str, Any], expected: str) -> None:
    assert verdict(choice, asked=call(**facts)) == expected


REFUSALS = [
    "I'm sorry, but I can't help with that.",
    "I cannot assist with this request.",
    "As an AI language model, I have no opinion.",
    "Es tut mir leid, aber ich kann dir dabei nicht helfen.",
    "Je suis désolé, mais je ne peux pas répondre.",
    "Lo siento, pero no puedo ayudar con eso.",
    "Mi dispiace, ma non posso aiutarti con questo.",
    "Desculpe, mas não posso ajudar com isso.",
    "Het spijt me, maar ik kan je hier niet mee helpen.",
    "抱歉，我无法提供这些信息。",
    "申し訳ありませんが、お手伝いできません。",
]
ANSWERS = [
    "I can help with that.",
    "Sorry for the delay! Your card is on its way.",
    "The sorry state of affairs",
    "I cannot recommend it enough.",
    "Lo siento, no puedo creer que ya sea lunes.",
    "Here is how refusals begin: I cannot help with that.",
]


def test_refusals_count_only_where_the_workflow_says_so() -> None:
    gates = Gates(refusal=True)
    assert [verdict(Choice(text=text), gates=gates) for text in REFUSALS] == ["refusal"] * len(REFUSALS)
    assert [verdict(Choice(text=text), gates=gates) for text in ANSWERS] == ["pass"] * len(ANSWERS)
    assert verdict(Choice(refusal="no"), gates=gates) == "refusal"
    assert {verdict(Choice(text=text)) for text in REFUSALS} == {"pass"}
    assert check_head(gates, Answer(choices=(Choice(text=REFUSALS[0]),))).record.verdict == "fail"


def test_confidence_is_asked_of_the_models_that_have_a_threshold() -> None:
    gates = Gates(min_logprob={"m": -0.5})
    sure = Choice(text="x", tokens=(TokenLogprob(b"x", -0.5),))
    unsure = Choice(text="x", tokens=(TokenLogprob(b"x", -0.51),))
    assert verdict(sure, gates=gates) == "pass"
    assert verdict(unsure, gates=gates) == "min_logprob"
    assert verdict(Choice(text="x"), gates=gates) == "min_logprob"
    assert verdict(Choice(text="x"), gates=Gates(min_logprob={"other": -0.5})) == "pass"
    assert (threshold(gates, "m"), threshold(Gates(min_logprob=-1), "any")) == (-0.5, -1)
    assert (needs_logprobs(gates, "m"), needs_logprobs(gates, "other")) == (True, False)


def test_a_limit_that_was_not_reached_did_not_cut_the_answer() -> None:
    def verdict_of(used: int, *, estimated: bool = False) -> str:
        usage = Usage(output=used, estimated=estimated)
        answer = Answer(choices=(Choice(text="so", finish="length"),), usage=usage)
        return check_answer(Gates(), call(limit=100), answer, model_id="m").record.verdict

    assert [verdict_of(100), verdict_of(97), verdict_of(40), verdict_of(0)] == ["pass", "pass", "fail", "pass"]
    assert verdict_of(40, estimated=True) == "pass"


def test_a_schema_that_cannot_be_checked_is_recorded_as_such() -> None:
    asked = call(json_schema={"type": "string", "pattern": "^(?=a)"})
    record = check_answer(Gates(), asked, Answer(choices=(Choice(text='"abc"'),)), model_id="m").record
    assert record.verdict == "pass"
    assert "schema" not in record.name.split(",")
    assert record.detail == "schema could not be checked: a pattern is not RE2"
    assert verdict(Choice(text="abc"), asked=asked) == "schema"  # that it is not JSON can be seen all the same


def test_the_result_never_repeats_the_answer() -> None:
    secret = "canary-4711"
    texts = [secret, f'{{"{secret}": "{secret}"}}', f"{secret} " * 60, f'{{"n": "{secret}"}}']
    asked = call(json_schema=SCHEMA | {"additionalProperties": False}, tools={"f": SCHEMA})
    tools = (ToolCall(name=secret, arguments=secret), ToolCall(name="f", arguments=f'{{"n": "{secret}"}}'))
    choices = [Choice(text=text) for text in texts] + [Choice(tool_calls=(tool,)) for tool in tools]
    for choice in choices:
        record = check_answer(Gates(), asked, Answer(choices=(choice,)), model_id="m").record
        assert record.verdict == "fail"
        assert secret not in record.detail


def test_the_choice_that_failed_is_named_and_the_least_confidence_counts() -> None:
    said = [Choice(index=n, text="x", tokens=(TokenLogprob(b"x", value),)) for n, value in enumerate((-0.1, -2.0))]
    result = check_answer(Gates(min_logprob=-1.0), call(), Answer(choices=tuple(said)), model_id="m")
    assert result.record.detail.startswith("choice 1: ")
    assert result.confidence == -2.0


@given(st.text(alphabet="ab c\n", min_size=1, max_size=60), st.integers(1, 60), st.text(max_size=40))
def test_every_loop_is_found_and_is_one(unit: str, times: int, before: str) -> None:
    said = repeated(Choice(text=before + unit * times))
    enough = times >= TIMES and len(unit) * times >= LOOP_CHARS + len(unit)
    if enough and unit.strip():
        assert said is not None
    if said is not None:
        *_, span, _repeat, _a, _unit, _of, period = said.replace(" characters", "").split()
        text, size, step = before + unit * times, int(span), int(period)
        assert text[-size:][:-step] == text[-size:][step:]
        assert size >= min(TIMES * step, max(LONG_TIMES * step, LOOP_CHARS))


def test_every_choice_must_pass() -> None:
    answer = Answer(choices=(Choice(text="fine"), Choice(index=1, text="")))
    assert check_answer(Gates(), call(), answer, model_id="m").record.name == "empty"
    assert check_answer(Gates(), call(), Answer(), model_id="m").record.name == "empty"


def test_a_switched_off_gate_says_nothing() -> None:
    off = Gates(empty=False, truncated=False, json=False, schema=False, tool_arguments=False, repetition=False)
    assert {verdict(c, gates=off, asked=call(**dict(facts))) for _, c, facts, _ in CASES} == {"pass"}


def test_what_holds_a_stream_back_to_its_end() -> None:
    assert not needs_whole(Gates(), call())
    assert needs_whole(Gates(), call(json_schema=SCHEMA))
    assert needs_whole(Gates(min_logprob=-1), call())
    assert needs_whole(Gates(), call(tools={"f": {}}))
    named = Gates(min_logprob={"m": -1.0})
    assert needs_whole(named, call())
    assert needs_whole(named, call(), model_id="m")
    assert not needs_whole(named, call(), model_id="other")
    assert not needs_whole(Gates(schema=False, json=False), call(json_schema=SCHEMA))
