"""A workflow to compare: models on a scripted upstream, whose names say what they answer, and items in a file."""

import json
from pathlib import Path
from typing import Any

from tierwise.testing import ScriptedUpstream


def write_items(path: Path, count: int, **fields: Any) -> Path:
    """Write items whose right answer is the message itself, which the scripted model echoes."""
    rows = [{"id": f"i{n}", "text": f"word {n}", "reference": f"word {n}", **fields} for n in range(count)]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    return path


def write_config(
    folder: Path,
    up: ScriptedUpstream,
    models: dict[str, str],
    *,
    more: str = "",
    workflow: str = "",
    endpoint: str = "",
) -> Path:
    """Write a configuration: models by id and the name that scripts them; the last is the baseline."""
    rows = [f'[[endpoint]]\nname = "up"\nkind = "scripted"\ntier = "local"\nurl = "{up.url}"\n{endpoint}']
    rows += [f'[[model]]\nid = "{name}"\nendpoint = "up"\nserved_name = "{served}"' for name, served in models.items()]
    *candidates, baseline = models
    rows.append(
        f'[[workflow]]\nname = "echo"\ncandidates = {json.dumps(candidates)}\nbaseline = "{baseline}"\n'
        f'data = "items.jsonl"\n{workflow}'
    )
    path = folder / "tierwise.toml"
    path.write_text("\n\n".join([*rows, more]), "utf-8")
    return path
