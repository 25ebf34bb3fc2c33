"""What riskstream costs, measured: `python -m bench.NAME` gives a table, and JSON as its last line."""
