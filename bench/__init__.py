"""What riskstream costs, measured: each module is a command, `python -m bench.NAME`, with a table and JSON as its last line."""
