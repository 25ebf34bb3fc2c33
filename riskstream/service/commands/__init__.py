"""The commands beside `run`: each is one file, made of the same parts as the daemon."""
