"""A folder with everything that can be wrong: each is named with its reason, and the rest is indexed."""

from __future__ import annotations

import io
import os
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from pypdf import PdfWriter


def pdf(password: str | None = None) -> bytes:
    writer = PdfWriter()
    writer.add_blank_page(200, 200)
    if password:
        writer.encrypt(password, algorithm="AES-256")
    output = io.BytesIO()
    writer.write(output)
    return output.getvalue()


@pytest.fixture
def broken(tmp_path: Path) -> Path:
    folder = tmp_path / "资料"
    (folder / "empty").mkdir(parents=True)
    (folder / "good.md").write_text("# 西安\n\n西安是陕西省的省会。", encoding="utf-8")
    (folder / "binary.md").write_bytes(os.urandom(4096))
    (folder / "nothing.txt").write_bytes(b"")
    (folder / "secret.pdf").write_bytes(pdf("geheim"))
    (folder / "cut.pdf").write_bytes(pdf()[:150])
    (folder / "scan.pdf").write_bytes(pdf())
    (folder / "fake.docx").write_bytes(b"PK\x03\x04 no zip at all")
    (folder / "korean.txt").write_bytes("서울은 대한민국의 수도이자 가장 큰 도시이다. ".encode("euc-kr") * 9)
    (folder / "table.xlsx").write_bytes(b"PK")
    (folder / "loop").symlink_to(folder, target_is_directory=True)
    with (folder / "huge.txt").open("wb") as huge:
        huge.truncate(200 * 2**20)
    os.mkfifo(folder / "pipe.txt")
    return folder


REASONS = {
    "binary.md": "binary",
    "nothing.txt": "no text",
    "secret.pdf": "password",
    "cut.pdf": "PDF",
    "scan.pdf": "text layer",
    "fake.docx": "DOCX",
    "korean.txt": "cannot be read as text",
    "table.xlsx": "save it as",
    "huge.txt": "MB",
    "pipe.txt": "pipe",
    "loop": "a link back",
}


def test_everything_broken_is_counted_with_its_reason_and_the_rest_is_there(
    run_json: Callable[..., Any], broken: Path
) -> None:
    report = run_json("index", str(broken), cwd=broken.parent, code=1)
    assert (report["documents"], report["run"]["added"]) == (1, 1)
    reasons = {Path(skipped["location"]).name: skipped["reason"] for skipped in report["run"]["skipped"]}
    assert set(reasons) == set(REASONS)
    for name, part in REASONS.items():
        assert part.lower() in reasons[name].lower(), (name, reasons[name])
        assert "\n" not in reasons[name]
    found = run_json("search", "省会", cwd=broken.parent)
    assert [hit["chunk"]["doc_id"] for hit in found["hits"]] == ["资料/good.md"]


class Redirecting(BaseHTTPRequestHandler):
    """Sends every visitor to the machine's own metadata address."""

    def do_GET(self) -> None:
        self.send_response(302)
        self.send_header("Location", "http://169.254.169.254/latest/meta-data/")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Stay silent."""


@pytest.fixture
def redirecting() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Redirecting)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}/"
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_page_at_a_private_address_is_left_out(run: Callable[..., Any], redirecting: str) -> None:
    done = run("index", redirecting)
    assert done.returncode == 1
    assert "127.0.0.1" in done.stderr
    assert "private" in done.stderr.lower() or "not public" in done.stderr.lower()


def test_a_redirect_to_a_private_address_is_not_followed(run: Callable[..., Any], redirecting: str) -> None:
    host = redirecting.removeprefix("http://").rstrip("/")
    done = run("index", redirecting, "--allow-host", host)
    assert done.returncode == 1
    assert "169.254.169.254" in done.stderr
