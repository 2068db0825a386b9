"""The main job as a user meets it: the demo's figures can be recounted, its commands work, its errors name the mend."""

import csv
import hashlib
import json
from pathlib import Path

import pytest

from tests.acceptance.conftest import Installed

DATA = Path(__file__).parents[3] / "shared" / "data" / "banking77" / "train.csv"


def test_the_page_fits_and_its_commands_work(installed: Installed) -> None:
    page = installed.run("demo").stdout
    too_long = [line for line in page.splitlines() if len(line) > 80 and "tierwise" not in line]
    assert not too_long
    assert "Aimed at 97% right, measured" in page
    assert "frontier is not configured" in page
    assert "ceiling:confidential" in page
    assert "ceiling:restricted" in page
    shown = next(line.split() for line in page.splitlines() if " show " in line)
    told = installed.run(*shown[1:]).stdout
    assert "Candidates" in told
    assert "outcome answered" in told


def test_the_figures_can_be_recounted(installed: Installed, tmp_path: Path) -> None:
    rows_file = tmp_path / "rows.jsonl"
    figures = installed.json("demo", "--out", str(rows_file))
    rows = [json.loads(line) for line in rows_file.read_text().splitlines()]
    n = len(rows)
    assert n == figures["small"]["n"] == figures["data"]["reported"]

    def right(row: dict[str, object], model: str) -> bool:
        answer = row[model]
        assert isinstance(answer, dict)
        return bool(answer["answer"] == row["label"])

    assert figures["small"]["accuracy"] == pytest.approx(sum(right(r, "small") for r in rows) / n)
    assert figures["larger"]["accuracy"] == pytest.approx(sum(right(r, "larger") for r in rows) / n)
    cascade = figures["cascade"]
    assert cascade["kept_small"] + cascade["kept_larger"] + cascade["left"] == pytest.approx(1)
    kept = [r for r in rows if r["kept_by"] != "left"]
    assert cascade["kept_accuracy"] == pytest.approx(sum(right(r, str(r["kept_by"])) for r in kept) / len(kept))
    by = [right(r, "small" if r["kept_by"] == "small" else "larger") for r in rows]
    assert cascade["accuracy"] == pytest.approx(sum(by) / n)
    small, larger = figures["small"]["accuracy"], figures["larger"]["accuracy"]
    share = cascade["kept_small"]
    assert figures["random"]["accuracy"] == pytest.approx(share * small + (1 - share) * larger)
    assert [p["label"] for p in figures["policy"]] == ["confidential", "restricted"]
    recorded = installed.json("log", "--config", figures["config"], "--limit", "100000")
    assert {r["decision"] for r in rows} <= {d["id"] for d in recorded}


@pytest.mark.skipif(
    not DATA.is_file(), reason="the real messages (../shared/data/banking77) are not beside this checkout"
)
def test_the_floors_hold_on_real_messages(installed: Installed, tmp_path: Path) -> None:
    with DATA.open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    rows.sort(key=lambda row: hashlib.sha256(" ".join(row["text"].split()).lower().encode()).hexdigest())
    chosen = tmp_path / "messages.csv"
    with chosen.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, ["text", "category"])
        writer.writeheader()
        writer.writerows({"text": row["text"], "category": row["category"]} for row in rows[:2000])
    figures = installed.json("demo", "--data", str(chosen))
    assert figures["data"]["fitted_on"] >= 990
    assert figures["small"]["accuracy"] >= 0.86
    assert figures["larger"]["accuracy"] >= 0.87
    assert figures["cascade"]["kept_accuracy"] >= 0.95
    assert figures["cascade"]["kept_small"] >= 0.6
    assert figures["cascade"]["accuracy"] >= figures["random"]["accuracy"] - 0.005


WRONG = [
    ("text,lable\nhello,x\n", "text and label"),
    ("text,label\nhello,card_arrival\nbye,card_arrival\n", "two or more labels"),
    ("text,label\nhello,haiku\nbye,card_arrival\n", "tierwise compare"),
    ("text,label\n", "no rows"),
    ("text,label\n,card_arrival\n", "non-empty"),
]


@pytest.mark.parametrize(("text", "told"), WRONG)
def test_wrong_data_is_said_with_its_mend(installed: Installed, tmp_path: Path, text: str, told: str) -> None:
    path = tmp_path / "data.csv"
    path.write_text(text)
    assert told in installed.run("demo", "--data", str(path), code=2).stderr


def test_an_outside_model_needs_a_key_and_a_yes(installed: Installed) -> None:
    assert "OPENAI_API_KEY" in installed.run("demo", "--frontier", code=2).stderr
    installed.environment["OPENAI_API_KEY"] = "sk-canary-never-sent"
    done = installed.run("demo", "--frontier", code=2)
    assert "nothing was sent" in done.stderr
    assert "sk-canary" not in done.stderr + done.stdout
