"""What a program is told and in which environment; what came of it is told in our own words."""

import asyncio
import sys
import time
from pathlib import Path

import pytest

from tierwise.core.secret import Secret
from tierwise.incidents.senders import Command, Sent, signature
from tierwise.incidents.settings import NotifyRow


def ran(*command: str, timeout_s: float = 20, environ: dict[str, str] | None = None) -> Sent:
    row = NotifyRow(name="page", kind="command", command=command, timeout_s=timeout_s)
    return asyncio.run(Command(row, environ or {}).send(b'{"a": 1}'))


def python(text: str, *arguments: str, **more: object) -> Sent:
    return ran(sys.executable, "-c", text, *arguments, **more)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("import sys; assert sys.stdin.read() == '{\"a\": 1}'", Sent(well=True, detail="exit 0")),
        ("raise SystemExit(7)", Sent(well=False, detail="exit 7")),
        ("print('words of a program' * 100_000)", Sent(well=True, detail="exit 0")),
        ("import os; os.close(0)", Sent(well=True, detail="exit 0")),
    ],
)
def test_the_exit_code_says_whether_it_was_told(text: str, expected: Sent) -> None:
    assert python(text) == expected


def test_no_shell_reads_its_arguments(tmp_path: Path) -> None:
    word = f"; touch {tmp_path / 'made'} $(touch {tmp_path / 'made'})"
    assert python("import sys; assert sys.argv[1].startswith('; touch')", word).well
    assert not (tmp_path / "made").exists()


def test_its_environment_holds_no_key() -> None:
    environ = {"PATH": "/bin", "CLUSTER_KEY": "k", "TIERWISE_API_KEY": "k", "LD_PRELOAD": "", "HOME": "/"}
    text = "import os; assert set(os.environ) - {'LC_CTYPE'} == {'PATH', 'HOME'}, os.environ"
    assert python(text, environ=environ).well


def test_one_that_takes_too_long_is_ended_with_what_it_started(tmp_path: Path) -> None:
    begun = tmp_path / "begun"
    child = f"import time, pathlib; pathlib.Path({str(begun)!r}).touch(); time.sleep(3600)"
    text = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {child!r}])"
    assert python(text, timeout_s=3) == Sent(well=False, detail="ran longer than 3 s")
    assert begun.exists()
    deadline = time.monotonic() + 20
    while [path for path in Path("/proc").glob("[0-9]*/cmdline") if str(begun).encode() in _read(path)]:
        assert time.monotonic() < deadline, "its child lives on"


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        return b""


def test_one_that_cannot_be_started_is_said() -> None:
    assert ran("/no/such/program") == Sent(well=False, detail="cannot be started: No such file or directory")


def test_a_signature_binds_the_time_and_every_byte() -> None:
    one = signature(Secret("s"), b"body", 100)
    assert one.startswith("t=100,v1=")
    assert len({one, signature(Secret("s"), b"bodY", 100), signature(Secret("s"), b"body", 101),
                signature(Secret("S"), b"body", 100)}) == 4  # fmt: skip
