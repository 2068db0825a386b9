"""One request on each wire that callers speak, with nearly all that can be asked on it."""

import json
from typing import Any

from tests.unit.wires.conversations import PIXEL, SCHEMA
from tierwise.core.conversation import Conversation
from tierwise.wires.known import CALLERS

PICTURE = f"data:image/png;base64,{PIXEL}"
CHAT: dict[str, Any] = {
    "model": "m",
    "messages": [
        {"role": "system", "content": "Be brief.", "name": "boss"},
        {"role": "user", "content": [
            {"type": "text", "text": "What is this?", "cache_control": {"type": "ephemeral"}},
            {"type": "image_url", "image_url": {"url": PICTURE, "detail": "low"}},
            {"type": "file", "file": {"filename": "a.pdf", "file_data": "data:application/pdf;base64,JVBERi0="}},
        ]},
        {"role": "assistant", "content": None, "reasoning_content": "hm", "tool_calls": [
            {"id": "c1", "type": "function", "function": {"name": "look", "arguments": '{"city": "Bern"}'}},
        ]},
        {"role": "tool", "tool_call_id": "c1", "content": "rain"},
    ],
    "tools": [{"type": "function", "function": {"name": "look", "parameters": SCHEMA, "strict": True}}],
    "tool_choice": {"type": "function", "function": {"name": "look"}},
    "parallel_tool_calls": False,
    "response_format": {"type": "json_schema", "json_schema": {"name": "place", "schema": SCHEMA}},
    "reasoning_effort": "high", "max_completion_tokens": 100, "temperature": 0.5, "top_p": 0.9, "top_k": 40,
    "stop": ["END"], "seed": 7, "n": 2, "logprobs": True, "top_logprobs": 3, "frequency_penalty": 0.1,
    "presence_penalty": 0.2, "logit_bias": {"50256": -100}, "user": "u-1", "verbosity": "low",
    "store": True, "service_tier": "flex", "metadata": {"a": "b"}, "keep_alive": "5m",
}  # fmt: skip
RESPONSES: dict[str, Any] = {
    "model": "m",
    "instructions": "Be brief.",
    "input": [
        {"role": "user", "content": [
            {"type": "input_text", "text": "What is this?"},
            {"type": "input_image", "image_url": PICTURE, "detail": "high"},
            {"type": "input_file", "filename": "a.pdf", "file_data": "data:application/pdf;base64,JVBERi0="},
        ]},
        {"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": "sealed"},
        {"type": "function_call", "call_id": "c1", "name": "look", "arguments": '{"city": "Bern"}'},
        {"type": "function_call_output", "call_id": "c1", "output": "rain"},
    ],
    "tools": [{"type": "function", "name": "look", "parameters": SCHEMA, "strict": True}, {"type": "web_search"}],
    "tool_choice": "required",
    "parallel_tool_calls": False,
    "text": {"format": {"type": "json_schema", "name": "place", "schema": SCHEMA}, "verbosity": "high"},
    "reasoning": {"effort": "low", "summary": "auto"}, "max_output_tokens": 100, "temperature": 0.5, "top_p": 0.9,
    "include": ["message.output_text.logprobs", "file_search_call.results"], "top_logprobs": 3, "user": "u-1",
    "truncation": "auto", "safety_identifier": "s", "metadata": {"a": "b"},
}  # fmt: skip
MESSAGES: dict[str, Any] = {
    "model": "m",
    "system": [{"type": "text", "text": "Be brief.", "cache_control": {"type": "ephemeral"}}],
    "messages": [
        {"role": "user", "content": [
            {"type": "text", "text": "What is this?"},
            {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": PIXEL}},
            {"type": "document", "title": "a.pdf", "source": {
                "type": "base64", "media_type": "application/pdf", "data": "JVBERi0=",
            }},
        ]},
        {"role": "assistant", "content": [
            {"type": "thinking", "thinking": "hm", "signature": "EqQBCgIYAhIM"},
            {"type": "tool_use", "id": "c1", "name": "look", "input": {"city": "Bern"}},
        ]},
        {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "c1", "content": "rain"}]},
    ],
    "tools": [{"name": "look", "input_schema": SCHEMA, "strict": True}],
    "tool_choice": {"type": "tool", "name": "look", "disable_parallel_tool_use": True},
    "output_config": {"format": {"type": "json_schema", "schema": SCHEMA}},
    "thinking": {"type": "enabled", "budget_tokens": 2048}, "max_tokens": 4000, "temperature": 1.0, "top_p": 0.9,
    "top_k": 40, "stop_sequences": ["END"], "metadata": {"user_id": "u-1"}, "service_tier": "auto",
    "container": "c",
}  # fmt: skip
BODIES = {"chat": CHAT, "responses": RESPONSES, "messages": MESSAGES}


def asked_on(wire: str, **more: Any) -> Conversation:
    """Read that request, with some members changed."""
    caller = CALLERS[wire]
    return caller.read_conversation(caller.decode_request(json.dumps(BODIES[wire] | more).encode()))
