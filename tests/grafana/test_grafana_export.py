import json
import subprocess
import sys

import pytest
import yaml
from grafana_files import FOLDER, ROOT
from servers.promtool import promtool

KINDS = {
    "grafana-loki": "dashboards/loki.json",
    "grafana-prometheus": "dashboards/prometheus.json",
    "alerts-loki": "alerts/alerts-loki.yaml",
    "alerts-prometheus": "alerts/alerts-prometheus.yaml",
}


@pytest.mark.parametrize(("kind", "path"), KINDS.items())
def test_export_prints_the_file(kind, path):
    """A user of the installed package gets the same files as are in the repository."""
    done = subprocess.run([sys.executable, "-m", "filters", "export", kind], cwd=ROOT, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout == (FOLDER / path).read_bytes()


def test_prometheus_takes_the_configuration():
    """Prometheus takes the example of its configuration, and the alerts that it names."""
    done = promtool("check", "config", FOLDER / "prometheus.yaml")
    assert done.returncode == 0, done.stdout + done.stderr
    assert b"1 rule files found" in done.stdout


def test_provisioning_names_what_the_dashboards_ask_for():
    """The data sources have the types that the variables of the dashboards ask for."""
    folder = FOLDER / "provisioning"
    sources = yaml.safe_load((folder / "datasources" / "sipsense.yaml").read_text())
    asked = {
        json.loads(path.read_text())["templating"]["list"][0]["query"] for path in (FOLDER / "dashboards").iterdir()
    }
    assert {source["type"] for source in sources["datasources"]} == asked
    (provider,) = yaml.safe_load((folder / "dashboards" / "sipsense.yaml").read_text())["providers"]
    assert provider["type"] == "file"
    assert provider["options"]["path"]
