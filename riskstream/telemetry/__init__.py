"""The edge to the operator: what happened becomes a metric and a line."""
