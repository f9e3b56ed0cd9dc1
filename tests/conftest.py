"""What tests of several rooms need."""

from __future__ import annotations

import importlib.util
import logging
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from secondpass.cli.reranking import NOTED

# A shell's background job ignores Ctrl-C, and so would the processes that tests interrupt.
signal.signal(signal.SIGINT, signal.default_int_handler)
_KEYS = ("OPENAI_API_KEY", "OPENAI_BASE_URL", "DASHSCOPE_API_KEY", "DEEPSEEK_API_KEY", "GEMINI_API_KEY")


@pytest.fixture(scope="session")
def server_url() -> Iterator[str]:
    """The base URL of the OpenAI-compatible server of the tests, in a process of its own."""
    spec = importlib.util.spec_from_file_location("openai_server", Path(__file__).parent / "llm" / "openai_server.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    with module.running() as url:
        yield url


@pytest.fixture(autouse=True)
def no_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody's real key goes into a test."""
    for name in _KEYS:
        monkeypatch.delenv(name, raising=False)


@pytest.fixture(autouse=True)
def notes_as_before() -> Iterator[None]:
    """A command that runs in the tests' own process sets how notes are shown; the next test finds it as it was."""
    loggers = [logging.getLogger(name) for name in NOTED]
    before = [(logger.level, logger.propagate, list(logger.handlers)) for logger in loggers]
    yield
    for logger, (level, propagate, handlers) in zip(loggers, before, strict=True):
        logger.setLevel(level)
        logger.propagate = propagate
        logger.handlers = handlers
