"""The settings that are installed fit what the nodes and tools know, and name topics that exist."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import MISSING, replace
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
import ros_world
import yaml

from robovalue_ros.cli.commands import config_of
from robovalue_ros.cli.options import parse
from robovalue_ros.contracts.config import field_specs
from robovalue_ros.data.settings import read_settings, read_yaml
from robovalue_ros.pipelines.estimate.config import EstimateConfig
from robovalue_ros.pipelines.segment.stream_config import CutOptions, SegmentStreamConfig

pytest.importorskip("rclpy")

from robovalue_ros.nodes.segmenter_config import SegmenterNodeConfig
from robovalue_ros.nodes.segmenter_node import SegmenterNode
from robovalue_ros.nodes.sim_config import SimNodeConfig
from robovalue_ros.nodes.sim_node import SimNode
from robovalue_ros.nodes.spine import ManagedNode, NodeConfig
from robovalue_ros.nodes.value_config import ValueNodeConfig
from robovalue_ros.nodes.value_node import ValueNode

pytestmark = pytest.mark.ros
ROOT = Path(__file__).parents[2]
CONFIG = ROOT / "config"
NODES = {
    "value_node": ValueNodeConfig,
    "segmenter_node": SegmenterNodeConfig,
    "sim_node": SimNodeConfig,
}

TOOLS = {
    "segment_stream": "segment stream",
    "segment_preprocess": "segment preprocess",
    "segment_train_tokenizer": "segment train-tokenizer",
    "segment_sweep": "segment sweep",
    "plan_build": "plan build",
    "plan_norm_stats": "plan norm-stats",
}


@pytest.fixture
def world() -> Iterator[ros_world.World]:
    made = ros_world.World()
    try:
        yield made
    finally:
        made.close()


class Plain(ManagedNode[Any]):
    """A node of any configuration that does nothing."""

    def __init__(self, config_type: type[NodeConfig], name: str, **further: Any) -> None:
        type(self).config_type = config_type
        super().__init__(name, **further)


@pytest.mark.parametrize("name", NODES)
def test_a_parameter_file_holds_every_parameter_with_its_default(
    name: str, world: ros_world.World
) -> None:
    config_type, file = NODES[name], CONFIG / f"{name}.yaml"
    written = yaml.safe_load(file.read_text(encoding="utf-8"))["/**"]["ros__parameters"]
    specs = {spec.name: spec for spec in field_specs(config_type)}
    assert list(written) == list(specs)
    required = {"model": Path("of_a_robot.npz")} if name == "value_node" else {}
    extra = [word for key, value in required.items() for word in ("-p", f"{key}:={value}")]
    node = world.spin(
        Plain(
            config_type, name, context=world.context,
            cli_args=["--ros-args", "--params-file", str(file), *extra],
        )
    )  # fmt: skip
    assert node.config == config_type(**required)
    text = " ".join(line.strip(" #") for line in file.read_text(encoding="utf-8").splitlines())
    for spec in specs.values():
        assert f"{spec.help[:1].upper()}{spec.help[1:]}" in text, f"{name}: {spec.name}"


def test_the_settings_of_estimate_are_options_that_it_knows() -> None:
    config = read_settings(EstimateConfig, CONFIG / "estimate.yaml")
    assert config.causal and config.camera_mode == "both"


@pytest.mark.parametrize(("name", "command"), TOOLS.items())
def test_a_settings_file_holds_every_option_with_its_default(name: str, command: str) -> None:
    file, config_type = CONFIG / f"{name}.yaml", config_of(command)
    found = read_settings(config_type, file)
    text = " ".join(line.strip(" #") for line in file.read_text(encoding="utf-8").splitlines())
    written = read_yaml(file)
    for spec in field_specs(config_type):
        if spec.name == "params":  # a file of its own kind, only on the command line
            continue
        group, key = written, spec.name
        while "." in key:
            head, _, key = key.partition(".")
            group = group[head]
        assert key in group, f"{name}: {spec.name}"
        assert f"{spec.help[:1].upper()}{spec.help[1:]}" in text, f"{name}: {spec.name}"
        value = found
        for part in spec.name.split("."):
            value = getattr(value, part)
        if spec.default is not MISSING:
            assert value == spec.default, f"{name}: {spec.name}"


def test_the_command_line_counts_more_than_a_settings_file() -> None:
    words = ["videos", "--config", str(CONFIG / "segment_stream.yaml"), "--threshold", "0.5"]
    config = parse(SegmentStreamConfig, words, "robovalue segment stream", "")
    assert config == replace(
        SegmentStreamConfig(source="videos"), cut=replace(CutOptions(), threshold=0.5)
    )


def named_topics() -> dict[str, set[str]]:
    """Return the topics that each layout names."""
    foxglove = json.loads((CONFIG / "foxglove_layout.json").read_text(encoding="utf-8"))
    keys = ("imageTopic", "topicToRender", "topicPath", "value")
    heard = [text for key, text in _texts(foxglove["configById"]) if key in keys]
    juggler = ElementTree.parse(CONFIG / "plotjuggler_layout.xml").getroot()
    curves = [curve.get("name", "") for curve in juggler.iter("curve")]
    selected = {topic.get("name", "") for topic in juggler.iter("topic")}
    assert all(any(curve.startswith(f"{topic}/") for topic in selected) for curve in curves)
    rviz = yaml.safe_load((CONFIG / "robovalue.rviz").read_text(encoding="utf-8"))
    shown = {one["Topic"]["Value"] for one in rviz["Visualization Manager"]["Displays"]}
    # A path goes into the message after the first dot.
    return {"foxglove": {text.split(".")[0] for text in heard}, "juggler": selected, "rviz": shown}


def _texts(content: Any, key: str = "") -> Iterator[tuple[str, str]]:
    if isinstance(content, dict):
        for name, value in content.items():
            yield from _texts(value, name)
    elif isinstance(content, list):
        for value in content:
            yield from _texts(value, key)
    elif isinstance(content, str):
        yield key, content


def test_every_panel_of_the_foxglove_layout_is_placed_once() -> None:
    layout = json.loads((CONFIG / "foxglove_layout.json").read_text(encoding="utf-8"))
    placed = [text for key, text in _texts(layout["layout"]) if key in ("first", "second")]
    assert sorted(placed) == sorted(layout["configById"])
    assert all(re.fullmatch(r"[A-Za-z]+![a-z]+", name) for name in placed)


def test_layouts_name_topics_that_the_nodes_publish(
    toy_model: Path, world: ros_world.World
) -> None:
    from rclpy.parameter import Parameter

    def overrides(**values: Any) -> list[Parameter]:
        return [Parameter(name, value=value) for name, value in values.items()]

    value = ValueNode(
        context=world.context,
        parameter_overrides=overrides(model=str(toy_model), autostart=False),
    )
    simulated = SimNode(
        context=world.context, parameter_overrides=overrides(autostart=False, policy="expert")
    )
    segmenter = SegmenterNode(context=world.context, parameter_overrides=overrides(autostart=False))
    published = {"/rosout"}
    for node in (value, segmenter, simulated):
        world.spin(node)
        node.trigger_configure()
        assert node.state == "inactive"
        for publisher in node.publishers:
            published.add(publisher.topic_name)
    for layout, topics in named_topics().items():
        assert topics and topics <= published, f"{layout}: {topics - published} is not published"
