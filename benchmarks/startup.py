"""How light the base install is: seconds to start, modules loaded, megabytes installed.

    python benchmarks/startup.py            start-up only, with the python that runs this
    python benchmarks/startup.py --install  also make an empty environment, install the base package, and weigh it

Start-up is CPU seconds of the whole process (user + system, minimum of 10 runs), beside an empty Python.
"""

from __future__ import annotations

import argparse
import os
import resource
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
    "rerank_passages of 2": ["-c", "import secondpass; secondpass.rerank_passages('a', ['a', 'b'])"],
}


def cpu_seconds(python: str, arguments: list[str]) -> float:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([python, *arguments], check=True, stdout=subprocess.DEVNULL)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def megabytes(folder: Path) -> float:
    return sum(entry.lstat().st_blocks * 512 for entry in folder.rglob("*")) / 1e6


def start_up(python: str) -> None:
    best = {name: min(cpu_seconds(python, arguments) for _ in range(10)) for name, arguments in COMMANDS.items()}
    empty = best["python -c pass"]
    print(f"{'command':<28}{'CPU ms':>8}{'x empty python':>16}")
    for name, seconds in best.items():
        print(f"{name:<28}{seconds * 1000:>8.0f}{seconds / empty:>16.1f}")
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
