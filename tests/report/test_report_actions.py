"""Actions of the segmenter below the curves: which list belongs to which episode, and where it lies."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from playwright.sync_api import sync_playwright
from scored_folder import LENGTH, record, score, tries

from robovalue_ros.cli.main import main
from robovalue_ros.contracts.errors import DataError
from robovalue_ros.contracts.types import Finding
from robovalue_ros.data.segment_files import NamedSpan, SegmentsFile
from robovalue_ros.pipelines.shown_actions import ActionLists, action_bands

FLAGS = ["--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"]
SPANS = ((0.5, 1.5), (1.7, 2.4), (3.0, 9.0))
SHOWN = ["action 0 (0.50 to 1.50 s)", "action 1 (1.70 to 2.40 s)", "action 2 (3.00 to 4.00 s)"]


def listed(folder: Path, name: str, spans: Sequence[tuple[float, float]], **more: object) -> Path:
    """Write a video's results as `robovalue segment stream` leaves them."""
    file = folder / name / "segmented_videos" / f"{name}_segments.json"
    file.parent.mkdir(parents=True)
    segments = [
        {"start_sec": a, "end_sec": b, "label": f"segment_{n}"} for n, (a, b) in enumerate(spans)
    ]
    content = {"video": name, "segments": segments, "fps": 10.0, **more}
    file.write_text(json.dumps(content), encoding="utf-8")
    return file


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """The page of a run and of its data set, both with the actions of three of four episodes."""
    root = tmp_path_factory.mktemp("actions")
    told = tries(2)
    data = record(root / "data", told)
    out = score(root / "out", data, told)
    found = root / "segments"
    listed(found, "episode_000000", SPANS)
    listed(found, "episode_000001_cam_left_wrist", SPANS[:2])
    listed(found, "elsewhere", SPANS)
    listed(found, "episode_000002", SPANS).write_text("{", encoding="utf-8")
    run, whole = root / "run.html", root / "whole.html"
    words = ["--segments", str(found)]
    assert main(["value", "report", str(out), "--out", str(run), *words]) == 0
    assert main(["report", str(data), "--out", str(whole), *words]) == 0
    return run, whole


def test_actions_are_a_row_in_step_with_the_cameras(pages: tuple[Path, Path]) -> None:
    program = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)  # fmt: skip
    with sync_playwright() as tool:
        browser = tool.chromium.launch(executable_path=program, args=FLAGS)
        for file in pages:
            complaints: list[str] = []
            page = browser.new_page(viewport={"width": 1280, "height": 860})
            page.on("pageerror", lambda error, heard=complaints: heard.append(str(error)))
            page.goto(file.as_uri())
            page.click(".episodes tbody tr:has-text('episode_000000') td.col-outcome")
            page.wait_for_selector(".cursor")
            names = page.locator("#plot .row-name").all_text_contents()
            assert "actions" in names
            assert page.locator(".band.action title").all_text_contents() == SHOWN
            assert page.locator(".tint.action").count() == 0
            below = page.evaluate(
                """() => { const top = (at) => document.querySelector(at).getBoundingClientRect().y;
                   return top('.band.action rect') > top('.curve') && top('.band.action rect')
                     < document.querySelector('#plot svg').getBoundingClientRect().bottom - 20; }"""
            )
            assert below
            # At the frame where the second action begins, the pointer stands on its left side.
            page.keyboard.press("Home")
            for _ in range(17):
                page.keyboard.press("d")
            at, left = page.evaluate(
                """() => { const c = document.querySelector('.cursor line').getBoundingClientRect();
                   const b = document.querySelectorAll('.band.action rect')[1].getBoundingClientRect();
                   return [c.x + c.width / 2, b.x]; }"""
            )
            assert page.get_attribute("#viewer", "data-frame") == "17"
            assert at == pytest.approx(left, abs=2)
            page.keyboard.press("q")
            page.click(".episodes tbody tr:has-text('episode_000001') td.col-outcome")
            page.wait_for_selector(".cursor")
            assert page.locator(".band.action").count() == 2
            told = " ".join(page.locator("#findings").all_text_contents())
            assert "belong to no episode: elsewhere" in told
            assert complaints == []
            page.close()
        browser.close()


def test_the_page_of_a_run_explains_the_row_and_tells_damage(pages: tuple[Path, Path]) -> None:
    text = pages[0].read_text(encoding="utf-8")
    assert "from motion alone" in text
    assert "Its actions are not shown." in text
    assert '["Actions","3"]' in text


def test_a_file_of_one_video_and_a_folder_of_marked_ones_are_lists_too(tmp_path: Path) -> None:
    file = listed(tmp_path, "cup", SPANS)
    findings: list[Finding] = []
    for place in (file, file.parent, file.parent.parent, tmp_path):
        found = ActionLists(place).of(["runs/cup"], ["cam"], findings)
        assert found is not None and len(found.segments) == 3
    assert ActionLists(file).of(["cup_2"], ["cam"], findings) is None and not findings
    with pytest.raises(DataError, match="lists of segments"):
        ActionLists(tmp_path / "cup" / "nothing")
    (unused,) = ActionLists(file).unused()
    assert unused.level == "warning" and "cup" in unused.found


@settings(max_examples=100, deadline=None)
@given(st.data())
def test_bands_begin_and_end_with_the_frames_that_the_list_counts(data: st.DataObject) -> None:
    fps = data.draw(st.sampled_from([10.0, 15.0, 29.97]))
    jitter = np.array(data.draw(st.lists(st.floats(-0.004, 0.004), min_size=40, max_size=40)))
    stamps = np.arange(40) / fps + jitter
    edges = sorted(data.draw(st.sets(st.integers(0, 40), min_size=2, max_size=8)))
    pairs = list(zip(edges[::2], edges[1::2], strict=False))
    spans = tuple(NamedSpan(a / fps, b / fps, f"segment_{n}") for n, (a, b) in enumerate(pairs))
    whole = SegmentsFile(Path("x"), "x", spans, 40 / fps, float(fps), {})
    bands = action_bands(whole, stamps)
    step = float(np.median(np.diff(stamps)))
    if abs(fps * step - 1.0) > 0.02:
        return
    ends = [*stamps, stamps[-1] + step]
    assert [(band.start_s, band.stop_s) for band in bands] == [(ends[a], ends[b]) for a, b in pairs]
    # Of unknown frames only the seconds are known.
    timed = action_bands(SegmentsFile(Path("x"), "x", spans, 40 / fps, None, {}), stamps)
    for band, span in zip(timed, spans, strict=True):
        assert band.start_s == pytest.approx(stamps[0] + span.start)
        assert band.stop_s <= ends[-1]


def test_an_action_that_lies_behind_the_recording_is_no_band() -> None:
    spans = (NamedSpan(1.0, 2.0, "segment_0"), NamedSpan(LENGTH, LENGTH + 1, "segment_1"))
    bands = action_bands(SegmentsFile(Path("x"), "x", spans, 9.0, 10.0, {}), np.arange(LENGTH) / 10)
    assert [band.label for band in bands] == ["action 0"]
