"""How records are cut out of a stream of bytes."""
