"""The README's commands for Loki, on a real server of its push protocol."""

from pathlib import Path

from servers.readme import run_block
from servers.victorialogs import VictoriaLogs


def test_block(fresh_victorialogs: VictoriaLogs, tmp_path: Path) -> None:
    """Every sample call arrives."""
    instead = {"loki+https://loki.example:3100": f"loki+{fresh_victorialogs.url}/insert"}
    run_block("Into Loki and Grafana", instead, tmp_path)
    assert len(fresh_victorialogs.query("*")) == 6
    assert (tmp_path / "refused.jsonl").read_bytes() == b""
