"""A headless Chromium for tests, driven through the DevTools protocol over two pipes.

Pipes need no library and no port: a WebSocket client or Selenium (with a driver of the browser's version) would be one
more dependency for what are a few messages of JSON.
"""

from __future__ import annotations

import fcntl
import json
import os
import select
import shutil
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
PATIENCE_SECONDS = 60.0
# The sandbox needs rights that a container does not give; the page under test is our own.
OPTIONS = (
    "--headless=new",
    "--remote-debugging-pipe",
    "--no-sandbox",
    "--no-first-run",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-extensions",
    "--hide-scrollbars",
)


def find_browser() -> str | None:
    """Return the path of an installed Chromium."""
    return next((path for name in NAMES if (path := shutil.which(name)) is not None), None)


class Page:
    """One tab; ``events`` holds what the browser reported, in order."""

    def __init__(self, commands: int, replies: int) -> None:
        self.events: list[dict[str, Any]] = []
        self._commands, self._replies = commands, replies
        self._pending = b""
        self._number = 0
        self._session = ""
        target = self.ask("Target.createTarget", {"url": "about:blank"})["targetId"]
        self._session = self.ask("Target.attachToTarget", {"targetId": target, "flatten": True})["sessionId"]
        for domain in ("Runtime", "Log", "Network", "Page"):
            self.ask(f"{domain}.enable")

    def ask(self, method: str, parameters: dict[str, Any] | None = None) -> dict[str, Any]:
        """Send a command and return its result."""
        self._number += 1
        command: dict[str, Any] = {"id": self._number, "method": method, "params": parameters or {}}
        if self._session:
            command["sessionId"] = self._session
        os.write(self._commands, json.dumps(command).encode() + b"\0")
        while True:
            message = self._read()
            if message.get("id") != self._number:
                self.events.append(message)
            elif "error" in message:
                raise RuntimeError(f"{method}: {message['error']}")
            else:
                result: dict[str, Any] = message["result"]
                return result

    def _read(self) -> dict[str, Any]:
        end = time.monotonic() + PATIENCE_SECONDS
        while b"\0" not in self._pending:
            if not select.select([self._replies], [], [], max(0.0, end - time.monotonic()))[0]:
                raise TimeoutError(f"the browser said nothing for {PATIENCE_SECONDS:.0f} seconds")
            piece = os.read(self._replies, 1 << 16)
            if not piece:
                raise RuntimeError("the browser ended")
            self._pending += piece
        line, _, self._pending = self._pending.partition(b"\0")
        message: dict[str, Any] = json.loads(line)
        return message

    def open(self, path: Path) -> None:
        """Load a file and wait until all of it is there."""
        seen = len(self.events)
        self.ask("Page.navigate", {"url": path.as_uri()})
        while not any(event.get("method") == "Page.loadEventFired" for event in self.events[seen:]):
            self.events.append(self._read())

    def value(self, script: str) -> Any:
        """Return what a script says, as JSON would."""
        answer = self.ask("Runtime.evaluate", {"expression": script, "returnByValue": True})
        if "exceptionDetails" in answer:
            raise RuntimeError(str(answer["exceptionDetails"]))
        return answer["result"].get("value")

    def resize(self, width: int, height: int) -> None:
        """Make the window so many pixels wide and high, as a phone's or a desk's."""
        sizes = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600}
        self.ask("Emulation.setDeviceMetricsOverride", sizes)

    def messages(self) -> list[str]:
        """Return what the browser complained of: exceptions, console errors, what the policy of the page forbade."""
        kinds = ("Runtime.exceptionThrown", "Runtime.consoleAPICalled", "Log.entryAdded")
        return [json.dumps(event) for event in self.events if event.get("method") in kinds]

    def requests(self) -> list[str]:
        """Return the addresses that were asked for."""
        sent = [event for event in self.events if event.get("method") == "Network.requestWillBeSent"]
        return [event["params"]["request"]["url"] for event in sent]


@contextmanager
def browser_page(program: str, folder: Path, language: str = "en-US") -> Iterator[Page]:
    """Start a browser whose files lie in ``folder``, and end it."""
    # The browser reads commands from file 3 and answers on file 4; our ends lie above, so that none is overwritten.
    from_us, commands = (_above(end) for end in os.pipe())
    replies, to_us = (_above(end) for end in os.pipe())
    arguments = [program, *OPTIONS, f"--user-data-dir={folder}", f"--lang={language}", f"--accept-lang={language}"]
    actions = [
        (os.POSIX_SPAWN_OPEN, 1, os.devnull, os.O_WRONLY, 0),
        (os.POSIX_SPAWN_OPEN, 2, os.devnull, os.O_WRONLY, 0),
        (os.POSIX_SPAWN_DUP2, from_us, 3),
        (os.POSIX_SPAWN_DUP2, to_us, 4),
    ]
    process = os.posix_spawn(program, arguments, os.environ | {"LANGUAGE": language}, file_actions=actions, setpgroup=0)
    os.close(from_us)
    os.close(to_us)
    try:
        yield Page(commands, replies)
    finally:
        os.close(commands)
        os.close(replies)
        os.killpg(process, signal.SIGKILL)
        os.waitpid(process, 0)


def _above(handle: int) -> int:
    moved = fcntl.fcntl(handle, fcntl.F_DUPFD_CLOEXEC, 10)
    os.close(handle)
    return moved
