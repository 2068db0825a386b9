"""Does the source tree keep the rules of the house? And would each rule notice if it did not?

A rule is a function in `tests/architecture`; ARCHITECTURE.md draws the rows and the third-party imports they read.
"""

import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import pytest

from tests.architecture import imports, shape
from tests.architecture.drawing import Drawing, read
from tests.architecture.tree import PACKAGE, ROOT, Module, Violation, load

Across = Callable[[Iterable[Module], Drawing], Iterator[Violation]]
Within = Callable[[Module], Iterator[Violation]]

ACROSS: tuple[Across, ...] = (
    imports.rows, imports.cycles, imports.deferred, imports.third_parties, imports.star, imports.purity,
)  # fmt: skip
WITHIN: tuple[Within, ...] = (
    shape.sizes, shape.header, shape.docstrings, shape.refused_names, shape.vendor_names, shape.environment,
    shape.state, shape.printing, shape.broad_handlers,
)  # fmt: skip

# Modules that are programs of their own or need an extra: imported only when they are used.
NOT_IMPORTED = ("providers.engine_child", "__main__")


@pytest.fixture(scope="module")
def modules() -> list[Module]:
    return load()


@pytest.fixture(scope="module")
def drawing() -> Drawing:
    return read()


def report(violations: Iterable[Violation]) -> str:
    return "".join(f"\n{violation}" for violation in violations)


@pytest.mark.parametrize("rule", ACROSS, ids=lambda rule: rule.__name__)
def test_between_modules(rule: Across, modules: list[Module], drawing: Drawing) -> None:
    assert not (found := list(rule(modules, drawing))), report(found)


@pytest.mark.parametrize("rule", WITHIN, ids=lambda rule: rule.__name__)
def test_within_a_module(rule: Within, modules: list[Module]) -> None:
    assert not (found := [violation for module in modules for violation in rule(module)]), report(found)


def test_the_drawing_names_what_stands(modules: list[Module], drawing: Drawing) -> None:
    assert drawing.row_of("core") == 0 < drawing.row_of("cli")
    assert drawing.row_of("apps.wiki") == drawing.row_of("evals")
    assert {"policy", "router", "core"} <= drawing.pure
    assert not drawing.pure & {"providers", "ledger", "gateway", "cli"}
    assert len(modules) > 10


def test_unit_tests_mirror_the_packages(modules: list[Module]) -> None:
    recipes = {str(path.relative_to(ROOT)) for path in (ROOT / "recipes").rglob("*") if "__pycache__" not in path.parts}
    names = {module.name for module in modules} | {path.removesuffix(".py").replace("/", ".") for path in recipes}
    strays = [
        str(path.relative_to(ROOT))
        for path in sorted((ROOT / "tests" / "unit").rglob("test_*.py"))
        if not mirrors(path.relative_to(ROOT / "tests" / "unit"), names)
    ]
    assert not strays, f"unit tests of no module: {strays}"


def test_what_decides_is_unit_tested(modules: list[Module], drawing: Drawing) -> None:
    tests = "\n".join(path.read_text(encoding="utf-8") for path in sorted((ROOT / "tests" / "unit").rglob("test_*.py")))
    untested = [
        module.file
        for module in modules
        if module.package in drawing.pure
        and module.name not in imports.NAMED_EDGES
        and any(True for _ in module.functions())
        and f"{PACKAGE}.{module.name}" not in tests
    ]
    assert not untested, f"modules that decide, imported by no unit test: {untested}"


def test_every_test_folder_is_a_package() -> None:
    folders = {path.parent for path in (ROOT / "tests").rglob("*.py")}
    bare = sorted(str(folder.relative_to(ROOT)) for folder in folders if not (folder / "__init__.py").exists())
    assert not bare, f"without an __init__.py two test files of one name collide: {bare}"


def mirrors(path: Path, names: set[str]) -> bool:
    """Say whether `policy/test_judge.py` or `policy/test_judge_ceilings.py` has its `policy.judge`."""
    words = path.stem.removeprefix("test_").split("_")
    stems = ["_".join(words[:count]) for count in range(1, len(words) + 1)]
    return any(".".join([*path.parent.parts, stem]) in names for stem in stems)


def test_importing_tierwise_pulls_in_nothing() -> None:
    code = "import sys; before = set(sys.modules); import tierwise; print(*sorted(set(sys.modules) - before))"
    assert run([sys.executable, "-c", code]).split() == ["tierwise"]


def test_importing_any_module_does_nothing(modules: list[Module]) -> None:
    ours = [module for module in modules if not module.name.endswith(NOT_IMPORTED)]
    others = sorted(
        {i.target.removesuffix(".*") for module in ours for i in module.imports if i.target.split(".")[0] != PACKAGE}
    )
    names = [".".join(filter(None, (PACKAGE, module.name))) for module in ours]
    found = run([sys.executable, "-m", "tests.architecture.watch", ",".join(others), ",".join(names)])
    assert not found, found


def run(command: list[str]) -> str:
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


# Each rule on a sample that breaks it and on one that does not: a rule that cannot fail is none.


def module(name: str, text: str = "", *, is_package: bool = False) -> Module:
    return Module(f"src/{PACKAGE}/{name}.py", name, text, is_package)


DOC = '"""Header."""\n'
FOR_ACROSS: list[tuple[Across, list[Module], list[Module]]] = [
    (
        imports.rows,
        [module("router.choose", "from tierwise.policy.judge import judge"), module("policy.judge")],
        [module("router.choose", "from tierwise.core.label import Label"), module("core.label")],
    ),
    (imports.rows, [module("core.label", "import tierwise.cli.main"), module("cli.main")], []),
    (imports.rows, [module("gadgets.thing")], []),
    (imports.rows, [module("", "import json", is_package=True)], []),
    (imports.rows, [module("apps.wiki.page", "from tierwise.apps.memory import x"), module("apps.memory")], []),
    (
        imports.cycles,
        [
            module("core.a", "from .b import x"),
            module("core.b", "from tierwise.core import c"),
            module("core.c", "import tierwise.core.a"),
        ],
        [module("core.a", "from tierwise.core.b import x"), module("core.b")],
    ),
    (
        imports.deferred,
        [module("gateway.a", "def f():\n    from tierwise.core.label import Label")],
        [module("cli.a", "def f():\n    from tierwise.core.label import Label")],
    ),
    (
        imports.third_parties,
        [module("gateway.a", "import httptools")],
        [module("providers.a", "import httptools, msgspec, ssl")],
    ),
    (
        imports.third_parties,
        [module("core.a", "from pydantic import BaseModel")],
        [module("cli.a.b", "from rich.table import Table")],
    ),
    (imports.third_parties, [module("gateway.a", "import sqlite3")], [module("ledger.a", "import sqlite3")]),
    (imports.star, [module("core.a", "from os.path import *")], [module("core.a", "from os.path import join")]),
    (
        imports.purity,
        [module("policy.a", "import time")],
        [module("policy.a", "import re\nfrom urllib.parse import quote")],
    ),
    (imports.purity, [module("core.a", "text = open('x')")], [module("providers.a", "text = open('x')")]),
    (imports.purity, [module("core.a", "a = datetime.now()")], [module("registry.load", "import pathlib")]),
]


@pytest.mark.parametrize(("rule", "bad", "good"), FOR_ACROSS, ids=lambda case: getattr(case, "__name__", ""))
def test_a_rule_between_modules_bites(rule: Across, bad: list[Module], good: list[Module], drawing: Drawing) -> None:
    assert list(rule(bad, drawing))
    assert not list(rule(good, drawing))


FOR_WITHIN: list[tuple[Within, Module, Module]] = [
    (shape.sizes, module("core.a", "x = 1\n" * 501), module("core.a", "x = 1\n" * 500)),
    (
        shape.sizes,
        module("core.a", "def f():\n" + "    x = 1\n" * 70),
        module("core.a", "def f():\n" + "    x = 1\n" * 69),
    ),
    (
        shape.sizes,
        module("core.a", "def f(a, b, c, d, *e, f, g, **h): ..."),
        module("core.a", "def f(self, a, b, c, d, e, f, g): ..."),
    ),
    (
        shape.sizes,
        module("cli.a", "def f(a, b, c, d, e, f, g, h): ..."),
        module("cli.a", "def f(a: Annotated[str, typer.Argument()], b, c, d, e, f, g, h): ..."),
    ),
    (shape.header, module("core.a", "x = 1"), module("core.a", DOC)),
    (
        shape.header,
        module("core.a", '"""' + "a\n" * 9 + '"""'),
        module("core.a", '"""' + "a\n" * 8 + "├─ b\n" * 5 + '"""'),
    ),
    (shape.docstrings, module("core.a", "def f(): ..."), module("core.a", "def _f(): ...")),
    (
        shape.docstrings,
        module("core.a", "class A: ..."),
        module("core.a", 'class A:\n    """A."""\n    def __init__(self): ...'),
    ),
    (
        shape.docstrings,
        module("core.a", 'class A:\n    """A."""\n    def f(self): ...'),
        module("core.a", "class _A:\n    def f(self): ..."),
    ),
    (shape.refused_names, module("core.utils"), module("core.utility")),
    (shape.refused_names, module("core.a", "class RequestHandler: ..."), module("core.a", "class Handle: ...")),
    (
        shape.vendor_names,
        module("gateway.a", "if kind == 'openai': ..."),
        module("wires.a", "if kind == 'openai': ..."),
    ),
    (shape.vendor_names, module("config", "def add_ollama(): ..."), module("server.openai", "def openai_error(): ...")),
    (
        shape.vendor_names,
        module("server.openai", "x = 'anthropic'"),
        module("server.a", "x = 'connect Ollama or set a key'"),
    ),
    (
        shape.vendor_names,
        module("gateway.a", "x = AzureOpenAI()"),
        module("server.app", "from tierwise.server import openai\nx = openai.y"),
    ),
    (
        shape.environment,
        module("gateway.a", "import os\nx = os.environ['A']"),
        module("config", "import os\nx = os.environ"),
    ),
    (shape.environment, module("gateway.a", "from os import getenv"), module("gateway.a", "from os import getpid")),
    (shape.state, module("core.a", "cache = {}"), module("core.a", "TABLE = {1: 2}\n__all__ = ['a']")),
    (
        shape.state,
        module("core.a", "SEEN = set()\ndef f(x): SEEN.add(x)"),
        module("core.a", "def f(x):\n    seen = set()\n    seen.add(x)"),
    ),
    (
        shape.state,
        module("core.a", "TABLE: dict = {}\ndef f(x): TABLE[x] = 1"),
        module("core.a", "TABLE: dict = {}\ndef f(x): return TABLE[x]"),
    ),
    (shape.state, module("core.a", "N = 0\ndef f():\n    global N\n    N = 1"), module("core.a", "N = 0")),
    (shape.printing, module("gateway.a", "print(1)"), module("cli.a", "print(1)")),
    (
        shape.broad_handlers,
        module("gateway.a", "try: ...\nexcept: raise"),
        module("gateway.a", "try: ...\nexcept OSError: pass"),
    ),
    (
        shape.broad_handlers,
        module("gateway.a", "try: ...\nexcept Exception: pass"),
        module("gateway.a", "try: ...\nexcept Exception:\n    raise"),
    ),
]


@pytest.mark.parametrize(("rule", "bad", "good"), FOR_WITHIN, ids=lambda case: getattr(case, "__name__", ""))
def test_a_rule_within_a_module_bites(rule: Within, bad: Module, good: Module) -> None:
    assert list(rule(bad))
    assert not list(rule(good))


def test_every_rule_has_its_samples() -> None:
    assert {rule for rule, _, _ in FOR_ACROSS} == set(ACROSS)
    assert {rule for rule, _, _ in FOR_WITHIN} == set(WITHIN)


EFFECTFUL = {
    "a thread": "import threading\nthread = threading.Thread(target=int)\nthread.start()\nthread.join()",
    "a file": "open(__file__.replace('.py', '.txt'), 'w').close()",
    "a socket": "import socket\nsocket.socket().close()",
    "a database": "import sqlite3\nsqlite3.connect(':memory:').close()",
    "a process": "import subprocess\nsubprocess.run(['true'])",
}


@pytest.mark.parametrize("text", EFFECTFUL.values(), ids=EFFECTFUL.keys())
def test_the_watch_sees_an_effect(text: str, tmp_path: Path) -> None:
    (tmp_path / "effectful_sample.py").write_text(text)
    code = f"import sys, threading, socket, sqlite3, subprocess; sys.path.insert(0, {str(tmp_path)!r}); "
    code += "from tests.architecture.watch import main; main(['effectful_sample'])"
    found = run([sys.executable, "-W", "ignore", "-c", code])
    assert "effectful_sample" in found, found


def test_the_mirror_of_the_unit_tests() -> None:
    names = {"policy.judge", "policy", "config"}
    assert mirrors(Path("policy/test_judge.py"), names)
    assert mirrors(Path("policy/test_judge_ceilings.py"), names)
    assert mirrors(Path("test_config.py"), names)
    assert not mirrors(Path("policy/test_nothing.py"), names)
