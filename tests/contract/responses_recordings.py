"""What servers of the Responses wire send, written by hand from the published formats, and what it means.

Each recording is the body of one HTTP answer. The meaning was worked out by reading, not by running the decoder.
Formats: OpenAI's API description (developers.openai.com/api/reference, "Streaming events", read 2026-11) and the types
of its Python client 3.52; what smaller servers leave out as in the sources of llama.cpp and vLLM (their /v1/responses).
"""

from tests.contract.recording import Recording
from tierwise.core.answer import Answer, Choice, Piece, TokenLogprob, ToolCall
from tierwise.core.usage import Usage


def begun(ident: str, model: str) -> bytes:
    """Write the two events that every stream of the vendor begins with."""
    response = (
        f'{{"id":"{ident}","object":"response","created_at":1764000000,"status":"in_progress","background":false,'
        f'"error":null,"incomplete_details":null,"instructions":null,"max_output_tokens":null,"model":"{model}",'
        '"output":[],"parallel_tool_calls":true,"previous_response_id":null,"reasoning":{"effort":"low","summary":null},'
        '"store":false,"temperature":1.0,"text":{"format":{"type":"text"}},"tool_choice":"auto","tools":[],"top_p":1.0,'
        '"truncation":"disabled","usage":null,"user":null,"metadata":{}}'
    )
    return "".join(
        f'event: response.{kind}\ndata: {{"type":"response.{kind}","sequence_number":{number},"response":{response}}}\n\n'
        for number, kind in enumerate(("created", "in_progress"))
    ).encode()


STREAMS = [
    Recording(
        name="text with log-probabilities, half a character in a token, counts with cache and reasoning",
        body=begun("resp_01", "gpt-5-mini-2026-01-10")
        + b"""\
event: response.output_item.added
data: {"type":"response.output_item.added","sequence_number":2,"output_index":0,"item":{"id":"msg_01","type":"message","status":"in_progress","content":[],"role":"assistant"}}

event: response.content_part.added
data: {"type":"response.content_part.added","sequence_number":3,"item_id":"msg_01","output_index":0,"content_index":0,"part":{"type":"output_text","annotations":[],"logprobs":[],"text":""}}

event: response.output_text.delta
data: {"type":"response.output_text.delta","sequence_number":4,"item_id":"msg_01","output_index":0,"content_index":0,"delta":"Hello","logprobs":[{"token":"Hello","bytes":[72,101,108,108,111],"logprob":-0.5,"top_logprobs":[]}],"obfuscation":"x8Kd"}

event: response.output_text.delta
data: {"type":"response.output_text.delta","sequence_number":5,"item_id":"msg_01","output_index":0,"content_index":0,"delta":" \\u00e9\\ud83d\\ude00","logprobs":[{"token":" \\u00e9\\\\xf0\\\\x9f","bytes":[32,195,169,240,159],"logprob":-1,"top_logprobs":[]},{"token":"\\\\x98\\\\x80","bytes":[152,128],"logprob":0,"top_logprobs":[]}],"obfuscation":""}

event: response.output_text.done
data: {"type":"response.output_text.done","sequence_number":6,"item_id":"msg_01","output_index":0,"content_index":0,"text":"Hello \\u00e9\\ud83d\\ude00","logprobs":[]}

event: response.content_part.done
data: {"type":"response.content_part.done","sequence_number":7,"item_id":"msg_01","output_index":0,"content_index":0,"part":{"type":"output_text","annotations":[],"logprobs":[],"text":"Hello \\u00e9\\ud83d\\ude00"}}

event: response.output_item.done
data: {"type":"response.output_item.done","sequence_number":8,"output_index":0,"item":{"id":"msg_01","type":"message","status":"completed","content":[{"type":"output_text","annotations":[],"logprobs":[],"text":"Hello \\u00e9\\ud83d\\ude00"}],"role":"assistant"}}

event: response.completed
data: {"type":"response.completed","sequence_number":9,"response":{"id":"resp_01","object":"response","created_at":1764000000,"status":"completed","error":null,"incomplete_details":null,"model":"gpt-5-mini-2026-01-10","output":[{"id":"msg_01","type":"message","status":"completed","content":[{"type":"output_text","annotations":[],"logprobs":[],"text":"Hello \\u00e9\\ud83d\\ude00"}],"role":"assistant"}],"usage":{"input_tokens":20,"input_tokens_details":{"cached_tokens":16},"output_tokens":12,"output_tokens_details":{"reasoning_tokens":8},"total_tokens":32},"metadata":{}}}

""",
        answer=Answer(
            choices=(
                Choice(
                    text="Hello \u00e9\U0001f600",
                    tokens=(
                        TokenLogprob(b"Hello", -0.5),
                        TokenLogprob(b" \xc3\xa9\xf0\x9f", -1.0),
                        TokenLogprob(b"\x98\x80", 0.0),
                    ),
                    finish="stop",
                ),
            ),
            usage=Usage(input=4, cache_read=16, output=4, reasoning=8),
            served_model="gpt-5-mini-2026-01-10",
        ),
        pieces=(
            Piece(text="Hello", tokens=(TokenLogprob(b"Hello", -0.5),)),
            Piece(
                text=" \u00e9\U0001f600",
                tokens=(TokenLogprob(b" \xc3\xa9\xf0\x9f", -1.0), TokenLogprob(b"\x98\x80", 0.0)),
            ),
        ),
        content_at=4,
    ),
    Recording(
        name="sealed reasoning with a summary in two parts, two functions, one without arguments, a cache that was written",
        body=begun("resp_02", "gpt-6")
        + b"""\
event: response.output_item.added
data: {"type":"response.output_item.added","sequence_number":2,"output_index":0,"item":{"id":"rs_02","type":"reasoning","encrypted_content":"gAAAAhalf","summary":[]}}

event: response.reasoning_summary_part.added
data: {"type":"response.reasoning_summary_part.added","sequence_number":3,"item_id":"rs_02","output_index":0,"summary_index":0,"part":{"type":"summary_text","text":""}}

event: response.reasoning_summary_text.delta
data: {"type":"response.reasoning_summary_text.delta","sequence_number":4,"item_id":"rs_02","output_index":0,"summary_index":0,"delta":"Let me ","obfuscation":"9"}

event: response.reasoning_summary_text.delta
data: {"type":"response.reasoning_summary_text.delta","sequence_number":5,"item_id":"rs_02","output_index":0,"summary_index":0,"delta":"see."}

event: response.reasoning_summary_text.done
data: {"type":"response.reasoning_summary_text.done","sequence_number":6,"item_id":"rs_02","output_index":0,"summary_index":0,"text":"Let me see."}

event: response.reasoning_summary_part.done
data: {"type":"response.reasoning_summary_part.done","sequence_number":7,"item_id":"rs_02","output_index":0,"summary_index":0,"part":{"type":"summary_text","text":"Let me see."}}

event: response.reasoning_summary_part.added
data: {"type":"response.reasoning_summary_part.added","sequence_number":8,"item_id":"rs_02","output_index":0,"summary_index":1,"part":{"type":"summary_text","text":""}}

event: response.reasoning_summary_text.delta
data: {"type":"response.reasoning_summary_text.delta","sequence_number":9,"item_id":"rs_02","output_index":0,"summary_index":1,"delta":"Aha."}

event: response.output_item.done
data: {"type":"response.output_item.done","sequence_number":10,"output_index":0,"item":{"id":"rs_02","type":"reasoning","encrypted_content":"gAAAAwhole","summary":[{"type":"summary_text","text":"Let me see."},{"type":"summary_text","text":"Aha."}]}}

event: response.output_item.added
data: {"type":"response.output_item.added","sequence_number":11,"output_index":1,"item":{"id":"fc_A","type":"function_call","status":"in_progress","arguments":"","call_id":"call_A","name":"get_weather"}}

event: response.function_call_arguments.delta
data: {"type":"response.function_call_arguments.delta","sequence_number":12,"item_id":"fc_A","output_index":1,"delta":"{\\"city\\":"}

event: response.function_call_arguments.delta
data: {"type":"response.function_call_arguments.delta","sequence_number":13,"item_id":"fc_A","output_index":1,"delta":" \\"Bern\\"}"}

event: response.function_call_arguments.done
data: {"type":"response.function_call_arguments.done","sequence_number":14,"item_id":"fc_A","output_index":1,"arguments":"{\\"city\\": \\"Bern\\"}"}

event: response.output_item.done
data: {"type":"response.output_item.done","sequence_number":15,"output_index":1,"item":{"id":"fc_A","type":"function_call","status":"completed","arguments":"{\\"city\\": \\"Bern\\"}","call_id":"call_A","name":"get_weather"}}

event: response.output_item.added
data: {"type":"response.output_item.added","sequence_number":16,"output_index":2,"item":{"id":"fc_B","type":"function_call","status":"in_progress","arguments":"","call_id":"call_B","name":"get_time"}}

event: response.function_call_arguments.done
data: {"type":"response.function_call_arguments.done","sequence_number":17,"item_id":"fc_B","output_index":2,"arguments":""}

event: response.output_item.done
data: {"type":"response.output_item.done","sequence_number":18,"output_index":2,"item":{"id":"fc_B","type":"function_call","status":"completed","arguments":"","call_id":"call_B","name":"get_time"}}

event: response.completed
data: {"type":"response.completed","sequence_number":19,"response":{"id":"resp_02","object":"response","status":"completed","error":null,"model":"gpt-6","output":[],"usage":{"input_tokens":2104,"input_tokens_details":{"cached_tokens":2000,"cache_write_tokens":100},"output_tokens":90,"output_tokens_details":{"reasoning_tokens":30},"total_tokens":2194}}}

""",
        answer=Answer(
            choices=(
                Choice(
                    reasoning="Let me see.\n\nAha.",
                    tool_calls=(
                        ToolCall(index=1, id="call_A", name="get_weather", arguments='{"city": "Bern"}'),
                        ToolCall(index=2, id="call_B", name="get_time", arguments="{}"),
                    ),
                    finish="tool_calls",
                ),
            ),
            usage=Usage(input=4, cache_write=100, cache_read=2000, output=60, reasoning=30),
            served_model="gpt-6",
        ),
        pieces=(
            Piece(reasoning="Let me "),
            Piece(reasoning="see."),
            Piece(reasoning="\n\nAha."),
            Piece(seal="rs_02 gAAAAwhole"),
            Piece(tool_calls=(ToolCall(index=1, id="call_A", name="get_weather"),)),
            Piece(tool_calls=(ToolCall(index=1, arguments='{"city":'),)),
            Piece(tool_calls=(ToolCall(index=1, arguments=' "Bern"}'),)),
            Piece(tool_calls=(ToolCall(index=2, id="call_B", name="get_time"),)),
            Piece(tool_calls=(ToolCall(index=2, arguments="{}"),)),
        ),
        content_at=4,
    ),
    Recording(
        name="a search that the server runs, citations, a free-form tool whose input is cut into pieces",
        body=begun("resp_03", "gpt-6")
        + b"""\
event: response.output_item.added
data: {"type":"response.output_item.added","sequence_number":2,"output_index":0,"item":{"id":"ws_03","type":"web_search_call","status":"in_progress"}}

event: response.web_search_call.searching
data: {"type":"response.web_search_call.searching","sequence_number":3,"item_id":"ws_03","output_index":0}

event: response.output_item.done
data: {"type":"response.output_item.done","sequence_number":4,"output_index":0,"item":{"id":"ws_03","type":"web_search_call","status":"completed","action":{"type":"search","query":"rain"}}}

event: response.output_item.added
data: {"type":"response.output_item.added","sequence_number":5,"output_index":1,"item":{"id":"msg_03","type":"message","status":"in_progress","content":[],"role":"assistant"}}

event: response.content_part.added
data: {"type":"response.content_part.added","sequence_number":6,"item_id":"msg_03","output_index":1,"content_index":0,"part":{"type":"output_text","annotations":[],"text":""}}

event: response.output_text.delta
data: {"type":"response.output_text.delta","sequence_number":7,"item_id":"msg_03","output_index":1,"content_index":0,"delta":"It rains.","logprobs":[]}

event: response.output_text.annotation.added
data: {"type":"response.output_text.annotation.added","sequence_number":8,"item_id":"msg_03","output_index":1,"content_index":0,"annotation_index":0,"annotation":{"type":"url_citation","start_index":0,"end_index":9,"url":"https://example.com/rain","title":"Rain"}}

event: response.output_item.done
data: {"type":"response.output_item.done","sequence_number":9,"output_index":1,"item":{"id":"msg_03","type":"message","status":"completed","content":[{"type":"output_text","annotations":[{"type":"url_citation","start_index":0,"end_index":9,"url":"https://example.com/rain","title":"Rain"}],"text":"It rains."}],"role":"assistant"}}

event: response.output_item.added
data: {"type":"response.output_item.added","sequence_number":10,"output_index":2,"item":{"id":"ctc_03","type":"custom_tool_call","status":"in_progress","call_id":"call_C","name":"apply_patch","input":""}}

event: response.custom_tool_call_input.delta
data: {"type":"response.custom_tool_call_input.delta","sequence_number":11,"item_id":"ctc_03","output_index":2,"delta":"*** Begin"}

event: response.custom_tool_call_input.delta
data: {"type":"response.custom_tool_call_input.delta","sequence_number":12,"item_id":"ctc_03","output_index":2,"delta":" \\"Patch\\""}

event: response.custom_tool_call_input.done
data: {"type":"response.custom_tool_call_input.done","sequence_number":13,"item_id":"ctc_03","output_index":2,"input":"*** Begin \\"Patch\\""}

event: response.output_item.done
data: {"type":"response.output_item.done","sequence_number":14,"output_index":2,"item":{"id":"ctc_03","type":"custom_tool_call","status":"completed","call_id":"call_C","name":"apply_patch","input":"*** Begin \\"Patch\\""}}

event: response.completed
data: {"type":"response.completed","sequence_number":15,"response":{"id":"resp_03","status":"completed","model":"gpt-6","output":[{"type":"web_search_call"},{"type":"message"},{"type":"custom_tool_call"}],"usage":{"input_tokens":3000,"input_tokens_details":{"cached_tokens":0},"output_tokens":40,"output_tokens_details":{"reasoning_tokens":0},"total_tokens":3040}}}

""",
        answer=Answer(
            choices=(
                Choice(
                    text="It rains.",
                    tool_calls=(
                        ToolCall(
                            index=2, id="call_C", name="apply_patch", arguments=r'{"input":"*** Begin \"Patch\""}'
                        ),
                    ),
                    finish="tool_calls",
                ),
            ),
            usage=Usage(input=3000, output=40),
            served_model="gpt-6",
        ),
        pieces=(
            Piece(text="It rains."),
            Piece(tool_calls=(ToolCall(index=2, id="call_C", name="apply_patch"),)),
            Piece(tool_calls=(ToolCall(index=2, arguments=r'{"input":"*** Begin \"Patch\""}'),)),
        ),
        content_at=7,
        foreign=("web_search_call", "annotations"),
    ),
    Recording(
        name="a small server: BOM, CRLF, comments, no event names, nothing created, arguments only at the end, [DONE]",
        body=(
            b"\xef\xbb\xbf: hello\r\n\r\n"
            b'data: {"type":"response.output_item.added","output_index":0,"item":{"id":"rs","type":"reasoning","summary":[],"content":[],"encrypted_content":""}}\r\n\r\n'
            b": keep-alive\r\n"
            b'data: {"type":"response.reasoning_text.delta","item_id":"rs","delta":"Hm"}\r\n\r\n'
            b'data: {"type":"response.output_item.done","item":{"id":"rs","type":"reasoning","summary":[],"content":[{"type":"reasoning_text","text":"Hm"}],"encrypted_content":""}}\r\n\r\n'
            b'data: {"type":"response.output_item.added","output_index":1,"item":{"type":"function_call","call_id":"c","name":"f","arguments":"","status":"in_progress"}}\r\n\r\n'
            b'data: {"type":"response.output_item.done","output_index":1,\r\n'
            b'data: "item":{"type":"function_call","call_id":"c","name":"f","arguments":"{\\"a\\":1}","status":"completed"}}\r\n\r\n'
            b'data: {"type":"status_update","progress":0.5}\r\n\r\n'
            b'data: {"type":"response.completed","response":{"model":"local.gguf","output":[],"usage":{"input_tokens":9,"output_tokens":5}}}\r\n\r\n'
            b"data: [DONE]\r\n\r\n"
        ),
        answer=Answer(
            choices=(
                Choice(
                    reasoning="Hm",
                    tool_calls=(ToolCall(index=1, id="c", name="f", arguments='{"a":1}'),),
                    finish="tool_calls",
                ),
            ),
            usage=Usage(input=9, output=5),
            served_model="local.gguf",
        ),
        pieces=(
            Piece(reasoning="Hm"),
            Piece(tool_calls=(ToolCall(index=1, id="c", name="f"),)),
            Piece(tool_calls=(ToolCall(index=1, arguments='{"a":1}'),)),
        ),
        content_at=1,
    ),
    Recording(
        name="cut by the limit, two reasons to be content: a refusal after words",
        body=begun("resp_05", "m")
        + b"""\
event: response.output_item.added
data: {"type":"response.output_item.added","sequence_number":2,"output_index":0,"item":{"id":"msg_05","type":"message","status":"in_progress","content":[],"role":"assistant"}}

event: response.output_text.delta
data: {"type":"response.output_text.delta","sequence_number":3,"item_id":"msg_05","output_index":0,"content_index":0,"delta":"one","logprobs":[]}

event: response.content_part.added
data: {"type":"response.content_part.added","sequence_number":4,"item_id":"msg_05","output_index":0,"content_index":1,"part":{"type":"refusal","refusal":""}}

event: response.refusal.delta
data: {"type":"response.refusal.delta","sequence_number":5,"item_id":"msg_05","output_index":0,"content_index":1,"delta":"I will not"}

event: response.output_item.done
data: {"type":"response.output_item.done","sequence_number":6,"output_index":0,"item":{"id":"msg_05","type":"message","status":"incomplete","content":[{"type":"output_text","annotations":[],"text":"one"},{"type":"refusal","refusal":"I will not"}],"role":"assistant"}}

event: response.incomplete
data: {"type":"response.incomplete","sequence_number":7,"response":{"id":"resp_05","status":"incomplete","error":null,"incomplete_details":{"reason":"max_output_tokens"},"model":"m","output":[],"usage":{"input_tokens":1,"output_tokens":16,"output_tokens_details":{"reasoning_tokens":16},"total_tokens":17}}}

""",
        answer=Answer(
            choices=(Choice(text="one", refusal="I will not", finish="length"),),
            usage=Usage(input=1, output=0, reasoning=16),
            served_model="m",
        ),
        pieces=(Piece(text="one"), Piece(refusal="I will not")),
        content_at=3,
    ),
    Recording(
        name="stopped by a filter, the output only in the last event, no counts",
        body=begun("resp_06", "m")
        + b"""\
event: response.incomplete
data: {"type":"response.incomplete","sequence_number":2,"response":{"id":"resp_06","incomplete_details":{"reason":"content_filter"},"model":"m","output":[{"type":"message","role":"assistant","content":[{"type":"output_text","text":"one"}]}],"usage":null}}

""",
        answer=Answer(choices=(Choice(text="one", finish="content_filter"),), served_model="m"),
        pieces=(Piece(text="one"),),
        content_at=2,
    ),
]

WHOLES = [
    Recording(
        name="everything that an answer can hold",
        body=b"""\
{"id":"resp_10","object":"response","created_at":1764000000,"status":"completed","error":null,"incomplete_details":null,
 "model":"gpt-6","output":[
  {"id":"rs_10","type":"reasoning","summary":[{"type":"summary_text","text":"Let me see."},{"type":"summary_text","text":"Aha."}],"encrypted_content":"gAAAA"},
  {"id":"rs_11","type":"reasoning","summary":[],"encrypted_content":"gBBBB"},
  {"id":"msg_10","type":"message","role":"assistant","status":"completed","content":[
    {"type":"output_text","text":"One moment.","annotations":[],"logprobs":[{"token":"One moment.","bytes":[79],"logprob":-0.25,"top_logprobs":[]},{"token":"?","logprob":null}]}]},
  {"id":"ws_10","type":"web_search_call","status":"completed","action":{"type":"search","query":"rain"}},
  {"id":"msg_11","type":"message","role":"assistant","status":"completed","content":[
    {"type":"output_text","text":"It rains.","annotations":[{"type":"url_citation","url":"https://example.com"}]},
    {"type":"refusal","refusal":"No more."}]},
  {"id":"fc_A","type":"function_call","status":"completed","call_id":"call_A","name":"get_weather","arguments":"{\\"city\\":\\"Bern\\"}"},
  {"id":"fc_B","type":"function_call","status":"completed","call_id":"call_B","name":"get_time","arguments":""}],
 "usage":{"input_tokens":2104,"input_tokens_details":{"cached_tokens":2000,"cache_write_tokens":100},"output_tokens":90,"output_tokens_details":{"reasoning_tokens":30},"total_tokens":2194},
 "metadata":{}}
""",
        answer=Answer(
            choices=(
                Choice(
                    text="One moment.It rains.",
                    reasoning="Let me see.\n\nAha.",
                    refusal="No more.",
                    tool_calls=(
                        ToolCall(index=5, id="call_A", name="get_weather", arguments='{"city":"Bern"}'),
                        ToolCall(index=6, id="call_B", name="get_time", arguments="{}"),
                    ),
                    tokens=(TokenLogprob(b"O", -0.25),),
                    finish="tool_calls",
                ),
            ),
            usage=Usage(input=4, cache_write=100, cache_read=2000, output=60, reasoning=30),
            served_model="gpt-6",
        ),
        pieces=(
            Piece(reasoning="Let me see.\n\nAha.", seal="rs_10 gAAAA"),
            Piece(seal="rs_11 gBBBB"),
            Piece(text="One moment.", tokens=(TokenLogprob(b"O", -0.25),)),
            Piece(text="It rains."),
            Piece(refusal="No more."),
            Piece(tool_calls=(ToolCall(index=5, id="call_A", name="get_weather", arguments='{"city":"Bern"}'),)),
            Piece(tool_calls=(ToolCall(index=6, id="call_B", name="get_time", arguments="{}"),)),
        ),
        foreign=("web_search_call", "annotations"),
    ),
    Recording(
        name="cut within the arguments of a call",
        body=b'{"id":"r","status":"incomplete","incomplete_details":{"reason":"max_output_tokens"},"model":"m","output":['
        b'{"type":"function_call","status":"incomplete","call_id":"c","name":"f","arguments":""}],"usage":null}',
        answer=Answer(choices=(Choice(tool_calls=(ToolCall(id="c", name="f"),), finish="length"),), served_model="m"),
        pieces=(Piece(tool_calls=(ToolCall(id="c", name="f"),)),),
    ),
    Recording(
        name="an unknown reason keeps its name",
        body=b'{"status":"incomplete","incomplete_details":{"reason":"steered"},"model":"m","output":[{"type":"message",'
        b'"content":[{"type":"output_text","text":"x"}]}]}',
        answer=Answer(choices=(Choice(text="x", finish="steered"),), served_model="m"),
        pieces=(Piece(text="x"),),
    ),
    Recording(
        name="a server that tells nothing but words, its reasoning in plain text",
        body=b'{"output":[{"type":"reasoning","content":[{"type":"reasoning_text","text":"Hm"}]},'
        b'{"type":"message","content":[{"type":"output_text","text":"x"}]}]}',
        answer=Answer(choices=(Choice(text="x", reasoning="Hm", finish="stop"),)),
        pieces=(Piece(reasoning="Hm"), Piece(text="x")),
    ),
]
