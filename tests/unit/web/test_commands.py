"""Commands that pages run: their own process, their own line, and no more than is asked for."""

import asyncio
import subprocess
import threading
from pathlib import Path

import pytest

from tierwise.core.errors import InvalidCall
from tierwise.providers.transport import Transport
from tierwise.web.commands import MOST_ANSWERING, MOST_RUNNING, CommandFailed, Commands, Run, shown
from tierwise.web.gateway import Gateway


def commands(home: Path) -> Commands:
    return Commands({"TIERWISE_HOME": str(home)}, None)


async def lines_of(run: Run) -> list[str]:
    return [line async for _, line in run.follow(0)]


def test_a_command_runs_as_in_a_shell_and_its_lines_come(tmp_path: Path) -> None:
    async def play() -> None:
        running = commands(tmp_path)
        run = running.start(("--version",), None, "/ui/")
        lines = await lines_of(run)
        assert run.shown == "tierwise --version" and run.code == 0 and "tierwise" in " ".join(lines)
        assert running.run(run.ident) is run and running.runs == [run]

    asyncio.run(play())


def test_words_are_never_a_shell(tmp_path: Path) -> None:
    async def play() -> None:
        words = ("show", "--", f"$(touch {tmp_path}/made); `id`")
        run = commands(tmp_path).start(words, None, "/ui/")
        await lines_of(run)
        assert run.code not in (0, None) and not (tmp_path / "made").exists()
        assert run.shown == shown(words) and "'$(touch" in run.shown

    asyncio.run(play())


def test_an_answer_is_json_and_a_failure_its_last_words(tmp_path: Path) -> None:
    async def play() -> None:
        running = commands(tmp_path)
        (tmp_path / "tierwise.toml").write_text('[[workflow]]\nname = "sort"\n')
        configured = Commands({"TIERWISE_HOME": str(tmp_path)}, tmp_path / "tierwise.toml")
        assert isinstance(await configured.answer(("config", "show")), dict | list)
        (tmp_path / "-new.toml").write_text('[labels]\npreset = "private"\n')
        found = await running.answer(("policy", "diff", "--", str(tmp_path / "-new.toml")))
        assert found["changes"], "behind -- stand only names"
        with pytest.raises(CommandFailed, match="nobody"):
            await running.answer(("show", "nobody"))

    asyncio.run(play())


def test_a_command_gets_the_key_of_whoever_looks_in_its_environment_and_shows_it_nowhere(tmp_path: Path) -> None:
    async def play() -> None:
        asker = Gateway(Transport(), {"x-tierwise-auth": "Bearer tw_hidden_key", "x-tierwise-key": "ann"})
        run = commands(tmp_path).start(("config", "show"), asker, "/ui/")
        assert not any("tw_hidden_key" in line for line in await lines_of(run)) and "tw_hidden_key" not in run.shown

    asyncio.run(play())


def test_only_so_many_run_and_each_can_be_stopped(tmp_path: Path) -> None:
    async def play() -> None:
        running = commands(tmp_path)
        held = [running.start(("serve", "--port", "0"), None, "/ui/") for _ in range(MOST_RUNNING)]
        with pytest.raises(InvalidCall, match="commands are running"):
            running.start(("--version",), None, "/ui/")
        for run in held:
            async with asyncio.timeout(60):
                async for _ in run.follow(0):
                    run.stop()
                    break
                await lines_of(run)
            assert run.code is not None

    asyncio.run(play())


def test_what_is_given_on_standard_input_is_read_and_stands_in_no_word(tmp_path: Path) -> None:
    async def play() -> None:
        words, data = ("dataset", "add", "--item", "-", "--", str(tmp_path / "rows.jsonl")), '{"input": "it\'s $HOME"}'
        made = await commands(tmp_path).answer(words, given=data)
        assert made["item"]["fields"] == {"text": "it's $HOME"} and data not in shown(words)

    asyncio.run(play())


def test_the_line_that_is_shown_gives_a_shell_the_same_to_read() -> None:
    data = '{"input": "it\'s $HOME `id`"}'
    line = shown(("dataset", "add"), data).replace("tierwise dataset add", "cat")
    assert subprocess.run(["/bin/sh"], input=line, capture_output=True, text=True, check=True).stdout == data + "\n"
    assert shown(("a",), "END\nx") == "tierwise a <<'END.'\nEND\nx\nEND."


def test_what_a_command_does_not_read_to_its_end_holds_nobody_up(tmp_path: Path) -> None:
    async def play() -> None:
        with pytest.raises(CommandFailed, match="nobody"):
            await commands(tmp_path).answer(("show", "nobody"), given="x" * 4_000_000)

    asyncio.run(play())


@pytest.mark.skipif(not Path("/proc/self/task").is_dir(), reason="counts processes as Linux tells them")
def test_however_many_ask_only_so_many_commands_answer_at_once(tmp_path: Path) -> None:
    def children() -> int:
        return len(Path(f"/proc/self/task/{threading.get_native_id()}/children").read_text().split())

    async def play() -> None:
        running, before, most = commands(tmp_path), children(), 0
        asking = [asyncio.create_task(running.answer(("config", "show"))) for _ in range(2 * MOST_ANSWERING)]
        while not all(task.done() for task in asking):
            most = max(most, children() - before)
            await asyncio.sleep(0)
        assert 1 <= most <= MOST_ANSWERING and all(task.result() for task in asking)

    asyncio.run(play())


def test_words_that_no_program_can_be_given_are_refused_before_anything_starts(tmp_path: Path) -> None:
    async def play() -> None:
        running = commands(tmp_path)
        with pytest.raises(InvalidCall, match="NUL"):
            running.start(("show", "a\0b"), None, "/ui/")
        with pytest.raises(InvalidCall, match="NUL"):
            await running.answer(("show", "a\0b"))
        assert running.runs == []

    asyncio.run(play())


def test_what_a_page_changed_is_recorded_with_the_key_that_asked(tmp_path: Path) -> None:
    async def play() -> None:
        running = commands(tmp_path)
        asker = Gateway(Transport(), {"x-tierwise-auth": "Bearer k", "x-tierwise-key": "ann%20b"})
        made = running.start(("keys", "create", "other"), asker, "/ui/")
        await lines_of(made)
        assert made.code == 0
        assert "for the key ann b" in str(await running.answer(("keys", "show", "other")))

    asyncio.run(play())
