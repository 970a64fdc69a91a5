"""The platform's own description of its database, statement by statement."""

from __future__ import annotations

import os
import re
import subprocess
import tomllib
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from tests.sql.support import column, refused
from tests.support import ROOT, Server
from wnadmin.postgres.session import Session

DOCUMENT = tomllib.loads((Path(__file__).parent / "document.toml").read_text("utf-8"))
STATEMENTS: list[dict[str, Any]] = DOCUMENT["statement"]
VERIFIER = "SCRAM-SHA-256$4096:" + "A" * 22 + "==$" + "B" * 43 + "=:" + "C" * 43 + "="


def filled(text: str, known: dict[str, str]) -> str:
    """Put values and names where psql would."""
    text = re.sub(r""":'(\w+)'""", lambda m: "'" + known[m[1]] + "'", text)
    return re.sub(r""":"(\w+)\"""", lambda m: '"' + known[m[1]] + '"', text)


def rows_of(session: Session, text: str) -> list[Any]:
    if text.lstrip().startswith("COPY"):
        return b"".join(bytes(block) for block in session.copy_out(text.strip().rstrip(";"))).decode().splitlines()
    return list(session.run(text).rows)


@pytest.mark.parametrize("who", ["superuser", "application"])
def test_every_statement_runs(server: Server, fresh_db: str, who: str) -> None:
    other = f"{fresh_db}_other"
    known = {
        "database": fresh_db, "other": other, "nobody": str(uuid4()), "verifier": VERIFIER,
        "key": "k" * 32,
    }  # fmt: skip
    login = "postgres" if who == "superuser" else "wondernest_app"
    ran = 0
    try:
        with server.session(fresh_db, login, row_security="on", statement_timeout="120s") as session:
            # CURRENT_DATE is a day of the session; the parent's days begin in New York, and so its insights end there.
            session.run("SET TimeZone = 'America/New_York'")
            for one in STATEMENTS:
                expected = one.get(who)
                if expected is None:
                    continue
                ran += 1
                text = filled(one["sql"], known)
                if expected != "ok":
                    try:
                        with refused(expected):
                            session.run(text)
                    except BaseException as error:
                        raise AssertionError(f"{one['id']} as {who}") from error
                    continue
                if one.get("undo"):
                    session.run("BEGIN")
                rows = rows_of(session, text)
                if one.get("undo"):
                    session.run("ROLLBACK")
                assert len(rows) >= one.get("at_least", 0), f"{one['id']} as {who}: {len(rows)} rows"
                if name := one.get("saves"):
                    known[name] = str(rows[0][0])
                    if name == "user" and who == "application":
                        # The application signs the parent in; a superuser has no context.
                        session.run("SELECT set_config('app.current_user_id', %s, false)", [known["user"]])
    finally:
        server.drop(other)
    assert ran == sum(1 for one in STATEMENTS if who in one)


def test_the_parent_of_the_document_sees_only_their_own(server: Server, fresh_db: str) -> None:
    """After the statements of the document: one user, one family, one child."""
    with server.session(fresh_db, "wondernest_app", row_security="on") as session:
        assert column(session, "SELECT id FROM family.child_profiles") == []
        user = session.scalar(STATEMENTS[5]["sql"])
        session.run("SELECT set_config('app.current_user_id', %s, false)", [str(user)])
        family = session.scalar(filled(STATEMENTS[6]["sql"], {"user": str(user)}))
        child = session.scalar(filled(STATEMENTS[7]["sql"], {"family": str(family)}))
        assert column(session, "SELECT id FROM core.users") == [user]
        assert column(session, "SELECT id FROM family.families") == [family]
        assert column(session, "SELECT id FROM family.child_profiles") == [child]
        # The trail tells what was done, by whom, and never the password hash.
        trail = session.run("SELECT table_name, user_id, changed::text FROM audit.activity_log WHERE family_id = %s"
                            " OR subject_user_id = %s", [family, user]).rows  # fmt: skip
        assert {row[0] for row in trail} >= {"users", "families", "child_profiles"}
        assert not any("hashed_password" in row[2] for row in trail)
    with server.session(fresh_db, "wondernest_app", row_security="on") as session:
        session.run("SELECT set_config('app.current_user_id', %s, false)", [str(uuid4())])
        for text in (
            f"SELECT * FROM content.get_age_appropriate_content('{child}')",
            f"SELECT analytics.calculate_daily_metrics('{child}', CURRENT_DATE)",
            f"SELECT analytics.get_child_insights('{child}', 30)",
            f"SELECT audio.start_session('{child}', 'home', 'device123')",
            f"SELECT family.create_child_profile('{family}', 'Emma', '2021-03-15', 'female', 'en', '{{}}')",
            f"SELECT family.create_family('{user}', 'The Doe Family')",
        ):
            with refused("42501"):
                session.run(text)


def program(server: Server, name: str, *words: str, user: str) -> subprocess.CompletedProcess[str]:
    where, tool = server.cluster.conninfo(), server.cluster.tool(name)
    return subprocess.run(
        [str(tool.path), "-h", where["host"], "-p", where["port"], "-U", user, *words],
        env={"PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8", **tool.env},
        capture_output=True,
        text=True,
        check=False,
    )


def test_backup_and_restore_of_the_document(server: Server, fresh_db: str, tmp_path: Path) -> None:
    """pg_dump as wondernest_backup has every row, in spite of row-level security."""
    file = tmp_path / "wondernest.dump"
    done = program(server, "pg_dump", "--format=custom", "--compress=9", f"--file={file}", fresh_db,
                   user="wondernest_backup")  # fmt: skip
    assert done.returncode == 0, done.stderr
    copy = server.create()
    try:
        done = program(server, "pg_restore", "--exit-on-error", "-d", copy, str(file), user="postgres")
        assert done.returncode == 0, done.stderr
        with server.session(fresh_db) as before, server.session(copy) as after:
            tables = column(
                before,
                "SELECT oid::regclass::text FROM pg_class WHERE relkind = 'r' AND relnamespace::regnamespace::text"
                " NOT IN ('pg_catalog', 'information_schema') ORDER BY 1",
            )
            for table in tables:
                count = f"SELECT count(*) FROM {table}"
                assert before.scalar(count) == after.scalar(count), table
            assert after.run("SELECT check_name, object FROM admin.validate_security_config()"
                             " WHERE status = 'fail'").rows == ()  # fmt: skip
    finally:
        server.drop(copy)


def test_the_files_run_one_by_one_with_psql(server: Server) -> None:
    """As the document says: psql -f, one file after the other, no transaction around them; and again."""
    name = server.create()
    try:
        for _ in range(2):
            for file in sorted((ROOT / "sql").glob("0[1-7]_*.sql")):
                done = program(server, "psql", "-X", "-d", name, "-v", "ON_ERROR_STOP=1", "-q", "-f", str(file),
                               user="postgres")  # fmt: skip
                assert (done.returncode, done.stdout, done.stderr) == (0, "", ""), file.name
        with server.session(name) as session:
            assert session.run("SELECT 1 FROM admin.validate_security_config() WHERE status = 'fail'").rows == ()
            assert session.scalar("SELECT count(*) FROM admin.partition_bounds") == 4 * 14
    finally:
        server.drop(name)


def test_every_correction_is_listed_in_the_decisions() -> None:
    """One page tells what differs from the description; ids keep the two together."""
    page = (ROOT / "docs" / "decisions.md").read_text("utf-8")
    corrected = [one["id"] for one in [*STATEMENTS, *DOCUMENT["other"]] if "correction" in one]
    assert len(set(corrected)) == len(corrected) >= 15
    assert [one for one in corrected if f"`{one}`" not in page] == []
