"""The study runs in its short form, and its peers do what they are said to do."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from benchmarks.segment_study.__main__ import main
from benchmarks.segment_study.peers import sub_goals
from benchmarks.segment_study.running import METHODS
from benchmarks.segment_study.scores import resampled


def test_the_short_study_prints_every_method(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["--short", "--train", "2", "--out", str(tmp_path)]
    assert main(words) == 0
    told = capsys.readouterr().out
    for name in METHODS:
        assert told.count(name) >= 3, name
    assert "CPU minutes" in told and "Differences of boundary F1" in told


def test_sub_goals_are_where_the_distance_to_the_next_one_last_rose() -> None:
    # There and back and there again: each way is a segment.
    way = np.concatenate([np.linspace(0, 1, 30), np.linspace(1, 0, 30), np.linspace(0, 1, 30)])
    places = np.stack([way, np.zeros_like(way)], axis=1)
    found = sub_goals(places, 1.0, 6)
    assert [abs(frame - at) <= 2 for frame, at in zip(found, (29, 59), strict=False)] == [
        True,
        True,
    ]


def test_an_interval_holds_its_mean() -> None:
    rng = np.random.default_rng(0)
    mean = resampled([0.0, 1.0, 1.0, float("nan")], 500, rng)
    assert mean.value == pytest.approx(2 / 3) and mean.low < mean.value < mean.high
    assert np.isnan(resampled([], 10, rng).value)
