"""A hostile or damaged export is an error with its row and column; a good one is read as its vendor means it."""

import json
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tierwise.cli.reconcile import formats
from tierwise.core.errors import InvalidCall
from tierwise.economics import invoice
from tierwise.economics.invoice import Counts, Invoice, read

DAY = 1_793_491_200  # 2026-11-01T00:00:00Z
HEAD = "date,model,input_tokens,cached,output_tokens,requests,cost_usd"
FORMATS = formats()


def of(text: str | bytes, name: str = "bill.csv") -> Invoice:
    return read(FORMATS, [(name, text.encode() if isinstance(text, str) else text)])


def plain(*rows: str) -> Invoice:
    return of("\n".join((HEAD, *rows)) + "\n")


def test_every_format_says_where_its_facts_are_from() -> None:
    assert len(FORMATS) >= 7
    assert len({form.name for form in FORMATS}) == len(FORMATS)
    for form in FORMATS:
        assert form.source
        assert form.as_of


def test_a_plain_row_is_a_day_of_one_model() -> None:
    export = plain("2026-11-01,big,1000,400,30,3,0.0125")
    (line,) = export.lines
    assert (line.start, line.end) == (DAY, DAY + 86_400)
    assert line.counts == Counts(read=1000, cache_read=400, written=30, requests=3)
    assert (line.cost_usd, export.digits, export.by_request) == (Decimal("0.0125"), 4, False)


def test_a_usage_api_that_counts_cached_input_within() -> None:
    page = {
        "object": "page",
        "data": [
            {
                "object": "bucket", "start_time": DAY, "end_time": DAY + 60,
                "results": [{
                    "input_tokens": 1000, "input_cached_tokens": 400, "output_tokens": 30, "num_model_requests": 3,
                    "model": "gpt-6", "project_id": None,
                }],
            },
            {"object": "bucket", "start_time": DAY + 60, "end_time": DAY + 120, "results": []},
        ],
        "has_more": False,
    }  # fmt: skip
    export = of(json.dumps(page), "usage.json")
    assert export.format.name == "openai_usage"
    assert export.lines[0].counts == Counts(read=1000, cache_read=400, written=30, requests=3)
    assert export.spans == ((DAY, DAY + 120),), "an empty window is told, and so is spoken of"
    page["data"] = [page["data"][1]]  # type: ignore[index]
    assert of(json.dumps(page)).lines == ()


def test_a_usage_report_that_counts_cached_input_apart() -> None:
    result = {
        "uncached_input_tokens": 100, "cache_read_input_tokens": 400, "output_tokens": 30, "model": "claude-opus-5",
        "cache_creation": {"ephemeral_5m_input_tokens": 20, "ephemeral_1h_input_tokens": 3},
        "server_tool_use": {"web_search_requests": 1},
    }  # fmt: skip
    bucket = {"starting_at": "2026-11-01T00:00:00Z", "ending_at": "2026-11-02T00:00:00Z", "results": [result]}
    export = of(json.dumps({"data": [bucket], "has_more": True}))
    assert export.lines[0].counts == Counts(read=523, cache_read=400, written=30)
    assert not export.complete


def test_a_csv_of_hours() -> None:
    head = "usage_date_utc,model_version,api_key,usage_input_tokens_no_cache,usage_input_tokens_cache_write_5m,"
    head += "usage_input_tokens_cache_write_1h,usage_input_tokens_cache_read,usage_output_tokens\n"
    export = of(head + "2026-11-01 08:00,claude-opus-5,a,1,2,3,4,5\n2026-11-01 10:00,claude-opus-5,a,1,0,0,0,1\n")
    assert export.format.name == "anthropic_console"
    assert export.lines[0].counts == Counts(read=10, cache_read=4, written=5)
    assert export.spans == ((DAY + 8 * 3600, DAY + 11 * 3600),), "the hour without usage is only left out"
    assert export.width_s == 3600


def test_lists_of_requests() -> None:
    logs: list[dict[str, Any]] = [
        {
            "request_id": "chatcmpl-1", "startTime": "2026-11-01T00:00:01Z", "endTime": "2026-11-01T00:00:03.5Z",
            "model": "gpt-6", "prompt_tokens": 7, "completion_tokens": 2, "spend": 1.5e-05, "metadata": {},
        },
        {
            "request_id": "x", "startTime": "2026-11-01T00:00:01Z", "endTime": "2026-11-01T00:00:03Z",
            "model": "gpt-6", "prompt_tokens": 0, "completion_tokens": 0, "spend": 0,
        },
    ]  # fmt: skip
    export = of(json.dumps(logs))
    assert export.by_request
    assert export.unbilled == 1
    assert export.lines[0].cost_usd == Decimal("0.000015")
    head = "generation_id,created_at,cost_total,tokens_prompt,tokens_completion,tokens_cached,model_permaslug,user\n"
    export = of(head + "gen-1,2026-11-01 00:00:01.713,0.0123,10,3,4,openai/gpt-6,\n")
    assert (export.format.name, export.lines[0].request_id) == ("openrouter_generations", "gen-1")
    assert export.lines[0].counts == Counts(read=10, cache_read=4, written=3, requests=1)


@pytest.mark.parametrize(
    ("rows", "told"),
    [
        ("2026-11-01,big,-5,0,1,1,0", "bill.csv: row 3, column 'input_tokens'"),
        ("2026-11-01,big,1e9,0,1,1,0", "column 'input_tokens'"),
        ("2026-11-01,big,1.5,0,1,1,0", "column 'input_tokens'"),
        ('2026-11-01,big,"1,000",0,1,1,0', "column 'input_tokens'"),
        ("2026-11-01,big,9999999999999999,0,1,1,0", "column 'input_tokens'"),
        ("2026-11-01,big,١٢,0,1,1,0", "column 'input_tokens'"),
        ("2026-11-01,big,1,0,1,1,NaN", "column 'cost_usd'"),
        ("2026-11-01,big,1,0,1,1,$3", "column 'cost_usd'"),
        ("2026-11-01,big,1,0,1,1,-3", "column 'cost_usd'"),
        ("2026-13-01,big,1,0,1,1,0", "column 'start'"),
        ("1.11.2026,big,1,0,1,1,0", "is no time"),
        (",big,1,0,1,1,0", "is no time"),
        ("0001-01-01T00:00:00+14:00,big,1,0,1,1,0", "is no time"),
        ("2026-11-01,,1,0,1,1,0", "column 'model'"),
        ('2026-11-01,"=cmd|x!A1",1,0,1,1,0', "begin like a formula"),
        ("2026-11-01,+sum,1,0,1,1,0", "begin like a formula"),
        ("2026-11-01,@sum,1,0,1,1,0", "begin like a formula"),
        ('2026-11-01,"a\x1bb",1,0,1,1,0', "is no name"),
        ("2026-11-01," + "x" * 201 + ",1,0,1,1,0", "is no name"),
        ("2026-11-01,big,1,0,1,1", "bill.csv: row 3 has 6 cells, the header 7"),
        ('2026-11-01,"big,1,0,1,1,0', "row 3"),
        ("2026-11-01,big,1000,400,30,3,0.0125", "row 3: the same as bill.csv: row 2"),
    ],
)
def test_what_cannot_be_read_is_an_error_that_says_where(rows: str, told: str) -> None:
    with pytest.raises(InvalidCall) as caught:
        plain("2026-11-01,big,1000,400,30,3,0.0125", rows)
    assert told in str(caught.value)


@pytest.mark.parametrize(
    ("data", "told"),
    [
        (b"", "no row"),
        (HEAD.encode(), "no row"),
        (b"\xff\xfed\x00a\x00", "not UTF-8"),
        (HEAD.encode() + b"\n2026-11-01,b\xe4r,1,0,1,1,0\n", "row 2 is not UTF-8"),
        (HEAD.encode() + b"\n2026-11-01,b\0r,1,0,1,1,0\n", "row 2 has a NUL"),
        (b"a,b\n1,2\n", "no export that is known"),
        (b"model,model\n1,2\n", "a column twice"),
        (b'{"data": 1}', "neither a list"),
        (b'{"data": [1]}', "row data[0] is no object"),
        (b'[{"results": [3]}]', "results[0] is no object"),
        (b'{"data": [', "no JSON"),
        (b"[" * 100_000, "no JSON"),
        (b'{"data": [{"results": []}]}', "no export that is known"),
        (b"x" * 70, "no row"),
    ],
)
def test_files_of_another_kind(data: bytes, told: str) -> None:
    with pytest.raises(InvalidCall) as caught:
        of(data)
    assert told in str(caught.value)


def test_it_is_bounded() -> None:
    with pytest.raises(InvalidCall, match="larger than"):
        of(b"x" * (invoice.MAX_BYTES + 1))


def test_a_byte_order_mark_and_line_ends_of_windows_are_read() -> None:
    assert of(b"\xef\xbb\xbf" + (HEAD + "\r\n2026-11-01,big,1,0,1,1,0\r\n").encode()).lines[0].model == "big"


@given(
    st.binary(max_size=300) | st.text(max_size=300).map(lambda text: (HEAD + "\n" + text).encode("utf-8", "replace"))
)
def test_whatever_is_in_it_it_is_read_or_refused(data: bytes) -> None:
    try:
        export = of(data)
    except InvalidCall:
        return
    assert all(value >= 0 for line in export.lines for _, value in line.counts.items())
