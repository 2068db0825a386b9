"""The proofs of `docs/reference/evidence.md`, in small sizes: `benchmarks/evaluation.py` and `certificates.py`."""

import json
import random
import subprocess
import sys
from pathlib import Path
from typing import Any

import duckdb

ROOT = Path(__file__).resolve().parents[2]


def measured(name: str, *words: str) -> tuple[int, dict[str, Any], str]:
    command = [sys.executable, str(ROOT / "benchmarks" / f"{name}.py"), *words, "--processes", "1", "--json"]
    ended = subprocess.run(command, capture_output=True, text=True, check=False, timeout=110)
    return ended.returncode, json.loads(ended.stdout) if ended.stdout else {}, ended.stderr


def test_comparisons_keep_their_word() -> None:
    code, figures, told = measured("evaluation", "--comparisons", "80", "--peeks", "200")
    assert (code, figures["missed"], told) == (0, [], "")
    assert figures["comparisons"] == 160 and figures["looks"] > 50_000


def outcomes(folder: Path, questions: int) -> None:
    """Six models that are right or wrong together more often than by chance, and two that are sampled."""
    draw = random.Random(1)
    rows: list[tuple[str, str, str, float]] = []
    sampled: list[tuple[str, str, str, float, str]] = []
    for question in range(questions):
        ease = draw.random() ** 0.3
        rows += [(f"m{model}", "task", f"q{question}", float(draw.random() < ease)) for model in range(6)]
        for model in range(2):
            said = [str(int(draw.random() > ease)) for _ in range(12)]
            most = max("01", key=said.count)
            sampled.append((f"s{model}", "task", f"q{question}", float(most == "0"), json.dumps(said)))
    with duckdb.connect() as connection:
        connection.execute("CREATE TABLE plain (model TEXT, task TEXT, split_key TEXT, score DOUBLE)")
        connection.executemany("INSERT INTO plain VALUES (?, ?, ?, ?)", rows)
        connection.execute("CREATE TABLE sampled AS SELECT *, '' AS sample_answers FROM plain LIMIT 0")
        connection.executemany("INSERT INTO sampled VALUES (?, ?, ?, ?, ?)", sampled)
        for table in ("plain", "sampled"):
            connection.execute(f"COPY {table} TO '{folder / table}.parquet'")


def test_certificates_hold(tmp_path: Path) -> None:
    outcomes(tmp_path, 300)
    code, figures, told = measured("certificates", "--data", str(tmp_path), "--resplits", "10")
    assert (code, figures["missed"], told) == (0, [], "")
    assert figures["models"] == 4
    assert figures["draws_wrong_given_accepted_0.1_issued"] > 0.3
    assert figures["resplits_wrong_and_accepted_0.1_issued"] > 0


def test_without_tables_it_says_how_to_name_them(tmp_path: Path) -> None:
    code, figures, told = measured("certificates", "--data", str(tmp_path / "none"))
    assert (code, figures) == (2, {})
    assert "--data" in told
