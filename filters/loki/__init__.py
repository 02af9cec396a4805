"""Loki: what of a record becomes label, structured metadata, time and line of a push, and what its answers mean."""
