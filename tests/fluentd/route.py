"""A route through a real Fluentd: a file that is followed, the child, a file with all that came out."""

import json
import os
import signal
import sys
import time
from pathlib import Path
from typing import Any

from child import environment, until

CONFIG = """\
<system>
  root_dir {folder}/root
</system>
<source>
  @type tail
  @id calls
  path {folder}/calls.jsonl
  pos_file {folder}/calls.pos
  read_from_head true
  refresh_interval 1
  tag calls.in
  <parse>
    @type json
    time_key time_end
    time_type string
    time_format %iso8601
    keep_time_key true
  </parse>
</source>
<match calls.in>
  @type exec_filter
  @id sipsense
  @label @ENRICHED
  tag calls.unreadable
  command sh -c 'echo $$ >> {folder}/pids; exec {command}'
  child_respawn inf
  <inject>
    tag_key sipsense_tag
    time_key sipsense_time
    time_type float
  </inject>
  <format>
    @type {codec}
  </format>
  <parse>
    @type {codec}
  </parse>
  <extract>
    tag_key sipsense_tag
    time_key sipsense_time
    time_type float
  </extract>
  <buffer>
    @type file
    chunk_limit_size {chunk}
    flush_interval 1s
    flush_thread_interval 0.1
    flush_thread_burst_interval 0.01
    flush_at_shutdown true
    retry_forever true
    retry_max_interval 2s
  </buffer>
</match>
<label @ENRICHED>
  <match **>
    @type file
    @id out
    path {folder}/out
    append true
    <format>
      @type json
    </format>
    <inject>
      tag_key came_tag
      time_key came_time
      time_type string
      time_format %s.%N
    </inject>
    <buffer []>
      @type file
      flush_interval 0
      flush_thread_interval 0.05
      flush_thread_burst_interval 0.01
    </buffer>
  </match>
</label>
"""
SIPSENSE = f"{sys.executable} -m filters fluentd"


class Route:
    """The files of a route, and its configuration."""

    def __init__(self, folder: Path, codec: str, *options: str, command: str = "", chunk: str = "8m") -> None:
        self.folder = folder
        self.env = {"PYTHONPATH": environment()["PYTHONPATH"]}
        command = command or " ".join([SIPSENSE, "--codec", codec, *options])
        self.config = CONFIG.format(folder=folder, codec=codec, command=command, chunk=chunk)

    def write(self, *records: Any) -> None:
        """Append records to the file that Fluentd follows."""
        with open(self.folder / "calls.jsonl", "a", encoding="utf-8") as file:
            file.writelines(json.dumps(record, ensure_ascii=False) + "\n" for record in records)

    def size(self) -> int:
        """Return how many bytes came out."""
        return sum(path.stat().st_size for path in self._outputs())

    def lines(self) -> int:
        """Return how many records came out."""
        return sum(path.read_bytes().count(b"\n") for path in self._outputs())

    def settled(self, count: int, seconds: float) -> bool:
        """Return whether at least so many records come out in time; then wait until no more do."""
        if not until(lambda: self.lines() >= count, seconds):
            return False
        lines = -1
        while lines != (lines := self.lines()):
            time.sleep(2.0)
        return True

    def came(self) -> list[dict[str, Any]]:
        """Return the records that came out, whole lines alone."""
        lines = [line for path in self._outputs() for line in path.read_bytes().split(b"\n")[:-1]]
        return [json.loads(line) for line in lines]

    def pids(self) -> list[int]:
        """Return the processes that were started as child, the newest last."""
        path = self.folder / "pids"
        return [int(line) for line in path.read_text().split()] if path.exists() else []

    def signal_child(self, number: int = signal.SIGKILL) -> None:
        """Send a signal to the newest child."""
        os.kill(self.pids()[-1], number)

    def _outputs(self) -> list[Path]:
        return sorted(self.folder.glob("out*.log"))
