"""Moving the schema forward with files that Flyway would run alike.

``judge`` compares files and history as `flyway validate` does; ``rules`` and ``squawk`` look at a file before it is
run; ``ready`` at the login and the database; ``run`` makes the plan of `migrate apply` and ``work`` carries one file
out; ``repair``, ``fresh`` (`migrate new`) and ``tell`` are the other verbs. What a migration file is, and Flyway's
own rules, are in ``domain.setup``, where `setup drift` needs them too.
"""
