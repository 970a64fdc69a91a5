"""Tables with a default partition: rows that are in it already, reading it beforehand, what a killed run left."""

from __future__ import annotations

import pytest

from tests.partitions.support import Place, carry_out
from tests.support import Cli
from wnadmin.domain.partitions import bounds, detach, look, make
from wnadmin.domain.partitions import draft as drafts
from wnadmin.errors import Failed, Refused

NOW = {"now": "2026-11-22T10:00:00+00:00"}

SETUP = (
    "CREATE TABLE public.kinds (id int PRIMARY KEY)",
    "INSERT INTO public.kinds VALUES (1)",
    "CREATE TABLE public.log (at timestamptz NOT NULL, n int NOT NULL, kind int REFERENCES public.kinds, "
    "twice int GENERATED ALWAYS AS (n * 2) STORED, PRIMARY KEY (at, n)) PARTITION BY RANGE (at)",
    "CREATE TABLE public.log_2026_10 PARTITION OF public.log FOR VALUES FROM ('2026-10-01Z') TO ('2026-11-01Z')",
    "CREATE TABLE public.log_2026_11 PARTITION OF public.log FOR VALUES FROM ('2026-11-01Z') TO ('2026-12-01Z')",
    "CREATE TABLE public.rest PARTITION OF public.log DEFAULT",
)
TOUCHED = (
    "CREATE TABLE public.touched (what text)",
    "CREATE FUNCTION public.touch() RETURNS trigger LANGUAGE plpgsql AS "
    "$$BEGIN INSERT INTO public.touched VALUES (TG_OP); RETURN coalesce(NEW, OLD); END$$",
    "CREATE TRIGGER touch AFTER INSERT OR DELETE ON public.log FOR EACH ROW EXECUTE FUNCTION public.touch()",
)


def rows(place: Place, table: str) -> object:
    return place.scalar(f"SELECT count(*) FROM ONLY {table}")


def test_an_empty_default_is_read_beside_its_users(bare: Place) -> None:
    bare.run(*SETUP)
    plan = make.plan_maintain(bare.db(), (), 2, NOW)
    shown = "\n".join(plan.steps[0].shows)
    assert 'ADD CONSTRAINT "wnadmin_excludes_2026_12" CHECK (NOT (' in shown
    assert "NOT VALID" in shown and 'VALIDATE CONSTRAINT "wnadmin_excludes_2026_12"' in shown
    carry_out(plan)
    assert {"public.log_2026_12", "public.log_2027_01"} < set(bare.bounds("public.log"))
    left = "SELECT count(*) FROM pg_constraint WHERE conname LIKE 'wnadmin_excludes%'"
    assert bare.scalar(left) == 0
    bare.run("INSERT INTO public.log VALUES ('2026-12-05Z', 1, 1), ('2029-01-01Z', 1, 1)")
    assert (rows(bare, "public.log_2026_12"), rows(bare, "public.rest")) == (1, 1)


def test_the_server_believes_the_constraint_and_does_not_read_the_default(bare: Place) -> None:
    bare.run(*SETUP)
    db = bare.db()
    (table,) = look.tables(db)
    seen = look.circumstances(db, "tests")
    shared = drafts.shared(db, table, seen)
    (one,) = drafts.drafts(db, shared, [bounds.MONTH.at(table.placed[-1].span.upper)], 10)
    assert one.beforehand is not None
    said: list[str] = []
    db.session.notices(lambda severity, text: said.append(text))
    for statement in one.beforehand:
        db.session.run(statement)
    db.session.run("SET client_min_messages = debug1")
    drafts.make(db, one, 100)
    assert any("rest" in text and "implied by existing constraints" in text for text in said), said


def test_rows_in_the_default_are_moved(bare: Place) -> None:
    bare.run(*SETUP, *TOUCHED)
    bare.run(
        "INSERT INTO public.log SELECT '2026-12-01Z'::timestamptz + n * interval '1 hour', n, 1 "
        "FROM generate_series(0, 99) n",
        "INSERT INTO public.log VALUES ('2029-01-01Z', 1, 1)",
        "TRUNCATE public.touched",
    )
    plan = make.plan_maintain(bare.db(), (), 1, NOW)
    assert any("100 rows are moved out of public.rest" in one for one in plan.effects)
    carry_out(plan)
    assert (rows(bare, "public.log_2026_12"), rows(bare, "public.rest")) == (100, 1)
    assert bare.scalar("SELECT sum(twice) FROM public.log_2026_12") == 9900
    # A row that changes its place is no row that was deleted and inserted.
    assert rows(bare, "public.touched") == 0
    bare.run("INSERT INTO public.log VALUES ('2029-02-01Z', 1, 1)")
    assert rows(bare, "public.touched") == 1


def test_too_many_rows_and_rows_that_others_refer_to_are_refused(bare: Place) -> None:
    bare.run(*SETUP)
    bare.run("INSERT INTO public.log SELECT '2026-12-01Z'::timestamptz, n, 1 FROM generate_series(1, 11) n")
    with pytest.raises(Refused, match=r"public\.rest holds more than 10 rows of 2026-12-01 to 2027-01-01") as caught:
        make.plan_maintain(bare.db(), (), 1, NOW, most=10)
    assert "--move-rows 100" in caught.value.next
    bare.run(
        "CREATE TABLE public.child "
        "(at timestamptz, n int, FOREIGN KEY (at, n) REFERENCES public.log ON DELETE CASCADE)",
        "INSERT INTO public.child VALUES ('2026-12-01Z', 5)",
    )
    with pytest.raises(Refused, match=r"holds rows of .*, and public\.child refers to them"):
        make.plan_maintain(bare.db(), (), 1, NOW)
    assert rows(bare, "public.child") == 1


def test_rows_that_come_in_meanwhile(bare: Place) -> None:
    bare.run(*SETUP)
    plan = make.plan_maintain(bare.db(), (), 1, NOW)
    bare.run("INSERT INTO public.log VALUES ('2026-12-05Z', 1, 1)")
    with pytest.raises(Failed) as caught:
        carry_out(plan)
    assert caught.value.sqlstate == "23514"
    assert "run it again, and they are moved" in caught.value.next
    assert bare.scalar("SELECT count(*) FROM pg_constraint WHERE conname LIKE 'wnadmin_excludes%'") == 0
    carry_out(make.plan_maintain(bare.db(), (), 1, NOW))
    assert rows(bare, "public.log_2026_12") == 1


def test_what_a_killed_run_left_is_taken_back(bare: Place, wn_bare: Cli) -> None:
    bare.run(*SETUP)
    bare.run("ALTER TABLE public.rest ADD CONSTRAINT wnadmin_excludes_2031_01 CHECK (at < '2031-01-01Z') NOT VALID")
    carry_out(make.plan_maintain(bare.db(), (), 12, {}))
    assert bare.scalar("SELECT count(*) FROM pg_constraint WHERE conname LIKE 'wnadmin_excludes%'") == 0
    bare.run("ALTER TABLE public.rest ADD CONSTRAINT wnadmin_excludes_2031_01 CHECK (at < '2031-01-01Z') NOT VALID")
    checked = wn_bare.run("partitions", "maintain", "--check")
    assert checked.code == 3
    assert "public.log: an interrupted run left wnadmin_excludes_2031_01; that is taken back." in checked.out
    assert wn_bare.run("partitions", "maintain", "--yes").code == 0
    assert wn_bare.run("partitions", "maintain", "--check").code == 0
    bare.run("INSERT INTO public.log VALUES ('2031-01-05Z', 1, 1)")


def test_a_default_means_a_plain_detach(bare: Place) -> None:
    bare.run(*SETUP)
    bare.run("INSERT INTO public.log VALUES ('2026-10-05Z', 1, 1)")
    plan = detach.plan_detach(bare.db(), ["public.log_2026_10"], {}, due_=False, wait=5)
    assert any("locked against everybody (ACCESS EXCLUSIVE)" in one for one in plan.effects)
    assert "CONCURRENTLY" not in "\n".join(plan.steps[0].shows)
    carry_out(plan)
    assert bare.standing("public.log_2026_10") == "detached"
    with pytest.raises(Refused, match=r"public\.rest is the default partition of public\.log"):
        detach.plan_detach(bare.db(), ["public.rest"], {}, due_=False, wait=5)
