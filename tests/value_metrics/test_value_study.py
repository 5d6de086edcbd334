"""The study of the value stream runs from end to end, and goes on where it was interrupted."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from benchmarks.value_study.__main__ import main
from benchmarks.value_study.curves import Record
from benchmarks.value_study.figures import cells, main_figures, plain

pytestmark = pytest.mark.sim


@pytest.mark.slow
def test_the_short_form_runs_resumes_and_repairs(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["--quick", "--out", str(tmp_path)]
    assert main(words) == 0
    text = capsys.readouterr().out
    for expected in ("VOC, successes", "noise, told", "wrong", "Verdict:", "open_drawer: by mode"):
        assert expected in text
    kept = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.npz")}
    lost, torn, *_ = sorted(path for path in kept if "plain_3" in str(path))
    content = torn.read_bytes()
    lost.unlink()
    torn.write_bytes(content[: len(content) // 2])
    assert main(words) == 0
    again = capsys.readouterr().out
    assert again.split("Time per frame")[0] == text.split("Time per frame")[0]
    assert torn.read_bytes() == content
    changed = {path for path in kept if path.stat().st_mtime_ns != kept[path]}
    assert changed == {lost, torn}


def test_an_unknown_task_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--tasks", "open_draw", "--out", str(tmp_path)]) == 2
    assert "open_drawer" in capsys.readouterr().err


def test_figures_know_good_from_bad() -> None:
    rng = np.random.default_rng(0)
    records, good, bad = [], [], []
    for number in range(20):
        success = number % 2 == 0
        top = 1.0 if success else 0.6
        truth = np.linspace(0.0, top, 60)
        dropped = np.zeros(60, np.bool_)
        if not success:
            dropped[40], truth[40:] = True, 0.1
        back = np.concatenate([truth[:40], truth[38::-1]])
        curves = {"plain": plain(truth), "rewound": plain(back), "frozen": plain(np.zeros(60))}
        records.append(Record("any", success, truth, dropped, ~dropped, curves, {"rewound": 40}))
        good.append(curves)
        clock = np.minimum(np.arange(79) / 59, 1.0)
        bad.append(
            {"plain": plain(clock[:60]), "rewound": plain(clock), "frozen": plain(clock[:60])}
        )
    names = [figure.name for figure in main_figures()]
    at_best = dict(zip(names, cells(main_figures(), records, good, 100, rng), strict=True))
    as_clock = dict(zip(names, cells(main_figures(), records, bad, 100, rng), strict=True))
    for figure in main_figures():
        reached = figure.reached(at_best[figure.name].value)
        assert reached in (True, None), figure.name
    assert as_clock["VOC, successes"].value > 0.99
    assert as_clock["ROC-AUC of the last value"].value == 0.5
    assert as_clock["rewound steps that fall (lag 5)"].value == 0.0
    assert as_clock["drops falling by .2 in 10 frames"].value == 0.0
    assert as_clock["first frame frozen, worst end"].value == 1.0
    assert np.isnan(as_clock["stalls flagged within 1 s"].value)
