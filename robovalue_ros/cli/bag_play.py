"""`robovalue bag play`."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from rich.console import Console

from robovalue_ros.cli.console import print_findings
from robovalue_ros.cli.options import parse
from robovalue_ros.contracts.errors import DataError, MissingExtra
from robovalue_ros.data.rosbag.bags import find_bags

ABOUT = """Publish the messages of a bag through ROS 2, byte for byte and at their recorded times,
with the recorded quality of service where the bag tells it. Ends at the end or with Ctrl-C and
tells how punctual it was.

Example: robovalue bag play scored/run --rate 2 --clock"""


def run(words: Sequence[str]) -> int:
    """Run the command; returns its exit code."""
    try:
        from robovalue_ros.nodes.player import BagPlayConfig, play
    except ModuleNotFoundError as problem:
        raise MissingExtra(problem.name or "rclpy", "ros", "playing a bag") from None
    config = parse(BagPlayConfig, words, "robovalue bag play", ABOUT)
    bags = find_bags(config.bag)
    if len(bags) != 1:
        listing = ", ".join(bag.id for bag in bags[:8]) or "none"
        raise DataError(config.bag, f"holds {len(bags)} bags: {listing}", "one")
    played = play(config, bags[0], lambda line: print(line, file=sys.stderr))
    late = played.lateness
    console = Console(soft_wrap=True, highlight=False)
    console.print(
        f"{played.messages} messages in {played.wall_s:.2f} s, {played.rate:.2f} times as fast as "
        f"recorded; late by {late.quantile_ms(0.5):.1f} ms (half), {late.quantile_ms(0.95):.1f} ms "
        f"(95 of 100), {late.worst_ns / 1e6:.1f} ms at most",
        markup=False,
    )
    if played.findings:
        print_findings(played.findings, console)
    return 0
