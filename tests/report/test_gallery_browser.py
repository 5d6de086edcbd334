"""The gallery of clusters in a real browser: it opens, plays, and says what it cannot show."""

from __future__ import annotations

import io
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from robovalue_ros.contracts.types import Finding
from robovalue_ros.report.clouds import Panel, draw_panels
from robovalue_ros.report.gallery import (
    Gallery,
    GalleryClip,
    GalleryCluster,
    gallery_parts,
)

FLAGS = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
]  # fmt: skip
NASTY = "</script><script>document.title='owned'</script> & <b>杯子"


def encode_mp4(grey: int) -> bytes:
    stream = io.BytesIO()
    with av.open(stream, "w", format="mp4") as container:
        track = container.add_stream("libx264", rate=10)
        track.width, track.height, track.pix_fmt = 64, 48, "yuv420p"
        for number in range(20):
            image = np.full((48, 64, 3), grey + 4 * number, np.uint8)
            container.mux(track.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
        container.mux(track.encode())
    return stream.getvalue()


def encode_jpeg(grey: int) -> bytes:
    return bytes(cv2.imencode(".jpg", np.full((48, 64, 3), grey, np.uint8))[1])


def make_gallery() -> Gallery:
    stills = tuple(encode_jpeg(grey) for grey in (40, 90, 140, 190))
    playing = GalleryClip(NASTY, "5 codes, 2.0 s", (1, 1, 2, 3, 1), stills, encode_mp4(40))
    other = GalleryClip("b", "3 codes", (1, 2, 9), stills[:1], encode_mp4(60))
    broken = GalleryClip("c", "", (), stills[:2], b"no video")
    bare = GalleryClip("d", "400 codes", tuple(range(400)))
    clusters = (
        GalleryCluster(f"like {NASTY}", (("segments", "2 (50%)"),), (1, 2), (playing, other)),
        GalleryCluster("like c", (("segments", "2 (50%)"),), (0,), (broken, bare)),
    )
    points = np.array([[0.0, 0], [1, 0], [5, 5], [6, 5]])
    picture = draw_panels("", "", (Panel("", points, ("a", "a", "c", None)),), 300)
    return Gallery(
        "2 kinds", "four segments", (("Segments", "4", "one noise"),), (("All", picture),), clusters,
        (Finding("note", "clips", "1 of 4 has no video"),),
    )  # fmt: skip


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    program = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)  # fmt: skip
    with sync_playwright() as tool:
        running = tool.chromium.launch(executable_path=program, args=FLAGS)
        yield running
        running.close()


@pytest.fixture(scope="module")
def page_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("gallery") / "gallery.html"
    path.write_text("".join(gallery_parts(make_gallery())), encoding="utf-8")
    return path


@pytest.fixture
def page(browser: Browser, page_file: Path) -> Iterator[Page]:
    context = browser.new_context(viewport={"width": 1280, "height": 860})
    window = context.new_page()
    complaints: list[str] = []
    window.on("console", lambda m: complaints.append(m.text) if m.type != "log" else None)
    window.on("pageerror", lambda error: complaints.append(str(error)))
    window.on("request", lambda r: complaints.append(r.url) if r.url.startswith("http") else None)
    window.goto(page_file.as_uri())
    yield window
    context.close()
    assert complaints == []


def wait_until(page: Page, condition: str) -> None:
    deadline = time.monotonic() + 20
    while not page.evaluate(condition):
        assert time.monotonic() < deadline, condition
        page.wait_for_timeout(20)


def test_it_shows_every_cluster_and_runs_nothing_from_a_name(page: Page) -> None:
    assert page.title() == "2 kinds"
    assert page.locator(".cluster").count() == 2
    assert page.locator("#cluster-0 h2").text_content() == f"like {NASTY}"
    assert page.locator("#clip-0-0 .film img").count() == 4
    assert page.locator(".planes img").evaluate("i => i.naturalWidth > 100")
    assert page.locator("#clip-1-1 .missing").is_visible()
    assert page.locator("#clip-1-1 svg").get_attribute("aria-label") == "400 codes and more"
    # Runs of one code are one block, and the same code has the same colour in every clip.
    assert page.locator("#clip-0-0 rect").count() == 4
    fill = "(id) => getComputedStyle(document.querySelector(`${id} .k0`)).fill"
    assert page.evaluate(fill, "#clip-0-0") == page.evaluate(fill, "#clip-0-1")


def test_a_click_plays_a_clip_and_another_stops_it(page: Page) -> None:
    assert page.locator("video").count() == 0
    page.click("#clip-0-0 .clip-play")
    wait_until(page, "(v => v && v.currentTime > 0.2)(document.querySelector('#clip-0-0 video'))")
    expect(page.locator("video")).to_have_count(1)
    page.click("#clip-0-0 .clip-play")
    expect(page.locator("video")).to_have_count(0)
    assert page.locator("#clip-0-0 .film img").count() == 4


def test_a_cluster_plays_as_a_whole(page: Page) -> None:
    page.click("#cluster-0 .play-all")
    wait_until(
        page,
        "(v => v.length === 2 && v.every(one => one.currentTime > 0.1))"
        "([...document.querySelectorAll('video')])",
    )
    page.click("#cluster-0 .play-all")
    expect(page.locator("video")).to_have_count(0)
    expect(page.locator("#cluster-0 .play-all")).to_have_text("Play all")


def test_a_clip_that_cannot_play_says_so(browser: Browser, page_file: Path) -> None:
    page = browser.new_page()
    page.goto(page_file.as_uri())
    page.click("#clip-1-0 .clip-play")
    expect(page.locator("#clip-1-0 .clip-problem")).to_be_visible()
    assert page.locator("#clip-1-0 .film img").count() == 2
    page.close()


@pytest.mark.parametrize("width", [390, 320])
def test_a_phone_never_scrolls_sideways(browser: Browser, page_file: Path, width: int) -> None:
    page = browser.new_page(viewport={"width": width, "height": 844})
    page.goto(page_file.as_uri())
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    page.close()
