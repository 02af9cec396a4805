"""The route in examples/elasticsearch: its commands, as they stand there, on a real OpenSearch."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

from servers.opensearch import OpenSearch

ROOT = Path(__file__).parents[2]
BLOCKS = re.findall(r"```sh\n(.*?)```", (ROOT / "examples/elasticsearch/README.md").read_text("utf-8"), re.DOTALL)


def test_route(cleaned: OpenSearch, tmp_path: Path) -> None:
    """Setup, calls and search work one after the other, and print what the calls in the example say."""
    # The server of the tests has no plugin for retention policies.
    command = tmp_path / "sipsense"
    option = 'if [ "$1" = setup ]; then set -- "$@" --no-policy; fi'
    command.write_text(f'#!/bin/sh\n{option}\nexec {sys.executable} -m filters "$@"\n')
    command.chmod(0o755)
    (tmp_path / "examples").symlink_to(ROOT / "examples")
    environment = {
        **os.environ,
        "PATH": f"{tmp_path}:{os.environ['PATH']}",
        "PYTHONPATH": str(ROOT),
        "PRODUCT": "opensearch",
        "URL": cleaned.url,
    }
    done = subprocess.run(
        ["sh", "-euc", "\n".join(BLOCKS)],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        check=False,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    assert '{"count":6}' in done.stdout
    outcomes = dict(re.findall(r'"key" : "(\w+)",\s+"doc_count" : (\d+)', done.stdout))
    assert outcomes == {"answered": "1", "busy": "1", "cancelled": "1", "capacity": "1", "rejected": "1"}
    found = {"dst_number": "37250000001", "sip": {"reason": "Capacity limit for DID exceeded"}}
    assert json.loads(done.stdout.splitlines()[-1]) == {"hits": {"hits": [{"_source": found}]}}
    assert (tmp_path / "refused.jsonl").read_bytes() == b""
