"""Who imports whom? Rows, cycles, deferral, third parties, purity.

Each rule takes the modules and the drawing and gives violations.
"""

import ast
import sys
from collections.abc import Iterable, Iterator

from tests.architecture.drawing import Drawing
from tests.architecture.tree import PACKAGE, Module, Violation, first_party

# What acts: none of it in a pure package, but for the edges that the architecture names.
EFFECTS = frozenset(
    {
        "asyncio",
        "concurrent",
        "ctypes",
        "fcntl",
        "glob",
        "http",
        "io",
        "logging",
        "multiprocessing",
        "os",
        "pathlib",
        "platform",
        "queue",
        "random",
        "secrets",
        "select",
        "selectors",
        "shutil",
        "signal",
        "socket",
        "sqlite3",
        "ssl",
        "subprocess",
        "sys",
        "tempfile",
        "threading",
        "time",
        "urllib",
        "uuid",
    }
)
HARMLESS_PARTS = ("urllib.parse", "os.path")
NAMED_EDGES = (
    "registry.load", "registry.kinds", "registry.demonstration", "registry.kept", "hardware.architectures",
    "hardware.bandwidth", "hardware.detect", "hardware.parts",
)  # fmt: skip
CLOCKS = frozenset({"now", "utcnow", "today"})


def rows(modules: Iterable[Module], drawing: Drawing) -> Iterator[Violation]:
    """Imports go down only, and never to another package on the same row."""
    modules = list(modules)
    names = {module.name for module in modules}
    for module in modules:
        if not module.name:
            yield from (module.at(i.line, "importing tierwise must pull in nothing") for i in module.imports)
            continue
        here = drawing.row_of(module.package)
        if here is None:
            yield module.at(1, f"package {module.package!r} is not drawn in ARCHITECTURE.md")
            continue
        for imported in module.imports:
            target = first_party(imported, names)
            if not target:
                continue
            package = Module("", target, "").package
            row = drawing.row_of(package)
            if package != module.package and (row is None or row >= here):
                yield module.at(
                    imported.line, f"row {here} {module.package} imports row {row} {package}; imports go down only"
                )


def cycles(modules: Iterable[Module], _drawing: Drawing) -> Iterator[Violation]:
    """No module reaches itself through its imports."""
    by_name = {module.name: module for module in modules}
    graph = {
        name: {t for i in module.imports if (t := first_party(i, set(by_name))) in by_name and t != name}
        for name, module in by_name.items()
    }
    for name, module in by_name.items():
        path = _way_back(graph, name)
        if path and name == min(path):
            yield module.at(1, "import cycle: " + " → ".join([*path, path[0]]))


def _way_back(graph: dict[str, set[str]], start: str) -> list[str]:
    """A path from `start` to itself, or nothing."""
    todo = [[start]]
    seen: set[str] = set()
    while todo:
        path = todo.pop()
        for target in sorted(graph.get(path[-1], ())):
            if target == start:
                return path
            if target not in seen:
                seen.add(target)
                todo.append([*path, target])
    return []


def deferred(modules: Iterable[Module], _drawing: Drawing) -> Iterator[Violation]:
    """Imports of our own stand at the top of a module; only `cli` defers them, for start-up time."""
    for module in modules:
        if module.package == "cli":
            continue
        for imported in module.imports:
            if imported.deferred and imported.target.split(".")[0] == PACKAGE:
                yield module.at(imported.line, f"deferred import of {imported.target} outside cli")


def third_parties(modules: Iterable[Module], drawing: Drawing) -> Iterator[Violation]:
    """A third-party package is imported only where ARCHITECTURE.md says so."""
    for module in modules:
        for imported in module.imports:
            top = imported.target.split(".")[0]
            ours = top == PACKAGE
            free = top in sys.stdlib_module_names and top not in drawing.third_party
            if not (ours or free or drawing.may_import(top, module.name)):
                yield module.at(imported.line, f"{top} is not to be imported in {module.name}")


def star(modules: Iterable[Module], _drawing: Drawing) -> Iterator[Violation]:
    """No star imports: a reader sees where a name comes from."""
    for module in modules:
        yield from (module.at(i.line, "star import") for i in module.imports if i.target.endswith(".*"))


def purity(modules: Iterable[Module], drawing: Drawing) -> Iterator[Violation]:
    """A pure package does no I/O, asks no clock and no randomness."""
    for module in modules:
        if module.package not in drawing.pure or module.name in NAMED_EDGES:
            continue
        for imported in module.imports:
            acts = imported.target.split(".")[0] in EFFECTS or imported.target.startswith("importlib")
            if acts and not imported.target.startswith(HARMLESS_PARTS):
                yield module.at(imported.line, f"{imported.target} in the pure package {module.package}")
        for node in ast.walk(module.tree):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in ("open", "input"):
                yield module.at(node, f"{node.func.id}() in the pure package {module.package}")
            if isinstance(node, ast.Attribute) and node.attr in CLOCKS and ast.unparse(node.value).startswith("date"):
                yield module.at(node, f"the clock is asked in the pure package {module.package}")
