"""Which prompts were there? Each by its digest under `TIERWISE_HOME/prompts/`, and a history of who added which.

Knows no workflow. Invariant: a stored prompt is never changed: its name is the digest of what it says.
"""

import os
import re
from pathlib import Path

import msgspec

from tierwise.core.errors import ConfigError
from tierwise.evals import prompt as prompts
from tierwise.evals.prompt import Prompt

FOLDER = "prompts"
HISTORY = "history.jsonl"
LEAST_DIGEST_CHARS = 6
_DIGEST = re.compile(r"(?:sha256:)?([0-9a-f]{6,64})")
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9._-]{0,99}")


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """A prompt was added under a name. `ts` is Unix time."""

    name: str
    digest: str
    ts: float
    who: str
    why: str = ""


class Prompts:
    """The prompts under a home."""

    def __init__(self, home: Path) -> None:
        self.folder = home / FOLDER

    def add(self, prompt: Prompt, entry: Entry) -> bool:
        """Keep a prompt under a name; False where the name means it already."""
        if not _NAME.fullmatch(entry.name):
            raise ConfigError(
                f"{entry.name!r} is no name for a prompt: letters, digits, . _ - after a letter", key="--name"
            )
        if entry.digest != prompt.digest:
            raise ValueError("an entry names another prompt")
        latest = [one.digest for one in self.history() if one.name == entry.name][-1:]
        if latest == [entry.digest]:
            return False
        try:
            self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._keep(prompt)
            with os.fdopen(os.open(self.folder / HISTORY, os.O_CREAT | os.O_WRONLY | os.O_APPEND, 0o600), "ab") as file:
                file.write(msgspec.json.encode(entry) + b"\n")
        except OSError as error:
            raise ConfigError(f"{self.folder} cannot be written: {error.strerror}", file=str(self.folder)) from error
        return True

    def history(self) -> list[Entry]:
        """Return who added what, oldest first."""
        path = self.folder / HISTORY
        try:
            lines = path.read_bytes().splitlines()
        except FileNotFoundError:
            return []
        except OSError as error:
            raise ConfigError(f"{path} cannot be read: {error.strerror}", file=str(path)) from error
        try:
            return [msgspec.json.decode(line, type=Entry) for line in lines]
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise ConfigError(f"{path}: a line is no entry: {error}", file=str(path)) from error

    def get(self, digest: str) -> Prompt:
        """Return the prompt of exactly this digest. ConfigError where there is none, or where it was changed."""
        path = self._path(digest)
        try:
            found = msgspec.json.decode(path.read_bytes(), type=Prompt)
        except FileNotFoundError as error:
            raise ConfigError(
                f"there is no prompt {digest}; `tierwise prompt list` shows them", key="prompt"
            ) from error
        except (OSError, msgspec.DecodeError, UnicodeDecodeError) as error:
            raise ConfigError(f"{path} cannot be read: {error}", file=str(path)) from error
        if found.digest != digest:
            raise ConfigError(f"{path} was changed: it says {found.digest}; add the prompt anew", file=str(path))
        return found

    def find(self, wanted: str, base: Path = Path()) -> Prompt:
        """Return the prompt of a name, a digest or the beginning of one, or a TOML file, which lies in BASE."""
        if wanted.endswith(".toml"):
            return prompts.read(base / Path(wanted).expanduser())
        named = [one.digest for one in self.history() if one.name == wanted][-1:]
        return self.get(named[0] if named else self._whole(wanted))

    def _whole(self, wanted: str) -> str:
        found = _DIGEST.fullmatch(wanted)
        fits = sorted(self.folder.glob(f"{found[1]}*.json")) if found else []
        if len(fits) == 1:
            return f"sha256:{fits[0].stem}"
        told = f"{len(fits)} prompts begin like {wanted}" if fits else f"there is no prompt {wanted!r}"
        raise ConfigError(
            f"{told}: give a name, at least {LEAST_DIGEST_CHARS} characters of a digest (`tierwise prompt list` shows "
            "both), or a file that ends in .toml",
            key="prompt",
        )

    def _keep(self, prompt: Prompt) -> None:
        """Write the file whole, or not at all; what is there already says the same."""
        path = self._path(prompt.digest)
        half = path.with_name(f".{path.name}.{os.getpid()}")
        with os.fdopen(os.open(half, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o600), "wb") as file:
            file.write(msgspec.json.encode(prompt, order="deterministic"))
            file.flush()
            os.fsync(file.fileno())
        half.replace(path)

    def _path(self, digest: str) -> Path:
        return self.folder / f"{digest.removeprefix('sha256:')}.json"
