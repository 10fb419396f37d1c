"""Name to weights: model cards, checksums, safe loading."""
