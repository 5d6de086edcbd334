"""A node's parameters, declared from a configuration dataclass.

Help texts, limits and choices come from the same fields as the command line's. A field is read
only while the node runs unless it is marked `live`. A text field that may be None is None when its
parameter is empty, and an empty list of texts is `[""]`, since ROS cannot tell what an empty list
would hold.
"""

from __future__ import annotations

import sys
import types
from collections.abc import Callable, Mapping, Sequence
from dataclasses import MISSING
from pathlib import Path
from typing import Any, Literal, TypeVar, Union, get_args, get_origin

from rcl_interfaces.msg import (
    FloatingPointRange,
    IntegerRange,
    ParameterDescriptor,
    SetParametersResult,
)
from rclpy.node import Node
from rclpy.parameter import Parameter

from robovalue_ros.contracts.config import FieldSpec, field_specs, from_mapping
from robovalue_ros.contracts.errors import ConfigError, RobovalueError, nearest

C = TypeVar("C")
LARGEST_INTEGER = 2**63 - 1
# Names that every node understands, whatever its configuration.
_COMMON_PREFIXES = ("qos_overrides.",)


def declare_config(node: Node, config_type: type[C]) -> C:
    """Declare a parameter per field and return the configuration with which the node began.

    Raises ConfigError for a value that does not fit and for an unknown name; both are named.
    """
    specs = field_specs(config_type)
    given = _given(node)
    known = {spec.name for spec in specs}
    for name in given:
        if name in known or node.has_parameter(name) or name.startswith(_COMMON_PREFIXES):
            continue
        raise ConfigError(f"{node.get_name()} has no parameter {name!r}", hint=nearest(name, known))
    ours = {name: value for name, value in given.items() if name in known}
    config = _build(node, config_type, specs, ours)
    for spec in specs:
        # Types were checked above; dynamic typing lets 20 stand for 20.0, as people write it.
        node.declare_parameter(spec.name, _to_ros(spec), _descriptor(spec))
    return config


def config_of(node: Node, config_type: type[C]) -> C:
    """Return the configuration as the parameters are now."""
    specs = field_specs(config_type)
    return _build(node, config_type, specs, _current(node, specs))


def follow_changes(node: Node, config_type: type[C], accept: Callable[[C], None]) -> None:
    """Check every change of a parameter while the node runs and hand the new whole to `accept`.

    A change that does not fit, or that `accept` refuses with a RobovalueError, is rejected with the
    reason.
    """
    specs = field_specs(config_type)
    known = {spec.name for spec in specs}

    def check(changes: list[Parameter[Any]]) -> SetParametersResult:
        ours = {change.name: change.value for change in changes if change.name in known}
        if ours:
            try:
                accept(_build(node, config_type, specs, _current(node, specs) | ours))
            except RobovalueError as problem:
                return SetParametersResult(successful=False, reason=str(problem))
        return SetParametersResult(successful=True)

    node.add_on_set_parameters_callback(check)


def _given(node: Node) -> dict[str, Any]:
    """Return what was set from outside before the node declared anything.

    ROS ignores names that nobody declares, and offers no public way to see them.
    """
    overrides: Mapping[str, Parameter[Any]] = getattr(node, "_parameter_overrides", {})
    return {name: parameter.value for name, parameter in overrides.items()}


def _current(node: Node, specs: Sequence[FieldSpec]) -> dict[str, Any]:
    return {spec.name: node.get_parameter(spec.name).value for spec in specs}


def _build(
    node: Node, config_type: type[C], specs: Sequence[FieldSpec], values: Mapping[str, Any]
) -> C:
    raw: dict[str, Any] = {}
    for spec in specs:
        if spec.name not in values:
            continue
        value = _from_ros(spec, values[spec.name])
        if value is None and spec.default is MISSING:
            continue  # then the key is missing, which the error says
        place = raw
        *groups, name = spec.name.split(".")
        for group in groups:
            place = place.setdefault(group, {})
        place[name] = value
    return from_mapping(config_type, raw, f"parameters of {node.get_name()}")


def _plain_kind(spec: FieldSpec) -> Any:
    """Return the type of a field without its None."""
    if get_origin(spec.type) in (Union, types.UnionType):
        kinds = [kind for kind in get_args(spec.type) if kind is not type(None)]
        return kinds[0]
    return spec.type


def _is_text(kind: Any) -> bool:
    return kind in (str, Path) or get_origin(kind) is Literal


def _is_list(kind: Any) -> bool:
    return get_origin(kind) in (tuple, list)


def _to_ros(spec: FieldSpec) -> Any:
    kind, default = _plain_kind(spec), spec.default
    if default is MISSING or default is None:
        return "" if _is_text(kind) else ([""] if _is_list(kind) else None)
    if _is_list(kind):
        return [str(item) if _is_text(get_args(kind)[0]) else item for item in default] or [""]
    return str(default) if _is_text(kind) else default


def _from_ros(spec: FieldSpec, value: Any) -> Any:
    kind = _plain_kind(spec)
    may_lack = spec.default is None or spec.default is MISSING
    if _is_list(kind) and not isinstance(value, str) and isinstance(value, Sequence):
        items = [item for item in value if item != ""]
        return None if may_lack and not items else items
    return None if value == "" and may_lack and _is_text(kind) else value


def _descriptor(spec: FieldSpec) -> ParameterDescriptor:
    kind = _plain_kind(spec)
    descriptor = ParameterDescriptor(
        description=spec.help,
        read_only=not spec.live,
        dynamic_typing=not (kind in (bool, int) or _is_text(kind)),
    )
    if get_origin(kind) is Literal:
        descriptor.additional_constraints = "one of " + ", ".join(map(str, get_args(kind)))
    if spec.low is None and spec.high is None:
        return descriptor
    if kind is int:
        low = -LARGEST_INTEGER if spec.low is None else int(spec.low)
        high = LARGEST_INTEGER if spec.high is None else int(spec.high)
        descriptor.integer_range = [IntegerRange(from_value=low, to_value=high, step=0)]
    elif kind is float:
        bound = sys.float_info.max
        least = -bound if spec.low is None else float(spec.low)
        most = bound if spec.high is None else float(spec.high)
        descriptor.floating_point_range = [
            FloatingPointRange(from_value=least, to_value=most, step=0.0)
        ]
    return descriptor
