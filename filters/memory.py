"""How memory is kept between blocks."""


def keep_memory() -> None:
    """Have the C library keep freed memory for the next block, instead of giving it back and asking for it anew.

    It raises the threshold for that when a block this large is freed; nothing is written to the block, so that it takes
    no memory: https://man7.org/linux/man-pages/man3/mallopt.3.html, M_MMAP_THRESHOLD.
    """
    bytes(8 << 20)
