"""What the process that draws the pages is told, and what not."""

from pathlib import Path

from tierwise import config
from tierwise.bootstrap.pages import orders

TEXT = """
[[endpoint]]
name = "x"
kind = "openai"
key = "env:TIERWISE_X"
[[key]]
name = "caller"
secret = "env:TIERWISE_CALLER"
[telemetry]
headers = { authorization = "env:TIERWISE_TELEMETRY" }
[ledger]
url = "postgresql://someone@store.example/ledger"
password = "env:STORE"
"""
ENVIRON = {
    name: f"secret of {name}"
    for name in ("TIERWISE_X", "TIERWISE_CALLER", "TIERWISE_TELEMETRY", "STORE", "HOME", "OTHER_KEY")
}


def test_no_key_gets_there_whatever_its_variable_is_called(tmp_path: Path) -> None:
    file = tmp_path / "tierwise.toml"
    file.write_text(TEXT)
    environ = {"STORE": "secret of STORE", "HOME": "secret of HOME", "TIERWISE_HOME": str(tmp_path)}
    told = orders(config.load(file, environ={**ENVIRON, "TIERWISE_HOME": str(tmp_path)}))
    assert told == {"config": str(file), "environ": environ}
