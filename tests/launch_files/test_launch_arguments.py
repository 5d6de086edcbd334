"""Arguments of launch files: what they are called, what they say, and what a tool gets of them."""

from __future__ import annotations

import ast
import os
import re
import sys
import types
import typing
from collections.abc import Callable
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from launch_runner import FILES, NAMES, ROOT, calls

from robovalue_ros.cli.commands import COMMANDS, config_of
from robovalue_ros.cli.options import parse
from robovalue_ros.contracts.config import FieldSpec, field_specs, from_mapping
from robovalue_ros.contracts.errors import ConfigError
from robovalue_ros.nodes.launching.arguments import (
    command_words,
    given_values,
    launch_arguments,
    parameter_values,
)
from robovalue_ros.nodes.launching.executables import FUNCTIONS, executable_words

pytest.importorskip("rclpy")

from robovalue_ros.nodes.segmenter_config import SegmenterNodeConfig
from robovalue_ros.nodes.sim_config import SimNodeConfig
from robovalue_ros.nodes.value_config import ValueNodeConfig

NODES = (ValueNodeConfig, SegmenterNodeConfig, SimNodeConfig)
SETTINGS = settings(max_examples=6, deadline=None)


def leaf(spec: FieldSpec) -> str:
    return spec.name.rpartition(".")[2]


def test_every_command_has_a_launch_file() -> None:
    run = [word for path in FILES for name, words in calls(path) if name == "tool_launch" for word in words]  # fmt: skip
    assert len(run) == len(set(run))
    # A bag is played by the launch file that also starts the node.
    assert {*run, "bag play"} == set(COMMANDS)


@pytest.mark.parametrize("path", FILES, ids=NAMES)
def test_a_launch_file_is_a_few_lines_with_one_description(path: Path) -> None:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    assert ast.get_docstring(tree)
    (made,) = [part.name for part in tree.body if isinstance(part, ast.FunctionDef)]
    assert made == "generate_launch_description"
    imported = {part.module for part in tree.body if isinstance(part, ast.ImportFrom)}
    assert any(str(module).startswith("robovalue_ros.nodes.launching.") for module in imported)


@pytest.mark.parametrize("config_type", [*map(config_of, sorted(COMMANDS)), *NODES])
def test_arguments_say_what_the_command_line_says(config_type: type) -> None:
    arguments = {one.name: one for one in launch_arguments(config_type)}
    specs = {leaf(spec): spec for spec in field_specs(config_type)}
    assert arguments.keys() == specs.keys()
    for name, one in arguments.items():
        spec = specs[name]
        assert one.description.startswith(spec.help) and spec.help
        for bound in (spec.low, spec.high):
            assert bound is None or f"{bound:g}" in one.description
        if spec.type is bool:
            assert one.choices == ("true", "false")
        if get_origin(spec.type) is Literal:
            assert one.choices == tuple(map(str, get_args(spec.type)))
        assert one.required == one.description.endswith("; required")
    required = [one.required for one in arguments.values()]
    assert required == sorted(required, reverse=True)


def texts(kind: Any, spec: FieldSpec) -> st.SearchStrategy[tuple[str, Any]]:
    """Draw the text of an argument and the value that it stands for."""
    origin = get_origin(kind)
    if origin in (typing.Union, types.UnionType):
        known = [one for one in get_args(kind) if one is not type(None)]
        return st.one_of([texts(one, spec) for one in known])
    if origin is Literal:
        return st.sampled_from(get_args(kind)).map(lambda choice: (str(choice), choice))
    if kind is bool:
        return st.sampled_from([("true", True), ("false", False)])
    if origin is tuple:
        item = texts(get_args(kind)[0], spec)
        open_ended = get_args(kind)[-1] is Ellipsis
        least, most = (1, 3) if open_ended else (len(get_args(kind)),) * 2
        items = st.lists(item, min_size=least, max_size=most)
        return items.map(lambda all: (", ".join(a for a, _ in all), tuple(b for _, b in all)))
    low = -1000 if spec.low is None else spec.low
    high = max(low, 1000) if spec.high is None else spec.high
    if kind is int:
        return st.integers(int(low), int(high)).map(lambda number: (str(number), number))
    if kind is float:
        return st.floats(low, high, allow_subnormal=False).map(lambda x: (repr(x), x))
    word = st.from_regex(r"[a-zA-Z0-9_/][a-zA-Z0-9_/. =:-]{0,8}[a-zA-Z0-9]", fullmatch=True)
    make: Callable[[str], Any] = Path if kind is Path else str
    return word.filter(lambda text: text != "None").map(lambda text: (text, make(text)))


def said(config_type: type) -> st.SearchStrategy[dict[str, tuple[str, Any]]]:
    specs = field_specs(config_type)
    optional = {leaf(one): texts(one.type, one) for one in specs}
    required = {one.name for one in launch_arguments(config_type) if one.required}
    return st.fixed_dictionaries(
        {name: optional[name] for name in required},
        optional={name: drawn for name, drawn in optional.items() if name not in required},
    )


def flat(config: Any) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for item in fields(config):
        value = getattr(config, item.name)
        found |= flat(value) if is_dataclass(value) else {item.name: value}
    return found


@pytest.mark.parametrize("name", sorted(COMMANDS))
@SETTINGS
@given(data=st.data())
def test_a_tool_gets_the_values_that_were_said(name: str, data: st.DataObject) -> None:
    config_type = config_of(name)
    drawn = data.draw(said(config_type))
    words = command_words(config_type, {key: text for key, (text, _) in drawn.items()})
    values = flat(parse(config_type, words, f"robovalue {name}", "about"))
    assert {key: values[key] for key in drawn} == {key: value for key, (_, value) in drawn.items()}


@pytest.mark.parametrize("config_type", NODES)
@SETTINGS
@given(data=st.data())
def test_a_node_gets_the_values_that_were_said(config_type: type, data: st.DataObject) -> None:
    drawn = data.draw(said(config_type))
    parameters = parameter_values(config_type, {key: text for key, (text, _) in drawn.items()})
    values = flat(from_mapping(config_type, parameters))
    assert {key: values[key] for key in drawn} == {key: value for key, (_, value) in drawn.items()}


def test_what_is_left_empty_is_not_said() -> None:
    arguments = launch_arguments(config_of("bag score"))
    told = {"bags": " a.mcap ", "out": "", "elsewhere": "x"}
    assert given_values(arguments, told) == {"bags": "a.mcap"}
    assert command_words(config_of("bag score"), {}) == []


@pytest.mark.parametrize(
    ("make", "name", "value", "part"),
    [
        (lambda given: command_words(config_of("bag score"), given), "report", "yes", "true or"),
        (lambda given: parameter_values(ValueNodeConfig, given), "depth", "many", "a number"),
        (lambda given: parameter_values(SimNodeConfig, given), "auto_reset", "1", "true or false"),
    ],
)
def test_a_value_that_cannot_be_names_argument_and_value(
    make: Callable[[dict[str, str]], Any], name: str, value: str, part: str
) -> None:
    with pytest.raises(ConfigError, match=f"{name}:={value}.*{part}"):
        make({name: value})


def test_executables_of_colcon_come_before_those_of_pip(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    built = tmp_path / "lib" / "robovalue_ros" / "value_node"
    built.parent.mkdir(parents=True)
    built.write_text("#!/bin/sh\n", encoding="utf-8")
    monkeypatch.setenv("AMENT_PREFIX_PATH", os.pathsep.join(["/nowhere", str(tmp_path)]))
    assert executable_words("value_node") != [str(built)]
    built.chmod(0o755)
    assert executable_words("value_node") == [str(built)]
    with pytest.raises(ConfigError, match="value_nod'"):
        executable_words("value_nod")


def test_a_checkout_without_scripts_starts_them_with_this_python(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("AMENT_PREFIX_PATH", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    for name in FUNCTIONS:
        python, option, code = executable_words(name)
        assert (python, option) == (sys.executable, "-c")
        assert FUNCTIONS[name].split(":")[1] in code


def test_the_documentation_names_every_launch_file_and_arguments_that_exist() -> None:
    text = (ROOT / "docs" / "ros.md").read_text(encoding="utf-8").replace("\\\n", " ")
    rows = re.findall(r"^\| `(\w+)` \| `([a-z0-9 -]+)` \| `(.+)` \|$", text, re.MULTILINE)
    tools = {
        name: words[0]
        for path, name in zip(FILES, NAMES, strict=True)
        for called, words in calls(path)
        if called == "tool_launch"
    }
    examples = {name: (command, words) for name, command, words in rows if name in NAMES}
    assert {name: command for name, (command, _) in examples.items()} == tools
    for name, (command, words) in examples.items():
        known = {one.name for one in launch_arguments(config_of(command))}
        assert {word.partition(":=")[0] for word in words.split()} <= known, name
    for name in ("value", "segmenter", "sim", "replay", "sim_demo"):
        assert f"| `{name}` |" in text and f"robovalue_ros {name}.launch.py" in text
