"""The audited log as its operator and an auditor meet it: signed while the gateway serves, read beside it and after."""

import http.server
import json
import shutil
import sqlite3
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import openai
import pytest

from tests.acceptance.conftest import COMMAND, Installed
from tests.acceptance.test_ledgers import RULES
from tests.architecture.tree import ROOT
from tierwise.testing import ScriptedUpstream

MORE = """
[audit]
every_s = 0.2

[[audit.witness]]
path = "{folder}/checkpoints"
every_s = 0.2

[[audit.witness]]
url = "{store}/bucket/log"
key = "env:STORE_TOKEN"
every_s = 0.2

[[endpoint]]
name = "inside"
kind = "scripted"
url = "{url}"

[[model]]
id = "near"
endpoint = "inside"
served_name = "scripted-1"
"""


class ObjectStore:
    """A server that takes objects by PUT, once each, as a store with a lock on them does."""

    def __init__(self) -> None:
        self.objects: dict[str, tuple[str, str]] = {}
        objects = self.objects

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_PUT(self) -> None:
                text = self.rfile.read(int(self.headers["content-length"])).decode()
                taken = self.path not in objects
                if taken:
                    objects[self.path] = (str(self.headers["authorization"]), text)
                self.send_response(201 if taken else 409)
                self.send_header("content-length", "0")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        self._thread = threading.Thread(target=self.server.serve_forever)
        self._thread.start()

    def close(self) -> None:
        self.server.shutdown()
        self._thread.join()
        self.server.server_close()


@pytest.fixture
def objects() -> Iterator[ObjectStore]:
    store = ObjectStore()
    yield store
    store.close()


@pytest.fixture
def upstream() -> Iterator[ScriptedUpstream]:
    with ScriptedUpstream.in_thread() as running:
        yield running


@pytest.fixture
def rules(installed: Installed, upstream: ScriptedUpstream, objects: ObjectStore, tmp_path: Path) -> Path:
    path = tmp_path / "tierwise.toml"
    more = MORE.format(folder=tmp_path, store=objects.url, url=upstream.url)
    path.write_text(RULES.format(url=upstream.url) + more)
    installed.environment |= {"TIERWISE_CONFIG": str(path), "STORE_TOKEN": "a-token"}
    return path


def asked(installed: Installed, *more: str) -> str:
    found: str = installed.json("ask", "one two three", *more)["decision"]["id"]
    return found


def called(address: str) -> None:
    """Ask the gateway that runs there."""
    with openai.OpenAI(base_url=f"{address}/v1", api_key="none", max_retries=0) as client:
        assert client.chat.completions.create(model="near", messages=[{"role": "user", "content": "one"}]).choices


def tampered(installed: Installed, statement: str) -> None:
    file = sqlite3.connect(installed.home / "ledger.sqlite")
    file.execute(statement)
    file.commit()
    file.close()


def whole(installed: Installed, records: int) -> None:
    """Wait until so many records are signed."""
    deadline = time.monotonic() + 20
    while installed.json("audit", "verify")["signed"] < records:
        assert time.monotonic() < deadline


def test_a_log_is_signed_beside_the_calls_and_its_witnesses_are_told(
    installed: Installed, rules: Path, objects: ObjectStore, serve: Callable[..., str], tmp_path: Path
) -> None:
    assert "audit.key is missing" in installed.run("audit", "verify", code=2).stderr
    address = serve()
    for _ in range(3):
        called(address)
    whole(installed, 3)
    told = installed.run("audit", "verify").stdout
    assert "the log is whole: 3 records here, 0 removed by age" in told
    assert "of witnesses" in told
    assert f"{objects.url}/bucket/log is only written to" in told
    deadline = time.monotonic() + 20
    while "/bucket/log/3" not in objects.objects:
        assert time.monotonic() < deadline
    token, note = objects.objects["/bucket/log/3"]
    assert token == "Bearer a-token"
    (tmp_path / "fetched").write_text(note + "\n\n")
    key = installed.run("audit", "key").stdout.strip()
    fetched = installed.json("audit", "verify", "--key", key, "--witness", str(tmp_path / "fetched"))
    assert (fetched["whole"], fetched["witnessed"]) == (True, 1)
    assert oct((installed.home / "audit.key").stat().st_mode & 0o777) == "0o600"
    assert "PRIVATE" not in key


@pytest.mark.usefixtures("rules")
def test_the_verifier_is_one_file_that_needs_nothing_of_tierwise(installed: Installed, tmp_path: Path) -> None:
    for _ in range(2):
        asked(installed, "--model", "near")
    alone = shutil.copy(ROOT / "src" / "tierwise" / "verifier.py", tmp_path / "verifier.py")
    key = installed.run("audit", "key").stdout.strip()
    command = [sys.executable, "-I", str(alone), str(installed.home / "ledger.sqlite"), "--key", key,
               "--witness", str(tmp_path / "checkpoints")]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert "2 records, 0 removed, 2 covered" in done.stdout
    tampered(installed, "UPDATE records SET record = replace(record, 'near', 'near ') WHERE seq = 2")
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stdout.startswith("record 2 is not what was signed\n")


@pytest.mark.usefixtures("rules")
def test_every_kind_of_tampering_is_found(installed: Installed) -> None:
    for _ in range(4):
        asked(installed, "--model", "near")
    ledger, copy = installed.home / "ledger.sqlite", installed.home / "copy.sqlite"
    shutil.copy(ledger, copy)
    for said, statement in {
        "record 2 is not what was signed": "UPDATE records SET record = record || ' ' WHERE seq = 2",
        "record 3 is missing": "DELETE FROM records WHERE seq = 3",
        "record 4 is missing": "DELETE FROM records WHERE seq = 4",
        "a checkpoint cannot be believed": "UPDATE checkpoints SET note = replace(note, char(10) || '4', char(10) || '3')",
    }.items():
        shutil.copy(copy, ledger)
        tampered(installed, statement)
        told = installed.json("audit", "verify", code=1)
        assert any(finding.startswith(said) for finding in told["findings"]), told
    shutil.copy(copy, ledger)
    tampered(installed, "DELETE FROM records WHERE seq > 2")
    tampered(installed, "DELETE FROM leaves WHERE seq > 2")
    tampered(installed, "DELETE FROM checkpoints")
    assert "the end is cut off: 4 records were signed, 2 are here" in installed.run("audit", "verify", code=1).stdout
    shutil.copy(copy, ledger)
    assert installed.run("audit", "verify")


def test_a_gateway_on_an_old_copy_of_its_ledger_says_so_and_goes_on_serving(
    installed: Installed, rules: Path, serve: Callable[..., str]
) -> None:
    asked(installed, "--model", "near")
    shutil.copy(installed.home / "ledger.sqlite", installed.home / "old.sqlite")
    asked(installed, "--model", "near")
    shutil.copy(installed.home / "old.sqlite", installed.home / "ledger.sqlite")
    address = serve()
    deadline = time.monotonic() + 20
    while "an old copy" not in (told := installed.run("doctor", code=1).stdout):
        assert time.monotonic() < deadline, told
    called(address)
    with urllib.request.urlopen(f"{address}/readyz") as answer:
        assert "does not agree" in json.loads(answer.read())["warning"]
    assert installed.json("audit", "verify", code=1)["unsigned"] == 1, "what is a fork is not signed on"


def test_a_witness_that_is_away_is_no_tampering(
    installed: Installed, rules: Path, objects: ObjectStore, serve: Callable[..., str], tmp_path: Path
) -> None:
    mount = tmp_path / "mount"
    rules.write_text(rules.read_text().replace(f"{tmp_path}/checkpoints", f"{mount}/checkpoints"))
    asked(installed, "--model", "near")
    assert not mount.exists(), "the folder of a disk that is not mounted is not made on this one"
    assert "its folder is not there" in installed.run("doctor", code=1).stdout
    called(serve())
    assert installed.json("incidents") == []
    mount.mkdir()
    whole(installed, 2)
    told = ""
    deadline = time.monotonic() + 20
    while f"{mount}/checkpoints knows up to 2" not in told.replace("\n    ", " "):
        told = subprocess.run(
            [str(COMMAND), "doctor"], capture_output=True, text=True, env=installed.environment, check=False
        ).stdout
        assert time.monotonic() < deadline, told
    rules.write_text(rules.read_text().replace(objects.url, "http://127.0.0.1:9"))
    assert "does not keep checkpoints" in installed.run("doctor", code=1).stdout.replace("\n    ", " ")
    rules.write_text(rules.read_text().replace(f"{mount}/checkpoints", "/dev/zero"))
    assert "/dev/zero is no file" in installed.run("audit", "verify", code=2).stderr


@pytest.mark.usefixtures("rules")
def test_absence_is_shown_where_it_is_true_and_says_what_it_rests_on(installed: Installed, tmp_path: Path) -> None:
    asked(installed, "--model", "near", "--label", "restricted")
    asked(installed, "--model", "plain", "--label", "internal")
    question = ("audit", "prove-absence", "--label", "restricted", "--tier", "frontier", "--since", "1d")
    told = installed.run(*question).stdout
    assert told.startswith("shown: no call labelled restricted or higher went to tier frontier,")
    assert "2 calls in that time, 1 with such a label; attempts: 1 to local" in told
    assert "that no call went to up past the gateway is not shown" in told
    proof = installed.json(*question)
    assert proof["shown"] is True
    assert proof["rests_on"]["witnesses"] >= 1
    assert "the records begin at" in told
    long_ago = installed.run(*question[:-1], "2020-01-01", "--until", "2020-04-01", code=1).stdout
    assert "knows nothing of it" in long_ago
    mistyped = installed.run("audit", "prove-absence", "--label", "public", "--endpoint", "nosuch", code=1).stdout
    assert "no record names 'nosuch'" in mistyped
    lower = installed.run("audit", "prove-absence", "--label", "internal", "--since", "1d", code=1).stdout
    assert lower.startswith("NOT shown")
    assert "1 call with this label went there" in lower
    tampered(installed, "DELETE FROM records WHERE seq = 2")
    again = installed.json("audit", "prove-absence", "--label", "internal", "--since", "1d", code=1)
    assert "the log is not whole: record 2 is missing" in again["because"][0]
    (tmp_path / "bill.json").write_text("{}")
    refused = installed.run(*question, "--reconciled", str(tmp_path / "bill.json"), code=2).stderr
    assert "tierwise reconcile --keep" in refused


@pytest.mark.usefixtures("rules")
def test_one_record_is_proved_to_whoever_has_the_key(installed: Installed) -> None:
    ids = [asked(installed, "--model", "near") for _ in range(5)]
    proof = json.loads(installed.run("audit", "prove", ids[2]).stdout)
    assert (proof["seq"], proof["size"]) == (3, 5)
    assert proof["checkpoint"].splitlines()[1] == "5"
    assert "there is no decision" in installed.run("audit", "prove", "abcdefgh", code=2).stderr


@pytest.mark.usefixtures("rules")
def test_a_key_is_changed_and_what_the_old_one_signed_is_still_believed(installed: Installed) -> None:
    asked(installed, "--model", "near")
    before = installed.run("audit", "key").stdout.split()
    installed.run("audit", "rotate")
    asked(installed, "--model", "near")
    now = installed.run("audit", "key").stdout.split()
    assert now[1:] == before
    assert installed.json("audit", "verify")["whole"]
    only_old = installed.json("audit", "verify", "--key", before[0], code=1)
    assert "not signed with a key of this log" in only_old["findings"][0]
    (installed.home / "audit.key").unlink()
    assert "audit.key is missing" in installed.run("audit", "verify", code=2).stderr
    assert "is no key of a log" in installed.run("audit", "verify", "--key", "nonsense", code=2).stderr


@pytest.mark.usefixtures("rules")
def test_an_auditor_gets_a_pack_and_can_check_it_alone(installed: Installed, tmp_path: Path) -> None:
    asked(installed, "--model", "near", "--label", "restricted")
    asked(installed, "--model", "plain", "--label", "internal")
    folder = tmp_path / "pack"
    told = installed.run("audit", "pack", str(folder), "--since", "1d").stdout
    assert "every ceiling was kept" in told
    pages, twin = (folder / "pack.md").read_text(), json.loads((folder / "pack.json").read_text())
    assert pages.count("\n") < 110, "two pages"
    assert "Promises that were broken: none" in pages
    assert twin["incidents"] == []
    for said in ("restricted | local", "shown: no call labelled restricted or higher", twin["digests"]["policy"]):
        assert said in pages
    assert [proof["question"]["label"] for proof in twin["proofs"]] == ["confidential", "restricted"]
    key = (folder / "log.keys").read_text().split()[0]
    assert key == installed.run("audit", "key").stdout.strip()
    command = [sys.executable, "-I", str(folder / "verifier.py"), str(installed.home / "ledger.sqlite"), "--key", key]
    assert subprocess.run(command, capture_output=True, check=False).returncode == 0
    command[3] += ".gone"
    lost = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (lost.returncode, "Traceback" in lost.stderr) == (2, False)
    assert "there is no file" in lost.stderr
    tampered(installed, "DELETE FROM records WHERE seq = 1")
    assert "NOT every ceiling" in installed.run("audit", "pack", str(folder), "--since", "1d", code=1).stdout
    assert "the log is not whole" in (folder / "pack.md").read_text()


def test_where_no_label_has_a_ceiling_a_pack_still_needs_a_whole_log(
    installed: Installed, rules: Path, tmp_path: Path
) -> None:
    more = '[labels]\nceilings = { confidential = "frontier", restricted = "frontier" }'
    rules.write_text(rules.read_text().replace("[labels]", more))
    asked(installed, "--model", "near")
    folder = tmp_path / "pack"
    assert json.loads(installed.run("audit", "pack", str(folder), "--json").stdout)["proofs"] == []
    assert (folder / "log.keys").read_text().strip() == installed.run("audit", "key").stdout.strip()
    tampered(installed, "UPDATE records SET record = x'00'")
    assert "NOT every ceiling" in installed.run("audit", "pack", str(folder), code=1).stdout
    assert "The log is not whole: record 1 is not what was signed" in (folder / "pack.md").read_text()


@pytest.mark.usefixtures("rules")
def test_nothing_is_shown_of_a_time_that_has_not_come(installed: Installed, tmp_path: Path) -> None:
    asked(installed, "--model", "near")
    question = ("audit", "prove-absence", "--label", "public", "--since", "1d", "--until", "2999-01-01")
    assert "in the future" in installed.run(*question, code=2).stderr
    assert (
        "in the future" in installed.run("audit", "pack", str(tmp_path / "p"), "--since", "2999-01-01", code=2).stderr
    )
