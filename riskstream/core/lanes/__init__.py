"""Order, batches, pace and what is given up: decisions about work on its way, whatever it is about."""
