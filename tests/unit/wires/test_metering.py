"""Sound, pictures and the service are told apart on every wire that tells them, and counted once."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import UNSET

from tierwise.core.usage import Media, Usage
from tierwise.wires import chat_answer, gemini_answer, messages_answer, responses_answer
from tierwise.wires.metering import metered, service

TOKENS = st.integers(0, 10**6)


@given(st.tuples(*[TOKENS] * 3), st.tuples(*[TOKENS] * 4))
def test_taking_media_out_neither_loses_nor_makes_a_token(text: tuple[int, ...], media: tuple[int, ...]) -> None:
    usage = Usage(input=text[0], cache_read=text[1], output=text[2])
    told = Media(audio_input=media[0], image_input=media[1], audio_output=media[2], image_output=media[3])
    found = metered(usage, told)
    assert (found.read, found.written) == (usage.read, usage.written)
    assert min(found.input, found.output) >= 0 and found.fresh == usage.input


def test_the_chat_wire_tells_sound_pictures_and_service() -> None:
    told = {
        "prompt_tokens": 100, "completion_tokens": 50,
        "prompt_tokens_details": {"cached_tokens": 10, "audio_tokens": 30, "image_tokens": 5},
        "completion_tokens_details": {"reasoning_tokens": 5, "audio_tokens": 20},
    }  # fmt: skip
    usage = chat_answer.read_usage(told, "priority")
    assert usage is not None and usage.service == "priority"
    assert usage.media == Media(audio_input=30, image_input=5, audio_output=20)
    assert (usage.input, usage.cache_read, usage.output, usage.reasoning) == (55, 10, 25, 5)


def test_another_wire_names_its_modalities_in_rows() -> None:
    told = {
        "promptTokenCount": 100, "candidatesTokenCount": 40, "trafficType": "ON_DEMAND_FLEX",
        "promptTokensDetails": [{"modality": "TEXT", "tokenCount": 60}, {"modality": "AUDIO", "tokenCount": 40}],
        "candidatesTokensDetails": [{"modality": "IMAGE", "tokenCount": 30}],
    }  # fmt: skip
    usage = gemini_answer.read_usage(told)
    assert usage is not None and (usage.input, usage.output, usage.service) == (60, 10, "flex")
    assert usage.media == Media(audio_input=40, image_output=30)


def test_the_service_is_the_answers_wherever_its_wire_says_it() -> None:
    whole = {
        "id": "m", "type": "message", "role": "assistant", "model": "m", "stop_reason": "end_turn",
        "content": [{"type": "text", "text": "Hi."}],
        "usage": {"input_tokens": 1, "output_tokens": 1, "service_tier": "batch"},
    }  # fmt: skip
    answered = messages_answer.decode_answer(json.dumps(whole).encode())
    assert answered.usage is not None and answered.usage.service == "batch"
    read = responses_answer.read_usage({"input_tokens": 1, "output_tokens": 1}, "flex")
    assert read is not None and read.service == "flex"


@pytest.mark.parametrize("name", ["", "default", "standard", "auto", "ON_DEMAND", None, 7, ["flex"]])
def test_the_ordinary_service_is_not_written(name: object) -> None:
    assert service(name) is UNSET
    assert metered(Usage(input=1), Media(), name) == Usage(input=1)
