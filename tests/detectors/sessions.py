"""Coding sessions without anything sensitive in them: what a detector says here pins a session that should not be.

Two sources: turns drawn from templates by a fixed seed, and turns cut from the files of a tree (this repository's own),
shown as agents show them: raw, numbered, as a diff, within the JSON of a tool call.
"""

import json
import uuid
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import NamedTuple

from tests.detectors.cases import SEED, part
from tests.detectors.numbers import ALNUM, draw
from tierwise.core.call import Part

ROOT = Path(__file__).resolve().parents[2]
FOLDERS = ("src", "tests", "docs", "scripts", "benchmarks", "recipes", "requirements", ".")
TEXT = (
    ".py",
    ".md",
    ".toml",
    ".txt",
    ".json",
    ".html",
    ".css",
    ".js",
    ".c",
    ".sh",
    ".yaml",
    ".yml",
    ".cfg",
    ".pyi",
    "",
)
# Their subject is sensitive text, or keys that must turn up nowhere; what they hold has to be found.
ABOUT_DETECTION = (
    "tests/faults",
    "tests/fuzz",
    "tests/integration/telemetry/test_export.py",
    "docs/reference/faults.json",
    "tests/unit/policy",
    "tests/detectors",
    "tests/unit/gateway/test_masking.py",
    "tests/integration/gateway/test_pseudonyms.py",
    "tests/integration/gateway/test_hidden.py",
)
# Planted in other tests and in the demonstration in order to be found: a turn that shows one is pinned rightly.
PLANTED = (
    "4556 7375 8689 9855",
    "4556737586899855",
    "4929 7315 8642 0978",
    "4539 1488 0343 6467",
    "4024007134564847",
    "DE26500105175260181590",
    "AKIA" + "Z7Q2M4X5K3PLW6TB",
    "http" + "://user:sk-canary-0123456789@host",
)
TURN_LINES = 120
GENERATED = 1500


class Turn(NamedTuple):
    """One request of a session: where it comes from, and its parts."""

    source: str
    parts: tuple[Part, ...]


ASKED = (
    "Fix the failing test, please.",
    "Why does this take so long? Look at the log and tell me what you would change.",
    "Rename the function and update every caller; don't touch the fixtures.",
    "Add a password field to the form and validate that it has at least twelve characters.",
    "The token count is off by one, see below. What is the secret of the second parameter?",
    "Bitte erkläre, was dieser Code macht, und schreib einen Test dazu.",
    "Peux-tu relire ce diff ? Le jeton expire trop tôt.",
    "请解释这段日志，并修复这个错误。",
    "Bump the version to 2.14.3 and regenerate the lock file.",
    "Run it again with --seed 20261121 --limit 100000 and compare.",
)


def turn(source: str, asked: str, shown: str, way: int) -> Turn:
    """A request of a person and what a tool then showed, in one of four ways."""
    lines = shown.splitlines()
    match way % 4:
        case 0:
            text = shown
        case 1:
            text = "\n".join(f"{number:6}\t{line}" for number, line in enumerate(lines, 1))
        case 2:
            text = f"@@ -1,{len(lines)} +1,{len(lines)} @@\n" + "\n".join(
                f"{'+ -'[n % 3]}{line}" for n, line in enumerate(lines)
            )
        case _:
            arguments = json.dumps({"path": source, "content": shown})
            path = "messages[1].tool_calls[0].function.arguments"
            return Turn(source, (part(asked), part(arguments, path, "tool_call")))
    return Turn(source, (part(asked), part(text, "messages[2].content", "tool_result")))


def tree(
    root: Path = ROOT, folders: tuple[str, ...] = FOLDERS, skip: tuple[str, ...] = ABOUT_DETECTION
) -> Iterator[Turn]:
    """Cut every text file below these folders into turns, in the order of their names."""
    for folder in folders:
        found = root.glob("*.*") if folder == "." else (root / folder).rglob("*")
        for path in sorted(found):
            name = path.relative_to(root).as_posix()
            if not path.is_file() or path.suffix not in TEXT or name.startswith(skip) or "__pycache__" in path.parts:
                continue
            try:
                lines = path.read_text(encoding="utf-8").splitlines()
            except UnicodeDecodeError:
                continue
            for place, start in enumerate(range(0, len(lines), TURN_LINES)):
                shown = "\n".join(lines[start : start + TURN_LINES])
                if any(planted in shown for planted in PLANTED):
                    continue
                yield turn(f"{name}:{start + 1}", ASKED[place % len(ASKED)], shown, place + len(name))


# drawn turns


def hexa(r: Random, count: int) -> str:
    return draw(r, count, "0123456789abcdef")


def ident(r: Random) -> str:
    return str(uuid.UUID(int=r.getrandbits(128), version=4))


def moment(r: Random) -> datetime:
    return datetime(2024, 1, 1, tzinfo=UTC) + timedelta(milliseconds=r.randrange(3 * 365 * 86_400_000))


def address(r: Random) -> str:
    return ".".join(str(r.randrange(1, 255)) for _ in range(4))


def access_log(r: Random) -> str:
    return (
        f'{address(r)} - - [{moment(r):%d/%b/%Y:%H:%M:%S} +0000] "GET /v1/items/{r.randrange(10**9)}?page={r.randrange(99)}'
        f'&t={int(moment(r).timestamp() * 1000)} HTTP/1.1" 200 {r.randrange(10**7)} "-" "agent/{r.randrange(20)}.{r.randrange(99)}" rt=0.{draw(r, 3)}'
    )


def service_log(r: Random) -> str:
    return (
        f"{moment(r).isoformat()} INFO  [req-{ident(r)}] worker-{r.randrange(64)} took {r.randrange(10**4)} ms, "
        f"offset {r.randrange(10**18)}, rows {r.randrange(10**9)}, checksum {r.getrandbits(32):#010x}, token_count={r.randrange(10**5)}"
    )


def json_log(r: Random) -> str:
    return json.dumps(
        {
            "ts": int(moment(r).timestamp() * 1e9), "trace_id": hexa(r, 32), "span_id": hexa(r, 16), "id": r.getrandbits(63),
            "token": None, "tokens": r.randrange(9999), "level": "info", "msg": "password check passed", "ip": address(r),
        }
    )  # fmt: skip


def lock_line(r: Random) -> str:
    return f"package-{r.randrange(999)}=={r.randrange(30)}.{r.randrange(99)}.{r.randrange(20261231)} \\\n    --hash=sha256:{hexa(r, 64)}"


def npm_lock(r: Random) -> str:
    digest = draw(r, 86, ALNUM + "+/")
    return f'    "node_modules/x{r.randrange(99)}": {{ "version": "{r.randrange(9)}.{r.randrange(99)}.0", "integrity": "sha512-{digest}==" }},'


def cargo_lock(r: Random) -> str:
    return f'[[package]]\nname = "crate-{r.randrange(99)}"\nversion = "0.{r.randrange(99)}.{r.randrange(99)}"\nchecksum = "{hexa(r, 64)}"'


def git_log(r: Random) -> str:
    return f"commit {hexa(r, 40)}\nAuthor: dev <dev@example.com>\nDate: {moment(r):%a %b %d %H:%M:%S %Y} +0200\n\n    fix #{r.randrange(9999)}: index {hexa(r, 7)}..{hexa(r, 7)} 100644"


def trace(r: Random) -> str:
    return (
        f'  File "/srv/app/mod_{r.randrange(99)}.py", line {r.randrange(4000)}, in call\n    return self._send(token, key={r.choice(["None", "key", "self.key"])})\n'
        f"KeyError: '{hexa(r, 24)}' at 0x{hexa(r, 12)} (pid {r.randrange(99999)})"
    )


def java_trace(r: Random) -> str:
    return f"\tat com.example.app.Mod{r.randrange(99)}$Inner.run(Mod.java:{r.randrange(9999)}) ~[app-{r.randrange(9)}.{r.randrange(99)}.jar:{hexa(r, 8)}]"


def csv_row(r: Random) -> str:
    return f"{r.randrange(10**6)},{ident(r)},{moment(r):%Y-%m-%d %H:%M:%S},{r.uniform(-1e6, 1e6):.6f},{r.randrange(10**10)},{r.random()!r},{r.getrandbits(48)}"


def sql_row(r: Random) -> str:
    return f"INSERT INTO orders (id, ref, placed, total) VALUES ({r.randrange(10**12)}, '{r.randrange(10**10):010}', '{moment(r):%Y%m%d%H%M%S}', {r.randrange(10**6) / 100});"


def config(r: Random) -> str:
    return r.choice(
        (
            "password = os.environ['DB_PASSWORD']", "api_key: ${API_KEY}", "secret: !secret wifi_password",
            "token = settings.token or get_token()", "SECRET_KEY = env('SECRET_KEY')", "password: str = Field(min_length=12)",
            "valueFrom: { secretKeyRef: { name: db-credentials, key: password } }", "AUTH_TOKEN=<your token here>",
            "Authorization: Bearer $TOKEN", 'headers = {"Authorization": f"Bearer {token}"}', "DATABASE_URL=postgres://user:pass@localhost:5432/app",
            "redis_url = redis://:password@redis:6379/0", "export OPENAI_API_KEY=sk-...", 'client = Client(api_key="test")',
            "password_hash = hashlib.scrypt(password, salt=salt, n=16384)", "if password != confirm_password: raise ValueError",
            'const token = await getToken({ scope: "read" });', "tokenizer.pad_token = tokenizer.eos_token", "max_token_length: 4096",
            "private_key_path: /etc/ssl/private/server.key", 'const apiKey = process.env.API_KEY ?? "";', "secret_name = projects/x/secrets/db/versions/latest",
            "image: registry.example.com/app@sha256:" + hexa(r, 64), "next_page_token=" + str(r.randrange(99)), "csrf_token = generate_csrf()",
            "PASSWORD_RESET_TIMEOUT = 259200", "PasswordInput(render_value=False)", "password: required|string|min:12|confirmed",
            'token_type: "bearer"', "access_token: str | None = None", "aws_secret_access_key: {{ vault.aws_secret }}",
            "sshpass -e ssh deploy@host", "passwordless sudo is: enabled", 'passphrase = getpass("Passphrase: ")', "mot de passe : obligatoire",
            "AWS_ACCESS_KEY_ID=AKIAIOSFODNN7EXAMPLE", "id_token_signing_alg_values_supported: RS256", "PGPASSWORD=$PGPASSWORD psql -h db",
        )
    )  # fmt: skip


def test_code(r: Random) -> str:
    return r.choice(
        (
            f"assert card('4111 1111 1111 1111') is True  # case {r.randrange(999)}", 'IBAN = "DE89370400440532013000"',
            f"assert encode({r.randrange(10**15)}) == '{hexa(r, 16)}'", f"FIXED_ID = '{ident(r)}'", 'ssn="123-45-6789"',
            f"@pytest.mark.parametrize('n', [{r.randrange(10**9)}, {r.randrange(10**13)}, {r.randrange(10**16)}])",
            f"PI = 3.14159265358979{draw(r, 8)}; E = 2.71828182845904{draw(r, 8)}", 'cpf = "529.982.247-25"',
            f"ADDRESS = 0x{hexa(r, 40)}", f"const AT = new Date({int(moment(r).timestamp() * 1000)});", "user = User(password='password123')",
            f"vector = [{', '.join(f'{r.gauss(0, 1):.16f}' for _ in range(6))}]", f"OID = '1.3.6.1.4.1.{r.randrange(99999)}.{r.randrange(99)}'",
            f'b64 = "{draw(r, 64, ALNUM + "+/")}"', f"color: #{hexa(r, 6)}; margin: {r.randrange(99)}px", 'phone = "+1 212 555 0123"',
            f"d='M{r.uniform(0, 99):.3f} {r.uniform(0, 99):.3f} {r.uniform(0, 99):.3f} {r.uniform(0, 99):.3f}'", "sk_test_4eC39HqLyjWDarjtT1zdp7dc",
        )
    )  # fmt: skip


def machine(r: Random) -> str:
    return r.choice(
        (
            f"{r.randrange(10**6):8} {r.randrange(10**4):5} {r.uniform(0, 9):.1f} {r.randrange(10**9):11} pts/{r.randrange(9)} python worker.py",
            f"2001:db8:{hexa(r, 4)}:{hexa(r, 4)}::{hexa(r, 4)} dev eth0 lladdr {':'.join(hexa(r, 2) for _ in range(6))}",
            f"-rw-r--r-- 1 dev dev {r.randrange(10**10):11} {moment(r):%b %d %H:%M} data-{moment(r):%Y%m%d}-{r.randrange(10**6):06}.parquet",
            f"{r.randrange(10**12)} cycles  {r.randrange(10**12)} instructions  {r.uniform(0, 3):.2f} insn per cycle",
            f"/dev/sda{r.randrange(9)} {r.randrange(10**10)} {r.randrange(10**10)} {r.randrange(10**10)} {r.randrange(99)}% /mnt/{r.randrange(99)}",
            f"serial {draw(r, 12)}  imei-free  build {moment(r):%Y.%m.%d}.{r.randrange(9999)}  rev {hexa(r, 12)}",
            f"00000{hexa(r, 3)}: {' '.join(hexa(r, 4) for _ in range(8))}  ................",
        )
    )


LINES: tuple[Callable[[Random], str], ...] = (
    access_log, service_log, json_log, lock_line, npm_lock, cargo_lock, git_log, trace, java_trace, csv_row, sql_row, config,
    test_code, machine,
)  # fmt: skip


def drawn(count: int = GENERATED, seed: int = SEED) -> Iterator[Turn]:
    """Draw turns of 10 to 80 lines of one sort each, the same ones every time."""
    r = Random(f"{seed} sessions")
    for place in range(count):
        sort = LINES[place % len(LINES)]
        shown = "\n".join(sort(r) for _ in range(r.randrange(10, 80)))
        yield turn(sort.__name__, ASKED[place % len(ASKED)], shown, place // len(LINES))
