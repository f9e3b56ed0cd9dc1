"""A server with the routes of Hugging Face and of ModelScope that a download uses, in a process of its own.

It serves the folders ``ROOT/OWNER/NAME``. ``ROOT/control.json`` is read at every request: ``breaks`` lists the paths
whose next answers are broken off half-way (one break per entry), ``slow_seconds`` is how long every 64 kB
takes. What was asked is written line by line into ``ROOT/requests.log``.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import subprocess
import sys
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

COMMIT = "0123456789abcdef0123456789abcdef01234567"
SLICE = 65_536


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    root = Path()

    def log_message(self, *_: object) -> None: ...

    def do_HEAD(self) -> None:
        self.answer()

    def do_GET(self) -> None:
        self.answer()

    def answer(self) -> None:
        url = urlsplit(self.path)
        path, query = unquote(url.path), {key: values[0] for key, values in parse_qs(url.query).items()}
        with (self.root / "requests.log").open("a", encoding="utf-8") as log:
            log.write(
                json.dumps([self.command, path, query, self.headers.get("Range"), self.headers.get("Cookie")]) + "\n"
            )
        parts = path.strip("/").split("/")
        if parts[:3] == ["api", "v1", "models"]:
            self.modelscope("/".join(parts[3:5]), "/".join(parts[5:]), query)
        elif parts[:2] == ["api", "models"]:
            self.huggingface("/".join(parts[2:4]), parts[4:])
        elif parts[2:3] == ["resolve"]:
            self.file(self.root / "/".join(parts[:2]), "/".join(parts[4:]))
        else:
            self.send(404, b"{}")

    def files(self, name: str) -> dict[str, Path]:
        folder = self.root / name
        return {p.relative_to(folder).as_posix(): p for p in sorted(folder.rglob("*")) if p.is_file()}

    def huggingface(self, name: str, rest: list[str]) -> None:
        if not (self.root / name).is_dir():
            self.send(404, b'{"error":"Repository not found"}', {"X-Error-Code": "RepoNotFound"})
            return
        files = self.files(name)
        if rest[:1] == ["tree"]:
            tree = [
                {"type": "file", "path": path, "size": place.stat().st_size, "oid": sha1(place)}
                for path, place in files.items()
            ]
            self.send(200, json.dumps(tree).encode())
            return
        siblings = [{"rfilename": path, "size": place.stat().st_size} for path, place in files.items()]
        self.send(200, json.dumps({"id": name, "modelId": name, "sha": COMMIT, "siblings": siblings}).encode())

    def modelscope(self, name: str, route: str, query: dict[str, str]) -> None:
        if not (self.root / name).is_dir():
            self.send(404, json.dumps({"Code": 10010205001, "Message": "模型不存在"}).encode())
        elif route == "repo/files":
            files = [
                {"Path": path, "Type": "blob", "Size": place.stat().st_size, "Sha256": sha256(place)}
                for path, place in self.files(name).items()
            ]
            folders = [{"Path": "onnx", "Type": "tree", "Size": 0}]
            self.send(200, json.dumps({"Code": 200, "Data": {"Files": files + folders}}).encode())
        else:
            self.file(self.root / name, query["FilePath"])

    def file(self, folder: Path, path: str) -> None:
        place = folder / path
        if not place.is_file():
            self.send(404, b"", {"X-Error-Code": "EntryNotFound"})
            return
        content = place.read_bytes()
        headers = {"ETag": f'"{sha1(place)}"', "X-Repo-Commit": COMMIT, "Accept-Ranges": "bytes"}
        status, start = 200, 0
        if wanted := self.headers.get("Range"):
            status, start = 206, int(wanted.removeprefix("bytes=").split("-")[0])
            headers["Content-Range"] = f"bytes {start}-{len(content) - 1}/{len(content)}"
        self.send(status, content[start:], headers, path)

    def send(self, status: int, body: bytes, headers: dict[str, str] | None = None, path: str = "") -> None:
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.end_headers()
        if self.command == "HEAD":
            return
        control = self.control()
        if path in control.get("breaks", []):
            control["breaks"].remove(path)
            (self.root / "control.json").write_text(json.dumps(control), encoding="utf-8")
            body = body[: len(body) // 2]
            self.close_connection = True
        for at in range(0, len(body), SLICE):
            self.wfile.write(body[at : at + SLICE])
            if len(body) > SLICE:
                time.sleep(control.get("slow_seconds", 0.0))

    def control(self) -> dict[str, Any]:
        place = self.root / "control.json"
        content: dict[str, Any] = json.loads(place.read_text("utf-8")) if place.is_file() else {}
        return content


class Server(ThreadingHTTPServer):
    def handle_error(self, *_: object) -> None:
        """Say nothing of a client that was killed."""


def sha256(place: Path) -> str:
    return hashlib.sha256(place.read_bytes()).hexdigest()


def sha1(place: Path) -> str:
    return hashlib.sha1(place.read_bytes()).hexdigest()


@contextlib.contextmanager
def running(root: Path) -> Iterator[str]:
    """Serve ``root`` in a process of its own; yields the address."""
    process = subprocess.Popen([sys.executable, __file__, str(root)], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        yield f"http://127.0.0.1:{int(process.stdout.readline())}"
    finally:
        process.terminate()
        process.wait()
        process.stdout.close()


if __name__ == "__main__":
    Handler.root = Path(sys.argv[1])
    server = Server(("127.0.0.1", 0), Handler)
    print(server.server_port, flush=True)
    with contextlib.suppress(KeyboardInterrupt):
        server.serve_forever()
