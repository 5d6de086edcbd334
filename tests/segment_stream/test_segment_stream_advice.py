"""Whoever finds nothing is told why; whoever records the simulator finds actions without a flag."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from cutting import config_for, two_moves
from films import film, write_film

from robovalue_ros.cli.main import main
from robovalue_ros.pipelines.segment.stream_advice import advice
from robovalue_ros.pipelines.segment.stream_cut import CutResult

PLAIN = CutResult(
    windows=20, gated=3, segments=0, dropped={}, late=0, left_out=0, video_s=4.0, wall_s=1.0,
    threshold=0.002, highest=0.0015,
)  # fmt: skip


@pytest.mark.parametrize(
    ("changes", "options", "told"),
    [
        ({}, {}, "reached at most 0.0015, the threshold is 0.002. Try --threshold-mode auto."),
        ({}, {"cut_threshold_mode": "auto"}, "Try a lower --threshold."),
        ({"gated": 15}, {"cut_energy_source": "prequant"}, "--no-motion-gate, as 75% of"),
        ({"gated": 15}, {}, "--threshold-mode auto"),
        ({"highest": 0.0}, {}, "Try --no-pre-gate --no-motion-gate."),
        ({"highest": 0.5}, {"cut_up_count": 3}, "not in 3 windows in a row. Try --up-count 1"),
        ({"windows": 0}, {}, "shorter than a window of 16 frames"),
        ({"threshold": 1e30}, {"cut_warmup_seconds": 9.0}, "--warmup-seconds is 9."),
        ({"dropped": {"too few codes": 2}}, {}, "too few codes. Try --no-motion-gate"),
        ({"dropped": {"too short": 2}}, {}, "too short. Try a lower --threshold"),
    ],
)
def test_each_reason_is_told_with_the_flag_to_try(
    changes: dict[str, Any], options: dict[str, Any], told: str
) -> None:
    config = config_for("cup.mp4", Path("out"), **options)
    found = replace(PLAIN, segments=2)
    (line,) = advice([replace(PLAIN, **changes), found, found], config)
    assert line.startswith("no actions in 1 of 3: ") and told in line
    assert advice([found], config) == []
    assert advice([PLAIN], config_for("cup.mp4", Path("out"), cut_segment=False)) == []


def test_the_commonest_reason_comes_first() -> None:
    lines = advice([replace(PLAIN, windows=0), PLAIN, PLAIN], config_for("x", Path("out")))
    assert [line.partition(":")[0] for line in lines] == [
        "no actions in 2 of 3", "no actions in 1 of 3"
    ]  # fmt: skip


def test_the_last_lines_of_a_run_tell_what_was_reached(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    video = write_film(tmp_path / "cup.mp4", film(two_moves()).frames)
    words = ["segment", "stream", str(video), "--output-dir", str(tmp_path / "out")]
    assert main([*words, "--threshold", "0.5"]) == 0
    last = capsys.readouterr().out.splitlines()[-2:]
    lines = (tmp_path / "out/cup/stream_energy_velocity_token_diff_l2_mean.jsonl").read_text()
    most = max(json.loads(line)["energy"] for line in lines.splitlines())
    assert f"reached at most {most:.3g}, the threshold is 0.5. Try --threshold-mode" in last[0]
    assert "--no-skip-if-exists" in last[1]
    assert main([*words, "--threshold-mode", "auto", "--no-skip-if-exists"]) == 0
    assert "no actions" not in capsys.readouterr().out


def test_recordings_of_the_simulator_are_cut_without_a_flag(tmp_path: Path) -> None:
    pytest.importorskip("mujoco")
    recorded, out = tmp_path / "recorded", tmp_path / "out"
    words = ["--episodes", "1", "--seed", "3", "--manners", "clean"]
    assert main(["sim", "record", "--out", str(recorded), *words]) == 0
    assert main(["segment", "stream", str(recorded), "--output-dir", str(out)]) == 0
    for camera in ("cam_high", "cam_left_wrist"):
        (found,) = out.glob(f"*{camera}/segmented_videos/*_segments.json")
        listed = json.loads(found.read_text(encoding="utf-8"))["segments"]
        assert listed, camera
