"""Known changes that make a network cheaper, each computed on its graph."""
