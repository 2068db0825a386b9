"""Ask a running gateway everything that its OpenAPI document allows, and more: `python -m tests.fuzz.surface`.

Starts a gateway before the scripted upstream and runs schemathesis, which `scripts/fuzz` installs, against it: no error
of ours, no status, type of content or answer that the document does not tell. Exit 1 where there is one.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from tests.documents.openapi import PAGE
from tests.integration.server.conftest import document, opened_door
from tierwise.config import Settings
from tierwise.testing import ScriptedUpstream

CHECKS = (
    "not_a_server_error", "status_code_conformance", "content_type_conformance", "response_headers_conformance",
    "response_schema_conformance", "unsupported_method",
)  # fmt: skip


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz.surface", description=__doc__)
    parser.add_argument("--examples", type=int, default=100, help="of each operation and phase")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    with (
        ScriptedUpstream.in_thread(models=("m",)) as upstream,
        tempfile.TemporaryDirectory() as home,
        opened_door(Settings(document=document(upstream), home=Path(home)), upstream) as door,
    ):
        asked = Path(home) / "openapi.json"
        asked.write_text(json.dumps(narrowed(json.loads(PAGE.read_text(encoding="utf-8")))), encoding="utf-8")
        command = [
            sys.executable,
            "-m",
            "schemathesis.cli",
            "run",
            str(asked),
            "--url",
            f"http://127.0.0.1:{door.port}",
        ]
        command += ["--checks", ",".join(CHECKS), "--max-examples", str(options.examples), "--seed", str(options.seed)]
        command += [
            "--max-response-time",
            "2",
            "--request-timeout",
            "10",
            "--no-color",
            "--generation-database",
            "none",
        ]
        return subprocess.run(command, cwd=home, check=False).returncode


def narrowed(document: dict[str, Any]) -> dict[str, Any]:
    """Return the document with names that are known here, so that more than refusals is asked for."""
    for name, schema in document["components"]["schemas"].items():
        known = schema.get("properties", {})
        if name.endswith(".Request"):
            known["model"] = {"enum": ["m", "auto", "slow", "nobody"]}
        elif name.endswith((".Message", ".Item")) and "role" in known:
            known["role"] = {"enum": ["user", "assistant", "system"]}
            known["content"] = {"type": "string", "minLength": 1}
    return document


if __name__ == "__main__":
    sys.exit(main())
