"""`migrate new`, `migrate lint` and the two looks, as programs."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from tests.migrate.support import EXAMPLE, Migrate, write
from tests.support import Cli, Server
from wnadmin.domain.migrate import fresh, places
from wnadmin.domain.setup.migrations import find
from wnadmin.errors import Refused, UsageError


def test_a_new_file_has_the_header_that_is_demanded(cli: Cli, folder: Path) -> None:
    made = cli.run("migrate", "new", "Add feature", "--location", str(folder), "--yes")
    assert made.code == 0, made.err
    (path,) = folder.iterdir()
    assert path.name == "V002__add_feature.sql"
    assert path.stat().st_mode & 0o777 == 0o644
    text = path.read_text()
    assert "-- rollback:\n" in text
    assert "SET LOCAL lock_timeout" in text
    # It stays unusable until it is filled in.
    assert cli.run("migrate", "lint", str(path)).code == 3
    path.write_text(text.replace("--     \n", "--     DROP TABLE core.x;\n") + "CREATE TABLE core.x (id bigint);\n")
    found = cli.run("migrate", "lint", str(path), "--format", "json").json()["findings"]
    assert [one for one in found if one["check"].startswith("migrate.") and one["severity"] != "ok"] == []
    again = cli.run("migrate", "new", "more: 2nd", "--location", str(folder), "--no-transaction", "--yes")
    assert again.code == 0, again.err
    assert (
        (folder / "V003__more_2nd.sql").read_text().startswith("-- V003__more_2nd.sql: more 2nd\n-- transaction: no\n")
    )


@pytest.mark.parametrize("words", ["", "  ", "ümlaut", "a\nb", "a$b", "x" * 151, "../../etc", "add feature"])
def test_what_cannot_be_a_description(folder: Path, words: str) -> None:
    write(folder, "V002__add_feature.sql", "SELECT 1;")
    if words == "../../etc":
        # Only letters and digits get into the name.
        assert fresh.plan_new(words, folder, [folder]).steps[0].title == f"Write {folder}/V003__etc.sql"
        return
    with pytest.raises(UsageError):
        fresh.plan_new(words, folder, [folder])


def test_nothing_is_ever_written_over(folder: Path) -> None:
    path = folder / "V002__a.sql"
    path.write_text("mine")
    with pytest.raises(Refused, match="is there already"):
        fresh.write(path, "other")
    assert path.read_text() == "mine"
    assert [one.name for one in folder.iterdir()] == ["V002__a.sql"]
    found: list[object] = []

    def run(text: str) -> None:
        try:
            fresh.write(folder / "V003__b.sql", text)
            found.append(text)
        except Refused as error:
            found.append(error)

    threads = [threading.Thread(target=run, args=(f"{number}" * 10000,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    (winner,) = [one for one in found if isinstance(one, str)]
    assert (folder / "V003__b.sql").read_text() == winner


def test_an_installed_wnadmin_asks_for_a_folder(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    import wnadmin

    inside = Path(wnadmin.__file__).resolve().parent / "sql" / "migration"
    monkeypatch.setattr(places, "bundled", lambda: inside)
    with pytest.raises(UsageError, match="no folder is named"):
        places.home(None)
    assert places.home([folder]) == folder.resolve()


def test_lint_of_a_file_of_another_name(cli: Cli, folder: Path) -> None:
    (folder / "feature.sql").write_text("SELECT 1;")
    assert cli.run("migrate", "lint", str(folder / "feature.sql")).code == 2
    assert cli.run("migrate", "lint", str(folder / "V009__none.sql")).code == 2
    assert cli.run("migrate", "lint").code == 0


def test_lint_names_file_and_line(cli: Cli, folder: Path) -> None:
    write(folder, "V002__a.sql", "COMMIT;\n\\d", rollback="")
    ran = cli.run("migrate", "lint", "--location", str(folder), "--format", "json")
    assert ran.code == 3
    found = {(one["check"], one["object"], one["severity"]) for one in ran.json()["findings"]}
    assert ("migrate.transaction", "V002__a.sql:4", "critical") in found
    assert ("migrate.psql", "V002__a.sql:5", "critical") in found
    assert ("migrate.rollback", "V002__a.sql:1", "critical") in found


def test_squawk_is_skipped_where_it_is_not(cli: Cli, tmp_path: Path) -> None:
    import sys

    # A Python without squawk beside it, and a PATH without one.
    python = tmp_path / "python"
    python.symlink_to(sys.executable)
    import os
    import subprocess

    packages = [path for path in sys.path if path.endswith("site-packages")]
    env = {**cli.env(), "PATH": str(tmp_path), "PYTHONPATH": os.pathsep.join([cli.env()["PYTHONPATH"], *packages])}
    words = [str(python), "-m", "wnadmin", "migrate", "lint", "--location", str(EXAMPLE), "--format", "json"]
    done = subprocess.run(words, env=env, capture_output=True, text=True, check=False, timeout=60)
    assert '"severity":"skipped"' in done.stdout.replace(" ", ""), done.stdout + done.stderr
    assert "squawk is not installed" in done.stdout
    assert done.returncode == 0


def test_status_and_validate_tell_machines(wn: Cli) -> None:
    here = ("--location", str(EXAMPLE), "--format", "json")
    told = wn.run("migrate", "status", *here)
    assert told.code == 0, told.err
    seen = told.json()
    assert seen["schema"] == "wnadmin/migrate-status/1"
    rows = [(row["version"], row["state"]) for row in seen["tables"]["migrations"]]
    assert rows == [("001", "success"), ("002", "pending")]
    judged = wn.run("migrate", "validate", *here)
    assert judged.code == 3
    assert judged.json()["schema"] == "wnadmin/migrate-validate/1"
    assert [one["check"] for one in judged.json()["findings"]] == ["migrate.pending"]


def test_hostile_names_do_no_harm(own: Migrate, folder: Path, wn: Cli, server: Server) -> None:
    name = "V002__a[bold]'; DROP TABLE x; --.sql"
    write(folder, name, "CREATE TABLE core.harmless (id bigint);")
    done = wn.run("migrate", "apply", "--location", str(folder), "--yes", "--format", "json")
    assert done.code == 0, done.err
    told = wn.run("migrate", "status", "--location", str(folder))
    assert "a[bold]'; DROP TABLE x; --" in told.out
    assert find([folder]).migrations[0].script == name


def test_a_login_that_may_not_read_the_history_is_told_so(server: Server, fresh_db: str, wn: Cli) -> None:
    ran = wn.run("migrate", "validate", "--dsn", server.dsn(fresh_db, "wondernest_app"), "--format", "json")
    assert ran.code == 3
    assert [one["severity"] for one in ran.json()["findings"]] == ["unknown"]
