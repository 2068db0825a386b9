# ruff: noqa: T201  (a script that prints)
"""How much code stands here, and where is the most of it? Size is printed for every change.

Knows nothing of limits: tests/test_architecture.py holds those.
"""

import ast
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SHOWN = 6


def lines(path: Path) -> int:
    return len(path.read_text(encoding="utf-8").splitlines())


def functions(path: Path) -> Iterator[tuple[int, str]]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.end_lineno:
            yield node.end_lineno - node.lineno + 1, f"{path.relative_to(ROOT)}:{node.lineno} {node.name}"


def show(title: str, rows: list[tuple[int, str]]) -> None:
    print(title)
    for size, name in sorted(rows, reverse=True)[:SHOWN]:
        print(f"  {size:5d}  {name}")


def main() -> None:
    for folder in ("src", "tests", "recipes", "benchmarks", "scripts"):
        files = sorted((ROOT / folder).rglob("*.py"))
        print(f"{folder:10s} {sum(map(lines, files)):6d} lines in {len(files)} files")
    source = sorted((ROOT / "src").rglob("*.py"))
    show("biggest modules of src", [(lines(path), str(path.relative_to(ROOT))) for path in source])
    show("longest functions of src", [row for path in source for row in functions(path)])
    print(f"package files: {sum(f.stat().st_size for f in packaged()) / 1e6:.1f} MB")


def packaged() -> Iterator[Path]:
    return (f for f in (ROOT / "src" / "tierwise").rglob("*") if f.is_file() and f.suffix != ".pyc")


if __name__ == "__main__":
    main()
