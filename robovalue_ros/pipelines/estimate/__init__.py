"""`robovalue value estimate`: a value for every frame of recorded episodes, in files."""
