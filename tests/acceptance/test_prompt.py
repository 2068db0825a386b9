"""Prompts as a user meets them: kept by digest, named, shown, compared."""

from pathlib import Path

from tests.acceptance.conftest import Installed


def test_a_name_means_the_newest_prompt_and_digests_keep_the_older(installed: Installed, tmp_path: Path) -> None:
    file = tmp_path / "sorting.toml"
    file.write_text('system = "Sort."\nuser = "{{text}}"\n')
    first = installed.json("prompt", "add", str(file))
    assert (first["name"], first["added"]) == ("sorting", True)
    assert installed.json("prompt", "add", str(file))["added"] is False
    file.write_text('system = "Sort it."\nuser = "{{text}}"\ntemperature = 0.0\n')
    second = installed.json("prompt", "add", str(file), "--why", "clearer")
    assert [(one["digest"], one["why"]) for one in installed.json("prompt", "list")] == [
        (second["digest"], "clearer"), (first["digest"], ""),
    ]  # fmt: skip
    assert installed.json("prompt", "show", "sorting")["prompt"]["system"] == "Sort it."
    assert installed.json("prompt", "show", first["digest"][:15])["prompt"]["system"] == "Sort."
    found = installed.json("prompt", "diff", first["digest"], "sorting", code=1)
    assert found["changed"] == ["system", "temperature"]
    told = installed.run("prompt", "diff", first["digest"], "sorting", code=1).stdout
    assert "-Sort.\n" in told and "+Sort it.\n" in told
    assert "no difference" in installed.run("prompt", "diff", "sorting", str(file)).stdout


def test_what_is_no_prompt_or_was_changed_is_said(installed: Installed, tmp_path: Path) -> None:
    file = tmp_path / "p.toml"
    file.write_text("users = 'a'\n")
    assert "is no prompt" in installed.run("prompt", "add", str(file), code=2).stderr
    assert "tierwise prompt list" in installed.run("prompt", "show", "nobody", code=2).stderr
    file.write_text("user = '{{a}}'\n")
    digest = installed.json("prompt", "add", str(file))["digest"]
    kept = installed.home / "prompts" / f"{digest.removeprefix('sha256:')}.json"
    assert kept.stat().st_mode & 0o077 == 0
    kept.write_text(kept.read_text().replace("{{a}}", "{{b}}"))
    assert "was changed" in installed.run("prompt", "show", "p", code=2).stderr
