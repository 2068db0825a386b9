"""What stands in the source tree, as syntax? Nothing of it is imported."""

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = "tierwise"
Function = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True)
class Violation:
    """A broken rule, and where."""

    file: str
    line: int
    rule: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.rule}"


@dataclass(frozen=True)
class Imported:
    """One first- or third-party name that a module imports; `deferred` inside a function."""

    target: str
    line: int
    deferred: bool


@dataclass(frozen=True)
class Module:
    """One source file. `name` is dotted and without the leading `tierwise.`; the root package is the empty name."""

    file: str
    name: str
    text: str
    is_package: bool = False

    @cached_property
    def tree(self) -> ast.Module:
        return ast.parse(self.text, self.file)

    @property
    def package(self) -> str:
        """The row entry that it belongs to: `core`, `config`, `apps.wiki`."""
        parts = self.name.split(".")
        if parts[0] == "__main__":
            return "cli"
        return ".".join(parts[:2]) if parts[0] == "apps" else parts[0]

    def at(self, node: ast.AST | int, rule: str) -> Violation:
        line = node if isinstance(node, int) else getattr(node, "lineno", 1)
        return Violation(self.file, line, rule)

    def functions(self) -> Iterator[Function]:
        return (node for node in ast.walk(self.tree) if isinstance(node, Function))

    @cached_property
    def imports(self) -> tuple[Imported, ...]:
        found = list(self._imports(self.tree, deferred=False))
        return tuple(found)

    def _imports(self, node: ast.AST, *, deferred: bool) -> Iterator[Imported]:
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.Import):
                yield from (Imported(alias.name, child.lineno, deferred) for alias in child.names)
            elif isinstance(child, ast.ImportFrom):
                base = self._absolute(child)
                yield from (Imported(f"{base}.{alias.name}", child.lineno, deferred) for alias in child.names)
            inside = isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
            yield from self._imports(child, deferred=deferred or inside)

    def _absolute(self, node: ast.ImportFrom) -> str:
        if not node.level:
            return node.module or ""
        here = f"{PACKAGE}.{self.name}".strip(".").split(".")
        above = here[: len(here) - node.level + (1 if self.is_package else 0)]
        return ".".join([*above, *([node.module] if node.module else [])])


def load(root: Path = ROOT) -> list[Module]:
    """Read every module of the package below `root`."""
    source = root / "src" / PACKAGE
    return [_read(path, source, root) for path in sorted(source.rglob("*.py"))]


def _read(path: Path, source: Path, root: Path) -> Module:
    parts = path.relative_to(source).with_suffix("").parts
    is_package = parts[-1] == "__init__"
    name = ".".join(parts[:-1] if is_package else parts)
    return Module(str(path.relative_to(root)), name, path.read_text(encoding="utf-8"), is_package)


def first_party(imported: Imported, names: set[str]) -> str | None:
    """The module of ours that an import reaches, without the leading `tierwise.`; None for anything else."""
    if imported.target != PACKAGE and not imported.target.startswith(PACKAGE + "."):
        return None
    name = imported.target.removeprefix(PACKAGE).removeprefix(".")
    return name if name in names else name.rpartition(".")[0]
