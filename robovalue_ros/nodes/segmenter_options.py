"""The parameters of the segmenter node as options of `robovalue segment stream`, by their names."""

from __future__ import annotations

from dataclasses import fields, replace
from pathlib import Path
from typing import Any, TypeVar

from robovalue_ros.backends.trackers.choice import TrackerChoice
from robovalue_ros.contracts.errors import ConfigError
from robovalue_ros.nodes.segmenter_config import SegmenterNodeConfig
from robovalue_ros.pipelines.segment.stream_config import (
    CutOptions,
    GateOptions,
    OutputOptions,
    RunOptions,
    SegmentStreamConfig,
    stream_options,
)
from robovalue_ros.pipelines.segment.stream_threshold import given_threshold
from robovalue_ros.segment.options import StreamOptions

G = TypeVar("G")


def command_config(config: SegmenterNodeConfig) -> SegmentStreamConfig:
    """Return what the command would be told to cut the same camera."""
    cut = replace(_group(CutOptions, config), threshold=config.threshold or None)
    output = OutputOptions(output_dir=config.clips_dir or Path(), codec=config.codec)
    return SegmentStreamConfig(
        source=config.image_topic,
        cut=cut,
        gates=_group(GateOptions, config),
        output=output,
        run=RunOptions(tokenizer=config.tokenizer, device=config.device),
        follow=_group(TrackerChoice, config),
    )


def node_options(config: SegmenterNodeConfig, command: SegmentStreamConfig) -> StreamOptions:
    """Return the options of the node's stream.

    Raises ConfigError when there is no threshold, DataError for a report that cannot be read.
    """
    if config.threshold_mode == "report" and config.report_path is None:
        raise ConfigError("threshold_mode is report", "a file in report_path")
    fixed = config.threshold_mode == "fixed"
    if fixed and not config.threshold and config.energy_source != "velocity":
        raise ConfigError(
            f"the energy {config.energy_source} has no threshold of its own",
            "a number in threshold", "`robovalue segment sweep` finds one.",
        )  # fmt: skip
    options = stream_options(command, given_threshold(command.cut))
    return replace(options, early=config.early)


def _group(kind: type[G], config: SegmenterNodeConfig) -> G:
    """Return a group of options, with every value that the node has a parameter for."""
    names = {item.name for item in fields(config)}
    found: dict[str, Any] = {
        item.name: getattr(config, item.name)
        for item in fields(kind)  # type: ignore[arg-type]
        if item.name in names
    }
    return kind(**found)
