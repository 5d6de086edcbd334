"""One dataclass per tool: at once its command line, its YAML file and its ROS parameters.

Fields are declared with `option(default, "help", ...)`, so that every door shows the same text and
enforces the same range. `from_mapping` turns raw values into a validated dataclass; an unknown key
is an error that names the nearest known one.
"""

from __future__ import annotations

import dataclasses
import math
import types
import typing
from collections.abc import Mapping
from dataclasses import MISSING, dataclass
from pathlib import Path
from typing import Any, Literal, TypeVar, get_args, get_origin, get_type_hints

from robovalue_ros.contracts.errors import ConfigError, nearest

C = TypeVar("C")


def option(
    default: Any,
    help: str,
    *,
    low: float | None = None,
    high: float | None = None,
    live: bool = False,
    positional: bool = False,
    aliases: tuple[str, ...] = (),
) -> Any:
    """Declare a configuration field.

    low, high: inclusive limits of a number. live: may change while a node runs. positional: given
    without a flag on the command line. aliases: other flags for it there. A mutable default
    is given as a factory (a type or a function without arguments); `...` marks a required field.
    """
    metadata: dict[str, Any] = {
        "help": help, "low": low, "high": high, "live": live, "positional": positional,
        "aliases": aliases,
    }  # fmt: skip
    if default is ...:
        return dataclasses.field(metadata=metadata)
    if callable(default):
        return dataclasses.field(default_factory=default, metadata=metadata)
    return dataclasses.field(default=default, metadata=metadata)


def same_as(config_type: type, name: str, **changes: Any) -> Any:
    """Declare a field as another configuration declares it; changes: what `option` takes.

    So a tool that asks for what a part of it needs has the part's default, words and limits.
    """
    known = {item.name: item for item in dataclasses.fields(config_type)}[name]
    default = known.default if known.default_factory is MISSING else known.default_factory
    told = {"default": ... if default is MISSING else default, **known.metadata, **changes}
    return option(told.pop("default"), told.pop("help"), **told)


@dataclass(frozen=True, slots=True)
class FieldSpec:
    """One field as a door sees it. name: dotted path. default: MISSING when required."""

    name: str
    type: Any
    default: Any
    help: str
    low: float | None
    high: float | None
    live: bool
    positional: bool


def field_specs(config_type: type, prefix: str = "") -> tuple[FieldSpec, ...]:
    """List the fields of a configuration dataclass, nested ones with dotted names."""
    hints = get_type_hints(config_type)
    specs: list[FieldSpec] = []
    for item in dataclasses.fields(config_type):
        kind = hints[item.name]
        name = f"{prefix}{item.name}"
        if dataclasses.is_dataclass(kind) and isinstance(kind, type):
            specs.extend(field_specs(kind, f"{name}."))
            continue
        default = item.default
        if item.default_factory is not MISSING:
            default = item.default_factory()
        specs.append(
            FieldSpec(
                name, kind, default, item.metadata.get("help", ""),
                item.metadata.get("low"), item.metadata.get("high"),
                bool(item.metadata.get("live", False)),
                bool(item.metadata.get("positional", False)),
            )
        )  # fmt: skip
    return tuple(specs)


def from_mapping(config_type: type[C], raw: Mapping[str, Any], where: str = "configuration") -> C:
    """Build a validated dataclass from raw values, for instance a parsed YAML file.

    Raises ConfigError naming `where`, the key, what was found and what was expected.
    """
    fields = {item.name: item for item in dataclasses.fields(config_type)}  # type: ignore[arg-type]
    hints = get_type_hints(config_type)
    values: dict[str, Any] = {}
    for key, value in raw.items():
        name = str(key).replace("-", "_")
        if name not in fields:
            raise ConfigError(f"{where} has an unknown key {key!r}", hint=nearest(name, fields))
        values[name] = _convert(hints[name], value, f"{where}: {name}")
    for name, item in fields.items():
        required = item.default is MISSING and item.default_factory is MISSING
        if required and name not in values:
            raise ConfigError(f"{where} lacks the key {name!r}", "a value for it", _help(item))
    built = config_type(**values)
    check_ranges(built, where)
    return built


def check_ranges(config: Any, where: str = "configuration") -> None:
    """Raise ConfigError when a number lies outside the limits its field declares."""
    for item in dataclasses.fields(config):
        value = getattr(config, item.name)
        if dataclasses.is_dataclass(value):
            check_ranges(value, f"{where}: {item.name}")
            continue
        low, high = item.metadata.get("low"), item.metadata.get("high")
        if isinstance(value, bool) or not isinstance(value, int | float):
            continue
        if (
            math.isnan(value)
            or (low is not None and value < low)
            or (high is not None and value > high)
        ):
            limits = f"{'-inf' if low is None else low}..{'inf' if high is None else high}"
            raise ConfigError(
                f"{where}: {item.name} is {value}", f"a number in {limits}", _help(item)
            )


def to_mapping(config: Any) -> dict[str, Any]:
    """Turn a configuration into plain values that YAML and JSON can hold."""

    def plain(value: Any) -> Any:
        if dataclasses.is_dataclass(value) and not isinstance(value, type):
            return to_mapping(value)
        if isinstance(value, Path):
            return str(value)
        if isinstance(value, Mapping):
            return {str(k): plain(v) for k, v in value.items()}
        if isinstance(value, tuple | list):
            return [plain(v) for v in value]
        return value

    return {item.name: plain(getattr(config, item.name)) for item in dataclasses.fields(config)}


def _help(item: dataclasses.Field[Any]) -> str:
    text = str(item.metadata.get("help", ""))
    return f"{text[:1].upper()}{text[1:]}" if text else ""


def _convert(kind: Any, value: Any, where: str) -> Any:
    """Fit a raw value to a field type, strictly: no text that looks like a number."""
    origin = get_origin(kind)
    if origin in (typing.Union, types.UnionType):
        problems = []
        for choice in get_args(kind):
            if choice is type(None):
                if value is None:
                    return None
                continue
            try:
                return _convert(choice, value, where)
            except ConfigError as problem:
                problems.append(problem)
        raise problems[-1]
    if origin is Literal:
        choices = get_args(kind)
        if value in choices and type(value) in {type(choice) for choice in choices}:
            return value
        raise ConfigError(f"{where} is {value!r}", f"one of {', '.join(map(str, choices))}")
    if origin in (tuple, list):
        if not isinstance(value, list | tuple):
            raise ConfigError(f"{where} is {value!r}", "a list")
        inner = get_args(kind)
        if origin is tuple and Ellipsis not in inner:
            if len(inner) != len(value):
                raise ConfigError(f"{where} has {len(value)} entries", f"{len(inner)} entries")
            return tuple(
                _convert(k, v, f"{where}[{i}]")
                for i, (k, v) in enumerate(zip(inner, value, strict=True))
            )
        items = [_convert(inner[0], v, f"{where}[{i}]") for i, v in enumerate(value)]
        return tuple(items) if origin is tuple else items
    if origin in (dict, Mapping) or kind is dict:
        if not isinstance(value, Mapping):
            raise ConfigError(f"{where} is {value!r}", "a mapping")
        inner = get_args(kind) or (str, Any)
        return {str(k): _convert(inner[1], v, f"{where}.{k}") for k, v in value.items()}
    if kind is Any:
        return value
    if dataclasses.is_dataclass(kind) and isinstance(kind, type):
        if not isinstance(value, Mapping):
            raise ConfigError(f"{where} is {value!r}", "a mapping")
        return from_mapping(kind, value, where)
    if kind is Path and isinstance(value, str | Path):
        return Path(value)
    if kind is float and isinstance(value, int | float) and not isinstance(value, bool):
        return float(value)
    if kind in (int, str, bool) and type(value) is kind:
        return value
    raise ConfigError(f"{where} is {value!r}", f"a value of type {getattr(kind, '__name__', kind)}")
