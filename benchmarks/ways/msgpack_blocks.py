"""Enrich MessagePack records as the Fluentd child does, a block at a time."""

import os

from enricher import Enricher
from enricher.msgpack_blocks import MsgpackBlocks
from filters.codecs.msgpack_stream import Cutter

bytes(8 << 20)  # the C library keeps memory between blocks after this, as in `sipsense`
blocks = MsgpackBlocks(Enricher(), lambda record, place, error: record, count=False)
cutter = Cutter()
while chunk := os.read(0, 64 * 1024):
    cut = cutter.feed(chunk)
    os.write(1, blocks.enrich_stream(cut.data, cut.ends))
