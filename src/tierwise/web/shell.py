"""How is a page put together? Templates that escape everything, and the assets that go with them.

Invariant: what a template is given is text; only what `charts` made is markup.
"""

import hashlib
from importlib import resources
from typing import Any

import jinja2

from tierwise.web import words

KINDS = {"css": "text/css; charset=utf-8", "js": "text/javascript; charset=utf-8", "svg": "image/svg+xml"}
NAVIGATION = (
    ("/ui/", "Overview"),
    ("/ui/decisions", "Decisions"),
    ("/ui/playground", "Playground"),
    ("/ui/workflows", "Workflows"),
    ("/ui/models", "Models and machine"),
    ("/ui/cost", "Cost"),
    ("/ui/policy", "Policy"),
)


class Shell:
    """Templates and assets, read once."""

    def __init__(self) -> None:
        here = resources.files("tierwise.web")
        self._assets = {
            one.name: one.read_bytes()
            for one in here.joinpath("static").iterdir()
            if one.name.rpartition(".")[2] in KINDS
        }
        versions = {name: hashlib.sha256(body).hexdigest()[:12] for name, body in self._assets.items()}
        self._jinja = jinja2.Environment(
            loader=jinja2.PackageLoader("tierwise.web"), autoescape=True, undefined=jinja2.StrictUndefined,
            trim_blocks=True, lstrip_blocks=True,
        )  # fmt: skip
        self._jinja.globals |= {
            "asset": lambda name: f"/ui/static/{name}?v={versions[name]}",
            "navigation": NAVIGATION,
            "words": words,
        }

    def page(self, name: str, **values: Any) -> str:
        """Return a whole page."""
        return self._jinja.get_template(f"{name}.html").render(**values)

    def part(self, name: str, **values: Any) -> str:
        """Return a part of one."""
        return self._jinja.get_template(f"part_{name}.html").render(**values).strip()

    def asset(self, name: str) -> tuple[bytes, str] | None:
        """Return an asset and its media type."""
        found = self._assets.get(name)
        return None if found is None else (found, KINDS[name.rpartition(".")[2]])
