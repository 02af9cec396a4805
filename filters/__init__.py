"""Streams around the enricher: sources, sinks and the command `sipsense`."""

__version__ = "0.1.0"
