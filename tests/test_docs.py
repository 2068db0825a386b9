"""Do the documents tell the truth? Commands, options, settings, blocks and links are held against what exists.

A block after a line `<!-- run -->` is executed, in an empty folder, with the installed command on the path.
"""

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, get_args
from urllib.parse import unquote

import msgspec
import pytest
import typer

from tests.architecture.tree import ROOT
from tests.documents import commands, evidence, governance, kinds, licences, openapi, pages, reliability, speed
from tests.documents.markdown import Block, Document
from tierwise import config
from tierwise.cli.app import app
from tierwise.core.errors import ConfigError
from tierwise.installation import packages

SHELL = ("sh", "bash", "shell", "console")
RUN_LIMIT_S = 60
# Paths of one person's machine and hosts of registries: neither belongs here. Written so as not to match.
PRIVATE = re.compile(r"/[w]ork/|/[r]oot/|/[h]ome/\w|/[U]sers/\w|[p]ypi\.o|[p]ythonhosted|[n]pmjs")
NAMED_TEST = re.compile(r"(tests/[\w/]+\.py)::(test_\w+)")
TEXT = (".py", ".md", ".toml", ".txt", ".json", ".html", ".css", ".js", ".c", "")


@pytest.fixture(scope="module")
def documents() -> list[Document]:
    places = [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("src/**/*.md"), *ROOT.glob("recipes/**/*.md")]
    return [Document.read(path, ROOT) for path in sorted(places)]


@pytest.fixture(scope="module")
def tierwise() -> Any:
    return typer.main.get_command(app)


def blocks(documents: Iterable[Document], *languages: str) -> Iterator[Block]:
    return (block for document in documents for block in document.blocks if block.language in languages)


def test_the_documents_are_there(documents: list[Document]) -> None:
    expected = {"README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "CHANGELOG.md", "AGENTS.md"}
    assert expected <= {document.file for document in documents}


def test_the_kinds_of_endpoint_are_those_of_the_rows() -> None:
    assert kinds.PAGE.read_text(encoding="utf-8") == kinds.page(), "scripts/docs writes it anew"


def test_the_map_of_clauses_is_that_of_the_rows() -> None:
    assert governance.PAGE.read_text(encoding="utf-8") == governance.page(), "scripts/docs writes it anew"


def test_the_licences_are_those_of_the_packages() -> None:
    assert licences.PAGE.read_text(encoding="utf-8") == licences.page(), "scripts/docs writes it anew"


def test_nothing_that_is_needed_is_under_a_licence_that_would_bind_its_users() -> None:
    found = packages(licences.roots())
    assert {"msgspec", "cryptography", "python-stdnum"} <= found.keys()
    assert not [one.name for one in found.values() if licences.VIRAL.search(one.licence)]
    assert not [one.name for one in found.values() if one.licence == "not named"]


@pytest.mark.parametrize(
    "licence",
    ["GPL-3.0-only", "GNU Affero General Public License v3", "MIT OR AGPL-3.0", "GNU General Public License v2"],
)
def test_such_a_licence_would_be_noticed(licence: str) -> None:
    assert licences.VIRAL.search(licence)
    assert not licences.VIRAL.search("GNU Lesser General Public License v2 or later (LGPLv2+)")


def test_the_page_of_proofs_tells_what_was_measured() -> None:
    told = reliability.page(reliability.stored())
    assert reliability.PAGE.read_text(encoding="utf-8") == told, "python -m tests.documents.reliability writes it anew"


def test_the_page_of_evidence_tells_what_was_measured() -> None:
    told = evidence.page(evidence.stored())
    assert evidence.PAGE.read_text(encoding="utf-8") == told, "python -m tests.documents.evidence writes it anew"


def test_the_page_of_speeds_tells_what_was_measured() -> None:
    assert speed.PAGE.read_text(encoding="utf-8") == speed.page(), "python -m tests.documents.speed writes it anew"


def test_the_figures_of_the_pages_are_those_that_were_measured() -> None:
    assert pages.PAGE.read_text(encoding="utf-8") == pages.page(), "python -m tests.documents.pages writes it anew"


def test_pictures_are_shown_and_small() -> None:
    pictures = {path.name: path.stat().st_size for path in (ROOT / "docs" / "pictures").iterdir()}
    shown = set(re.findall(r"!\[[^\]]{9,}\]\(\.\./pictures/([\w.-]+)\)", pages.PAGE.read_text(encoding="utf-8")))
    assert shown == set(pictures), "scripts/pictures takes those that the page shows"
    assert sum(pictures.values()) < 1_000_000


def test_the_openapi_document_is_that_of_the_program() -> None:
    assert openapi.PAGE.read_text(encoding="utf-8") == openapi.page(), (
        "python -m tests.documents.openapi writes it anew"
    )
    paths, answers = openapi.paths(), openapi.codes()
    served = {f"{path.decode()}{{id}}" if path.endswith(b"/") else path.decode() for path in addresses()}
    assert set(paths) == served
    told = {name for rows in answers.values() for names, _ in rows for name in names}
    assert codes() <= told and len(answers) > 12


def test_every_block_names_its_language(documents: list[Document]) -> None:
    bare = [str(block) for document in documents for block in document.blocks if not block.language]
    assert not bare, "write ```text for what no rule reads: " + ", ".join(bare)


def test_every_command_and_option_exists(documents: list[Document], tierwise: Any) -> None:
    shell = [(str(block), block.text) for block in blocks(documents, *SHELL)]
    for document in documents:
        shell += [(f"{document.file}:{line}", code) for line, code in document.inline_code() if is_call(code)]
    wrong = [
        f"{where}: {problem}"
        for where, text in shell
        for words in commands.calls(text)
        if (problem := commands.unknown(words, tierwise))
    ]
    assert not wrong, "\n".join(wrong)


def test_every_command_that_a_page_names_exists(tierwise: Any) -> None:
    pages = sorted(ROOT.glob("src/tierwise/web/templates/*.html"))
    named = [(page, code) for page in pages for code in re.findall(r"<code>([^<]*)", page.read_text()) if is_call(code)]
    assert named
    wrong = [
        f"{page.name}: {problem}"
        for page, code in named
        for words in commands.calls(re.sub(r"{{.*?}}", "X", code))
        if (problem := commands.unknown(words, tierwise))
    ]
    assert not wrong, "\n".join(wrong)


def is_call(code: str) -> bool:
    """Say whether inline code calls Tierwise or a script of the project."""
    return re.match(r"(\./)?scripts/|tierwise ", code) is not None


def test_every_script_exists(documents: list[Document]) -> None:
    text = [(str(block), block.text) for block in blocks(documents, *SHELL)]
    text += [
        (d.file, code) for d in documents for _, code in d.inline_code() if is_call(code) and not set("{*…") & set(code)
    ]
    missing = [f"{where}: {s}" for where, shell in text for s in commands.scripts(shell) if not (ROOT / s).exists()]
    assert not missing, "\n".join(missing)


def test_every_configuration_block_loads(documents: list[Document]) -> None:
    wrong = []
    for block in blocks(documents, "toml"):
        try:
            config.parse(block.text, str(block))
        except ConfigError as error:
            wrong.append(f"{block}: {error}")
    assert not wrong, "\n".join(wrong)


def test_every_variable_exists(documents: list[Document]) -> None:
    known = {"TIERWISE_HOME", "TIERWISE_CONFIG", "TIERWISE_API_KEY", "TIERWISE_SECTION_KEY", *variables()}
    for test in ROOT.glob("tests/**/*.py"):  # how large a proof is
        known |= set(re.findall(r'environ\.get\("(TIERWISE_[A-Z_]+)"', test.read_text(encoding="utf-8")))
    wrong = [
        f"{document.file}: {name}"
        for document in documents
        for name in sorted(set(re.findall(r"\bTIERWISE_[A-Z_]+\b", document.text)) - known)
    ]
    assert not wrong, "\n".join(wrong)


def variables() -> set[str]:
    """Name the variable of each plain value of a section that is not a list of rows."""
    default = msgspec.to_builtins(config.Document())
    return {f"TIERWISE_{section}_{key}".upper() for section, t in default.items() if isinstance(t, dict) for key in t}


def test_every_setting_stands_in_a_page() -> None:
    text = "".join(page.read_text("utf-8") for page in sorted((ROOT / "docs/reference").glob("*.md")))
    names = set(settings_of(config.Document))
    assert {"max_body_bytes", "usd_per_mtok", "retention_over_days"} <= {name.removeprefix("input_") for name in names}
    assert not [name for name in sorted(names) if not re.search(rf"\b{name}\b", text)]


def settings_of(kind: Any) -> Iterator[str]:
    """Name what may be written in a table and in those within it."""
    if not isinstance(kind, type) or not issubclass(kind, msgspec.Struct):
        for inner in get_args(kind):
            yield from settings_of(inner)
        return
    for field in msgspec.structs.fields(kind):
        yield field.encode_name
        yield from settings_of(field.type)


def test_every_test_that_a_document_names_exists(documents: list[Document]) -> None:
    named = [(document.file, *one) for document in documents for one in NAMED_TEST.findall(document.text)]
    assert sum(file == "SECURITY.md" for file, _, _ in named) > 50
    assert not [one for one in named if not is_test(*one[1:])]


def is_test(file: str, name: str) -> bool:
    """Say whether this file has a test of this name."""
    path = ROOT / file
    return path.is_file() and re.search(rf"^ *(async )?def {name}\(", path.read_text("utf-8"), re.MULTILINE) is not None


def test_a_test_that_is_gone_would_be_noticed() -> None:
    assert is_test("tests/test_docs.py", "test_a_test_that_is_gone_would_be_noticed")
    assert not is_test("tests/test_docs.py", "test_a_test_that_is")
    assert not is_test("tests/test_nothing.py", "test_every_json_block_parses")
    assert NAMED_TEST.findall("`tests/a/test_b.py::test_c`") == [("tests/a/test_b.py", "test_c")]


def test_every_json_block_parses(documents: list[Document]) -> None:
    wrong = []
    for block in blocks(documents, "json"):
        try:
            json.loads(block.text)
        except ValueError as error:
            wrong.append(f"{block}: {error}")
    assert not wrong, "\n".join(wrong)


def test_every_python_block_compiles(documents: list[Document]) -> None:
    for block in blocks(documents, "python"):
        compile(block.text, str(block), "exec")


def test_every_block_marked_to_run_does(documents: list[Document], tmp_path: Path) -> None:
    marked = [block for block in blocks(documents, *SHELL, "python") if block.run]
    failed = [
        f"{block}:\n{said}" for place, block in enumerate(marked) if (said := execute(block, tmp_path / str(place)))
    ]
    assert not failed, "\n".join(failed)


def execute(block: Block, folder: Path) -> str | None:
    """Run a block in a new folder; what it said if it failed, else None."""
    folder.mkdir(parents=True)
    program = [sys.executable, "-c"] if block.language == "python" else ["sh", "-euc"]
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    done = subprocess.run(
        [*program, block.text],
        cwd=folder,
        env={**os.environ, "PATH": path},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=RUN_LIMIT_S,
        check=False,
    )
    return None if done.returncode == 0 else f"exit {done.returncode}\n{done.stdout}{done.stderr}"


def test_every_link_inside_the_project_resolves(documents: list[Document]) -> None:
    wrong = [
        f"{document.file}:{line}: {link}"
        for document in documents
        for line, link in document.links()
        if not resolves(document, link)
    ]
    assert not wrong, "\n".join(wrong)


def resolves(document: Document, link: str) -> bool:
    """Say whether a relative link has its file and its heading; links to the outside are not followed."""
    if re.match(r"[a-z]+:", link):
        return True
    place, _, anchor = unquote(link).partition("#")
    target = (ROOT / document.file).parent / place if place else ROOT / document.file
    if not target.resolve().is_relative_to(ROOT) or not target.exists():
        return False
    return not anchor or target.suffix != ".md" or anchor in Document.read(target.resolve(), ROOT).anchors


def test_nothing_names_one_persons_machine() -> None:
    folders = ("src", "tests", "docs", "scripts", "requirements", "recipes", "benchmarks", ".ci")
    files = [*ROOT.glob("*.*"), *(path for folder in folders for path in (ROOT / folder).rglob("*"))]
    wrong = [
        f"{path.relative_to(ROOT)}:{number}: {line.strip()[:100]}"
        for path in files
        if path.is_file() and path.suffix in TEXT and not {"__pycache__", ".git"} & set(path.parts)  # a worktree's file
        for number, line in enumerate(path.read_text(encoding="utf-8", errors="replace").splitlines(), 1)
        if PRIVATE.search(line)
    ]
    assert not wrong, "\n".join(wrong)


# Would each of these notice?

SAMPLE = """# A page

Run `tierwise show ID --jsn` and see [there](nowhere.md) or [above](#a-page).

<!-- run -->
```sh
exit 3
```
"""


@pytest.fixture
def sample() -> Document:
    return Document("SAMPLE.md", SAMPLE)


def test_a_document_is_read_as_written(sample: Document) -> None:
    (block,) = sample.blocks
    assert (block.line, block.language, block.text, block.run) == (6, "sh", "exit 3\n", True)
    assert list(sample.links()) == [(3, "nowhere.md"), (3, "#a-page")]
    assert list(sample.inline_code()) == [(3, "tierwise show ID --jsn")]
    assert [resolves(Document("README.md", SAMPLE), link) for link in ("nowhere.md", "LICENSE", "#no-such")] == [
        False,
        True,
        False,
    ]


def test_a_failing_block_is_noticed(sample: Document, tmp_path: Path) -> None:
    assert "exit 3" in (execute(sample.blocks[0], tmp_path / "a") or "")
    assert execute(Block("a.md", 1, "python", "import tierwise"), tmp_path / "b") is None


@pytest.mark.parametrize(
    ("shell", "expected"),
    [
        ("KEY=x tierwise serve --port 1 > log 2>&1 &", [["serve", "--port", "1"]]),
        ("cat x | .venv/bin/tierwise ask - # why", [["ask", "-"]]),
        ("scripts/demo --json && tierwise log \\\n --limit 3", [["demo", "--json"], ["log", "--limit", "3"]]),
        ("pip install tierwise\necho 'tierwise nothing'", []),
    ],
)
def test_calls_are_found_in_shell(shell: str, expected: list[list[str]]) -> None:
    assert list(commands.calls(shell)) == expected


def log(limit: int = 3, json: bool = False) -> None:
    """A command of a sample application."""


def test_an_unknown_command_or_option_is_noticed() -> None:
    sample = typer.Typer(name="tierwise")
    sample.callback()(lambda: None)
    sample.command("log")(log)
    group = typer.main.get_command(sample)
    assert commands.unknown(["log", "[--limit", "N]", "--json"], group) is None
    assert commands.unknown(["log", "--help"], group) is None
    assert commands.unknown(["log", "--limt=3"], group) == "log has no option --limt=3"
    assert commands.unknown(["lgo"], group) == "tierwise has no command lgo"


def test_the_page_about_http_names_every_address_header_and_code() -> None:
    page = (ROOT / "docs/reference/http.md").read_text("utf-8")
    code = sources()
    headers = {name for text in code.values() for name in re.findall(r'b"(x-tierwise-[a-z-]+[a-z])"', text)}
    hints = re.findall(r'case "([a-z-]+)":', (ROOT / "src/tierwise/wires/hints.py").read_text("utf-8"))
    places = {path.decode().rstrip("/") for path in addresses()}
    assert min(len(places), len(headers), len(hints), len(codes())) > 4
    named = places | headers | {f"x-tierwise-{hint}" for hint in hints} | codes()
    assert not [name for name in sorted(named) if name not in page]


def sources() -> dict[str, str]:
    """Return the modules of the server."""
    return {path.name: path.read_text("utf-8") for path in (ROOT / "src/tierwise/server").glob("*.py")}


def addresses() -> set[bytes]:
    """Name what is served; an address that ends in a stroke is a family's."""
    app, paths = sources()["app.py"], sources()["addresses.py"]
    tables = paths[: paths.index("def ")] + app[app.index("self._routes") : app.index("async def __call__")]
    return {path.encode() for path in re.findall(r'b"(/[a-z_0-9/]+)"', tables)}


def codes() -> set[str]:
    """Name the codes of our own errors."""
    code = sources()
    errors = code["errors.py"] + code["http.py"] + code["keys.py"] + code["ring.py"]
    found = re.findall(r'code="(\w+)"|[A-Z], "(\w+)", (?:True|False)', errors)
    found += [(name, "") for name in re.findall(r'_refuse\(\d+, "(\w+)"', code["connection.py"])]
    return {name for pair in found for name in pair if name}
