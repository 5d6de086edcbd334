"""Settings from the command line of an evaluation: pairs of `--key value`, never run as code."""

from __future__ import annotations

import ast
from collections.abc import Mapping, Sequence
from typing import Any

from robovalue_ros.contracts.errors import ConfigError

DASHES = "--"
LONGEST = 10_000  # characters of a literal; a longer value is text


def parse_overrides(arguments: Sequence[str]) -> dict[str, Any]:
    """Return the settings that pairs of `--key value` name; of equal keys the last.

    Raises ConfigError where something is no pair.
    """
    found: dict[str, Any] = {}
    for at in range(0, len(arguments), 2):
        key = arguments[at].removeprefix(DASHES)
        if not arguments[at].startswith(DASHES) or not key or "=" in key:
            raise ConfigError(
                f"an override begins with {arguments[at]!r}", "--key value",
                "Give each key with two dashes, and its value after a blank.",
            )  # fmt: skip
        if at + 1 == len(arguments):
            raise ConfigError(f"the override --{key} has no value", "--key value")
        found[key] = literal(arguments[at + 1])
    return found


def literal(text: str) -> Any:
    """Return the number, text, list or other literal that is written; anything else is text."""
    if len(text) > LONGEST:
        return text
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
        return text


def overridden(settings: Mapping[str, Any], arguments: Sequence[str]) -> dict[str, Any]:
    """Return settings, with those that pairs of `--key value` name in place of them."""
    return {**settings, **parse_overrides(arguments)}
