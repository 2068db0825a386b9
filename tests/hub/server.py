"""A model hub on loopback: real HTTP, its protocol, small files, and faults where a test wants them.

The protocol, as the hub's own client speaks it: `/api/models/REPO/revision/REV?blobs=true` tells commit, licence and the
SHA-256 of every large file; `/REPO/resolve/COMMIT/FILE` answers 302 to a signed address on another origin, which
serves ranges. That client (huggingface_hub 2.4.0, 2026-11) lists and downloads from here too. Each listening server here is a thread of this process, and keeps what it was asked.
"""

import hashlib
import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

COMMIT = "0123456789abcdef0123456789abcdef01234567"


class Shelf:
    """What the hub holds, how it misbehaves, and what it was asked."""

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}
        self.license: dict[str, Any] = {"license": "apache-2.0"}
        self.gated: bool | str = False
        self.key: str | None = None
        self.told: dict[str, Any] = {}  # fields of the listing that are not true
        self.drops: list[int] = []  # after so many bytes, the next answers break off
        self.stall_after: int | None = None  # after so many bytes, a download goes no further until `resumed` is set
        self.resumed = threading.Event()
        self.statuses: list[tuple[int, dict[str, str]]] = []  # what the next requests for bytes get instead
        self.ranges = True
        self.expires_after = 1 << 30  # so often a signed address serves
        self.swapped: dict[str, bytes] = {}  # what the storage sends in place of the file
        self.sent: bytes | None = None  # what the storage sends, wherever its head says that it lies
        self.asked: list[tuple[str, str, dict[str, str]]] = []  # role, path, headers
        self.ollama: list[str] = []
        self.ollama_lines: list[dict[str, Any]] = [
            {"status": "pulling manifest"},
            {"status": "pulling aa", "digest": "sha256:aa", "total": 900, "completed": 400},
            {"status": "pulling bb", "digest": "sha256:bb", "total": 100},
            {"status": "pulling aa", "digest": "sha256:aa", "total": 900, "completed": 900},
            {"status": "success"},
        ]
        self.hub_url = self.store_url = self.ollama_url = ""
        self._signed: dict[str, int] = {}
        self._lock = threading.Lock()

    def sha256(self, name: str) -> str:
        return hashlib.sha256(self.files[name]).hexdigest()

    def listing(self, repo: str) -> dict[str, Any]:
        siblings = [
            {"rfilename": name, "size": len(data), "blobId": "0" * 40}
            | ({"lfs": {"sha256": self.sha256(name), "size": len(data), "pointerSize": 135}} if len(data) > 64 else {})
            for name, data in self.files.items()
        ]
        told = {"id": repo, "sha": COMMIT, "gated": self.gated, "private": False, "cardData": self.license}
        return told | {"siblings": siblings} | self.told

    def sign(self, name: str) -> str:
        with self._lock:
            token = f"t{len(self._signed)}"
            self._signed[token] = self.expires_after
        return f"{self.store_url}/blobs/{name}?Signature={token}&Expires=9999999999"

    def serves(self, token: str) -> bool:
        with self._lock:
            left = self._signed.get(token, 0)
            self._signed[token] = left - 1
        return left > 0


class _Door(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    role = ""
    shelf: Shelf

    def log_message(self, *_: Any) -> None:
        pass

    def note(self) -> None:
        self.shelf.asked.append((self.role, self.path, {k.lower(): v for k, v in self.headers.items()}))

    def say(self, status: int, body: bytes = b"", **headers: str) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)


class Hub(_Door):
    role = "hub"

    def do_GET(self) -> None:
        self.note()
        shelf = self.shelf
        if shelf.key is not None and self.headers.get("Authorization") != f"Bearer {shelf.key}":
            self.say(401, b'{"error":"Access to this model is restricted."}')
        elif found := re.fullmatch(r"/api/models/([^/]+/[^/]+)/revision/([^/?]+)\?blobs=true", self.path):
            if found[1].endswith("/nothing"):
                self.say(404, b'{"error":"Repository not found"}')
            else:
                self.say(200, json.dumps(shelf.listing(found[1])).encode(), Content_Type="application/json")
        elif found := re.fullmatch(r"/([^/]+/[^/]+)/resolve/([0-9a-f]{40})/(.+)", self.path):
            name = found[3]
            if name not in shelf.files:
                self.say(404, b"Entry not found")
                return
            linked = {"X_Linked_Etag": f'"{shelf.sha256(name)}"', "X_Linked_Size": str(len(shelf.files[name]))}
            self.say(302, Location=shelf.sign(name), X_Repo_Commit=found[2], **linked)
        else:
            self.say(404)

    def do_HEAD(self) -> None:
        self.do_GET()


class Store(_Door):
    role = "store"

    def do_GET(self) -> None:
        self.note()
        shelf = self.shelf
        found = re.fullmatch(r"/blobs/(.+)\?Signature=(t\d+)&Expires=\d+", self.path)
        if shelf.statuses:
            status, headers = shelf.statuses.pop(0)
            self.say(status, **headers)
        elif found is None or not shelf.serves(found[2]):
            self.say(403, b"<Error>Request has expired</Error>")
        else:
            self.send(shelf.swapped.get(found[1], shelf.files[found[1]]))

    def send(self, data: bytes) -> None:
        asked = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range", ""))
        start, stop = 0, len(data)
        if asked and self.shelf.ranges:
            start, stop = int(asked[1]), min(int(asked[2]) + 1 if asked[2] else len(data), len(data))
            if start >= len(data):
                self.say(416, Content_Range=f"bytes */{len(data)}")
                return
            self.send_response(206)
            self.send_header("Content-Range", f"bytes {start}-{stop - 1}/{len(data)}")
        else:
            self.send_response(200)
        body = data[start:stop] if self.shelf.sent is None else self.shelf.sent
        self.send_header("Content-Length", str(len(body)))
        self.send_header("ETag", f'"{hashlib.sha256(data).hexdigest()}"')
        self.end_headers()
        if self.shelf.stall_after is not None and self.headers.get("Range", "").endswith("-"):
            self.wfile.write(body[: self.shelf.stall_after])
            self.wfile.flush()
            self.shelf.resumed.wait(60)
            self.close_connection = True
        elif self.shelf.drops and self.shelf.drops[0] < len(body):
            self.wfile.write(body[: self.shelf.drops.pop(0)])
            self.wfile.flush()
            self.close_connection = True
            self.connection.shutdown(2)
        else:
            self.wfile.write(body)


class Ollama(_Door):
    """An Ollama, as far as getting models goes: `ollama` holds what it has, `ollama_lines` what it says of a pull."""

    role = "ollama"

    def do_GET(self) -> None:
        self.note()
        models = [{"name": name, "size": 1000, "digest": "d" * 64} for name in self.shelf.ollama]
        self.say(200, json.dumps({"models": models}).encode()) if self.path == "/api/tags" else self.say(404)

    def do_POST(self) -> None:
        self.note()
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.shelf.ollama.append(asked["model"] if ":" in asked["model"] else f"{asked['model']}:latest")
        self.say(200, b"".join(json.dumps(line).encode() + b"\n" for line in self.shelf.ollama_lines))


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *_: Any) -> None:
        """Say nothing: a client that leaves early is what some tests are about."""


@contextmanager
def listening() -> Iterator[Shelf]:
    """Run hub and storage, each on a port of its own."""
    shelf = Shelf()
    servers = []
    for role in (Hub, Store, Ollama):
        door = type(role.__name__, (role,), {"shelf": shelf})
        server = _Server(("127.0.0.1", 0), door)
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        servers.append(server)
    urls = (f"http://127.0.0.1:{server.server_address[1]}" for server in servers)
    shelf.hub_url, shelf.store_url, shelf.ollama_url = urls
    try:
        yield shelf
    finally:
        for server in servers:
            server.shutdown()
            server.server_close()
