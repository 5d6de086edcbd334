"""Launch arguments from a configuration dataclass, and back to a command line or to parameters.

Every argument is text. An empty one means the tool's own default; several values have commas
between them; a switch is true or false. Nothing here needs ROS.
"""

from __future__ import annotations

import types
import typing
from collections.abc import Mapping
from dataclasses import MISSING, dataclass
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

from robovalue_ros.contracts.config import FieldSpec, field_specs
from robovalue_ros.contracts.errors import ConfigError

SWITCH = ("true", "false")


@dataclass(frozen=True, slots=True)
class LaunchArgument:
    """What a launch file declares. choices: without any, every text is accepted."""

    name: str
    description: str
    choices: tuple[str, ...] = ()
    required: bool = False


def launch_arguments(config_type: type) -> tuple[LaunchArgument, ...]:
    """Return an argument per field of a configuration, the required ones first."""
    found = [_argument(spec) for spec in field_specs(config_type)]
    return tuple(sorted(found, key=lambda argument: not argument.required))


def given_values(
    arguments: tuple[LaunchArgument, ...], configurations: Mapping[str, str]
) -> dict[str, str]:
    """Return what was said of these arguments, without those that were left empty."""
    told = {one.name: configurations.get(one.name, "").strip() for one in arguments}
    return {name: value for name, value in told.items() if value}


def command_words(config_type: type, given: Mapping[str, str]) -> list[str]:
    """Return the command line of a tool for the arguments that were given.

    Raises ConfigError for a value that cannot be one of its field.
    """
    positional: list[str] = []
    flags: list[str] = []
    for spec in field_specs(config_type):
        name = _leaf(spec)
        if name not in given:
            continue
        flag, value = f"--{name.replace('_', '-')}", given[name]
        if spec.positional:
            positional += _items(value) if _many(spec) else [value]
        elif spec.type is bool:
            flags.append(flag if _switch(name, value) else f"--no-{flag[2:]}")
        elif _many(spec):
            flags += [flag, *_items(value)]
        elif spec.type == bool | None:  # of three answers, so it is no switch
            flags.append(f"{flag}={_switch(name, value)}")
        else:
            # With the sign of equality also a value that begins with a dash is one.
            flags.append(f"{flag}={value}")
    # First, since a flag that takes several values would swallow them.
    return [*positional, *flags]


def parameter_values(config_type: type, given: Mapping[str, str]) -> dict[str, Any]:
    """Return a node's parameters for the arguments that were given, typed as their fields are.

    Raises ConfigError for a text that is no number where one is needed.
    """
    specs = {_leaf(spec): spec for spec in field_specs(config_type)}
    return {specs[name].name: _typed(specs[name], value) for name, value in given.items()}


def _argument(spec: FieldSpec) -> LaunchArgument:
    required = spec.default is MISSING
    notes = [spec.help]
    if _many(spec):
        notes.append("several with commas between")
    if spec.low is not None or spec.high is not None:
        low, high = ("" if bound is None else f"{bound:g}" for bound in (spec.low, spec.high))
        notes.append(f"{low}..{high}" if low and high else f"{low} or more" if low else f"at most {high}")  # fmt: skip
    if required:
        notes.append("required")
    elif (told := _told(spec.default)) and "default:" not in spec.help:
        notes.append(f"default: {told}")
    return LaunchArgument(_leaf(spec), "; ".join(notes), _choices(spec.type), required)


def _leaf(spec: FieldSpec) -> str:
    """Return the name that the command line uses too: without the groups."""
    return spec.name.rpartition(".")[2]


def _told(default: Any) -> str:
    if isinstance(default, bool):
        return str(default).lower()
    if isinstance(default, tuple | list):
        return ",".join(map(str, default))
    return "" if default is None else str(default)


def _kinds(kind: Any) -> list[Any]:
    """Return the types of which a field may be, without None."""
    if get_origin(kind) in (typing.Union, types.UnionType):
        return [one for one in get_args(kind) if one is not type(None)]
    return [kind]


def _choices(kind: Any) -> tuple[str, ...]:
    kinds = _kinds(kind)
    if kinds == [bool]:
        return SWITCH
    if all(get_origin(one) is Literal for one in kinds):
        return tuple(str(choice) for one in kinds for choice in get_args(one))
    return ()


def _many(spec: FieldSpec) -> bool:
    return any(get_origin(kind) in (tuple, list) for kind in _kinds(spec.type))


def _items(value: str) -> list[str]:
    return [item.strip() for item in value.split(",") if item.strip()]


def _switch(name: str, value: str) -> bool:
    if value.lower() not in SWITCH:
        raise ConfigError(f"{name}:={value}", "true or false")
    return value.lower() == "true"


def _typed(spec: FieldSpec, value: str) -> Any:
    if _many(spec):
        return _items(value)
    kinds = _kinds(spec.type)
    if kinds == [bool]:
        return _switch(_leaf(spec), value)
    if str in kinds or Path in kinds or _choices(spec.type):
        return value
    try:
        return int(value) if kinds == [int] else float(value)
    except ValueError:
        raise ConfigError(f"{_leaf(spec)}:={value}", "a number") from None
