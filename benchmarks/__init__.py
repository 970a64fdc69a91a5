"""Every promise about speed beside its peer, measured in one run: ``python -m benchmarks``."""
