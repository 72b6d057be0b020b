"""Arrays in, blocks out: what users pass is checked here, once, and read block by block."""
