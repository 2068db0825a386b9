"""What a proof measured, kept for `scripts/bench reliability`: one JSON object a line in the file of TIERWISE_FIGURES."""

import json
import os
from pathlib import Path

FILE = os.environ.get("TIERWISE_FIGURES")  # read before tests lose sight of the environment


def note(proof: str, store: str = "sqlite", **figures: int | str) -> None:
    """Append what was measured, where anybody wants to know it."""
    if FILE:
        with Path(FILE).open("a", encoding="utf-8") as lines:
            lines.write(json.dumps({"proof": proof, "store": store, **figures}) + "\n")
