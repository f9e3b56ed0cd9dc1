"""Runs the code of a page, one piece after the other, as a process of its own: jobs as JSON on standard input.

A job is ``{"command": [...]}`` (the arguments of ``secondpass``) or ``{"python": "..."}``; its answer is ``{"code",
"out", "error"}``. One process for a page imports the engines once; the chat model of Ollama is asked at OLLAMA_URL.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import sys
import traceback

from secondpass.cli.main import main
from secondpass.llm import names


def run(job: dict[str, object]) -> dict[str, object]:
    out, error = io.StringIO(), io.StringIO()
    code: object = 0
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(error):
        try:
            if "python" in job:
                exec(compile(str(job["python"]), "page", "exec"), {"__name__": "page"})
            else:
                sys.argv = ["secondpass", *job["command"]]  # type: ignore[misc]
                main()
        except SystemExit as end:
            code = end.code or 0
        except Exception:  # noqa: BLE001 - whatever a page's code raises is what the test wants to show
            traceback.print_exc()
            code = -1
    return {"code": code, "out": out.getvalue(), "error": error.getvalue()}


if __name__ == "__main__":
    names.PROVIDERS["ollama"] = names.Provider(os.environ["OLLAMA_URL"], None)
    json.dump([run(job) for job in json.load(sys.stdin)], sys.stdout)
