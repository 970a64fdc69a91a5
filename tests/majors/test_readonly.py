"""Read-only mode on PostgreSQL 15 to 18: what each level holds, and everything as it was afterwards."""

from __future__ import annotations

import pytest

from tests.majors.conftest import Major
from tests.readonly.support import Ground, opened, write, wrong

pytestmark = pytest.mark.more


@pytest.fixture
def ground(major: Major) -> Ground:
    return Ground(major.server, major.dbname, major.cli)


def test_every_level_and_back(ground: Ground, major: Major) -> None:
    ground.run(
        "CREATE ROLE direct LOGIN",
        f"GRANT CONNECT ON DATABASE {ground.dbname} TO direct",
        "GRANT USAGE ON SCHEMA content TO direct",
        "GRANT ALL ON content.categories TO direct WITH GRANT OPTION",
        "GRANT wondernest_ro TO direct WITH ADMIN OPTION",
        f"ALTER ROLE direct IN DATABASE {ground.dbname} SET default_transaction_read_only = 'no'",
    )
    before = ground.everything()
    for level in ("soft", "drain", "fence"):
        assert ground.cli.run("readonly", "on", "--level", level, "--check").code == 3
        ground.on("--level", level)
        assert ground.cli.run("readonly", "on", "--level", level, "--check").code == 0
        with opened(ground.client(), ground.client("direct")) as (app, direct):
            assert write(app) == "25006"
            assert write(app, begin="BEGIN READ WRITE") == ("42501" if level == "fence" else "")
            assert write(direct, begin="BEGIN READ WRITE") == ("42501" if level == "fence" else "")
            # Large objects: allowed in a read-only transaction before 16.
            expected = "42501" if level == "fence" else "" if major.number == 15 else "25006"
            assert wrong(app, "SELECT lo_create(0)") == expected
            direct.run("SET default_transaction_read_only = off")
            assert wrong(direct, "SELECT lo_create(0)") == ("42501" if level == "fence" else "")
    found = ground.status()
    assert {one["severity"] for one in found.values()} == {"ok"}
    ground.off()
    assert ground.everything() == before
    assert ground.cli.run("readonly", "off", "--check").code == 0
    ground.run("SELECT lo_unlink(oid) FROM pg_largeobject_metadata", "DROP OWNED BY direct", "DROP ROLE direct")
