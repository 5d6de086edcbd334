"""`robovalue sim record`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from robovalue_envs.sim.recording import SimulatedEpisodes
from robovalue_ros.cli.console import BarProgress
from robovalue_ros.cli.data_convert import print_written
from robovalue_ros.cli.options import parse
from robovalue_ros.contracts.config import to_mapping
from robovalue_ros.contracts.simulate import RecordConfig
from robovalue_ros.data.source import fingerprint
from robovalue_ros.pipelines.convert import convert
from robovalue_ros.pipelines.videos import write_videos
from robovalue_ros.wiring import make_writer, open_reader

ABOUT = """Record episodes of the embedded simulator: a scripted expert succeeds in several manners
and fails in several ways, as often as you ask. The same seed gives the same bytes; an interrupted
run continues where it stopped.

Example: robovalue sim record --task put_red_cube --episodes 20 --success-rate 0.7 --out demos"""


def run(words: Sequence[str]) -> int:
    """Run the command; returns its exit code."""
    config = parse(RecordConfig, words, "robovalue sim record", ABOUT)
    simulated, write = to_mapping(config.simulate), to_mapping(config.write)
    write.pop("overwrite")  # the bytes written do not depend on it
    reader = SimulatedEpisodes(config.simulate)
    try:
        with BarProgress() as progress:
            result = convert(
                reader,
                make_writer(config.write),
                config.out,
                fingerprint=fingerprint("simulator", simulated, write),
                origin={"simulator": simulated, "write": write},
                overwrite=config.write.overwrite,
                progress=progress,
            )
            if config.videos:
                recorded = open_reader(config.out)
                write_videos(recorded, Path(f"{config.out}-videos"), progress=progress)
    finally:
        reader.close()
    print_written(result, config.write.format)
    return 0
