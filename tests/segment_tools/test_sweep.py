"""Thresholds from energies on disk: reports as people have them, and what damage costs."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tool_files import energies, segments

from robovalue_ros.cli.main import main
from robovalue_ros.contracts.errors import ConfigError, DataError
from robovalue_ros.data.segment_files import read_energies
from robovalue_ros.pipelines.segment.sweep import sweep_thresholds
from robovalue_ros.pipelines.segment.sweep_config import SweepConfig, TruthOptions
from robovalue_ros.segment.threshold import threshold_from_report

KEY = "quantized_token_diff_best.best_f1.thr"


def pair(folder: Path, seed: int, scale: float = 1.0, count: int = 60) -> tuple[Path, Path]:
    """Write energies that tell motion well but not perfectly; returns both files."""
    rng = np.random.default_rng(seed)
    moving = np.arange(count) // 10 % 2 == 1
    speed = np.where(moving, 0.02, 0.001) * rng.uniform(0.8, 1.2, count)
    energy = scale * (np.where(moving, 2.0, 1.0) + rng.normal(0.0, 0.3, count))
    return (
        energies(folder / "stream_energy_quantized_token_diff_l2_mean.jsonl", energy, "quantized",
                 "token_diff_l2_mean"),
        energies(folder / "stream_energy_velocity_token_diff_l2_mean.jsonl", speed, "velocity",
                 "token_diff_l2_mean"),
    )  # fmt: skip


def test_the_report_has_the_known_keys_and_the_stream_can_read_it(tmp_path: Path) -> None:
    quantized, velocity = pair(tmp_path / "cup", 0)
    out = tmp_path / "best.json"
    config = SweepConfig(quantized, velocity, smooth=True, smooth_alpha=0.7, output_json=out)
    result = sweep_thresholds(config)
    report = json.loads(out.read_text())
    assert set(report) == {
        "label_spec", "label_threshold_on_velocity_token_diff", "n_samples", "n_pos", "n_neg",
        "quantized_token_diff_best", "quantized_stats", "smoothing", "comparison",
    }  # fmt: skip
    assert (report["n_samples"], report["n_pos"], report["comparison"]) == (60, 30, "at least")
    assert report["smoothing"]["alpha"] == 0.7
    best = report["quantized_token_diff_best"]["best_f1"]
    assert threshold_from_report(report, KEY) == best["thr"]
    assert ("best_f1", best["thr"], best["F1"]) in result.best
    assert best["F1"] > 0.8


@settings(max_examples=25, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 4), st.booleans()), min_size=4, max_size=20))
def test_at_the_best_threshold_the_stream_reaches_the_told_f1(
    tmp_path_factory: pytest.TempPathFactory, windows: list[tuple[int, bool]]
) -> None:
    folder = tmp_path_factory.mktemp("pair")
    values = [float(value) for value, _ in windows]
    speeds = [1.0 if moves else 0.0 for _, moves in windows]
    quantized = energies(folder / "q.jsonl", values, "quantized")
    velocity = energies(folder / "v.jsonl", speeds, "velocity")
    config = SweepConfig(
        quantized, velocity, label_threshold="value:0.5", output_json=folder / "b.json"
    )
    sweep_thresholds(config)
    best = json.loads((folder / "b.json").read_text())["quantized_token_diff_best"]["best_f1"]
    told = np.array(values) >= best["thr"]
    moves = np.array(speeds) > 0.5
    hits = int((told & moves).sum())
    wrong = int((told != moves).sum())
    assert best["F1"] == pytest.approx(2 * hits / (2 * hits + wrong) if hits else 0.0, abs=1e-9)


def test_compat_counts_only_what_is_above(tmp_path: Path) -> None:
    quantized = energies(tmp_path / "q.jsonl", [1, 1, 2, 2], "quantized")
    velocity = energies(tmp_path / "v.jsonl", [0, 0, 1, 1], "velocity")
    for compat, wanted in (("none", 2.0), ("reference", 1.0)):
        out = tmp_path / f"{compat}.json"
        sweep_thresholds(SweepConfig(quantized, velocity, output_json=out, compat=compat))  # type: ignore[arg-type]
        best = json.loads(out.read_text())["quantized_token_diff_best"]["best_f1"]
        assert best["thr"] in (wanted, 1.5) and best["F1"] == pytest.approx(1.0)


def test_no_common_windows_is_told_and_writes_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    quantized = energies(tmp_path / "q.jsonl", {0: 1.0, 1: 2.0}, "quantized")
    velocity = energies(tmp_path / "v.jsonl", {5: 1.0}, "velocity")
    words = ["--quantized-jsonl", str(quantized), "--velocity-jsonl", str(velocity)]
    out = tmp_path / "best.json"
    assert main(["segment", "sweep", *words, "--output-json", str(out)]) == 0
    assert "no window in common" in capsys.readouterr().out
    assert not out.exists()


def test_many_videos_give_one_threshold(tmp_path: Path) -> None:
    for seed in range(3):
        pair(tmp_path / "all" / f"v{seed}", seed, scale=seed + 1.0)
    torn = tmp_path / "all" / "torn"
    pair(torn, 9)
    (torn / "stream_energy_velocity_token_diff_l2_mean.jsonl").write_text('{"window": 0}\n')
    out = tmp_path / "best.json"
    root = tmp_path / "all"
    config = SweepConfig(quantized_root=root, velocity_root=root, output_json=out)
    result = sweep_thresholds(config)
    report = json.loads(out.read_text())
    own = [video["best_f1"]["thr"] for video in report["per_video"].values()]
    assert report["quantized_token_diff_best"]["best_f1"]["thr"] == float(np.median(own))
    assert (report["aggregate_method"], report["n_videos_considered"]) == ("median", 3)
    assert [finding.subject for finding in result.findings] == ["torn"]
    assert "line 1" in result.findings[0].found


def test_the_analysis_has_numbers_pictures_and_a_page(tmp_path: Path) -> None:
    quantized, velocity = pair(tmp_path / "cup", 0)
    noise = np.random.default_rng(1).normal(1.0, 0.1, 60)
    other = energies(tmp_path / "cup" / "other_energy.jsonl", noise, "prequant")
    folder = tmp_path / "report"
    config = SweepConfig(
        quantized, velocity, output_json=tmp_path / "b.json", report_dir=folder, energies=(other,)
    )
    sweep_thresholds(config)
    metrics = json.loads((folder / "metrics.json").read_text())
    good, bad = metrics["quantized token_diff_l2_mean"], metrics["prequant l2_mean"]
    assert good["auc"] > 0.95 > 0.7 > bad["auc"] and good["cohen_d"] > 2.0
    rows = list(csv.DictReader((folder / "metrics.csv").open()))
    assert float(rows[0]["auc"]) == good["auc"]
    with_velocity = list(csv.DictReader((folder / "correlation.csv").open()))
    assert {row["with"] for row in with_velocity} == {"velocity", "prequant l2_mean"}
    groups = [row["windows"] for row in csv.DictReader((folder / "descriptive_stats.csv").open())]
    assert groups[:3] == ["all", "moving", "still"]
    pictures = sorted(path.name for path in folder.glob("*.png"))
    assert len(pictures) == 4 and (folder / pictures[0]).read_bytes()[:4] == b"\x89PNG"
    page = (folder / "report.html").read_text()
    assert "How well each energy tells motion" in page and "<script src" not in page


def test_marked_boundaries_choose_a_threshold(tmp_path: Path) -> None:
    for name in ("a", "b"):
        values = [1.0 if 10 <= t < 20 or 30 <= t < 42 else 0.1 for t in range(50)]
        energies(tmp_path / "e" / name / "energy_velocity_l2_mean.jsonl", values, "velocity")
        # Windows of 16 frames, 4 apart, at 20 fps: window w is about second 0.4 + 0.2 w.
        spans = [(2.4, 4.4), (6.4, 8.8)]
        segments(tmp_path / "gt" / f"{name}_segments.json", spans, 10.4)
    truth = TruthOptions(
        tmp_path / "gt", tmp_path / "e", "velocity", "l2_mean", target_fps=20.0, up_count=1,
        down_count=1, max_duration_seconds=0.0, tolerance_sec=0.5,
    )  # fmt: skip
    out = tmp_path / "best.json"
    sweep_thresholds(SweepConfig(truth=truth, output_json=out))
    report = json.loads(out.read_text())
    best = report["velocity_l2_mean_best"]["best_f1"]
    assert best["F1_mean"] == 1.0 and 0.1 < best["thr"] <= 1.0
    assert (report["label_spec"], report["n_videos"]) == ("gt_boundaries", 2)
    # Energies of single frames, as those of optical flow, are averaged over a stride first.
    per_frame = np.repeat([1.0 if 10 <= t < 20 or 30 <= t < 42 else 0.1 for t in range(50)], 4)
    energies(tmp_path / "f" / "a" / "energy_optical_flow_mag_mean.jsonl", per_frame, "optical_flow")
    segments(tmp_path / "gt2" / "a_segments.json", [(4.0, 8.0), (12.0, 16.8)], 20.0)
    truth = TruthOptions(tmp_path / "gt2", tmp_path / "f", max_duration_seconds=0.0)
    sweep_thresholds(SweepConfig(truth=truth, output_json=out))
    assert json.loads(out.read_text())["optical_flow_mag_mean_best"]["best_f1"]["F1_mean"] == 1.0


def test_what_is_asked_for_must_be_clear(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="nothing to sweep"):
        sweep_thresholds(SweepConfig())
    with pytest.raises(ConfigError, match="one half"):
        sweep_thresholds(SweepConfig(quantized_jsonl=tmp_path / "q.jsonl"))
    with pytest.raises(ConfigError, match="several"):
        sweep_thresholds(SweepConfig(tmp_path / "q", tmp_path / "v", tmp_path, tmp_path))
    with pytest.raises(DataError, match="No such file"):
        sweep_thresholds(SweepConfig(tmp_path / "q.jsonl", tmp_path / "v.jsonl"))


@given(st.binary(max_size=200))
def test_bytes_that_are_no_energies_are_refused(
    tmp_path_factory: pytest.TempPathFactory, content: bytes
) -> None:
    path = tmp_path_factory.mktemp("energy") / "e.jsonl"
    path.write_bytes(content)
    try:
        values = read_energies(path).values
    except DataError as problem:
        assert str(path) in str(problem)
    else:
        assert all(window >= 0 and np.isfinite(value) for window, value in values.items())


@pytest.mark.parametrize("line", [
    '{"window": 1e3, "energy": 1}', '{"window": true, "energy": 1}', '{"window": 0, "energy": NaN}',
    '{"window": 123456789012, "energy": 1}', '{"window": 0, "energy": 1' + "0" * 400 + "}",
    "[" * 5000, '"window"', '{"window": -1, "energy": 1}',
])  # fmt: skip
def test_lines_that_are_no_energy_are_named(tmp_path: Path, line: str) -> None:
    path = tmp_path / "e.jsonl"
    path.write_text('{"window": 0, "energy": 1.0}\n' + line)
    with pytest.raises(DataError, match="line 2"):
        read_energies(path)


def test_runs_that_were_appended_to_one_file_are_told(tmp_path: Path) -> None:
    path = energies(tmp_path / "e.jsonl", [1.0, 2.0], "quantized")
    path.write_text(path.read_text() + path.read_text().replace("2.0", "3.0"))
    file = read_energies(path)
    assert (dict(file.values), file.repeated) == ({0: 1.0, 1: 3.0}, 2)
    path.write_text(
        path.read_text() + energies(tmp_path / "f.jsonl", [1.0], "velocity").read_text()
    )
    with pytest.raises(DataError, match="mixes"):
        read_energies(path)
