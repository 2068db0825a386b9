"""Run every cell and write the page: `python -m tests.matrix`, which `scripts/docs` calls."""

import tempfile
from pathlib import Path

from rich.progress import track

from tests.matrix.cells import SCENES
from tests.matrix.page import PAGE, page
from tests.matrix.stage import opened


def main() -> None:
    with tempfile.TemporaryDirectory() as home, opened(Path(home)) as cells:
        todo = [(wires, cell, scene) for wires, cell in cells.items() for scene in SCENES]
        results = {(*wires, scene.__name__): scene(cell) for wires, cell, scene in track(todo, "conversations")}
    PAGE.write_text(page(results), encoding="utf-8")


if __name__ == "__main__":
    main()
