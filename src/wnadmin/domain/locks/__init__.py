"""Who blocks whom: the forest of waiting sessions, its edges, and which ends would free the most.

``rows.forest`` is what other looks can build on. The commands import the module they need, so that a look into a fire
loads nothing else.
"""
