"""Errors that say what was found, what was expected and what to do.

Every error that a user can cause derives from `RobovalueError`; a door prints its text and leaves
with exit code 2. Anything else that escapes is a bug of ours and keeps its traceback.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from pathlib import Path


class RobovalueError(Exception):
    """A problem in what the user gave us: text in three parts, no traceback at a door."""

    exit_code = 2

    def __init__(self, found: str, expected: str = "", hint: str = "") -> None:
        super().__init__(found, expected, hint)
        self.found = found
        self.expected = expected
        self.hint = hint

    def __str__(self) -> str:
        parts = [self.found]
        if self.expected:
            parts.append(f"expected {self.expected}")
        text = "; ".join(parts)
        return f"{text}. {self.hint}" if self.hint else text


class ContractError(RobovalueError, ValueError):
    """A value that does not fit a field: names the field, what was expected, what came."""

    def __init__(self, field: str, expected: str, got: object, hint: str = "") -> None:
        super().__init__(f"{field} is {got}", expected, hint)
        self.field = field
        self.got = got

    def __reduce__(self) -> tuple[object, ...]:
        return type(self), (self.field, self.expected, self.got, self.hint)


class ConfigError(RobovalueError):
    """A configuration that cannot be used: unknown key, wrong type, value out of range."""


class DataError(RobovalueError):
    """A file or folder that cannot be read or written: names the path and the reason."""

    def __init__(self, path: str | Path, reason: str, expected: str = "", hint: str = "") -> None:
        super().__init__(f"{path}: {reason}", expected, hint)
        self.path = str(path)
        self.reason = reason

    def __reduce__(self) -> tuple[object, ...]:
        return type(self), (self.path, self.reason, self.expected, self.hint)


class MissingExtra(RobovalueError):
    """An optional part that is not installed: names the extra and the command."""

    def __init__(self, package: str, extra: str, purpose: str) -> None:
        super().__init__(
            f"{purpose} needs the package {package}, which is not installed",
            hint=f"Install it with: pip install 'robovalue_ros[{extra}]'",
        )
        self.package, self.extra, self.purpose = package, extra, purpose

    def __reduce__(self) -> tuple[object, ...]:
        return type(self), (self.package, self.extra, self.purpose)


class RobotError(RobovalueError):
    """A robot that does not answer, or answers something else than it promised."""


class RenderError(RobovalueError):
    """A renderer that returns garbage or does not start."""


def nearest(name: str, known: Iterable[str]) -> str:
    """Return a sentence that names the known name nearest to `name`, or lists a few."""
    names = sorted(known)
    close = difflib.get_close_matches(name, names, n=1, cutoff=0.5)
    if close:
        return f"Did you mean {close[0]!r}?"
    return f"Known: {', '.join(names)}." if names else "Nothing is known here."
