"""What servers of the Messages wire send, written by hand from the published formats, and what it means.

Each recording is the body of one HTTP answer. The meaning was worked out by reading, not by running the decoder.
"""

from tests.contract.recording import Recording
from tierwise.core.answer import Answer, Choice, Piece, ToolCall
from tierwise.core.usage import Usage

STREAMS = [
    Recording(
        name="text, a ping, the first output count a placeholder",
        body=b"""\
event: message_start
data: {"type":"message_start","message":{"model":"claude-sonnet-4-5-20250929","id":"msg_01","type":"message","role":"assistant","content":[],"stop_reason":null,"stop_sequence":null,"usage":{"input_tokens":25,"cache_creation_input_tokens":0,"cache_read_input_tokens":0,"cache_creation":{"ephemeral_5m_input_tokens":0,"ephemeral_1h_input_tokens":0},"output_tokens":7,"service_tier":"standard"}}}

event: content_block_start
data: {"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}

event: ping
data: {"type": "ping"}

event: content_block_delta
data: {"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"Hello"}}

event: content_block_delta
data: {"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":" \\u00e9\\ud83d\\ude00"}}

event: content_block_stop
data: {"type":"content_block_stop","index":0}

event: message_delta
data: {"type":"message_delta","delta":{"stop_reason":"end_turn","stop_sequence":null},"usage":{"input_tokens":25,"cache_creation_input_tokens":0,"cache_read_input_tokens":0,"output_tokens":15}}

event: message_stop
data: {"type":"message_stop"}

""",
        answer=Answer(
            choices=(Choice(text="Hello \u00e9\U0001f600", finish="stop"),),
            usage=Usage(input=25, output=15),
            served_model="claude-sonnet-4-5-20250929",
        ),
        pieces=(Piece(text="Hello"), Piece(text=" \u00e9\U0001f600")),
        content_at=3,
    ),
    Recording(
        name="thinking with its signature, hidden thinking, two tools, one without arguments, cache and reasoning counts",
        body=b"""\
event: message_start
data: {"type":"message_start","message":{"id":"msg_02","type":"message","role":"assistant","model":"claude-opus-5","content":[],"stop_reason":null,"stop_sequence":null,"usage":{"input_tokens":4,"cache_creation_input_tokens":100,"cache_read_input_tokens":2000,"output_tokens":1}}}

event: content_block_start
data: {"type":"content_block_start","index":0,"content_block":{"type":"thinking","thinking":"","signature":""}}

event: content_block_delta
data: {"type":"content_block_delta","index":0,"delta":{"type":"thinking_delta","thinking":"Let me "}}

event: content_block_delta
data: {"type":"content_block_delta","index":0,"delta":{"type":"thinking_delta","thinking":"see."}}

event: content_block_delta
data: {"type":"content_block_delta","index":0,"delta":{"type":"signature_delta","signature":"EqQBCgIYAhIM"}}

event: content_block_stop
data: {"type":"content_block_stop","index":0}

event: content_block_start
data: {"type":"content_block_start","index":1,"content_block":{"type":"redacted_thinking","data":"EmwKAhgB"}}

event: content_block_stop
data: {"type":"content_block_stop","index":1}

event: content_block_start
data: {"type":"content_block_start","index":2,"content_block":{"type":"tool_use","id":"toolu_A","name":"get_weather","input":{}}}

event: content_block_delta
data: {"type":"content_block_delta","index":2,"delta":{"type":"input_json_delta","partial_json":""}}

event: content_block_delta
data: {"type":"content_block_delta","index":2,"delta":{"type":"input_json_delta","partial_json":"{\\"city\\":"}}

event: content_block_delta
data: {"type":"content_block_delta","index":2,"delta":{"type":"input_json_delta","partial_json":" \\"Bern\\"}"}}

event: content_block_stop
data: {"type":"content_block_stop","index":2}

event: content_block_start
data: {"type":"content_block_start","index":3,"content_block":{"type":"tool_use","id":"toolu_B","name":"get_time","input":{}}}

event: content_block_delta
data: {"type":"content_block_delta","index":3,"delta":{"type":"input_json_delta","partial_json":""}}

event: content_block_stop
data: {"type":"content_block_stop","index":3}

event: message_delta
data: {"type":"message_delta","delta":{"stop_reason":"tool_use","stop_sequence":null},"usage":{"output_tokens":90,"output_tokens_details":{"thinking_tokens":30}}}

event: message_stop
data: {"type":"message_stop"}

""",
        answer=Answer(
            choices=(
                Choice(
                    reasoning="Let me see.",
                    tool_calls=(
                        ToolCall(index=0, id="toolu_A", name="get_weather", arguments='{"city": "Bern"}'),
                        ToolCall(index=1, id="toolu_B", name="get_time", arguments="{}"),
                    ),
                    finish="tool_calls",
                ),
            ),
            usage=Usage(input=4, cache_write=100, cache_read=2000, output=60, reasoning=30),
            served_model="claude-opus-5",
        ),
        pieces=(
            Piece(reasoning="Let me "),
            Piece(reasoning="see."),
            Piece(seal="signed:EqQBCgIYAhIM"),
            Piece(seal="redacted:EmwKAhgB"),
            Piece(tool_calls=(ToolCall(index=0, id="toolu_A", name="get_weather"),)),
            Piece(tool_calls=(ToolCall(index=0, arguments='{"city":'),)),
            Piece(tool_calls=(ToolCall(index=0, arguments=' "Bern"}'),)),
            Piece(tool_calls=(ToolCall(index=1, id="toolu_B", name="get_time"),)),
            Piece(tool_calls=(ToolCall(index=1, arguments="{}"),)),
        ),
        content_at=2,
    ),
    Recording(
        name="a search that the server runs, citations, counts that grow at the end",
        body=b"""\
event: message_start
data: {"type":"message_start","message":{"id":"msg_03","type":"message","role":"assistant","model":"claude-sonnet-5","content":[],"stop_reason":null,"stop_sequence":null,"usage":{"input_tokens":50,"output_tokens":3}}}

event: content_block_start
data: {"type":"content_block_start","index":0,"content_block":{"type":"server_tool_use","id":"srvtoolu_1","name":"web_search","input":{}}}

event: content_block_delta
data: {"type":"content_block_delta","index":0,"delta":{"type":"input_json_delta","partial_json":"{\\"query\\":\\"rain\\"}"}}

event: content_block_stop
data: {"type":"content_block_stop","index":0}

event: content_block_start
data: {"type":"content_block_start","index":1,"content_block":{"type":"web_search_tool_result","tool_use_id":"srvtoolu_1","content":[{"type":"web_search_result","title":"Rain","url":"https://example.com/rain","encrypted_content":"Eo8B","page_age":null}]}}

event: content_block_stop
data: {"type":"content_block_stop","index":1}

event: content_block_start
data: {"type":"content_block_start","index":2,"content_block":{"type":"text","text":"","citations":[]}}

event: content_block_delta
data: {"type":"content_block_delta","index":2,"delta":{"type":"citations_delta","citation":{"type":"web_search_result_location","cited_text":"It rains","url":"https://example.com/rain","title":"Rain","encrypted_index":"Eo8B"}}}

event: content_block_delta
data: {"type":"content_block_delta","index":2,"delta":{"type":"text_delta","text":"It rains."}}

event: content_block_stop
data: {"type":"content_block_stop","index":2}

event: message_delta
data: {"type":"message_delta","delta":{"stop_reason":"pause_turn","stop_sequence":null},"usage":{"input_tokens":3000,"output_tokens":40,"server_tool_use":{"web_search_requests":1}}}

event: message_stop
data: {"type":"message_stop"}

""",
        answer=Answer(
            choices=(Choice(text="It rains.", finish="pause"),),
            usage=Usage(input=3000, output=40),
            served_model="claude-sonnet-5",
        ),
        pieces=(Piece(text="It rains."),),
        content_at=8,
        foreign=("server_tool_use", "web_search_tool_result", "citations"),
    ),
    Recording(
        name="a small server: CRLF, no event names, no pings, arguments whole at the start, an unknown event",
        body=(
            b'data: {"type":"message_start","message":{"model":"local.gguf","usage":{"input_tokens":9,"output_tokens":0}}}\r\n\r\n'
            b": comment\r\n"
            b'data: {"type":"status_update","progress":0.5}\r\n\r\n'
            b'data: {"type":"content_block_start","index":0,"content_block":{"type":"text","text":"Hm"}}\r\n\r\n'
            b'data: {"type":"content_block_stop","index":0}\r\n\r\n'
            b'data: {"type":"content_block_start","index":1,"content_block":{"type":"tool_use","id":"c","name":"f","input":{"a":1}}}\r\n\r\n'
            b'data: {"type":"content_block_stop","index":1}\r\n\r\n'
            b'data: {"type":"message_delta","delta":{"stop_reason":"tool_use"},"usage":{"output_tokens":5}}\r\n\r\n'
            b'data: {"type":"message_stop"}'
        ),
        answer=Answer(
            choices=(
                Choice(
                    text="Hm",
                    tool_calls=(ToolCall(index=0, id="c", name="f", arguments='{"a":1}'),),
                    finish="tool_calls",
                ),
            ),
            usage=Usage(input=9, output=5),
            served_model="local.gguf",
        ),
        pieces=(
            Piece(text="Hm"),
            Piece(tool_calls=(ToolCall(index=0, id="c", name="f"),)),
            Piece(tool_calls=(ToolCall(index=0, arguments='{"a":1}'),)),
        ),
        content_at=2,
    ),
    Recording(
        name="ended by a stop sequence, the limit reported as null",
        body=b"""\
event: message_start
data: {"type":"message_start","message":{"id":"msg_05","type":"message","role":"assistant","model":"m","content":[],"stop_reason":null,"stop_sequence":null,"usage":{"input_tokens":1,"cache_creation_input_tokens":null,"cache_read_input_tokens":null,"output_tokens":1}}}

event: content_block_start
data: {"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}

event: content_block_delta
data: {"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"one two"}}

event: content_block_stop
data: {"type":"content_block_stop","index":0}

event: message_delta
data: {"type":"message_delta","delta":{"stop_reason":"stop_sequence","stop_sequence":"END"},"usage":{"output_tokens":2}}

event: message_stop
data: {"type":"message_stop"}

""",
        answer=Answer(
            choices=(Choice(text="one two", finish="stop"),), usage=Usage(input=1, output=2), served_model="m"
        ),
        pieces=(Piece(text="one two"),),
        content_at=2,
    ),
]

WHOLES = [
    Recording(
        name="everything that an answer can hold",
        body=b"""\
{"id":"msg_10","type":"message","role":"assistant","model":"claude-opus-5",
 "content":[{"type":"thinking","thinking":"Let me see.","signature":"EqQBCgIYAhIM"},
            {"type":"redacted_thinking","data":"EmwKAhgB"},
            {"type":"text","text":"One moment."},
            {"type":"server_tool_use","id":"srvtoolu_1","name":"web_search","input":{"query":"rain"}},
            {"type":"text","text":"It rains.","citations":[{"type":"char_location","cited_text":"x"}]},
            {"type":"tool_use","id":"toolu_A","name":"get_weather","input":{"city":"Bern"}},
            {"type":"tool_use","id":"toolu_B","name":"get_time","input":{}}],
 "stop_reason":"tool_use","stop_sequence":null,
 "usage":{"input_tokens":4,"cache_creation_input_tokens":100,"cache_read_input_tokens":2000,"output_tokens":90,
          "cache_creation":{"ephemeral_5m_input_tokens":60,"ephemeral_1h_input_tokens":40},
          "output_tokens_details":{"thinking_tokens":30},"service_tier":"standard"}}
""",
        answer=Answer(
            choices=(
                Choice(
                    text="One moment.It rains.",
                    reasoning="Let me see.",
                    tool_calls=(
                        ToolCall(index=0, id="toolu_A", name="get_weather", arguments='{"city":"Bern"}'),
                        ToolCall(index=1, id="toolu_B", name="get_time", arguments="{}"),
                    ),
                    finish="tool_calls",
                ),
            ),
            usage=Usage(input=4, cache_write=60, cache_write_1h=40, cache_read=2000, output=60, reasoning=30),
            served_model="claude-opus-5",
        ),
        pieces=(
            Piece(reasoning="Let me see.", seal="signed:EqQBCgIYAhIM"),
            Piece(seal="redacted:EmwKAhgB"),
            Piece(text="One moment."),
            Piece(text="It rains."),
            Piece(tool_calls=(ToolCall(index=0, id="toolu_A", name="get_weather", arguments='{"city":"Bern"}'),)),
            Piece(tool_calls=(ToolCall(index=1, id="toolu_B", name="get_time", arguments="{}"),)),
        ),
        foreign=("server_tool_use", "citations"),
    ),
    Recording(
        name="declined",
        body=b'{"type":"message","role":"assistant","model":"m","content":[],"stop_reason":"refusal",'
        b'"stop_details":{"type":"refusal","category":"cyber"},"usage":{"input_tokens":3,"output_tokens":0}}',
        answer=Answer(choices=(Choice(finish="content_filter"),), usage=Usage(input=3, output=0), served_model="m"),
    ),
    Recording(
        name="counts by age alone, the context is full",
        body=b'{"model":"m","content":[{"type":"text","text":"x"}],"stop_reason":"model_context_window_exceeded","usage":'
        b'{"input_tokens":3,"output_tokens":1,"cache_creation":{"ephemeral_5m_input_tokens":6,"ephemeral_1h_input_tokens":4}}}',
        answer=Answer(
            choices=(Choice(text="x", finish="length"),),
            usage=Usage(input=3, output=1, cache_write=6, cache_write_1h=4),
            served_model="m",
        ),
        pieces=(Piece(text="x"),),
    ),
    Recording(
        name="a server that does not count",
        body=b'{"content":[{"type":"text","text":"x"}],"stop_reason":"end_turn"}',
        answer=Answer(choices=(Choice(text="x", finish="stop"),)),
        pieces=(Piece(text="x"),),
    ),
]
