"""What is installed here, beside us and for us? Packages with licences and digests, and files that run by themselves.

Reads what the installer left (the metadata and `RECORD` of each package); starts and changes nothing.
Invariant: a file that runs at every start of Python is known only as a needed package wrote it, byte for byte.
"""

import base64
import hashlib
import re
import site
import sys
import sysconfig
from collections.abc import Iterable, Iterator, Mapping, Sequence
from importlib.metadata import Distribution, PackageNotFoundError, distribution, distributions
from pathlib import Path
from typing import Any

import msgspec

from tierwise.core.errors import ConfigError
from tierwise.registry.demonstration import demonstration

NAME = "tierwise"
INSTALLERS = frozenset({"pip", "setuptools"})
CUSTOM = ("sitecustomize", "usercustomize")
AT_START = ("*.pth", "*.start", *CUSTOM, *(f"{name}.*" for name in CUSTOM))
"""What Python's `site` runs, or may: of a `.pth` only the lines that begin with `import`; modules of any kind."""
MAX_PTH_BYTES = 1024 * 1024
_REQUIRED = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_OF_EXTRA = re.compile(r"extra\s*==\s*['\"]([^'\"]+)")


class Package(msgspec.Struct, frozen=True, kw_only=True):
    """One installed package. `record_sha256` is of its RECORD, which names every file of it with its digest."""

    name: str
    version: str
    licence: str
    needs: tuple[str, ...] = ()
    record_sha256: str | None = None


class Stray(msgspec.Struct, frozen=True, kw_only=True):
    """A file that runs at every start of this Python, its digest in hexadecimal, and why it is not known."""

    path: Path
    sha256: str | None
    why: str

    def __str__(self) -> str:
        """Say it in one line."""
        return f"{self.path} (sha256:{self.sha256 or 'unreadable'}): {self.why}"


def plain(name: str) -> str:
    """Return a package's name as indexes compare it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def required(requirements: Iterable[str], *, extras: bool) -> dict[str, str]:
    """Return the names in these requirements, each with the extra that wants it; "" for none."""
    found: dict[str, str] = {}
    for requirement in requirements:
        extra = _OF_EXTRA.search(requirement)
        name = _REQUIRED.match(requirement)
        if name is not None and (extras or extra is None):
            found.setdefault(plain(name[0]), extra[1] if extra is not None else "")
    return found


def packages(roots: Iterable[str] | None = None) -> dict[str, Package]:
    """Return what is installed of these packages and all that they need, by name; of Tierwise's own by default.

    A package that is not installed (an extra, another system's) is left out; extras of others do not count.
    """
    wanted = list(required(distribution(NAME).requires or (), extras=True) if roots is None else roots)
    found: dict[str, Package] = {}
    while wanted:
        name = wanted.pop()
        try:
            one = None if name in found else distribution(name)
        except PackageNotFoundError:
            continue
        if one is not None:
            needs = tuple(sorted(required(one.requires or (), extras=False)))
            found[name] = Package(
                name=name, version=one.version, licence=licence(one), needs=needs, record_sha256=_record(one)
            )
            wanted += needs
    return dict(sorted(found.items()))


def licence(one: Distribution) -> str:
    """Return the licence that a package names: as an expression, else by classifier, else in its own words."""
    said: Any = one.metadata
    classes = [line.rpartition(" :: ")[2] for line in said.get_all("Classifier") or () if line.startswith("License ::")]
    words = (said.get("License") or "").strip().partition("\n")[0][:100]
    named = [one for one in classes if one != "DFSG approved"]
    return said.get("License-Expression") or " or ".join(named) or words or "not named"


def _record(one: Distribution) -> str | None:
    text = one.read_text("RECORD")
    return None if text is None else hashlib.sha256(text.encode()).hexdigest()


# what runs at every start of Python


def folders() -> tuple[Path, ...]:
    """Return the folders whose `.pth` files this Python obeys."""
    own = [site.getusersitepackages()] if site.ENABLE_USER_SITE else []
    return tuple(dict.fromkeys(Path(folder) for folder in (*site.getsitepackages(), *own)))


def strays(places: Sequence[Path] | None = None, known: Iterable[str] = ()) -> list[Stray]:
    """Return the files that run at every start of Python and that no needed package wrote.

    Needed are Tierwise, what it needs, and the installers. `known` names further packages, or a file by `sha256:HEX`.
    """
    allowed = list(known)
    needed = {NAME, *packages(), *INSTALLERS, *map(plain, allowed)}
    found = [stray for place in (folders() if places is None else places) for stray in _strays(place, needed)]
    found += _ran_from_elsewhere() if places is None else []
    return [stray for stray in found if f"sha256:{stray.sha256}" not in allowed]


def _strays(place: Path, needed: set[str]) -> Iterator[Stray]:
    running = sorted(file for pattern in AT_START for file in place.glob(pattern) if runs(file))
    owners = dict(_owners(place)) if running else {}
    for file in running:
        owner, recorded = owners.get(file.name, ("", None))
        digest = _digest(file)
        why = "no installed package says that it is its own"
        if owner:
            why = f"it belongs to {owner}, which Tierwise does not need"
        if owner in needed:
            if digest is not None and recorded == base64.urlsafe_b64encode(digest).rstrip(b"=").decode():
                continue
            why = f"it is not what {owner} installed"
        yield Stray(path=file, sha256=None if digest is None else digest.hex(), why=why)


def _ran_from_elsewhere() -> Iterator[Stray]:
    """Give what has run in this process from a folder that is only on its path, by PYTHONPATH or a line of a `.pth`."""
    for name in CUSTOM:
        file = getattr(sys.modules.get(name), "__file__", None)
        if file is not None and Path(file).parent not in (*folders(), Path(sysconfig.get_path("stdlib"))):
            digest = _digest(Path(file))
            yield Stray(
                path=Path(file), sha256=None if digest is None else digest.hex(), why="it was found on Python's path"
            )


def runs(file: Path) -> bool:
    """Say whether this file holds code that Python runs by itself. What cannot be read might."""
    if file.suffix != ".pth":
        return True
    try:
        with file.open("rb") as opened:
            data = opened.read(MAX_PTH_BYTES + 1)
    except OSError:
        return True
    lines = data.decode("utf-8-sig", "replace").splitlines()
    return len(data) > MAX_PTH_BYTES or any(line.startswith(("import ", "import\t")) for line in lines)


def _owners(place: Path) -> Iterator[tuple[str, tuple[str, str | None]]]:
    """Give the files directly in this folder that packages installed, each with its package and digest."""
    for one in distributions(path=[str(place)]):
        for file in one.files or ():
            if len(file.parts) == 1:
                named = file.hash
                sha256 = named.value if named is not None and named.mode == "sha256" else None
                yield file.name, (plain(one.name), sha256)


def _digest(file: Path) -> bytes | None:
    try:
        return hashlib.sha256(file.read_bytes()).digest()
    except OSError:
        return None


def refuse_strays(known: Iterable[str] = (), places: Sequence[Path] | None = None) -> None:
    """Raise ConfigError that names the files that run at every start of Python and are not known."""
    found = strays(places, known)
    if found:
        told = "; ".join(map(str, found))
        raise ConfigError(
            f"unknown code runs at every start of this Python: {told}. Look at it; then delete it, install anew by "
            "requirements/run.txt, or name its package or its sha256:… in server.known_pth. If it is not yours, it has "
            "run already: take every secret of this account for stolen",
            key="server.refuse_unknown_pth",
        )


# the bill of materials


def sbom() -> Mapping[str, Any]:
    """Return the bill of materials of this installation in CycloneDX 1.6: packages, and the models that ship."""
    own, found = distribution(NAME), packages()
    root = _component(Package(name=NAME, version=own.version, licence=licence(own), record_sha256=_record(own)))
    needs = [name for name in required(own.requires or (), extras=True) if name in found]
    models: list[dict[str, Any]] = [
        {
            "type": "machine-learning-model",
            "bom-ref": f"model:{name}",
            "name": name,
            "version": f"sha256:{model.sha256}",
            "hashes": [{"alg": "SHA-256", "content": model.sha256}],
        }
        for name, model in sorted(demonstration().models.items())
    ]
    edges = {_ref(root["name"], root["version"]): [_ref(name, found[name].version) for name in needs]}
    for one in found.values():
        edges[_ref(one.name, one.version)] = [_ref(name, found[name].version) for name in one.needs if name in found]
    edges[_ref(NAME, own.version)] += [model["bom-ref"] for model in models]
    return {
        "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {"component": root | {"type": "application"}},
        "components": [*map(_component, found.values()), *models],
        "dependencies": [{"ref": ref, "dependsOn": sorted(set(on))} for ref, on in edges.items()],
    }


def _ref(name: str, version: str) -> str:
    return f"pkg:pypi/{name}@{version}"


def _component(one: Package) -> dict[str, Any]:
    ref = _ref(one.name, one.version)
    said: dict[str, Any] = {
        "type": "library",
        "bom-ref": ref,
        "name": one.name,
        "version": one.version,
        "purl": ref,
        "licenses": [{"license": {"name": one.licence}}],
    }
    if one.record_sha256 is not None:
        said["properties"] = [{"name": "tierwise:record:sha256", "value": one.record_sha256}]
    return said
