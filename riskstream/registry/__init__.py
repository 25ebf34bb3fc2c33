"""The edge to the store of model versions: aliases, manifests, hashes."""
