"""The operator ledger: what wnadmin did, chained by hashes, in the database or in this user's spool.

``canonical`` makes the text, ``chain`` its hash, ``database`` and ``spool`` keep it, ``checkpoint`` puts the
head outside the database, ``recorder`` chooses between them for one command, ``operations`` reads it back.
"""
