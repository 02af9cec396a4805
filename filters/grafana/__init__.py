"""Dashboards and alerts for Grafana, Loki and Prometheus, made by `python scripts/grafana`."""
