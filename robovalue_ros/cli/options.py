"""From a configuration dataclass to a command line, through tyro.

The dataclass stays free of tyro: help texts, limits and positional marks come from the metadata
that `contracts.config.option` stores. `--config FILE` reads defaults from YAML first.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import MISSING
from pathlib import Path
from typing import Annotated, Any, TypeVar, get_type_hints

import tyro

from robovalue_ros.contracts.config import check_ranges
from robovalue_ros.contracts.errors import ConfigError
from robovalue_ros.data.settings import read_settings

C = TypeVar("C")


def parse(
    config_type: type[C], words: Sequence[str], prog: str, about: str, default: C | None = None
) -> C:
    """Read a command line into `config_type`; exits with code 2 and help on a usage error.

    about: the help text's head; its last line is an example. default: what holds where the command
    line says nothing; `--config` replaces it.
    """
    rest, file = _take_config_file(list(words))
    default = default if file is None else read_settings(config_type, file)
    parsed: Any = tyro.cli(
        _command_line_type(config_type, default),
        args=rest,
        prog=prog,
        description=about,
        config=(tyro.conf.OmitArgPrefixes, tyro.conf.HelptextFromCommentsOff),
    )
    config: C = _rebuild(config_type, parsed)
    check_ranges(config, "command line")
    return config


def _take_config_file(words: list[str]) -> tuple[list[str], Path | None]:
    """Split `--config FILE` (or `--config=FILE`) off the command line."""
    for at, word in enumerate(words):
        if word.startswith("--config="):
            return words[:at] + words[at + 1 :], Path(word.partition("=")[2])
        if word == "--config":
            if at + 1 == len(words):
                raise ConfigError("--config stands alone", "--config FILE.yaml")
            return words[:at] + words[at + 2 :], Path(words[at + 1])
    return words, None


def _command_line_type(config_type: type, default: Any) -> type:
    """Return a dataclass with the same fields whose annotations carry help for tyro."""
    hints = get_type_hints(config_type)
    fields: list[tuple[str, Any, Any]] = []
    for item in dataclasses.fields(config_type):
        kind = hints[item.name]
        value = MISSING if default is None else getattr(default, item.name)
        if dataclasses.is_dataclass(kind) and isinstance(kind, type):
            nested = _command_line_type(kind, None if value is MISSING else value)
            # Help given here spares tyro a search through our source text for it.
            mark = tyro.conf.arg(help=item.metadata.get("help", ""))
            helped = Annotated.__class_getitem__((nested, mark))  # type: ignore[attr-defined]
            fields.append((item.name, helped, dataclasses.field(default_factory=nested)))
            continue
        help_text = item.metadata.get("help", "")
        if item.metadata.get("positional"):
            metavar = item.name.upper()
            marks: list[Any] = [
                tyro.conf.arg(help=help_text, metavar=metavar),
                tyro.conf.Positional,
            ]
        else:
            aliases = item.metadata.get("aliases") or None
            marks = [tyro.conf.arg(help=help_text, aliases=aliases)]
        annotated = Annotated.__class_getitem__((kind, *marks))  # type: ignore[attr-defined]
        fields.append((item.name, annotated, _field_default(item, value)))
    # Required fields first, as dataclasses demand.
    fields.sort(key=lambda field: field[2] is not MISSING)
    entries = [(n, k) if d is MISSING else (n, k, d) for n, k, d in fields]
    return dataclasses.make_dataclass(config_type.__name__, entries, frozen=True)


def _field_default(item: dataclasses.Field[Any], value: Any) -> Any:
    if value is not MISSING:
        return dataclasses.field(default_factory=lambda: value)
    if item.default_factory is not MISSING:
        return dataclasses.field(default_factory=item.default_factory)
    if item.default is not MISSING:
        return dataclasses.field(default=item.default)
    return MISSING


def _rebuild(config_type: type[C], parsed: Any) -> C:
    hints = get_type_hints(config_type)
    values = {}
    for item in dataclasses.fields(config_type):  # type: ignore[arg-type]
        value = getattr(parsed, item.name)
        kind = hints[item.name]
        nested = dataclasses.is_dataclass(kind) and isinstance(kind, type)
        values[item.name] = _rebuild(kind, value) if nested else value
    return config_type(**values)
