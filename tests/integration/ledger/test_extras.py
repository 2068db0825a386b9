"""What needs an extra says which one; nothing else needs it."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.architecture.tree import ROOT

WITHOUT = "import sys; sys.modules[{missing!r}] = None; from tierwise.cli import main; main()"


@pytest.mark.parametrize(
    ("missing", "command", "said"),
    [
        ("asyncpg", ["log"], "pip install 'tierwise[postgres]'"),
        ("duckdb", ["export", "--parquet", "x.parquet"], "pip install 'tierwise[duckdb]'"),
    ],
)
def test_a_missing_extra_is_named(missing: str, command: list[str], said: str, tmp_path: Path) -> None:
    text = '[ledger]\nurl = "postgresql://me@localhost/x"\n' if missing == "asyncpg" else "[ledger]\n"
    (tmp_path / "tierwise.toml").write_text(text)
    if missing == "duckdb":
        make = "import asyncio, sys; from pathlib import Path; from tierwise.ledger.store import Ledger\n"
        make += "async def work(): await (await Ledger.open(Path(sys.argv[1]))).close()\nasyncio.run(work())"
        subprocess.run([sys.executable, "-c", make, str(tmp_path / "l.sqlite")], cwd=ROOT, check=True)
        (tmp_path / "tierwise.toml").write_text(f'[ledger]\npath = "{tmp_path / "l.sqlite"}"\n')
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT.format(missing=missing), *command, "--config", str(tmp_path / "tierwise.toml")],
        cwd=tmp_path, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (done.returncode, said in done.stderr, "Traceback" in done.stderr) == (2, True, False), done.stderr
    assert not (tmp_path / "x.parquet").exists()
