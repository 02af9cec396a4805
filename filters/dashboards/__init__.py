"""Dashboards for Kibana and OpenSearch Dashboards, made from one description."""

# What the data view covers: the data streams that `sipsense` writes to, in all namespaces.
INDEX = "logs-sip.calls-*"
