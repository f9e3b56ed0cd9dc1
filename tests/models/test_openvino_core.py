"""Ctrl-C still interrupts after models of OpenVINO were let go, in whatever order and thread."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = """
import os, signal, sys, threading
from pathlib import Path
from secondpass.models.cross_encoder import open_cross_encoder
from secondpass.models.engine import EngineOptions

def opened():
    scorer = open_cross_encoder(Path(sys.argv[1]), options=EngineOptions("openvino", threads=1))
    scorer.score("长江", ["长江很长", "a long river"])
    return scorer

held = [opened()]
if sys.argv[2] == "in another thread":
    thread = threading.Thread(target=held.clear)
    thread.start()
    thread.join()
elif sys.argv[2] == "one after the other":
    second = opened()
    held.clear()
    third = opened()
    del second
    del third
else:
    held.clear()
try:
    threading.Timer(0.1, os.kill, (os.getpid(), signal.SIGINT)).start()
    threading.Event().wait(20)
except KeyboardInterrupt:
    print("interrupted")
"""


@pytest.mark.parametrize("let_go", ["in the same thread", "in another thread", "one after the other"])
def test_ctrl_c_interrupts_after_models_were_let_go(tiny_bert: Path, let_go: str) -> None:
    command = [sys.executable, "-c", PROGRAM, str(tiny_bert), let_go]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert (done.returncode, done.stdout) == (0, "interrupted\n"), done.stderr
