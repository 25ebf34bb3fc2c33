"""The stream bench's peers: each a process of its own that reads one topic and writes another until it is ended."""
