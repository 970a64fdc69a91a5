"""Partitions by time: what there is, made ahead, taken out, dropped. Bounds come from the catalog, never from names.

Every change asks for its locks briefly and again; what it cannot have it leaves alone, and nothing of it stays.
"""
