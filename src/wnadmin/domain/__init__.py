"""The knowledge behind the commands, one package a noun; nothing here prints or connects."""
