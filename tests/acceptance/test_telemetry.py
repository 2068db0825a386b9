"""By command: what is set is shown, the doctor asks the collector, and a call's spans arrive before the program ends."""

from pathlib import Path

import pytest

from tests.acceptance.conftest import Installed
from tests.integration.telemetry.collector import Collector, collecting, read_attributes
from tierwise.testing import ScriptedUpstream

FILE = """
[[endpoint]]
name = "up"
kind = "scripted"
url = "{upstream}"

[[model]]
id = "scripted-1"
endpoint = "up"

[telemetry]
url = "{collector}"
headers = {{ authorization = "env:COLLECTOR" }}
every_s = 600
"""


def written(folder: Path, upstream: ScriptedUpstream, collector: Collector) -> Path:
    file = folder / "tierwise.toml"
    file.write_text(FILE.format(upstream=upstream.url, collector=collector.url))
    return file


@pytest.mark.parametrize("names", ["v1.41", "latest"])
def test_what_is_set_is_shown_and_what_is_sent_arrives(installed: Installed, tmp_path: Path, names: str) -> None:
    installed.environment |= {"COLLECTOR": "Bearer canary-77aa"}
    if names == "latest":
        installed.environment["OTEL_SEMCONV_STABILITY_OPT_IN"] = "gen_ai_latest_experimental"
    with ScriptedUpstream.in_thread() as upstream, collecting() as collector:
        file = written(tmp_path, upstream, collector)
        shown = installed.run("config", "show", "--config", str(file)).stdout
        assert "canary-77aa" not in shown
        assert "env:COLLECTOR" in shown
        (line,) = (line for line in shown.splitlines() if "telemetry.names" in line)
        assert names in line
        found = {row["what"]: row for row in installed.json("doctor", "--config", str(file))}
        assert found["telemetry"]["well"]
        assert names in found["telemetry"]["detail"]
        assert not collector.spans
        installed.run("ask", "hello", "--model", "scripted-1", "--config", str(file))
        _, attempt = collector.spans
        assert read_attributes(attempt.attributes)["gen_ai.request.model"] == "scripted-1"
        assert ("gen_ai.client.inference.duration" in collector.metrics) is (names == "latest")
        assert {headers["authorization"] for _, headers, _ in collector.requests} == {"Bearer canary-77aa"}


def test_the_doctor_says_what_is_wrong_with_a_collector(installed: Installed, tmp_path: Path) -> None:
    with ScriptedUpstream.in_thread() as upstream:
        with collecting() as collector:
            file = written(tmp_path, upstream, collector)
            unset = {row["what"]: row for row in installed.json("doctor", "--config", str(file), code=1)}
            assert "env:COLLECTOR is not set" in unset["telemetry"]["detail"]
            installed.environment |= {"COLLECTOR": "x"}
            collector.answer = 401
            refused = {row["what"]: row for row in installed.json("doctor", "--config", str(file), code=1)}
            assert "answers 401" in refused["telemetry"]["detail"]
        gone = {row["what"]: row for row in installed.json("doctor", "--config", str(file), code=1)}
        assert not gone["telemetry"]["well"]
        assert "calls do not wait" in gone["telemetry"]["mend"]
        assert installed.run("ask", "hello", "--model", "scripted-1", "--config", str(file)).stdout
