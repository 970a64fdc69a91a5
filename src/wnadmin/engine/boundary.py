"""The one place where an error becomes words and an exit code."""

from __future__ import annotations

import errno
import os
import sys
import traceback
from collections.abc import Callable

from wnadmin.errors import Exit, WnError

_UNWRITABLE = (errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EBADF, errno.EFBIG)


def guarded(run: Callable[[], int]) -> int:
    """Run the program; give its exit code, whatever happens inside."""
    if sys.stdout is None:
        sys.stderr.write("wnadmin: standard output is closed, and the results go there\n")
        return int(Exit.USAGE)
    try:
        code = run()
        sys.stdout.flush()
        return code
    except WnError as error:
        from wnadmin.render import talk

        talk.error(error)
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
        return _bug(error)
    except Exception as error:
        return _bug(error)


def _bug(error: Exception) -> int:
    # The text of an unexpected error may quote a statement or a value, so only places and its class are shown.
    sys.stderr.write(f"wnadmin: internal error: {type(error).__name__}\n")
    for frame in traceback.extract_tb(error.__traceback__)[-8:]:
        place = frame.filename.rpartition("wnadmin/")[2]
        sys.stderr.write(f"  {place}:{frame.lineno} in {frame.name}\n")
    sys.stderr.write(
        "wnadmin: next: this is a defect of wnadmin; report these lines. `wnadmin audit unfinished` "
        "shows whether a change was under way.\n"
    )
    return int(Exit.FAILED)
