"""Elasticsearch and OpenSearch: what runs inside a cluster, and what is set up there."""
