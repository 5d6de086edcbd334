"""`robovalue segment preprocess`."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from rich.console import Console

from robovalue_ros.backends.imaging import fast_imaging
from robovalue_ros.cli.console import BarProgress, print_findings
from robovalue_ros.cli.options import parse
from robovalue_ros.pipelines.segment.preprocess import preprocess
from robovalue_ros.pipelines.segment.preprocess_config import PreprocessConfig
from robovalue_ros.wiring import make_tracker, open_reader

ABOUT = """Follow the points of every frame through the frames after it: one HDF5 file for each
recording, as training the tokenizer needs them. Files that are whole are kept, so the same command
goes on after an interruption; damaged recordings are passed over and named.

Example: robovalue segment preprocess segments_40s/ --output-dir tracks --workers 4"""


def run(words: Sequence[str]) -> int:
    """Run the command; returns its exit code."""
    config = parse(PreprocessConfig, words, "robovalue segment preprocess", ABOUT)
    opener = partial(open_reader, options=config.read)
    tracker = partial(make_tracker, config.follow, config.device)
    with BarProgress() as progress:
        result = preprocess(config, opener, tracker, imaging=fast_imaging(), progress=progress)
    console = Console(soft_wrap=True, highlight=False, markup=False)
    known = f", {result.kept} were there already" if result.kept else ""
    console.print(
        f"followed {result.made} recordings, {result.frames} frames{known}: {result.folder}"
    )
    if result.findings:
        print_findings(result.findings, Console())
    return 0
