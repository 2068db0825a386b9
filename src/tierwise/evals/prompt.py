"""How is an item put to a model? Until prompts are merged: its one text is the user's message."""

from typing import Any

from tierwise.core.errors import ConfigError
from tierwise.evals.item import Item


def render(prompt: None, item: Item, model: str) -> dict[str, Any]:
    """Return the body of a Chat Completions request."""
    texts = [value for value in item.fields.values() if isinstance(value, str)]
    if len(texts) != 1:
        raise ConfigError(f"item {item.id!r} has {len(texts)} texts: a prompt must say what is asked")
    return {"model": model, "messages": [{"role": "user", "content": texts[0]}], "temperature": 0}
