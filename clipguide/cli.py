"""The command line: finds the command, reads its flags, and turns errors into one line and an exit code.

Exit codes: 0 done, 1 a fault at run time, 2 bad input, 130 stopped by Ctrl-C.  `CLIPGUIDE_DEBUG=1` shows tracebacks.
"""

from __future__ import annotations

import argparse
import difflib
import errno
import importlib
import os
import sys
import warnings
from collections.abc import Sequence
from types import ModuleType
from typing import NoReturn

import clipguide
from clipguide.commands import COMMANDS
from clipguide.errors import Notice, UserError

UNUSABLE = {errno.EACCES, errno.EPERM, errno.EROFS, errno.ENAMETOOLONG, errno.ENOTDIR, errno.ELOOP}  # paths
ABOUT = "Make and edit pictures by following CLIP's gradient."
EXAMPLE = 'clipguide COMMAND --help tells more.  For a start:  clipguide generate "a painting of a starry night sky"'


class Parser(argparse.ArgumentParser):
    """Says what is wrong in one line, and guesses what was meant."""

    def __init__(self, command: str, about: str) -> None:
        super().__init__(prog=f"clipguide {command}", description=about, allow_abbrev=False)

    def error(self, message: str) -> NoReturn:
        raise UserError(f"{message}; see {self.prog} --help")

    def read(self, words: Sequence[str]) -> argparse.Namespace:
        """Positional words may stand before, between and after the flags."""
        args, unknown = self.parse_known_intermixed_args(words)
        if unknown:
            flags = [flag for action in self._actions for flag in action.option_strings]
            near = difflib.get_close_matches(unknown[0].partition("=")[0], flags, 1)
            hint = f", did you mean {near[0]}?" if near else ""
            self.error(f"unknown argument '{unknown[0]}'{hint}")
        return args


def main(words: Sequence[str] | None = None) -> int:
    """Runs `clipguide WORDS...` and returns the exit code."""
    words = sys.argv[1:] if words is None else list(words)
    debug = bool(os.environ.get("CLIPGUIDE_DEBUG"))
    _open_closed()
    try:
        with warnings.catch_warnings():
            _show_only_notices()
            _print_any_name()
            return _call(words)
    except UserError as error:
        return _fail(error, 2)
    except KeyboardInterrupt:
        return _fail("stopped", 130)
    except BrokenPipeError:  # the reader of `clipguide methods | head` has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except (OSError, MemoryError, RuntimeError) as error:
        if debug:
            raise
        return _fail(_reason(error), 2 if getattr(error, "errno", None) in UNUSABLE else 1)
    except Exception as error:
        if debug:
            raise
        return _fail(f"a fault of clipguide itself: {_reason(error)}; CLIPGUIDE_DEBUG=1 shows where", 1)


def _call(words: Sequence[str]) -> int:
    if not words or words[0] in ("-h", "--help", "help"):
        print(_overview())
        return 0 if words else 2
    if words[0] == "--version":
        print(f"clipguide {clipguide.__version__}")
        return 0
    name, rest = words[0], words[1:]
    module, parser = command(name), Parser(name, COMMANDS[name][1])
    module.add_arguments(parser, rest)
    try:
        args = parser.read(rest)
    except SystemExit as stop:  # --help
        return int(stop.code or 0)
    return module.run(args)


def command(name: str) -> ModuleType:
    """The command's module.  UserError for an unknown name."""
    if name not in COMMANDS:
        near = difflib.get_close_matches(name, COMMANDS, 1)
        hint = f"did you mean {near[0]}? " if near else ""
        raise UserError(f"unknown command '{name}'; {hint}there are: {', '.join(COMMANDS)}")
    return importlib.import_module(COMMANDS[name][0])


def _overview() -> str:
    width = max(map(len, COMMANDS))
    lines = [f"  {name:<{width}}  {line}" for name, (_, line) in COMMANDS.items()]
    return "\n".join([ABOUT, "", "commands:", *lines, "", EXAMPLE])


def _reason(error: BaseException) -> str:
    said = " ".join(str(error).split())
    if isinstance(error, OSError) and error.strerror:
        said = f"{error.strerror}{f': {error.filename}' if error.filename else ''}"
        said += "; give another path, or mend this one" if error.errno in UNUSABLE else ""
    return f"{type(error).__name__}: {said}" if not isinstance(error, OSError) else said


def _fail(message: object, code: int) -> int:
    print(f"clipguide: {' '.join(str(message).split())}", file=sys.stderr)
    return code


def _show_only_notices() -> None:
    """Warnings of the libraries are for programmers; ours are for the user, a line each."""
    warnings.simplefilter("ignore")
    warnings.simplefilter("always", Notice)
    warnings.showwarning = lambda message, *rest, **more: print(f"clipguide: {message}", file=sys.stderr)


def _open_closed() -> None:
    """A stream that was closed before the start swallows what is printed, and no other file takes its number."""
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, "w"))


def _print_any_name() -> None:
    """A file's name that is no UTF-8 is printed byte for byte, as it was given."""
    if getattr(sys.stdout, "errors", None) == "strict":
        sys.stdout.reconfigure(errors="surrogateescape")


if __name__ == "__main__":
    sys.exit(main())
