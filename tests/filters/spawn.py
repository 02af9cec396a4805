"""The command as a process."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from enricher import Enricher

ROOT = Path(__file__).resolve().parents[2]
COMMAND = [sys.executable, "-m", "filters"]
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(ROOT), "COLUMNS": "80"}

BUSY = b'{"sip_code":486,"sip_reason":"Busy Here"}'
STRANGER = b'{"code":404,"status":500}'
ENRICHER = Enricher()


def sipsense(*args: Any, stdin: bytes = b"", **options: Any) -> "subprocess.CompletedProcess[bytes]":
    """Run the command to its end."""
    command = [*COMMAND, *map(str, args)]
    return subprocess.run(
        command, input=stdin, capture_output=True, env=ENVIRONMENT, timeout=120, check=False, **options
    )


def start(*args: Any, **options: Any) -> "subprocess.Popen[bytes]":
    """Start the command with pipes."""
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    return subprocess.Popen([*COMMAND, *map(str, args)], env=ENVIRONMENT, bufsize=0, **(pipes | options))


def enriched(*lines: bytes) -> bytes:
    """Return the lines as they come out, each of them a record."""
    return b"".join(ENRICHER.enrich_json(line) + b"\n" for line in lines)
