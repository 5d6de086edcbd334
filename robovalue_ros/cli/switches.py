"""Switches as people write them: `--flag`, `--no-flag`, `--flag true`, `--flag=false`."""

from __future__ import annotations

import types
from collections.abc import Sequence
from typing import Any, get_args, get_origin

from robovalue_ros.contracts.config import field_specs

TOLD = {"true": True, "false": False}


def with_switches(config_type: type, words: Sequence[str]) -> list[str]:
    """Return a command line in which every switch of a configuration has the parser's form.

    That is `--flag` and `--no-flag`; where a switch may also be left open, `--flag True`.
    """
    kinds = {_flag(spec.name.rpartition(".")[2]): spec.type for spec in field_specs(config_type)}
    switches = {flag: kind is not bool for flag, kind in kinds.items() if _is_switch(kind)}
    found: list[str] = []
    at = 0
    while at < len(words):
        name, equals, value = words[at].partition("=")
        at += 1
        denied = name.startswith("--no-") and _flag(name[5:]) in switches
        flag = _flag(name[5:] if denied else name[2:])
        if not name.startswith("--") or flag not in switches:
            found.append(words[at - 1])
            continue
        if not equals and at < len(words) and words[at].lower() in TOLD:
            value, at = words[at], at + 1
        if value and value.lower() not in TOLD:
            found.append(words[at - 1])
            continue
        yes = TOLD[value.lower() or "true"] is not denied
        if switches[flag]:
            found += [f"--{flag}", str(yes)]
        else:
            found.append(f"--{flag}" if yes else f"--no-{flag}")
    return found


def _flag(name: str) -> str:
    return name.replace("_", "-")


def _is_switch(kind: Any) -> bool:
    if get_origin(kind) is types.UnionType:
        return [one for one in get_args(kind) if one is not type(None)] == [bool]
    return kind is bool
