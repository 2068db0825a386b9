"""What does an answer say about its price besides counts of text? Sound and pictures, and what it was served as.

Knows only numbers and names that were read already; where they cannot be true the tokens stay text.
Invariant: what is told apart here was inside the totals, and is taken out of them once.
"""

from typing import Any

import msgspec
from msgspec import UNSET, UnsetType

from tierwise.core.usage import Media, Usage
from tierwise.wires.loose import a_text

ORDINARY = frozenset(("", "auto", "default", "standard", "on_demand"))
ON_DEMAND = "on_demand_"
"""What one wire writes before the names that the others use."""
MOST_NAME_CHARS = 32


def service(name: Any) -> str | UnsetType:
    """Return what the answer was served as, unset where that is the ordinary."""
    text = a_text(name).strip().lower()[:MOST_NAME_CHARS]
    text = text.removeprefix(ON_DEMAND)
    return UNSET if text in ORDINARY else text


def metered(usage: Usage, media: Media, served: Any = None) -> Usage:
    """Take sound and pictures out of the text, as far as they fit in it, and note what it was served as."""
    audio_in = min(media.audio_input, usage.input)
    audio_out = min(media.audio_output, usage.output)
    fitting = Media(
        audio_input=audio_in,
        image_input=min(media.image_input, usage.input - audio_in),
        audio_output=audio_out,
        image_output=min(media.image_output, usage.output - audio_out),
    )
    named = service(served)
    if not fitting.read and not fitting.written:
        return usage if named is UNSET else msgspec.structs.replace(usage, service=named)
    return msgspec.structs.replace(
        usage, input=usage.input - fitting.read, output=usage.output - fitting.written, media=fitting, service=named
    )
