"""The rerank server of the tests, in a process of its own."""

from __future__ import annotations

import importlib.util
import json
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from secondpass.rerank.hosted_formats import DIALECTS

Arrived = Callable[[], list[dict[str, Any]]]


def _server() -> ModuleType:
    spec = importlib.util.spec_from_file_location("rerank_server", Path(__file__).parent / "rerank_server.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def rerank_module() -> ModuleType:
    """The server's own functions: what it thinks of a pair, and its key."""
    return _server()


@pytest.fixture(scope="session")
def rerank_process() -> Iterator[str]:
    """The address of the running server."""
    with _server().running() as url:
        yield url


def _read(url: str) -> Any:
    with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(url) as response:
        return json.load(response)


@pytest.fixture
def rerank_url(rerank_process: str) -> str:
    """The address of the running server, which has forgotten what it was asked before."""
    _read(f"{rerank_process}/forget")
    return rerank_process


@pytest.fixture
def arrived(rerank_url: str) -> Arrived:
    """Return a function that tells which requests arrived, in their order."""
    return lambda: list(_read(f"{rerank_url}/requests")["arrived"])


@pytest.fixture
def most_running(rerank_url: str) -> Callable[[str], int]:
    """Return a function that tells how many requests for a model were answered at a time, at most."""
    return lambda model: int(_read(f"{rerank_url}/requests")["most_running"][model])


@pytest.fixture(autouse=True)
def no_rerank_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody's real key goes into a test."""
    for dialect in DIALECTS.values():
        for name in dialect.key_variables:
            monkeypatch.delenv(name, raising=False)
