"""`--for`: it stays in the foreground, and puts everything back whatever ends it, short of a kill."""

from __future__ import annotations

import signal

import pytest

from tests.readonly.support import Ground, opened, until, write
from wnadmin.errors import UsageError


def test_it_leaves_by_itself(ground: Ground) -> None:
    process = ground.cli.start(["readonly", "on", "--level", "fence", "--for", "3s", "--yes"])
    until(lambda: ground.place().cut)
    with opened(ground.client()) as (app,):
        assert write(app, begin="BEGIN READ WRITE") == "42501"
    out, err = process.communicate(timeout=60)
    assert process.returncode == 0, out + err
    assert "It stays in the foreground for 0:00:03 and then puts everything back, also on Ctrl-C." in out
    assert "while it was read-only: no role is left that could write if it said BEGIN READ WRITE" in out
    assert ground.place().kept is None
    with opened(ground.client()) as (app,):
        assert write(app) == ""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_leaves_when_it_is_asked_to_stop(ground: Ground, number: signal.Signals) -> None:
    process = ground.cli.start(["readonly", "on", "--level", "drain", "--for", "10m", "--yes"])
    until(lambda: ground.place().cut)
    # A lost terminal is no wish to stop.
    process.send_signal(signal.SIGHUP)
    process.send_signal(number)
    process.communicate(timeout=60)
    assert ground.place().kept is None
    with opened(ground.client()) as (app,):
        assert write(app) == ""


def test_killed_it_stays_and_says_so(ground: Ground) -> None:
    process = ground.cli.start(["readonly", "on", "--for", "10m", "--yes"])
    until(lambda: ground.place().cut)
    process.kill()
    _, err = process.communicate()
    assert "If it is killed, the database stays read-only until `wnadmin readonly off`." in err
    assert ", until 20" in ground.status()["readonly.mode"]["detail"]
    ground.off()


def test_it_does_not_end_what_somebody_else_began(ground: Ground) -> None:
    ground.on()
    refused = ground.on("--for", "1s", code=4)
    assert "is read-only already, at the level soft" in refused
    assert "--for would end what postgres began" in refused
    ground.off()


def test_durations() -> None:
    from wnadmin.domain.readonly.stay import duration

    for text, seconds in (("90s", 90), ("30m", 1800), ("1h30m", 5400), ("24h", 86400)):
        found = duration(text)
        assert found is not None
        assert found.total_seconds() == seconds
    assert duration("") is None
    for text in ("1", "m", "h5", "1.5h", "25h", "-1m", "1m1h"):
        with pytest.raises(UsageError):
            duration(text)
