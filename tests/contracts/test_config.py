"""One dataclass is the command line, the YAML file and the ROS parameters."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from robovalue_ros.cli.options import parse
from robovalue_ros.contracts import tools
from robovalue_ros.contracts.config import (
    field_specs,
    from_mapping,
    option,
    same_as,
    to_mapping,
)
from robovalue_ros.contracts.errors import ConfigError, DataError
from robovalue_ros.data.settings import read_settings


@dataclass(frozen=True)
class Inner:
    rate_hz: float = option(20.0, "frames per second", low=1.0, high=100.0, live=True)


@dataclass(frozen=True)
class Outer:
    """A tool."""

    source: Path = option(..., "where from", positional=True)
    mode: Literal["fast", "slow"] = option("fast", "how")
    names: tuple[str, ...] = option((), "which")
    limit: int | None = option(None, "how many", low=1)
    verbose: bool = option(False, "say more")
    inner: Inner = option(Inner, "more")


def test_nearest_known_key_is_named() -> None:
    with pytest.raises(ConfigError, match=r"unknown key 'mod'.*Did you mean 'mode'"):
        from_mapping(Outer, {"source": "x", "mod": "slow"})
    with pytest.raises(ConfigError, match=r"unknown key 'rate'.*'rate_hz'"):
        from_mapping(Outer, {"source": "x", "inner": {"rate": 3}})


@pytest.mark.parametrize(
    ("raw", "part"),
    [
        ({}, "lacks the key 'source'"),
        ({"source": 3}, "source is 3"),
        ({"source": "x", "mode": "medium"}, "one of fast, slow"),
        ({"source": "x", "limit": "3"}, "limit is '3'"),
        ({"source": "x", "limit": True}, "limit is True"),
        ({"source": "x", "limit": 0}, "number in 1..inf"),
        ({"source": "x", "names": "abc"}, "a list"),
        ({"source": "x", "inner": {"rate_hz": 500}}, "number in 1.0..100.0"),
        ({"source": "x", "inner": {"rate_hz": float("nan")}}, "rate_hz is nan"),
        ({"source": "x", "inner": 3}, "a mapping"),
    ],
)
def test_wrong_values_say_what_was_expected(raw: dict[str, object], part: str) -> None:
    with pytest.raises(ConfigError) as caught:
        from_mapping(Outer, raw, "file.yaml")
    assert part in str(caught.value) and "file.yaml" in str(caught.value)


@given(
    st.sampled_from(["fast", "slow"]),
    st.lists(st.text("abc", min_size=1, max_size=3)),
    st.none() | st.integers(1, 9),
    st.floats(1, 100),
)
def test_mapping_round_trip(mode: str, names: list[str], limit: int | None, rate: float) -> None:
    config = Outer(Path("x"), mode, tuple(names), limit, True, Inner(rate))  # type: ignore[arg-type]
    assert from_mapping(Outer, to_mapping(config)) == config


def test_fields_carry_what_ros_parameters_need() -> None:
    specs = {spec.name: spec for spec in field_specs(Outer)}
    rate = specs["inner.rate_hz"]
    assert (rate.type, rate.default, rate.low, rate.high, rate.live) == (
        float,
        20.0,
        1.0,
        100.0,
        True,
    )
    assert specs["source"].default is dataclasses.MISSING
    assert all(spec.help for spec in specs.values())


@dataclass(frozen=True)
class Other:
    """Another tool, which asks for what `Outer` asks for."""

    origin: Path = same_as(Outer, "source", positional=False)
    inner: Inner = same_as(Outer, "inner")
    rate: float = same_as(Inner, "rate_hz", default=10.0, help="how often")


def test_a_field_can_be_declared_as_another_tool_declares_it() -> None:
    origin, inner, rate = field_specs(Other)
    assert origin.default is dataclasses.MISSING
    assert (origin.help, origin.positional) == ("where from", False)
    assert inner == dataclasses.replace(field_specs(Outer)[-1], name="inner.rate_hz")
    assert (rate.default, rate.help, rate.low, rate.high, rate.live) == (
        10.0, "how often", 1.0, 100.0, True
    )  # fmt: skip


def test_every_tool_explains_every_field() -> None:
    configs = [c for c in vars(tools).values() if dataclasses.is_dataclass(c)]
    assert len(configs) >= 5
    for config in configs:
        for spec in field_specs(config):
            assert spec.help, f"{config.__name__}.{spec.name} has no help text"


def test_command_line_and_yaml_agree(tmp_path: Path) -> None:
    words = ["data", "--mode", "slow", "--names", "a", "b", "--limit", "3", "--verbose"]
    typed = parse(Outer, [*words, "--rate-hz", "30"], "tool", "About.")
    assert typed == Outer(Path("data"), "slow", ("a", "b"), 3, True, Inner(30.0))
    file = tmp_path / "tool.yaml"
    file.write_text(
        "mode: slow\nnames: [a, b]\nlimit: 3\nverbose: true\ninner: {rate_hz: 30}\nsource: data\n"
    )
    assert read_settings(Outer, file) == typed
    assert parse(Outer, ["data", "--config", str(file)], "tool", "About.") == typed
    changed = parse(Outer, ["data", f"--config={file}", "--limit", "5"], "tool", "About.")
    assert changed == dataclasses.replace(typed, limit=5)


def test_ros_parameter_file_is_read_as_it_is(tmp_path: Path) -> None:
    file = tmp_path / "ros.yaml"
    file.write_text("/**:\n  ros__parameters:\n    source: data\n    mode: slow\n")
    assert read_settings(Outer, file).mode == "slow"


@pytest.mark.parametrize(
    "content", ["- a\n", "a: [\n", "a: &x [*x]\n", "\x00", "!!python/name:os.system x"]
)
def test_damaged_yaml_is_a_data_error(tmp_path: Path, content: str) -> None:
    file = tmp_path / "bad.yaml"
    file.write_text(content)
    with pytest.raises((DataError, ConfigError)) as caught:
        read_settings(Outer, file)
    assert "bad.yaml" in str(caught.value)


def test_ranges_hold_on_the_command_line() -> None:
    with pytest.raises(ConfigError, match="limit is 0"):
        parse(Outer, ["data", "--limit", "0"], "tool", "About.")
