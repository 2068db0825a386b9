"""docs/reference/licences.md, from what is installed: `python -m tests.documents.licences`, which `scripts/docs` calls."""

import re
import tomllib
from collections.abc import Mapping
from pathlib import Path

from tierwise.installation import Package, packages, required

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "reference" / "licences.md"
HEAD = """\
# What is installed, and under which licences

Written by `scripts/docs` from the packages' own metadata. Versions and the digests of every file that may be installed stand in
`requirements/`; `tierwise sbom` lists what is installed where it runs, with digests, `tierwise sbom --out FILE` writes that as
CycloneDX 1.6. Tierwise itself is under Apache-2.0. Needed by: the core, or the extra that has to be asked for.

No package here is under the GPL or AGPL; a test sees to that. python-stdnum, of the extra `identifiers`, is under the LGPL and
is used unchanged.

| package | licence | needed by |
|---|---|---|
"""
FOOT = """
## Code that runs at every start of Python

A `.pth` file beside the packages may hold lines of code, and every start of that Python runs them, whether anything is imported
or not. That is how a stolen release of another gateway reached its users' secrets in March 2026. `tierwise doctor` names each
such file that no needed package installed, or that is not as it was installed; a package beside us that nobody needs counts as
unknown, recorded or not. With

```toml
[server]
refuse_unknown_pth = true
known_pth = ["coverage"]
```

`tierwise serve` does not start (exit 2) while there is one. A file that belongs to no package, as the one of virtualenv, is made
known by its digest: `known_pth = ["sha256:…"]`; the refusal says it. What such a file does at the start it has done by then: this
finds it, it does not undo it. Whoever can rewrite a needed package can also rewrite its RECORD: what is installed is as good as
`pip install --require-hashes -r requirements/run.txt` made it.
"""
# The Affero and the plain General Public License, however they are spelt; not the Lesser one.
VIRAL = re.compile(r"(?<![A-Za-z])A?GPL|(?<!Lesser )(?<!Library )General Public License", re.IGNORECASE)


def roots() -> dict[str, str]:
    """Return what the project requires, each with the extra that wants it."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    found = required(project["dependencies"], extras=True)
    for extra, names in project["optional-dependencies"].items():
        for name in required(names, extras=True):
            found.setdefault(name, extra)
    return found


def needed_by(found: Mapping[str, Package]) -> dict[str, str]:
    """Return why each package is there: "core", or the extras that lead to it."""
    why: dict[str, set[str]] = {}
    for root, extra in roots().items():
        for name in packages([root]):
            why.setdefault(name, set()).add(extra or "core")
    return {name: "core" if "core" in why[name] else ", ".join(sorted(why[name])) for name in found}


def page() -> str:
    """Write the page."""
    found = packages(roots())
    why = needed_by(found)
    return HEAD + "".join(f"| {name} | {one.licence} | {why[name]} |\n" for name, one in found.items()) + FOOT


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
