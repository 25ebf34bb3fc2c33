"""Pure decisions: values in, values out. No I/O, clock, thread or randomness; whoever calls tells the time."""
