"""The daemon: its start, who works in it, the files and the model that it follows, and its end."""
