"""Values are judged by truth and by controls that must fail; nothing is praised for nothing."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scored_folder import LENGTH, STEP_NS, Told, damage_frame, pictures, record, score, tries

from robovalue_ros.cli.main import main
from robovalue_ros.contracts.errors import ConfigError
from robovalue_ros.contracts.progress import SilentProgress
from robovalue_ros.contracts.tools import ReadOptions
from robovalue_ros.contracts.types import Frame
from robovalue_ros.data.value_store.value_model import write_value_model
from robovalue_ros.pipelines.evaluate import Evaluation, evaluate
from robovalue_ros.pipelines.evaluation.config import EvaluateConfig
from robovalue_ros.pipelines.evaluation.control_runs import run_controls
from robovalue_ros.pipelines.evaluation.telling import Line, as_json, as_markdown, lines
from robovalue_ros.pipelines.evaluation.truths import read_truths
from robovalue_ros.pipelines.recordings import Readers
from robovalue_ros.pipelines.results import scored_episodes
from robovalue_ros.value.stream.fitting import fit_value_model
from robovalue_ros.value.stream.live import ValueStream
from robovalue_ros.value.stream.model import ValueModel
from robovalue_ros.value.stream.options import FitOptions
from robovalue_ros.wiring import open_reader

OPENER = partial(open_reader, options=ReadOptions())
Maker = Callable[..., Path]


def no_model(path: Path) -> ValueStream:
    raise AssertionError("no model was asked for")


def judge(out: Path, **options: Any) -> Evaluation:
    stream_of = options.pop("stream_of", no_model)
    config = EvaluateConfig(out, **{"draws": 100, "calibration": 0.0, **options})
    return evaluate(config, OPENER, stream_of)


def line(found: Evaluation, curve: str, measure: str) -> Line:
    judged = next(item for item in found.curves if item.name == curve)
    return next(item for item in lines(judged) if item.measure == measure)


@pytest.fixture(scope="module")
def run_of(tmp_path_factory: pytest.TempPathFactory) -> Maker:
    def make(told: list[Told], **options: Any) -> Path:
        root = tmp_path_factory.mktemp("judged")
        return score(root / "out", record(root / "data", told), told, **options)

    return make


@pytest.fixture(scope="module")
def good(run_of: Maker) -> Path:
    return run_of(tries(6))


def test_curves_that_follow_the_truth_hold_against_every_control(good: Path) -> None:
    found = judge(good)
    causal = found.curves[0]
    assert causal.verdict.holds
    assert line(found, "causal", "voc").cell.value > 0.97
    assert line(found, "causal", "auc_final").cell.value == 1.0
    assert line(found, "causal", "mae").cell.value < 0.02
    assert line(found, "causal", "drop_caught").cell.value == 1.0
    # A clock orders frames as well, so the number is shown and counts for nothing.
    assert line(found, "causal", "voc").matched
    assert "voc proves nothing because clock" in causal.verdict.sentence
    assert "mae" in causal.verdict.proves


def test_a_clock_in_disguise_proves_nothing(run_of: Maker) -> None:
    clocks = [replace(item, values=np.linspace(0, 1, LENGTH)) for item in tries(4)]
    found = judge(run_of(clocks, hindsight=False))
    (causal,) = found.curves
    assert line(found, "causal", "voc").cell.value == pytest.approx(1.0)
    assert not causal.verdict.holds
    assert "proves nothing" in causal.verdict.sentence


def test_a_curve_that_was_told_is_not_praised_for_outcomes(good: Path) -> None:
    found = judge(good)
    hindsight = found.curves[1]
    final = line(found, "hindsight", "auc_final")
    assert final.cell.value == 1.0
    assert final.told
    assert final.matched
    assert not line(found, "causal", "auc_final").told
    assert "auc_final" not in hindsight.verdict.proves
    text = as_markdown(found, "x")
    assert "told how long each episode is and how it ends" in text
    assert "1.000 [1.000, 1.000] (told)" in text


def test_flags_are_judged_by_what_happened(good: Path) -> None:
    rows = {row.name: row for row in judge(good).curves[0].flags}
    assert rows["declared_ever_success"].cell.value == 1.0
    assert rows["declared_ever_failure"].cell.value == 0.0
    assert rows["fall_flag_found"].cell.value == 1.0
    assert rows["fall_flag_found"].seen == 6
    assert rows["unknown"].cell.value == pytest.approx(1 / LENGTH)


def test_a_recorded_signal_may_say_when_something_was_lost(good: Path) -> None:
    found = judge(good, drops="lost")
    assert line(found, "causal", "drop_caught").cell.value == 1.0
    assert not any("lost" in finding.found for finding in found.findings)
    other = judge(good, drops="absent")
    assert any("no signal 'absent'" in finding.found for finding in other.findings)


def test_same_seed_same_numbers_and_another_seed_other_intervals(good: Path) -> None:
    first, again, other = (
        json.dumps(as_json(judge(good, seed=seed)), sort_keys=True) for seed in (1, 1, 2)
    )
    assert first == again
    assert first != other


def test_demonstrations_are_not_judged(run_of: Maker) -> None:
    told = tries(3)
    taught = [replace(t, source="teleop" if n < 2 else "rollouts") for n, t in enumerate(told)]
    found = judge(run_of(taught))
    assert found.taught == 2
    assert found.curves[0].table.episodes == 4
    controls = {row.name for row in found.curves[0].table.rows}
    assert "demo_clock" in controls
    everything = judge(run_of([replace(t, source="teleop") for t in told]))
    assert everything.curves[0].table.episodes == 6
    assert any("judged on what taught it" in f.found for f in everything.findings)


def test_calibration_learns_on_episodes_that_are_not_judged(run_of: Maker) -> None:
    told = [replace(t, values=t.values**3) for t in tries(12)]
    found = judge(run_of(told, hindsight=False), calibration=0.25)
    assert found.calibrating == 6
    assert found.curves[0].table.episodes == 18
    raw = line(found, "causal", "ece").cell.value
    assert line(found, "causal", "ece_calibrated").cell.value < raw / 3
    few = judge(run_of(tries(2), hindsight=False), calibration=0.25)
    assert few.calibrating == 0
    assert any("too few" in f.found for f in few.findings)


def test_without_truth_or_recordings_order_and_outcomes_are_still_judged(run_of: Maker) -> None:
    out = run_of(tries(3))
    for file in (out.parent / "data").rglob("*.hdf5"):
        file.unlink()
    found = judge(out)
    measures = {item.measure for item in lines(found.curves[0])}
    assert {"voc", "auc_final"} <= measures
    assert "mae" not in measures
    assert any("6 of 6 episodes have no true progress" in f.found for f in found.findings)


# Controls that see frames.


@pytest.fixture(scope="module")
def model() -> ValueModel:
    stamps = np.arange(LENGTH, dtype=np.int64) * STEP_NS
    given = [(pictures(t), stamps) for t in tries(3) if t.success]
    return fit_value_model(given, FitOptions(steps=25, batch=8), np.random.default_rng(0))


@pytest.fixture(scope="module")
def modelled(run_of: Maker, model: ValueModel) -> Path:
    out = run_of(tries(2), model_id=model.id, hindsight=False)
    write_value_model(out / "value_model.npz", model, {})
    return out


def pushed(model: ValueModel, images: dict[str, np.ndarray], order: np.ndarray) -> np.ndarray:
    stream = ValueStream(model)
    return np.array([
        stream.push(Frame(step * STEP_NS, {n: part[at] for n, part in images.items()})).value
        for step, at in enumerate(order)
    ])  # fmt: skip


def test_controls_are_the_same_stream_on_other_frames(modelled: Path, model: ValueModel) -> None:
    told = tries(2)[1]
    episodes, _ = scored_episodes(modelled)
    readers = Readers(OPENER)
    config = EvaluateConfig(modelled)
    known, _ = read_truths(episodes, readers, config, SilentProgress())
    rng = np.random.default_rng(4)
    made, lost, findings = run_controls(
        known, readers, ValueStream(model), None, rng, SilentProgress()
    )
    readers.close()
    assert (lost, findings) == ([], [])
    assert set(made) == {"shuffled", "reversed", "frozen"}
    images, forwards = pictures(told), np.arange(LENGTH)
    for control, order in (("reversed", forwards[::-1]), ("frozen", 0 * forwards)):
        expected = pushed(model, images, order)
        assert np.array_equal(made[control][told.id].values, expected), control
    plain = pushed(model, images, forwards)
    shuffled = made["shuffled"][told.id].values
    assert not np.array_equal(shuffled, plain)
    order = np.random.default_rng(4).spawn(4)[1].permutation(LENGTH)
    assert np.array_equal(shuffled, pushed(model, images, order))


def test_controls_stand_in_the_table_unguessed(
    modelled: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    words = ["value", "evaluate", str(modelled), "--controls", "--draws", "50", "--json"]
    assert main([*words, "--out", str(tmp_path / "table.md")]) == 0
    content = json.loads(capsys.readouterr().out)
    by_name = {entry["name"]: entry for entry in content["curves"]["causal"]["measures"]}
    assert "reversed_voc" in by_name
    assert "(causal: frozen)" in by_name["mae"]["controls"]
    assert not any("stand-in" in label for label in by_name["mae"]["controls"])
    text = (tmp_path / "table.md").read_text(encoding="utf-8")
    assert "| reversed_voc |" in text
    assert "median distance" in text


def test_another_task_is_judged_by_its_own_model(modelled: Path, model: ValueModel) -> None:
    other = ValueModel.from_arrays(
        {**model.to_arrays(), "rules": model.to_arrays()["rules"] * 1.01}
    )

    def stream_of(path: Path) -> ValueStream:
        return ValueStream(other if path.name == "other.npz" else model)

    found = judge(modelled, controls=True, wrong_model=Path("other.npz"), stream_of=stream_of)
    assert "wrong_task" in {row.name for row in found.curves[0].table.rows}
    with pytest.raises(ConfigError, match="--wrong-model is the model"):
        judge(
            modelled,
            controls=True,
            wrong_model=Path("x.npz"),
            stream_of=lambda _: ValueStream(model),
        )


def test_a_damaged_frame_takes_its_episode_out_and_says_so(
    run_of: Maker, model: ValueModel
) -> None:
    out = run_of(tries(2), model_id=model.id, hindsight=False)
    write_value_model(out / "value_model.npz", model, {})
    damage_frame(out.parent / "data", "episode_000002")
    found = judge(out, controls=True, stream_of=lambda _: ValueStream(model))
    assert found.curves[0].table.episodes == 3
    assert any(f.level == "error" and "000002" in f.subject for f in found.findings)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--controls"], "--model"),
        (["--controls", "--model", "{model}"], "were made by the value model toy"),
        (["--out", "table.txt"], ".json or .md"),
    ],
)
def test_impossible_wishes_end_with_one_sentence(
    good: Path, modelled: Path, words: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    filled = [word.format(model=modelled / "value_model.npz") for word in words]
    assert main(["value", "evaluate", str(good), *filled]) == 2
    assert said in " ".join(capsys.readouterr().err.split())


@pytest.mark.parametrize("columns", ["80", "160"])
def test_the_terminal_shows_numbers_controls_and_a_verdict(
    good: Path, columns: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", columns)
    assert main(["value", "evaluate", str(good), "--draws", "50"]) == 0
    shown = capsys.readouterr().out
    assert "→ Causal beats every control on" in " ".join(shown.split())
    assert "clock" in shown
    assert max(map(len, shown.splitlines())) <= int(columns)
