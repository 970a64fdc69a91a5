"""Read-only mode: entered at one of three honest levels, proven, and left as it was found.

``soft`` is a default that every session may override. ``drain`` sets it for each role too and ends the sessions that
began before. ``fence`` takes the privileges away as well, so that there is nothing left to override.
"""
