"""The one place where an error becomes words and an exit code."""

from __future__ import annotations

import errno
import itertools
import os
import sys
import traceback
from collections.abc import Callable, Sequence

from wnadmin.errors import Exit, WnError

_UNWRITABLE = (errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EBADF, errno.EFBIG)


def guarded(run: Callable[[], int]) -> int:
    """Run the program; give its exit code, whatever happens inside."""
    if sys.stdout is None:
        sys.stderr.write("wnadmin: standard output is closed, and the results go there\n")
        return int(Exit.USAGE)
    nagios = asks_for_nagios(sys.argv[1:])
    try:
        code = run()
        sys.stdout.flush()
        return code
    except WnError as error:
        from wnadmin.render import talk

        talk.error(error)
        if nagios:
            return plugin_failed(error.what, critical=error.exit == Exit.NO_CONNECTION)
        return int(error.exit)
    except KeyboardInterrupt:
        sys.stderr.write("\nwnadmin: interrupted\n")
        return int(Exit.FAILED)
    except BrokenPipeError:
        # The reader of a pipe has left; nothing more can be said to it, at exit neither.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return int(Exit.FAILED)
    except OSError as error:
        if error.filename is None and error.errno in _UNWRITABLE:
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            sys.stderr.write(f"wnadmin: cannot write the output: {error.strerror}\n")
            sys.stderr.write("wnadmin: next: `wnadmin audit log` shows what was done.\n")
            return int(Exit.FAILED)
        return _bug(error, nagios)
    except Exception as error:
        return _bug(error, nagios)


class Answered(SystemExit):
    """The end of a run that has judged: its code is the verdict, whatever a parser's own codes mean."""


def asks_for_nagios(argv: Sequence[str]) -> bool:
    """Say whether the plugin convention was asked for; read from argv, since usage errors come before parsing."""
    return "--exit-style=nagios" in argv or ("--exit-style", "nagios") in itertools.pairwise(argv)


def plugin_failed(what: str, *, critical: bool = False) -> int:
    """Say on stdout, where a monitor reads, that there is no verdict; gives the code."""
    from wnadmin.render import nagios

    sys.stdout.write(nagios.failed(what, critical=critical))
    sys.stdout.flush()
    return 2 if critical else 3


def _bug(error: Exception, nagios: bool) -> int:
    # The text of an unexpected error may quote a statement or a value, so only places and its class are shown.
    sys.stderr.write(f"wnadmin: internal error: {type(error).__name__}\n")
    for frame in traceback.extract_tb(error.__traceback__)[-8:]:
        place = frame.filename.rpartition("wnadmin/")[2]
        sys.stderr.write(f"  {place}:{frame.lineno} in {frame.name}\n")
    sys.stderr.write(
        "wnadmin: next: this is a defect of wnadmin; report these lines. `wnadmin audit unfinished` "
        "shows whether a change was under way.\n"
    )
    if nagios:
        return plugin_failed(f"internal error: {type(error).__name__}")
    return int(Exit.FAILED)
