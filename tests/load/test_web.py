"""Fetching, against a real server on this machine."""

import gzip
import ipaddress
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from secondpass.errors import InputError
from secondpass.load.options import WebOptions
from secondpass.load.parse import parse
from secondpass.load.reading import read
from secondpass.load.sources import Source
from secondpass.load.web import fetch

PAGE = "<html><head><title>缓存</title></head><body><p>浏览器缓存 CORS 响应的最长时间默认为 600 秒。</p></body></html>"


PAGES = {
    "/page": (PAGE.encode(), {"Content_Type": "text/html; charset=utf-8"}),
    "/gbk": (PAGE.encode("gb18030"), {"Content_Type": "text/html; charset=gb2312"}),
    "/notes.md": ("# 标题\n\n正文".encode(), {"Content_Type": "text/plain; charset=utf-8"}),
    "/packed": (gzip.compress(PAGE.encode()), {"Content_Type": "text/html", "Content_Encoding": "gzip"}),
    "/bomb": (gzip.compress(b" " * 2**22), {"Content_Type": "text/html", "Content_Encoding": "gzip"}),
    "/brotli": (b"xx", {"Content_Type": "text/html", "Content_Encoding": "br"}),
    "/image": (b"\x89PNG", {"Content_Type": "image/png"}),
}


class Handler(BaseHTTPRequestHandler):
    seen: list[tuple[str, str]]

    def log_message(self, format, *args):  # noqa: A002  (the name is the base class's)
        pass

    def _send(self, status, body=b"", **headers):
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self):
        self.server.seen.append((self.headers["Host"], self.path))
        path, _, query = self.path.partition("?")
        redirects = {
            "/away": f"http://localhost:{self.server.server_port}/page",
            "/file": "file:///etc/passwd",
            "/near": "page#part",
            "/circle": "/circle2",
            "/circle2": "/circle",
            "/chain": f"/chain?{int(query or 0) + 1}",
        }
        if path in redirects:
            self._send(302, Location=redirects[path])
        elif path in ("/endless", "/drip"):
            self._stream(b"x" * 65536 if path == "/endless" else b"x", 0 if path == "/endless" else 0.05)
        elif path == "/slow":
            time.sleep(1.5)
        elif path in PAGES:
            body, headers = PAGES[path]
            self._send(200, body, **headers)
        else:
            self._send(404, "没有".encode(), Content_Type="text/html")

    def _stream(self, piece, pause):
        self.send_response(200)
        self.send_header("Content-Type", "text/plain")
        self.end_headers()
        try:
            for _ in range(400):
                self.wfile.write(piece)
                time.sleep(pause)
        except OSError:  # the client has had enough
            pass


@pytest.fixture
def server() -> Iterator[ThreadingHTTPServer]:
    yield from _served(ThreadingHTTPServer(("127.0.0.1", 0), Handler))


def _served(made):
    made.seen = []
    made.daemon_threads = True
    thread = threading.Thread(target=made.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield made
    made.shutdown()
    thread.join()
    made.server_close()


def _at(server, path):
    return f"http://127.0.0.1:{server.server_port}{path}"


FREE = WebOptions(allow_private=True, timeout_seconds=10)
FIRST_ONLY = WebOptions(allowed_hosts=frozenset({"127.0.0.1"}), timeout_seconds=10)


def test_a_page_becomes_a_document(server):
    url = _at(server, "/gbk")
    source = Source(url, url, None, None)
    document = parse(source, read(source, FREE))
    assert document.text == "浏览器缓存 CORS 响应的最长时间默认为 600 秒。"
    assert document.title == "缓存"
    assert document.metadata["encoding"] == "gb18030"


def test_a_private_address_is_refused_by_default_before_anything_is_sent(server):
    with pytest.raises(InputError, match=r"127\.0\.0\.1, which is not a public address"):
        fetch(_at(server, "/page"), WebOptions())
    assert server.seen == []


def test_an_allowed_host_is_fetched_by_name_or_by_name_and_port(server):
    port = server.server_port
    for host in ("127.0.0.1", f"127.0.0.1:{port}"):
        assert fetch(_at(server, "/page"), WebOptions(allowed_hosts=frozenset({host}))).data == PAGE.encode()
    with pytest.raises(InputError, match="refused"):
        fetch(_at(server, "/page"), WebOptions(allowed_hosts=frozenset({f"127.0.0.1:{port + 1}"})))


def test_a_redirect_to_a_private_address_is_refused(server):
    with pytest.raises(InputError, match=r"localhost.*was refused"):
        fetch(_at(server, "/away"), FIRST_ONLY)
    assert [path for _, path in server.seen] == ["/away"]


def test_a_redirect_is_followed_and_the_last_address_is_told(server):
    url = _at(server, "/near")
    source = Source(url, url, None, None)
    document = parse(source, read(source, FIRST_ONLY))
    assert document.source == url
    assert document.metadata["fetched_from"] == _at(server, "/page")


def test_a_redirect_to_another_scheme_is_refused(server):
    with pytest.raises(InputError, match="only http and https"):
        fetch(_at(server, "/file"), FREE)


def test_redirects_in_a_circle_or_without_end_stop(server):
    with pytest.raises(InputError, match="in a circle"):
        fetch(_at(server, "/circle"), FREE)
    with pytest.raises(InputError, match="more than 5 times"):
        fetch(_at(server, "/chain"), FREE)


@pytest.mark.parametrize("path", ["/page", "/endless", "/bomb"])
def test_a_page_over_the_limit_is_refused_stated_or_not_packed_or_not(server, path):
    with pytest.raises(InputError, match="more than the limit"):
        fetch(_at(server, path), WebOptions(allow_private=True, max_bytes=20 if path == "/page" else 2**20))


@pytest.mark.parametrize("path", ["/slow", "/drip"])
def test_a_slow_server_is_left_after_the_time_limit(server, path):
    start = time.monotonic()
    with pytest.raises(InputError, match=r"did not answer within 0\.5 seconds"):
        fetch(_at(server, path), WebOptions(allow_private=True, timeout_seconds=0.5))
    assert time.monotonic() - start < 1.4


def test_a_missing_page_is_named_with_its_status(server):
    with pytest.raises(InputError, match="404 Not Found"):
        fetch(_at(server, "/没有"), FREE)


def test_what_is_no_document_is_refused(server):
    with pytest.raises(InputError, match="image/png"):
        fetch(_at(server, "/image"), FREE)
    with pytest.raises(InputError, match="packed as 'br'"):
        fetch(_at(server, "/brotli"), FREE)


def test_a_packed_page_is_unpacked_and_a_name_tells_more_than_plain_text(server):
    assert fetch(_at(server, "/packed"), FREE).data == PAGE.encode()
    assert fetch(_at(server, "/notes.md"), FREE).media_type == "text/markdown"


def test_nobody_listening_is_an_error_of_one_sentence():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        with pytest.raises(InputError, match="could not be fetched"):
            fetch(f"http://127.0.0.1:{taken.getsockname()[1]}/", FREE)


def test_no_proxy_of_the_environment_is_used(server, monkeypatch):
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:9")
    assert fetch(_at(server, "/page"), FREE).data == PAGE.encode()


def _resolving(monkeypatch, answers):
    """Let names stand for addresses; every question asked is written down."""
    real, asked = socket.getaddrinfo, []

    def getaddrinfo(host, port, *args, **kwargs):
        name = host.decode() if isinstance(host, bytes) else host
        if name in answers:
            asked.append(name)
            address = answers[name].pop(0) if len(answers[name]) > 1 else answers[name][0]
            return real(address, port, *args, **kwargs)
        return real(host, port, *args, **kwargs)

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    return asked


def test_a_name_that_changes_its_address_after_the_check_changes_nothing(server, monkeypatch):
    asked = _resolving(monkeypatch, {"rebind.example": ["127.0.0.1", "127.0.0.9"]})
    options = WebOptions(allowed_hosts=frozenset({"rebind.example"}))
    payload = fetch(f"http://rebind.example:{server.server_port}/page", options)
    assert payload.data == PAGE.encode()
    assert asked == ["rebind.example"]  # once: the connection went to the address that was checked
    assert server.seen == [(f"rebind.example:{server.server_port}", "/page")]


def test_a_name_with_a_private_address_is_refused_whatever_its_name(server, monkeypatch):
    _resolving(monkeypatch, {"public.example": ["::ffff:127.0.0.1"]})
    with pytest.raises(InputError, match="not a public address"):
        fetch(f"http://public.example:{server.server_port}/page", WebOptions())
    assert server.seen == []


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tls")
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "tls.example")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder(issuer_name=name, subject_name=name, public_key=key.public_key(), serial_number=1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("tls.example")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    (folder / "certificate.pem").write_bytes(made.public_bytes(serialization.Encoding.PEM))
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    (folder / "key.pem").write_bytes(private)
    return folder


@pytest.fixture
def tls_server(certificate):
    made = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate / "certificate.pem", certificate / "key.pem")
    made.names = []
    context.sni_callback = lambda _, name, __: made.names.append(name)
    made.socket = context.wrap_socket(made.socket, server_side=True)
    yield from _served(made)


def test_https_checks_the_certificate_against_the_name_though_the_connection_goes_to_an_address(
    tls_server, certificate, monkeypatch
):
    _resolving(monkeypatch, {"tls.example": ["127.0.0.1"], "other.example": ["127.0.0.1"]})
    trusting = WebOptions(allow_private=True, certificate_file=certificate / "certificate.pem")
    port = tls_server.server_port
    assert fetch(f"https://tls.example:{port}/page", trusting).data == PAGE.encode()
    assert tls_server.names == ["tls.example"]
    assert tls_server.seen == [(f"tls.example:{port}", "/page")]
    with pytest.raises(InputError, match=r"(?i)certificate"):
        fetch(f"https://other.example:{port}/page", trusting)
    with pytest.raises(InputError, match=r"(?i)certificate"):
        fetch(f"https://tls.example:{port}/page", FREE)


def test_a_certificate_file_that_is_none_is_named(tls_server, tmp_path):
    (tmp_path / "不是.pem").write_text("no")
    with pytest.raises(InputError, match="holds no certificates"):
        fetch(
            f"https://127.0.0.1:{tls_server.server_port}/",
            WebOptions(allow_private=True, certificate_file=tmp_path / "不是.pem"),
        )


def test_every_address_of_a_host_is_checked(monkeypatch):
    addresses = [ipaddress.ip_address("8.8.8.8"), ipaddress.ip_address("10.0.0.1")]
    monkeypatch.setattr("secondpass.load.web.resolve", lambda *_: addresses)
    with pytest.raises(InputError, match=r"10\.0\.0\.1"):
        fetch("http://mixed.example/", WebOptions())
