"""A deterministic world of sample families: what it is made of, how it is loaded, removed and proven."""
