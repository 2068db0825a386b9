"""What runs at every start of Python is known byte for byte, or named; what is installed is told to those who ask."""

import base64
import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

from tierwise.core.errors import ConfigError
from tierwise.installation import AT_START, licence, packages, refuse_strays, required, runs, sbom, strays
from tierwise.registry.demonstration import demonstration

CODE = "import os; os.environ.setdefault('WOMBAT', '1')\n"


def package(folder: Path, name: str, file: str, content: str, recorded: str | None = None) -> None:
    """Install a package that brings one file beside its metadata."""
    info = folder / f"{name}-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
    (folder / file).write_text(content)
    digest = base64.urlsafe_b64encode(hashlib.sha256((recorded or content).encode()).digest()).rstrip(b"=").decode()
    (info / "RECORD").write_text(f"{file},sha256={digest},{len(content)}\n")


def named(folder: Path, *known: str) -> dict[str, str]:
    return {stray.path.name: stray.why for stray in strays([folder], known)}


def test_a_file_of_nobody_that_runs_is_named_and_one_that_only_adds_a_path_is_not(tmp_path: Path) -> None:
    (tmp_path / "path.pth").write_text("/somewhere/else\n# import this\n")
    (tmp_path / "litany_init.pth").write_text(CODE)
    assert set(named(tmp_path)) == {"litany_init.pth"}


def test_a_file_that_came_with_a_package_that_nobody_needs_is_named(tmp_path: Path) -> None:
    """A stolen release brings its file in its own RECORD: that it is recorded says nothing."""
    package(tmp_path, "stolen-release", "stolen_init.pth", CODE)
    assert "which Tierwise does not need" in named(tmp_path)["stolen_init.pth"]
    assert not named(tmp_path, "Stolen_Release"), "unless it is known"


def test_a_file_of_a_needed_package_is_known_only_as_it_was_installed(tmp_path: Path) -> None:
    package(tmp_path, "setuptools", "distutils-precedence.pth", CODE)
    assert not named(tmp_path)
    (tmp_path / "distutils-precedence.pth").write_text(CODE + "import evil\n")
    assert "not what setuptools installed" in named(tmp_path)["distutils-precedence.pth"]


def test_one_file_may_be_known_by_its_digest_and_no_other_of_its_name(tmp_path: Path) -> None:
    file = tmp_path / "_virtualenv.pth"
    file.write_text(CODE)
    digest = f"sha256:{hashlib.sha256(CODE.encode()).hexdigest()}"
    assert not named(tmp_path, digest)
    file.write_text(CODE + " ")
    assert named(tmp_path, digest)


@pytest.mark.parametrize(
    "content",
    [
        b"import x", b"\xef\xbb\xbfimport x", b"a\rimport x", b"import\tx", b"a\x0cimport x", b"\xff\nimport x",
        b"#" * 1_048_577,
    ],
)  # fmt: skip
def test_code_is_seen_however_its_lines_end(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "a.pth"
    file.write_bytes(content)
    assert runs(file)


def test_whatever_python_runs_at_its_start_is_looked_at(tmp_path: Path) -> None:
    for pattern in AT_START:
        (tmp_path / pattern.replace("*", "odd")).write_text(CODE)
    (tmp_path / "gone.pth").symlink_to(tmp_path / "nowhere")
    assert len(named(tmp_path)) == len(AT_START) + 1


def test_the_refusal_says_what_to_do(tmp_path: Path) -> None:
    refuse_strays(places=[tmp_path])
    (tmp_path / "x.pth").write_text(CODE)
    with pytest.raises(ConfigError) as caught:
        refuse_strays(places=[tmp_path])
    assert caught.value.key == "server.refuse_unknown_pth"
    for word in ("x.pth", "sha256:", "known_pth", "requirements/run.txt", "stolen"):
        assert word in str(caught.value)


def test_what_is_planted_really_runs_here_and_a_server_told_to_refuse_does_not_start(tmp_path: Path) -> None:
    """Python reads the user's own folder too: there the test may write without touching this environment."""
    base = getattr(sys, "_base_executable", sys.executable)
    file = tmp_path / "tierwise.toml"
    environment = {
        **os.environ, "PYTHONUSERBASE": str(tmp_path), "TIERWISE_HOME": str(tmp_path / "home"), "PYTHONDONTWRITEBYTECODE": "1",
        "TIERWISE_CONFIG": str(file),
    }  # fmt: skip
    environment.pop("PYTHONNOUSERSITE", None)
    where = subprocess.run(
        [base, "-m", "site", "--user-site"], env=environment, capture_output=True, text=True, check=False, timeout=60
    )
    folder = Path(where.stdout.strip())
    assert tmp_path in folder.parents
    folder.mkdir(parents=True)
    for place in map(Path, filter(None, sys.path)):
        if place.is_dir() and place.name in ("site-packages", "src"):
            (folder / f"{place.name}-{len(list(folder.iterdir()))}.pth").write_text(f"{place}\n")
    (folder / "litany_init.pth").write_text(CODE)
    seen = subprocess.run(
        [base, "-c", "import os; print(os.environ.get('WOMBAT'))"], env=environment, capture_output=True, text=True,
        check=True, timeout=60,
    )  # fmt: skip
    assert seen.stdout == "1\n", "the planted file is code that this Python runs"
    file.write_text("[server]\nrefuse_unknown_pth = true\nport = 0\n")
    done = subprocess.run(
        [base, "-m", "tierwise", "serve"], env=environment, capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 2, done.stderr
    assert "litany_init.pth" in done.stderr
    assert "Traceback" not in done.stderr


def test_names_are_read_out_of_requirements() -> None:
    lines = ["a_B>=1", "c; extra == 'x'", "d[z]>=2 ; python_version > '3'"]
    assert required(lines, extras=True) == {"a-b": "", "c": "x", "d": ""}
    assert required(lines, extras=False) == {"a-b": "", "d": ""}


def test_every_package_names_its_licence() -> None:
    found = packages(["msgspec", "typer", "pytest", "no-such-package"])
    assert {"msgspec", "typer", "pytest", "pygments"} <= set(found)
    assert all(one.licence != "not named" for one in found.values())
    assert licence.__doc__


def test_the_bill_of_materials_is_one_by_the_published_schema() -> None:
    text = msgspec.json.encode(sbom()).decode()
    error = JsonStrictValidator(SchemaVersion.V1_6).validate_str(text)
    assert error is None, error
    said = json.loads(text)
    refs = {one["bom-ref"] for one in said["components"]}
    assert {name.rpartition("@")[0] for name in refs} >= {"pkg:pypi/msgspec", "pkg:pypi/uvicorn"}
    digests = {one["hashes"][0]["content"] for one in said["components"] if one["type"] == "machine-learning-model"}
    assert digests == {
        hashlib.sha256(demonstration().path(name).read_bytes()).hexdigest() for name in demonstration().models
    }
    told = {edge["ref"] for edge in said["dependencies"]}
    assert all(set(edge["dependsOn"]) <= refs for edge in said["dependencies"])
    assert {ref for ref in refs if ref.startswith("pkg:")} <= told


def test_the_schema_would_notice() -> None:
    wrong = dict(sbom()) | {"components": [{"type": "gadget", "name": "x"}]}
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(msgspec.json.encode(wrong).decode()) is not None


@pytest.mark.parametrize(
    "name", ["sitecustomize/__init__.py", "sitecustomize.pyc", "usercustomize.cpython-311-x86_64-linux-gnu.so"]
)
def test_a_module_of_any_kind_that_python_starts_is_seen(name: str, tmp_path: Path) -> None:
    (tmp_path / name).parent.mkdir(exist_ok=True)
    (tmp_path / name).write_bytes(b"import os")
    assert [stray.path for stray in strays([tmp_path])] == [tmp_path / name.partition("/")[0]]


def test_what_ran_from_anywhere_on_the_path_is_seen(tmp_path: Path) -> None:
    file = tmp_path / "sitecustomize.py"
    file.write_text("ran = True")
    code = "from tierwise.installation import strays; print(*strays(), sep='\\n')"
    path = os.pathsep.join([str(tmp_path), *filter(None, sys.path)])
    done = subprocess.run(
        [sys.executable, "-c", code], env={"PYTHONPATH": path}, capture_output=True, text=True, check=True
    )
    assert f"{file} (sha256:" in done.stdout
    assert "found on Python's path" in done.stdout
