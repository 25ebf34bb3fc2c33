"""What a replay shows a person: episodes, figures and one page. Values in, text out; no I/O."""
