"""Write sql/expected.json from what files 01 to 07 make on a throw-away server (`make expected`)."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

SQL = Path(__file__).resolve().parents[1] / "sql"
DATABASE = "expected"


def main() -> int:
    """Start a server of its own, run the files in one transaction, write down the catalog, remove the server."""
    from wnadmin.domain.setup import bundle, catalog
    from wnadmin.errors import WnError
    from wnadmin.postgres.database import Database
    from wnadmin.postgres.embedded import Cluster
    from wnadmin.postgres.session import connect
    from wnadmin.postgres.target import Target

    files = bundle.load_files(SQL)
    with tempfile.TemporaryDirectory(prefix="wnadmin-expected-") as scratch:
        # The server's own user must be able to pass through.
        Path(scratch).chmod(0o755)
        cluster = Cluster(Path(scratch) / "pg")
        try:
            cluster.start(fsync=False)
            with connect(Target(cluster.conninfo()), command="expected") as admin:
                admin.run(f"CREATE DATABASE {DATABASE} TEMPLATE template0 ENCODING 'UTF8'")
            with connect(Target(cluster.conninfo(DATABASE)), command="expected") as session, session.transaction():
                for one in files:
                    result = session.script(one.text)
                    if result.error is not None:
                        print(f"{one.name}: {result.error.what}", file=sys.stderr)
                        return 1
            # A new session: the files leave their own settings behind.
            with connect(Target(cluster.conninfo(DATABASE)), command="expected") as session:
                found = catalog.capture(Database(session))
        except WnError as error:
            print(f"{error.what} {error.why}".strip(), file=sys.stderr)
            return 1
        finally:
            cluster.destroy()
    path = SQL / bundle.EXPECTED
    text = bundle.dump_expected(found, files)
    if path.exists() and path.read_text(encoding="utf-8") == text:
        print(f"{path.name} is up to date")
        return 0
    path.write_text(text, encoding="utf-8", newline="\n")
    print(f"wrote {path.name}: {sum(map(len, found.objects.values()))} objects from PostgreSQL {found.major}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
