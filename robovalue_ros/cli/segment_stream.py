"""`robovalue segment stream`."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from rich.console import Console
from rich.table import Table

from robovalue_ros.cli.console import BarProgress, print_findings
from robovalue_ros.cli.options import parse
from robovalue_ros.contracts.errors import ConfigError
from robovalue_ros.pipelines.segment.stream_advice import advice
from robovalue_ros.pipelines.segment.stream_config import OVERRIDE, SegmentStreamConfig
from robovalue_ros.pipelines.segment.stream_params import read_params
from robovalue_ros.pipelines.segment.stream_run import Outcome, StreamResult, segment_stream
from robovalue_ros.pipelines.segment.stream_watch import make_watcher
from robovalue_ros.segment.warm_up import UNREACHED
from robovalue_ros.wiring import make_segment_parts, open_reader

MOST_ROWS = 40
ABOUT = """Cut a camera, a stream, videos, data sets or bags into actions: a clip of each, its motion
codes, the list of actions, energies and times of all windows. Files are cut as fast as they can be
read; a run that was interrupted goes on when the same command is given again. --params FILE takes
the parameter file of existing set-ups; what stands on the command line counts more.

Example: robovalue segment stream videos/ --output-dir segments --workers 2"""


def run(words: Sequence[str]) -> int:
    """Run the command; returns its exit code: 2 when nothing could be cut."""
    rest, params = _take_params(list(words))
    default, idle = (None, ()) if params is None else read_params(params)
    config = parse(SegmentStreamConfig, rest, "robovalue segment stream", ABOUT, default)
    if config.params is not None:
        raise ConfigError("a --config file names params", "--params FILE on the command line")
    with BarProgress() as progress:
        if idle:
            progress.say(f"{params}: without effect here: {', '.join(idle)}")
        begun = time.perf_counter()
        opener = partial(open_reader, options=config.read)
        result = segment_stream(config, opener, make_segment_parts, make_watcher, progress=progress)
    _print(result, config, time.perf_counter() - begun)
    return 0 if result.count("cut") + result.count("skipped") else 2


def _take_params(words: list[str]) -> tuple[list[str], Path | None]:
    """Split `--params FILE` (or `--params=FILE`) off the command line."""
    for at, word in enumerate(words):
        if word.startswith("--params="):
            return words[:at] + words[at + 1 :], Path(word.partition("=")[2])
        if word == "--params":
            if at + 1 == len(words):
                raise ConfigError("--params stands alone", "--params FILE.yaml")
            return words[:at] + words[at + 2 :], Path(words[at + 1])
    return words, None


def _print(result: StreamResult, config: SegmentStreamConfig, seconds: float) -> None:
    console = Console(soft_wrap=True, highlight=False, markup=False)
    cut = [outcome for outcome in result.outcomes if outcome.status == "cut"]
    if cut:
        console.print(_table(cut[:MOST_ROWS]))
    if len(cut) > MOST_ROWS:
        console.print(f"and {len(cut) - MOST_ROWS} more")
    told = ", ".join(f"{result.count(status)} {status}" for status in ("cut", "skipped", "damaged"))
    played = sum(outcome.result.video_s for outcome in cut if outcome.result is not None)
    rate = f", {played / seconds:.1f} times real time" if played and seconds > 0.0 else ""
    forced = f" ({OVERRIDE} was set)" if os.environ.get(OVERRIDE) else ""
    console.print(f"{told}{rate}: {config.output.output_dir}{forced}")
    lines = advice([one.result for one in cut if one.result is not None], config)
    for line in lines:
        console.print(line)
    if lines and config.output.skip_if_exists and not result.live:
        console.print("With other settings, --no-skip-if-exists cuts them again.")
    if result.findings:
        print_findings(result.findings, Console())


def _table(outcomes: Sequence[Outcome]) -> Table:
    table = Table(box=None, pad_edge=False)
    table.add_column("video", overflow="fold")
    for name in ("actions", "left out", "windows", "still", "late", "threshold", "x real time"):
        table.add_column(name, justify="right")
    for outcome in outcomes:
        one = outcome.result
        if one is None:
            continue
        threshold = "none yet" if one.threshold >= UNREACHED else f"{one.threshold:.5g}"
        speed = f"{one.video_s / one.wall_s:.1f}" if one.wall_s > 0.0 else ""
        late = f"{one.late}" + (f" +{one.left_out} unread" if one.left_out else "")
        table.add_row(
            outcome.name, str(one.segments), str(sum(one.dropped.values())), str(one.windows),
            str(one.gated), late, threshold, speed,
        )  # fmt: skip
    return table
