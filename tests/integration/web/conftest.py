"""The gateway on a real socket that the server's tests open, for the pages."""

from tests.integration.server.conftest import door, upstream

__all__ = ["door", "upstream"]
