"""The page of a run in a real browser: table, videos and curves in step, flags, damage."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, sync_playwright
from scored_folder import LENGTH, SEGMENTS, damage_frame, record, score, tries

from robovalue_ros.cli.main import main
from robovalue_ros.contracts.tools import ReadOptions
from robovalue_ros.pipelines.recordings import Readers
from robovalue_ros.pipelines.results import scored_episodes
from robovalue_ros.pipelines.value_report import write_value_report
from robovalue_ros.wiring import open_reader

FLAGS = ["--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"]
DAMAGED = "episode_000003"


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six tries with both curves; one has a damaged frame, one recording is gone."""
    root = tmp_path_factory.mktemp("run")
    told = tries(3)
    data = record(root / "data", told)
    out = score(root / "out", data, told)
    damage_frame(data, DAMAGED)
    next(data.rglob("episode_000005.hdf5")).unlink()
    return out


def write(out: Path, target: Path, **options: object) -> Path:
    episodes, findings = scored_episodes(out)
    readers = Readers(partial(open_reader, options=ReadOptions()))
    try:
        return write_value_report(
            episodes, readers, target, title="Toys", findings=findings, **options
        )  # type: ignore[arg-type]
    finally:
        readers.close()


@pytest.fixture(scope="module")
def page_file(results: Path) -> Path:
    return write(results, results / "report.html", facts={"seed": 3})


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    program = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)  # fmt: skip
    with sync_playwright() as tool:
        running = tool.chromium.launch(executable_path=program, args=FLAGS)
        yield running
        running.close()


@pytest.fixture(params=["light", "dark"])
def page(
    request: pytest.FixtureRequest, browser: Browser, page_file: Path
) -> Iterator[Page]:  # fmt: skip
    """A fresh window; the test fails on any complaint and on any request to a network."""
    context = browser.new_context(
        viewport={"width": 1280, "height": 860}, color_scheme=request.param
    )
    window = context.new_page()
    complaints: list[str] = []
    window.on("console", lambda m: complaints.append(m.text) if m.type != "log" else None)
    window.on("pageerror", lambda error: complaints.append(str(error)))
    window.on(
        "request",
        lambda r: (
            None if r.url.startswith(("file:", "blob:", "data:")) else complaints.append(r.url)
        ),
    )
    window.goto(page_file.as_uri())
    yield window
    context.close()
    assert complaints == []


def wait_until(page: Page, condition: str) -> None:
    deadline = time.monotonic() + 20
    while not page.evaluate(condition):
        assert time.monotonic() < deadline, condition
        page.wait_for_timeout(20)


def open_row(page: Page, number: int, videos: int = 2) -> None:
    page.click(f".episodes tbody tr[data-index='{number}'] td.col-outcome")
    wait_until(
        page,
        f"[...document.querySelectorAll('video')].length === {videos} &&"
        " [...document.querySelectorAll('video')].every((v) => v.readyState >= 2 && !v.seeking)",
    )


def cells(page: Page, number: int) -> list[str]:
    return page.eval_on_selector_all(
        f".episodes tbody tr[data-index='{number}'] td.fact", "all => all.map(c => c.textContent)"
    )


def test_the_table_tells_value_order_falls_stall_and_declaration(page: Page) -> None:
    heads = page.eval_on_selector_all("th.fact", "all => all.map(h => h.textContent)")
    assert heads == ["Final value", "VOC", "Falls", "Stalled, s", "Declared at, s", "Source"]
    success, failure = cells(page, 0), cells(page, 1)
    assert float(success[0]) > 0.95
    assert float(success[1]) > 0.98
    assert success[2:] == ["0", "0.5", success[4], "rollouts"]
    assert float(success[4]) > 3.5
    assert float(failure[0]) < 0.2
    assert failure[2] == "1"
    assert failure[4] == "–"


def test_video_and_curves_run_in_step(page: Page) -> None:
    open_row(page, 0)
    page.select_option("#speed", "4")
    page.click("#play")
    wait_until(page, "Number(document.getElementById('viewer').dataset.frame) > 6")
    times = page.evaluate("[...document.querySelectorAll('video')].map(v => v.currentTime)")
    assert abs(times[0] - times[1]) < 0.6
    wait_until(page, f"Number(document.getElementById('viewer').dataset.frame) === {LENGTH - 1}")
    page.keyboard.press("Home")
    for _ in range(2):
        page.keyboard.press("s")
    wait_until(page, "[...document.querySelectorAll('video')].every(v => !v.seeking && v.currentTime > 1.9)")  # fmt: skip
    dot = page.evaluate(
        """() => { const d = document.querySelectorAll('#plot .dot')[0].getBoundingClientRect();
                   const c = document.querySelector('.cursor line').getBoundingClientRect();
                   return [d.x + d.width / 2, c.x + c.width / 2]; }"""
    )
    assert dot[0] == pytest.approx(dot[1], abs=2)
    page.wait_for_timeout(100)
    seen = page.evaluate(
        """() => { const v = document.querySelector('video');
          const c = Object.assign(document.createElement('canvas'), { width: 64, height: 48 });
          const pen = c.getContext('2d'); pen.drawImage(v, 0, 0);
          return pen.getImageData(32, 24, 1, 1).data[0]; }"""
    )
    assert seen == pytest.approx(20 + 5 * 20, abs=3)


def test_curves_are_named_and_marked(page: Page) -> None:
    open_row(page, 0)
    names = page.eval_on_selector_all("#legend .name", "all => all.map(n => n.textContent)")
    assert names == ["value, causal", "value, hindsight", "true progress"]
    notes = page.eval_on_selector_all("#legend .range", "all => all.map(n => n.textContent)")
    assert "knows" in notes[1]
    widths = page.eval_on_selector_all(
        "#plot .curve", "all => all.map(c => parseFloat(getComputedStyle(c).strokeWidth))"
    )
    assert widths[0] > widths[1] > widths[2]
    # The hindsight curve speaks about trimmed frames only.
    values = page.locator("#legend .value")
    assert values.nth(1).text_content() == "–"
    page.keyboard.press("s")
    assert values.nth(1).text_content() != "–"


def test_flags_and_segments_are_rows_with_names(page: Page) -> None:
    open_row(page, 1)
    names = page.eval_on_selector_all("#plot .row-name", "all => all.map(n => n.textContent)")
    assert names == ["segment", "unknown", "stall", "fall"]
    assert page.locator(".band.segment.level").count() >= SEGMENTS - 2
    shades = page.eval_on_selector_all(
        ".band.segment.level rect", "all => all.map(r => Number(r.getAttribute('fill-opacity')))"
    )
    assert shades == sorted(shades)
    title = page.locator(".band.error title").text_content()
    assert title == "the value fell clearly (2.50 to 3.00 s)"
    widths = page.eval_on_selector_all(
        ".band.warning rect, .band.error rect",
        "all => all.map(r => Number(r.getAttribute('width')))",
    )
    assert widths[0] == pytest.approx(widths[1], rel=0.02)


def test_damaged_and_missing_recordings_keep_their_curves(page: Page) -> None:
    told = page.eval_on_selector_all("#findings strong", "all => all.map(s => s.textContent)")
    assert any(DAMAGED in name for name in told)
    assert any("episode_000005" in name for name in told)
    open_row(page, 3, videos=1)
    wait_until(page, "document.querySelectorAll('#plot .curve').length === 3")
    page.keyboard.press("q")
    open_row(page, 5, videos=0)
    wait_until(page, "document.querySelectorAll('#plot .curve').length === 2")
    page.select_option("#speed", "4")
    page.click("#play")
    wait_until(page, f"Number(document.getElementById('viewer').dataset.frame) === {LENGTH - 1}")


def test_settings_of_the_run_and_meanings_are_told(page: Page) -> None:
    text = " ".join(page.locator(".chapter").all_text_contents())
    assert "seed" in text
    assert "A clock scores 1 too" in text


@pytest.mark.parametrize("width", [390, 320])
def test_a_phone_shows_final_value_and_never_scrolls_sideways(
    browser: Browser, page_file: Path, width: int
) -> None:
    context = browser.new_context(viewport={"width": width, "height": 844}, has_touch=True)
    page = context.new_page()
    page.goto(page_file.as_uri())
    wide = "document.documentElement.scrollWidth <= innerWidth"
    assert page.evaluate(wide)
    assert page.locator("tr[data-index='0'] td.lead").is_visible()
    page.tap(".episodes tbody tr:first-child .col-outcome")
    wait_until(page, "document.querySelector('.cursor') !== null")
    assert page.evaluate(wide)
    assert page.evaluate("(b => b.scrollWidth <= b.clientWidth)(document.querySelector('.viewer-body'))")  # fmt: skip
    inside = page.evaluate(
        "Math.min(...[...document.querySelectorAll('#plot text')].map(t => t.getBoundingClientRect().x)) >= 0"
    )
    assert inside
    context.close()


def test_the_same_run_gives_the_same_bytes(results: Path, page_file: Path, tmp_path: Path) -> None:
    again = write(results, tmp_path / "again.html", facts={"seed": 3})
    assert again.read_bytes() == page_file.read_bytes()


def test_a_limit_keeps_every_curve(results: Path, tmp_path: Path) -> None:
    few = write(results, tmp_path / "few.html", limit=2).read_text(encoding="utf-8")
    # Evenly spread: the first episode and the last, whose recording is gone.
    assert few.count('<script type="text/plain"') == 2
    assert few.count('<script type="application/json" id="data-') == 6
    assert "2 of 6 episodes have videos" in few


def test_a_recording_that_changed_is_not_shown_beside_old_values(tmp_path: Path) -> None:
    told = tries(1)
    data = record(tmp_path / "data", [replace(item, true=item.true[:-4]) for item in told])
    out = score(tmp_path / "out", data, told, hindsight=False)
    text = write(out, tmp_path / "page.html").read_text(encoding="utf-8")
    assert "has 36 frames by now, and was scored with 40" in text
    assert '<script type="text/plain"' not in text


def test_the_command_writes_into_the_results_folder(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    told = tries(1)
    out = score(tmp_path / "out", record(tmp_path / "data", told), told, causal=False)
    assert main(["value", "report", str(out)]) == 0
    assert "report.html" in capsys.readouterr().out
    text = (out / "report.html").read_text(encoding="utf-8")
    assert "value, hindsight" in text
    assert "value, causal" not in text
    assert main(["value", "report", str(tmp_path / "nowhere")]) == 2
