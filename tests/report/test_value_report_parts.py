"""What the page of a run is made of: marks, rows, columns, and videos that wait on the disk."""

from __future__ import annotations

import json
import re
import tracemalloc
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scored_folder import Told, causal_of

from robovalue_ros.contracts.errors import ContractError
from robovalue_ros.contracts.validate import FrozenMapping
from robovalue_ros.data.value_store.episode import EpisodeValues
from robovalue_ros.pipelines.recordings import Recording
from robovalue_ros.pipelines.results import ScoredEpisode
from robovalue_ros.pipelines.value_report_curves import shown_episode
from robovalue_ros.report.page import Band, CurveMark, Report, ReportEpisode, page_parts, render


def episode(name: str = "e", **changes: Any) -> ReportEpisode:
    values: dict[str, Any] = {
        "id": name, "task": "lift", "success": True, "rate_hz": 10.0, "stamps_s": np.arange(4.0),
        "signals": {"p": np.linspace(0, 1, 4)},
    }  # fmt: skip
    return ReportEpisode(**{**values, **changes})


def table_cells(text: str, column: int) -> list[str]:
    return re.findall(rf'<td class="col-fact-{column} [^>]*>([^<]*)</td>', text)


def test_chosen_columns_stand_in_order_with_even_decimals() -> None:
    facts: list[dict[str, Any]] = [
        {"v": 0.5, "word": "teleop", "n": 3},
        {"v": -0.125, "word": "rollouts", "n": None},
    ]
    episodes = tuple(episode(str(n), facts=f) for n, f in enumerate(facts))
    text = render(Report("t", episodes=episodes, columns=("word", "v", "n", "absent")))
    assert table_cells(text, 0) == ["teleop", "rollouts"]
    assert table_cells(text, 1) == ["0.500", "−0.125"]
    assert table_cells(text, 2) == ["3", "–"]
    assert table_cells(text, 3) == ["–", "–"]
    assert "same-task" in text.split("<thead>")[0].rsplit("<table", 1)[1]
    plain = render(Report("t", episodes=episodes))
    assert table_cells(plain, 0) == ["0.5", "−0.125"]


def test_marks_and_named_rows_reach_the_page() -> None:
    band = Band(0, 1, "x", "segment", "segment", 0.25)
    item = episode(marks={"p": CurveMark("strong", "seen live")}, bands=(band,))
    text = render(Report("t", episodes=(item,)))
    data = json.loads(text.split('id="data-0">')[1].split("</script>")[0])
    assert data["signals"][0]["style"] == "strong"
    assert data["signals"][0]["note"] == "seen live"
    assert (data["bands"][0]["lane"], data["bands"][0]["level"]) == ("segment", 0.25)


@pytest.mark.parametrize(
    ("make", "field"),
    [
        (lambda: Band(0, 1, "x", level=1.5), "level"),
        (lambda: CurveMark("loud"), "style"),  # type: ignore[arg-type]
        (lambda: episode(marks={"other": CurveMark()}), "marks"),
    ],
)
def test_what_does_not_fit_is_refused(make: Any, field: str) -> None:
    with pytest.raises(ContractError, match=field):
        make()


def test_a_page_of_many_videos_holds_one_at_a_time(tmp_path: Path) -> None:
    size, count = 1_000_000, 12
    videos = []
    for number in range(count):
        videos.append(tmp_path / f"{number}.mp4")
        videos[-1].write_bytes(bytes(size))
    episodes = tuple(episode(str(n), videos={"cam": file}) for n, file in enumerate(videos))
    with (tmp_path / "page.html").open("w", encoding="utf-8") as stream:
        tracemalloc.start()
        stream.writelines(page_parts(Report("t", episodes=episodes)))
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert (tmp_path / "page.html").stat().st_size > count * size * 4 / 3
    assert peak < 6 * size
    inside = replace(episodes[0], videos={"cam": bytes(size)})
    assert render(Report("t", episodes=(inside,))) == render(Report("t", episodes=episodes[:1]))


@settings(max_examples=60, deadline=None)
@given(st.integers(2, 60), st.integers(0, 5), st.integers(1, 9), st.integers(0, 2**32 - 1))
def test_segments_follow_each_other_and_stay_inside_the_trimmed_part(
    count: int, first: int, stride: int, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    total = first + count + 3
    told = Told("e", True, np.linspace(0, 1, total), np.linspace(0, 1, total))
    ends = np.unique(np.append(np.arange(0, count, stride), count - 1)).astype(np.int32)
    index = rng.integers(0, 50, len(ends)).astype(np.int32)
    hindsight = EpisodeValues(
        "segment_match50", np.zeros(count, np.float32), np.zeros(count, np.float32),
        FrozenMapping({"trim_start": first, "trim_end": first + count - 1,
                       "segment_match_num_segments": 50}),
        sparse={"match_seg_idx_sparse": index, "window_end_t_sparse": ends},
    )  # fmt: skip
    path = Path("e.hdf5")
    scored = ScoredEpisode(
        "e", Recording("teleop", path, "e", path), "t", True, hindsight, causal_of(told, "m")
    )
    shown = shown_episode(scored, None, {}, "progress", [])
    bands = [band for band in shown.bands if band.lane == "segment"]
    edges = [band.start_s for band in bands] + [bands[-1].stop_s]
    assert edges[0] == pytest.approx(first / 10)
    assert edges[-1] == pytest.approx((first + count) / 10)
    assert all(one.stop_s == pytest.approx(two.start_s) for one, two in pairwise(bands))
    # Each frame lies in the band of the first window that ends at or after it.
    for frame in range(count):
        own = index[np.searchsorted(ends, frame)]
        (band,) = [b for b in bands if b.start_s <= (first + frame) / 10 + 1e-9 < b.stop_s]
        assert band.label == f"segment {own + 1} of 50"
