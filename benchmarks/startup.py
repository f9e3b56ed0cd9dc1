"""How light secondpass is: seconds and memory to start, modules loaded, megabytes installed.

    python benchmarks/startup.py            start-up only, with the python that runs this
    python benchmarks/startup.py --install  also make an empty environment, install the base package, and weigh it

Start-up is CPU seconds of the whole process (user + system, minimum of 10 runs) and its peak of memory (ru_maxrss),
beside an empty Python. ``cold import`` is all that computes a model without torch (aim: 0.5 s, 120 MB); opening the
model comes after it, see `rerank_speed`. Engines that are not installed are left out and named.
"""

from __future__ import annotations

import argparse
import importlib.util
import os
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parent.parent
COMMANDS = {
    "python -c pass": ["-c", "pass"],
    "import secondpass": ["-c", "import secondpass"],
    "secondpass --help": ["-m", "secondpass", "--help"],
    "secondpass rerank --help": ["-m", "secondpass", "rerank", "--help"],
    "rerank_passages, lexical": ["-c", "import secondpass; secondpass.rerank_passages('a', ['a', 'b'], 2, 'lexical')"],
    "rerank_passages, builtin": ["-c", "import secondpass; secondpass.rerank_passages('a', ['a', 'b'])"],
}
ENGINES = {"openvino": "openvino", "onnx": "onnxruntime"}


def cost(python: str, arguments: list[str]) -> tuple[float, float]:
    """Return the CPU seconds and the peak of memory, in MB, of one process."""
    process = subprocess.Popen([python, *arguments], stdout=subprocess.DEVNULL)
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"{' '.join(arguments)} ended with exit code {process.returncode}.")
    return used.ru_utime + used.ru_stime, used.ru_maxrss * 1024 / 1e6


def commands() -> dict[str, list[str]]:
    """Return what is started; an engine is imported as a reranker imports it, all but its model."""
    found = dict(COMMANDS)
    for name, package in ENGINES.items():
        if importlib.util.find_spec(package) is None:
            print(f"{package} is not installed, and the import of the engine {name} left out.")
            continue
        modules = f"secondpass.models.cross_encoder, secondpass.models.{name}, sys"
        found[f"cold import, {name}"] = ["-c", f"import {modules}; sys.exit('torch' in sys.modules)"]
    return found


def megabytes(folder: Path) -> float:
    return sum(entry.lstat().st_blocks * 512 for entry in folder.rglob("*")) / 1e6


def start_up(python: str) -> None:
    best = {name: min(cost(python, arguments) for _ in range(10)) for name, arguments in commands().items()}
    empty, _ = best["python -c pass"]
    print(f"{'command':<28}{'CPU ms':>8}{'x empty python':>16}{'peak MB':>9}")
    for name, (seconds, megabytes_used) in best.items():
        print(f"{name:<28}{seconds * 1000:>8.0f}{seconds / empty:>16.1f}{megabytes_used:>9.0f}")
    code = "import secondpass.cli.main, sys; print('torch' in sys.modules, len(sys.modules))"
    print(
        "torch loaded, modules:",
        subprocess.run([python, "-c", code], check=True, capture_output=True, text=True).stdout,
    )


def installed_size() -> None:
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([sys.executable, "-m", "venv", folder], check=True)
        python = Path(folder, "bin", "python")
        empty = megabytes(Path(folder))
        install = [python, "-m", "pip", "install", "-q", "-c", str(ROOT / "constraints.txt"), str(ROOT)]
        subprocess.run(install, check=True, env={**os.environ, "PIP_DISABLE_PIP_VERSION_CHECK": "1"})
        print(f"empty environment {empty:.0f} MB, with secondpass {megabytes(Path(folder)):.0f} MB on disk")
        packages = sorted(
            (
                (megabytes(entry), entry.name)
                for entry in Path(folder).glob("lib/python*/site-packages/*")
                if entry.is_dir()
            ),
            reverse=True,
        )
        print("largest:", ", ".join(f"{name} {size:.0f}" for size, name in packages[:12]))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--install", action="store_true", help="also weigh a fresh install")
    options = parser.parse_args()
    start_up(sys.executable)
    if options.install:
        installed_size()
