"""The page of a comparison over HTTP: for who administers, and inert whatever stands in it."""

import http.client
from pathlib import Path

import pytest

from tests.integration.server.conftest import Door, opened_door
from tierwise.config import Document, Settings
from tierwise.evals import runs
from tierwise.registry.settings import EndpointRow, ModelRow
from tierwise.server.settings import KeyRow
from tierwise.testing import ScriptedUpstream


def get(door: Door, path: str, key: str) -> tuple[int, http.client.HTTPMessage, bytes]:
    line = http.client.HTTPConnection("127.0.0.1", door.port, timeout=20)
    line.request("GET", path, headers={"authorization": f"Bearer {key}"})
    answer = line.getresponse()
    found = answer.status, answer.headers, answer.read()
    line.close()
    return found


@pytest.mark.parametrize("workflow", ["a bank/..", "mails"])
def test_the_newest_report_is_shown_to_who_administers_and_may_load_nothing(tmp_path: Path, workflow: str) -> None:
    for run, text in (("20261101-000000-00aa", b"<p>old"), ("20261102-000000-00aa", b"<p>new<script>x</script>")):
        place = runs.folder(tmp_path, workflow) / run
        place.mkdir(parents=True)
        (place / runs.EVIDENCE).touch()
        (place / runs.REPORT).write_bytes(text)
    keys = tuple(KeyRow(name=name, secret=f"env:{name}", scopes=(name,)) for name in ("admin", "call"))
    with ScriptedUpstream.in_thread(models=("m",)) as upstream:
        document = Document(
            endpoint=(EndpointRow(name="up", kind="scripted", url=upstream.url),),
            model=(ModelRow(id="m", endpoint="up"),),
            key=keys,
        )
        environ = {"admin": "the-admins-key", "call": "the-callers-key"}
        with opened_door(Settings(document=document, home=tmp_path, environ=environ), upstream) as door:
            path = "/v1/reports/" + workflow.replace(" ", "%20").replace("/", "%2F")
            status, head, body = get(door, path, "the-admins-key")
            assert (status, body) == (200, b"<p>new<script>x</script>")
            assert head["content-type"] == "text/html; charset=utf-8"
            assert head["content-security-policy"].startswith("default-src 'none'")
            assert head["content-security-policy"].endswith("; sandbox")
            assert get(door, path, "the-callers-key")[0] == 403
            for nobody in ("/v1/reports/other", "/v1/reports/..%2F..%2Fledger.sqlite", "/v1/reports/%00"):
                status, _, body = get(door, nobody, "the-admins-key")
                assert status == 404
                assert b"tierwise compare" in body
