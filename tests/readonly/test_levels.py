"""What each level holds: every way to write in spite of a default is reported by soft, and closed by fence."""

from __future__ import annotations

import pytest

from tests.readonly.support import Ground, opened, write, wrong

APP = "wondernest_app"


def test_soft_is_a_default_and_says_so(ground: Ground) -> None:
    with opened(ground.client(), ground.client()) as (idle, busy):
        busy.run("BEGIN")
        assert wrong(busy, "DELETE FROM content.categories WHERE false") == ""
        said = ground.on()
        assert "2 open sessions can still write: wondernest_app with wnadmin/client" in said
        assert "This is a default, which every session may override." in said
        # Sessions from before, idle or in a transaction, still write.
        assert write(idle) == ""
        assert wrong(busy, "DELETE FROM content.categories WHERE false") == ""
        found = ground.status()
        assert found["readonly.sessions"]["severity"] == "warn"
        assert found["readonly.sessions"]["detail"].startswith("2 sessions can still write: wondernest_app")
    with opened(ground.client()) as (new,):
        assert write(new) == "25006"
        # What breaks for a reader that does not expect it.
        assert wrong(new, "CREATE TEMPORARY TABLE t ()") == "25006"
        assert wrong(new, "SELECT 1 FROM content.categories FOR UPDATE") == "25006"
        # Overriding it.
        assert write(new, begin="BEGIN READ WRITE") == ""
        new.run("SET default_transaction_read_only = off")
        assert write(new) == ""
        # A role stores its own exemption.
        assert wrong(new, f"ALTER ROLE {APP} IN DATABASE {ground.dbname} SET default_transaction_read_only = off") == ""
    with opened(ground.client()) as (exempted,):
        assert write(exempted) == ""
    found = ground.status()
    assert found["readonly.mode"]["severity"] == "ok"
    assert found["readonly.canary:direct"]["severity"] == "ok"
    assert found["readonly.override"]["severity"] == "warn"
    assert "wondernest_app, wondernest_migration" in found["readonly.override"]["detail"]
    assert found[f"readonly.roles:{APP}"]["detail"].endswith("begins with write access (set here: off)")
    assert found["readonly.large-objects"]["severity"] == "warn"
    assert "Not touched, as it came later: the setting of wondernest_app." in ground.off()
    ground.run(f"ALTER ROLE {APP} IN DATABASE {ground.dbname} RESET default_transaction_read_only")


def test_drain_leaves_no_session_from_before(ground: Ground) -> None:
    ground.run(f"ALTER ROLE {APP} SET default_transaction_read_only = off")
    with opened(ground.client(), ground.client("wondernest_monitor")) as (before, reader):
        ground.on("--level", "drain")
        assert write(before) == "gone"
        # It could not write, and goes on.
        assert reader.scalar("SELECT 1") == 1
    with opened(ground.client()) as (new,):
        # What is set for the role everywhere does not count here.
        assert write(new) == "25006"
        assert write(new, begin="BEGIN READ WRITE") == ""
    found = ground.status()
    assert found["readonly.sessions"]["severity"] == "ok"
    assert found["readonly.roles"]["severity"] == "ok"
    assert found["readonly.override"]["severity"] == "warn"
    with opened(ground.client()) as (began_read_only,):
        assert began_read_only.scalar("SHOW transaction_read_only") == "on"
        ground.off()
        assert wrong(began_read_only, "SELECT 1") == "gone"
    ground.run(f"ALTER ROLE {APP} RESET default_transaction_read_only")


def test_drain_lets_a_transaction_finish(ground: Ground) -> None:
    with opened(ground.client()) as (busy,):
        busy.run("BEGIN")
        assert ground.cli.run("readonly", "on", "--yes", "--level", "drain", "--grace", "0.5").code == 0
        assert wrong(busy, "SELECT 1") == "gone"
    ground.off()


SNEAK = (
    "CREATE FUNCTION public.sneak() RETURNS bigint LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp"
    " AS 'DELETE FROM content.categories WHERE false; SELECT 1::bigint'"
)


@pytest.fixture
def holes(ground: Ground) -> Ground:
    """Ways to write that no membership in wondernest_rw gives."""
    ground.run(
        SNEAK,
        'CREATE ROLE "odd, ""role" LOGIN',
        "CREATE ROLE holder LOGIN",
        'GRANT CONNECT ON DATABASE wondernest_template TO "odd, ""role", holder',
        "CREATE TABLE public.own (id bigint)",
        "ALTER TABLE public.own OWNER TO holder",
        'GRANT USAGE ON SCHEMA content TO "odd, ""role"',
        'GRANT INSERT, DELETE ON content.categories TO "odd, ""role" WITH GRANT OPTION',
        'GRANT SELECT (id), UPDATE (id, name) ON content.categories TO "odd, ""role"',
        'GRANT SELECT ON content.categories TO "odd, ""role"',
        'SET ROLE "odd, ""role"',
        "GRANT DELETE ON content.categories TO holder",
        "RESET ROLE",
    )
    return ground


def fill(ground: Ground) -> None:
    ground.run(
        "DROP FUNCTION public.sneak()",
        "DROP TABLE public.own",
        'DROP OWNED BY "odd, ""role", holder CASCADE',
        'DROP ROLE "odd, ""role", holder',
    )


def test_fence_closes_each_hole(holes: Ground) -> None:
    ground, odd = holes, 'odd, "role'
    before = ground.everything()
    with opened(ground.client(), ground.client(odd), ground.client("holder")) as sessions:
        sessions[0].run("BEGIN READ WRITE")
        refused = ground.on("--level", "fence", code=4)
        assert "would reach other databases" in refused
        assert "holder in postgres; holder in template1" in refused
        said = ground.on("--level", "fence", "--grace", "0", "--affects-cluster")
        assert "wondernest_app is no member of wondernest_rw any more, in the whole cluster." in said
        assert "holder cannot log in any more, in the whole cluster" in said
        assert [wrong(one, "SELECT 1") for one in sessions] == ["gone", "gone", "gone"]
    with opened(ground.client(), ground.client(odd), ground.client("wondernest_migration")) as (app, other, owner):
        for session in (app, other, owner):
            session.run("SET default_transaction_read_only = off")
            assert write(session) == "42501"
            assert write(session, begin="BEGIN READ WRITE") == "42501"
            assert wrong(session, "SELECT lo_create(0)") == "42501"
            assert wrong(session, "SELECT lo_unlink(1)") == "42501"
            assert wrong(session, "SELECT public.sneak()") == "42501"
        assert wrong(owner, "SET ROLE wondernest_owner") == "42501"
        assert wrong(app, "SELECT core.create_user('a@example.com', 'x', 'a', 'b')") == "42501"
        # Reading goes on.
        assert app.run("SELECT id FROM content.categories").count
        assert other.run("SELECT id FROM content.categories").count
        # Its own exemption gains it nothing, and is seen.
        app.run(f"ALTER ROLE {APP} IN DATABASE {ground.dbname} SET default_transaction_read_only = off")
        found = ground.status()
        assert found["readonly.override"]["severity"] == "ok"
        assert found[f"readonly.roles:{APP}"]["severity"] == "critical"
    assert ground.cli.run("readonly", "on", "--level", "fence", "--affects-cluster", "--check").code == 3
    again = ground.on("--level", "fence", "--affects-cluster")
    assert "done" in again
    found = ground.status()
    assert {one["severity"] for one in found.values()} == {"ok"}
    ground.off()
    assert ground.everything() == before
    fill(ground)


def test_the_ledger_and_operators_records_go_on(ground: Ground) -> None:
    ground.run(
        "CREATE ROLE ops LOGIN IN ROLE wondernest_operator", "GRANT CONNECT ON DATABASE wondernest_template TO ops"
    )
    ground.on("--level", "fence")
    with opened(ground.client("ops")) as (ops,):
        ops.run("SET default_transaction_read_only = off")
        append = "SELECT seq FROM audit.ledger_append(gen_random_uuid(), 'read', '{\"command\":\"test\"}')"
        assert wrong(ops, append) == ""
        # What the group may call that writes is taken from it; the group itself stays.
        assert wrong(ops, "SELECT core.cleanup_expired_sessions()") == "42501"
        assert ops.scalar("SELECT pg_has_role('wondernest_operator', 'USAGE')") is True
    ground.off()
    with opened(ground.client("ops")) as (ops,):
        assert wrong(ops, "SELECT core.cleanup_expired_sessions()") == ""
    ground.run("DROP OWNED BY ops", "DROP ROLE ops")


def test_from_level_to_level(ground: Ground) -> None:
    for level in ("soft", "drain", "fence"):
        words = ("readonly", "on", "--level", level)
        assert ground.cli.run(*words, "--check").code == 3
        ground.on("--level", level)
        assert ground.cli.run(*words, "--check").code == 0
        assert f"read-only at the level {level} since" in ground.on("--level", level)
    refused = ground.on("--level", "drain", code=4)
    assert "is read-only at the level fence already" in refused
    assert "next: End it first: wnadmin readonly off" in refused
    assert ground.cli.run("readonly", "off", "--check").code == 3
    ground.off()
    assert ground.cli.run("readonly", "off", "--check").code == 0


def test_exempt_roles_go_on_writing(ground: Ground) -> None:
    ground.run(
        "CREATE ROLE upkeep LOGIN IN ROLE wondernest_rw, wondernest_ro",
        "GRANT CONNECT ON DATABASE wondernest_template TO upkeep",
    )
    with opened(ground.client("upkeep")) as (before,):
        assert "Exempt: upkeep." in ground.on("--level", "fence", "--exempt", "upkeep")
        assert write(before) == ""
    with opened(ground.client("upkeep"), ground.client()) as (new, app):
        assert write(new) == ""
        assert write(app, begin="BEGIN READ WRITE") == "42501"
    assert ground.status()["readonly.mode"]["detail"].endswith("exempt: upkeep")
    late = ground.on("--level", "fence", "--exempt", APP, code=4)
    assert "wondernest_app is held by the fence" in late
    ground.off()
    missing = ground.on("--exempt", "wondernest_ap", code=2)
    assert "there is no role wondernest_ap to be exempt" in missing
    assert "Did you mean --exempt wondernest_app?" in missing
    ground.run("DROP OWNED BY upkeep", "DROP ROLE upkeep")


def test_what_writes_beside_clients(ground: Ground) -> None:
    with ground.root() as session:
        session.run("BEGIN")
        session.run("UPDATE content.categories SET name = name")
        session.run("PREPARE TRANSACTION 'left behind'")
    refused = ground.on("--level", "drain", code=4)
    assert "1 prepared transaction waits in wondernest_template" in refused
    assert "left behind" in refused
    ground.on("--level", "drain", "--allow-prepared")
    assert ground.status()["readonly.beside:left behind"]["severity"] == "warn"
    ground.off()
    ground.run("ROLLBACK PREPARED 'left behind'")


def test_the_witness_names_the_table(ground: Ground) -> None:
    ground.on("--level", "drain")
    watching = ground.cli.start(["readonly", "status", "--witness", "2.5", "--format", "json"])
    with opened(ground.client()) as (sneaky,):
        while watching.poll() is None:
            sneaky.run("BEGIN READ WRITE")
            sneaky.run("SELECT set_config('app.current_user_id', gen_random_uuid()::text, true)")
            sneaky.run("UPDATE content.categories SET name = name")
            sneaky.run("ROLLBACK")
    out, err = watching.communicate()
    assert watching.returncode == 3, err
    assert '"readonly.witness"' in out
    import json

    found = {one["id"]: one for one in json.loads(out)["findings"]}
    assert found["readonly.witness"]["severity"] == "critical"
    assert "content.categories" in found["readonly.witness"]["detail"]
    ground.off()
