"""Damaged videos in a folder, three hundred in the thorough form: each is told or cut, and none spoils another."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from cutting import config_for, cut, files_of
from films import film, write_film

from robovalue_ros.contracts.progress import SilentProgress

DAMAGED, MANY_DAMAGED, WHOLE = 60, 300, 3


def damage(content: bytes, rng: np.random.Generator) -> bytes:
    """Cut off, overwrite, cut out or replace."""
    kind = rng.integers(6)
    place = int(rng.integers(len(content)))
    if kind == 0:
        return content[:place]
    if kind == 1:
        return content[:place] + content[place + int(rng.integers(1, 2000)) :]
    if kind == 2:
        return b"<html>404 not found</html>\n" * int(rng.integers(0, 40))
    if kind == 3:
        return content[:place] + bytes(min(4096, len(content) - place)) + content[place + 4096 :]
    changed = bytearray(content)
    near_the_end = kind == 4  # where the index of an MP4 lies
    low = len(content) - min(len(content), 2000) if near_the_end else 0
    for at in rng.integers(low, len(content), int(rng.integers(1, 32))):
        changed[at] ^= int(rng.integers(1, 256))
    return bytes(changed)


class Said(SilentProgress):
    """Keeps what a run says."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def say(self, text: str) -> None:
        self.lines.append(text)


@pytest.mark.thorough
def test_damaged_videos_are_told_and_passed_over(tmp_path: Path, thorough: bool) -> None:
    count = MANY_DAMAGED if thorough else DAMAGED
    videos, rng = tmp_path / "videos", np.random.default_rng(300)
    speeds = [0.0] * 8 + [3.0] * 16 + [0.0] * 16
    source = write_film(tmp_path / "source.mp4", film(speeds, size=(48, 64)).frames)
    content = source.read_bytes()
    videos.mkdir()
    for number in range(count):
        changed = damage(content, rng)
        (videos / f"damaged_{number:03d}.mp4").write_bytes(changed)
    for number in range(WHOLE):
        shutil.copy(source, videos / f"whole_{number}.mp4")
    said = Said()
    result = cut(config_for(videos, tmp_path / "out", run_workers=2), progress=said)

    assert len(result.outcomes) == count + WHOLE
    told = {outcome.name: outcome for outcome in result.outcomes}
    damaged = [outcome for outcome in result.outcomes if outcome.status == "damaged"]
    assert count // 2 < len(damaged) <= count
    assert result.count("cut") + len(damaged) == count + WHOLE
    for outcome in damaged:
        assert outcome.note and any(outcome.name in line for line in said.lines)
        left = tmp_path / "out" / outcome.name
        assert not list(left.glob("**/segment_*.mp4")), "a damaged video left clips"
    assert all(told[f"whole_{number}"].status == "cut" for number in range(WHOLE))
    alone = tmp_path / "alone"
    cut(config_for(videos / "whole_0.mp4", alone))
    for number in range(WHOLE):
        found = files_of(tmp_path / "out" / f"whole_{number}")
        assert len(found) == len(files_of(alone / "whole_0"))
    # Run again, what was told is told again and what was cut is left alone.
    again = cut(config_for(videos, tmp_path / "out"))
    assert again.count("skipped") == result.count("cut")
    assert again.count("damaged") == len(damaged)
