"""Reading documents: bytes of a known format in, blocks of text out. In a process of its own, with limits."""
