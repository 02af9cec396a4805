"""The page on Elasticsearch: its five minutes, run as they stand."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "elasticsearch.md").read_text()


def test_five_minutes(fresh_opensearch, tmp_path):
    """Whoever types what the page says finds calls by what they mean."""
    (tmp_path / "sipsense").write_text(f'#!/bin/sh\nexec {sys.executable} -m filters "$@"\n')
    (tmp_path / "sipsense").chmod(0o755)
    environment = {**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}", "PYTHONPATH": str(ROOT)}
    (tmp_path / "examples").symlink_to(ROOT / "examples")
    blocks = re.findall(r"```sh run\n(.*?)```", PAGE, re.DOTALL)
    assert len(blocks) == 3
    # The server of the tests is an OpenSearch without the plugin for policies.
    setup = blocks[0].replace("elasticsearch $URL", "opensearch $URL --no-policy")
    script = f"set -eu\nURL={fresh_opensearch.url}\n{setup}{blocks[1]}{blocks[2]}"
    done = subprocess.run(
        ["sh", "-c", script], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False, timeout=120
    )
    assert done.returncode == 0, done.stderr
    assert re.search(r"delivered +6\b", done.stderr)
    assert '"count":1' in done.stdout
    assert (
        json.loads(done.stdout[done.stdout.index('{\n  "hits"') :])["hits"]["hits"][0]["_source"]["sip"]["code"] == 480
    )
    assert (tmp_path / "left.jsonl").read_text() == ""
