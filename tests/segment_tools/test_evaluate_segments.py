"""Found segments beside marked ones: numbers, missing and damaged files, names, rests."""

from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tool_files import cut_video, energies, segments

from robovalue_ros.cli.main import main
from robovalue_ros.contracts.errors import DataError
from robovalue_ros.data.segment_files import NamedSpan, read_segments
from robovalue_ros.pipelines.segment.evaluate import action_scores, evaluate_folder
from robovalue_ros.pipelines.segment.evaluate_config import SegmentEvaluateConfig
from robovalue_ros.pipelines.segment.truths import true_files
from robovalue_ros.segment.cuts import cuts, pieces

TRUE = [(0.0, 4.0), (4.0, 7.0), (7.0, 10.0)]


def spans(pairs: list[tuple[float, float]], names: list[str] | None = None) -> list[NamedSpan]:
    labels = names or [f"segment_{n}" for n in range(len(pairs))]
    return [NamedSpan(*pair, label) for pair, label in zip(pairs, labels, strict=True)]


def test_perfect_segments_score_perfectly(tmp_path: Path) -> None:
    segments(tmp_path / "gt" / "cup_segments.json", TRUE, 10.0)
    cut_video(tmp_path / "out", "cup", TRUE)
    result = evaluate_folder(SegmentEvaluateConfig(tmp_path / "gt", tmp_path / "out"))
    mean = result.mean
    assert mean is not None
    assert (mean.mof, mean.edit, mean.f1_10, mean.f1_50, mean.boundary_f1) == (1, 100, 100, 100, 1)
    assert (mean.delay, mean.over, mean.under) == (0.0, 0.0, 0.0)
    summary = result.scores["summary"]
    assert summary["F1@2.0s_mean"] == summary["mAP@0.5"] == summary["mAP@0.75"] == 1.0
    assert set(result.scores["per_video"]["cup"]) >= {
        "num_gt_boundaries", "num_pred_boundaries", "f1_at_tol", "precision_at_tol",
        "recall_at_tol", "f1@2.0s",
    }  # fmt: skip


def test_rests_between_segments_may_count_as_one_boundary(tmp_path: Path) -> None:
    segments(tmp_path / "gt" / "cup_segments.json", TRUE, 10.0)
    cut_video(
        tmp_path / "out", "cup", [(0.5, 3.6), (4.6, 6.7), (7.3, 9.0)], video_duration_sec=10.0
    )
    scores = {}
    for rests in ("kept", "cut"):
        config = SegmentEvaluateConfig(
            tmp_path / "gt",
            tmp_path / "out",
            tolerances=(0.25,),
            rests=rests,  # type: ignore[arg-type]
        )
        result = evaluate_folder(config)
        assert result.mean is not None
        scores[rests] = result.mean
    assert scores["kept"].boundary_f1 == 0.0 < scores["cut"].boundary_f1 == 1.0
    assert scores["cut"].mof > scores["kept"].mof > 0.6


def test_names_count_where_both_sides_use_them() -> None:
    truth = spans(TRUE, ["pick", "place", "pick"])
    right = action_scores(spans(TRUE, ["pick", "place", "pick"]), truth, 10.0, 20.0, 0.5)
    wrong = action_scores(spans(TRUE, ["place", "pick", "place"]), truth, 10.0, 20.0, 0.5)
    nameless = action_scores(spans(TRUE), truth, 10.0, 20.0, 0.5)
    assert (right.mof, wrong.mof, nameless.mof) == (1.0, 0.0, 1.0)
    merged = action_scores(spans([(0.0, 10.0)]), truth, 10.0, 20.0, 0.5)
    assert (merged.over, merged.under) == (0.0, 2.0)
    split = action_scores(spans([(0, 2), (2, 4), (4, 5), (5, 7), (7, 10)]), truth, 10.0, 20.0, 0.5)
    assert split.under == 0.0 and split.over == pytest.approx(2 / 3)


def test_late_boundaries_have_a_delay() -> None:
    found = spans([(0.0, 4.3), (4.3, 7.1), (7.1, 10.0)])
    scores = action_scores(found, spans(TRUE), 10.0, 20.0, 0.5)
    assert scores.delay == pytest.approx(0.2) == scores.abs_delay


def test_what_nobody_cut_counts_as_missed_and_damage_is_told(tmp_path: Path) -> None:
    for name in ("cup", "cup_2", "pan", "jar"):
        segments(tmp_path / "gt" / f"{name}_segments.json", TRUE, 10.0)
    (tmp_path / "gt" / "torn_segments.json").write_text('{"segments": [{"start_sec": 1}]}')
    cut_video(tmp_path / "out" / "run1", "cup_2", TRUE)
    cut_video(tmp_path / "out", "pan", TRUE)
    (cut_video(tmp_path / "out", "jar", TRUE)).write_text("{")
    result = evaluate_folder(SegmentEvaluateConfig(tmp_path / "gt", tmp_path / "out"))
    assert set(result.actions) == {"cup_2", "pan"}
    assert [finding.subject for finding in result.findings] == ["cup", "jar", "torn"]
    assert result.scores["summary"]["F1@2.0s_mean"] == 0.5
    assert result.scores["per_video"]["cup"]["f1_at_tol"] == 0.0
    assert result.scores["summary"]["mAP@0.5"] == pytest.approx(0.5)


def test_energies_say_how_sure_a_segment_is(tmp_path: Path) -> None:
    segments(tmp_path / "gt" / "a_segments.json", [(0.0, 2.0)], 10.0)
    segments(tmp_path / "gt" / "b_segments.json", [(0.0, 2.0)], 10.0)
    params = {"segmentation_params": {"stride": 4, "target_fps": 20}}
    cut_video(tmp_path / "out", "a", [(0.0, 2.0)], **params)
    cut_video(tmp_path / "out", "b", [(5.0, 9.0)], **params)
    config = SegmentEvaluateConfig(tmp_path / "gt", tmp_path / "out")
    # By its length the wrong segment is surer, by its energy the right one.
    assert evaluate_folder(config).scores["summary"]["mAP@0.5"] == pytest.approx(0.25)
    energies(tmp_path / "out" / "a" / "stream_energy_velocity.jsonl", [9.0] * 50, "velocity")
    energies(tmp_path / "out" / "b" / "stream_energy_velocity.jsonl", [1.0] * 50, "velocity")
    assert evaluate_folder(config).scores["summary"]["mAP@0.5"] == pytest.approx(0.5)


def test_noisy_truth_stands_in_only_where_there_is_no_other(tmp_path: Path) -> None:
    for name in ("a_segments.json", "a_segments_noisy.json", "b_noisy_segments.json"):
        segments(tmp_path / name, TRUE, 10.0)
    files = true_files(tmp_path)
    assert {name: path.name for name, path in files.items()} == {
        "a": "a_segments.json", "b": "b_noisy_segments.json",
    }  # fmt: skip


def test_a_video_without_a_told_duration_ends_with_its_last_segment(tmp_path: Path) -> None:
    assert read_segments(segments(tmp_path / "a_segments.json", TRUE, None)).duration == 10.0


def test_the_command_prints_a_table_and_writes_json(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    segments(tmp_path / "gt" / "cup_segments.json", TRUE, 10.0)
    cut_video(tmp_path / "out", "cup", [])
    words = ["--gt-dir", str(tmp_path / "gt"), "--pred-root", str(tmp_path / "out")]
    out = tmp_path / "scores.json"
    assert main(["segment", "evaluate", *words, "--tolerances", "0.5", "1", "--output-json", str(out)]) == 0  # fmt: skip
    told = capsys.readouterr().out
    assert "F1@50" in told and "F1@0.5s_mean 0" in told
    assert json.loads(out.read_text())["actions"]["mean"]["delay"] is None
    assert (
        main(["segment", "evaluate", "--gt-dir", str(tmp_path), "--pred-root", str(tmp_path)]) == 2
    )
    with pytest.raises(DataError, match="holds no marked segments"):
        true_files(tmp_path)


@given(st.lists(st.tuples(st.integers(0, 40), st.integers(0, 40)).map(sorted), max_size=6))
def test_cuts_and_pieces_fit_together(pairs: list[list[int]]) -> None:
    at = cuts([(float(a), float(b)) for a, b in pairs])
    assert len(at) == max(0, len(pairs) - 1)
    made = pieces(at, 50.0)
    assert made[0][0] == 0.0 and made[-1][1] == 50.0
    assert all(before[1] == after[0] for before, after in pairwise(made))


json_values = st.recursive(
    st.none() | st.booleans() | st.floats() | st.text(max_size=5) | st.integers(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(
        ["segments", "start_sec", "end_sec", "label", "fps", "video_duration_sec"]), inner, max_size=4),
    max_leaves=12,
)  # fmt: skip


@given(json_values)
def test_json_that_lists_no_segments_is_refused(
    tmp_path_factory: pytest.TempPathFactory, content: object
) -> None:
    path = tmp_path_factory.mktemp("segments") / "a_segments.json"
    path.write_text(json.dumps(content), encoding="utf-8")
    try:
        file = read_segments(path)
    except DataError as problem:
        assert str(path) in str(problem)
    else:
        assert all(0.0 <= span.start <= span.stop for span in file.segments)
        assert file.duration >= 0.0 and (file.fps is None or file.fps > 0.0)
