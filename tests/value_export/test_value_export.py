"""Side cars of a run: rows of the right data set, all columns from one curve."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scored_folder import LENGTH, Told, record, score, tries

from robovalue_ros.cli.main import main
from robovalue_ros.contracts.errors import ConfigError, DataError
from robovalue_ros.contracts.tools import ReadOptions
from robovalue_ros.data.exports.layout import lerobot_layout
from robovalue_ros.data.exports.read import SideCar, read_side_car
from robovalue_ros.data.exports.signals import ADVANTAGES, PROGRESS, WEIGHTS
from robovalue_ros.pipelines.results import scored_episodes
from robovalue_ros.pipelines.scored_curves import whole_curve
from robovalue_ros.pipelines.value_export import SIGNALS, ExportResult, export_side_cars
from robovalue_ros.pipelines.value_export_config import ExportConfig
from robovalue_ros.value.weights import (
    advantages,
    gain_statistics,
    positive_flags,
    progress_gain,
    rabc_weights,
)
from robovalue_ros.wiring import open_reader

OPENER = partial(open_reader, options=ReadOptions())


def export(results: Path, **options: Any) -> ExportResult:
    return export_side_cars(ExportConfig(results, **options), OPENER)


def known(told: Told) -> np.ndarray:
    """The causal values of a try, NaN where it was marked unknown."""
    return np.where(np.arange(LENGTH) == 12, np.nan, told.values)


@pytest.fixture(scope="module")
def told() -> list[Told]:
    return tries(3)


@pytest.fixture(scope="module")
def data_set(tmp_path_factory: pytest.TempPathFactory, told: list[Told]) -> Path:
    return record(tmp_path_factory.mktemp("set") / "lerobot", told, "lerobot")


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory, data_set: Path, told: list[Told]) -> Path:
    return score(tmp_path_factory.mktemp("run") / "out", data_set, told)


@pytest.fixture(scope="module")
def cars(out: Path, data_set: Path) -> dict[str, SideCar]:
    result = export(out, dataset=data_set, horizon=7)
    assert (result.curve, result.episodes, result.frames) == ("causal", 6, 6 * LENGTH)
    layout = lerobot_layout(data_set)
    files = {file.name: file for file in result.files if file.suffix == ".parquet"}
    return {name: read_side_car(file, layout) for name, file in files.items()}


def test_every_frame_of_the_data_set_has_its_row(cars: dict[str, SideCar]) -> None:
    assert set(cars) == {PROGRESS, SIGNALS, WEIGHTS, ADVANTAGES}
    for car in cars.values():
        assert np.array_equal(car.index, np.arange(6 * LENGTH))
        assert np.array_equal(car.frame_index, np.tile(np.arange(LENGTH), 6))
        assert car.about is not None
        assert car.about["provenance"]["curve"] == "causal"


def test_both_progress_columns_are_the_curve(cars: dict[str, SideCar], told: list[Told]) -> None:
    expected = np.concatenate([known(item) for item in told]).astype(np.float32)
    for name in ("progress_sparse", "progress_dense"):
        assert np.array_equal(cars[PROGRESS].signal(name), expected, equal_nan=True)


def test_weights_follow_the_rule(cars: dict[str, SideCar], told: list[Told]) -> None:
    gains = np.concatenate([progress_gain(known(item), 7) for item in told])
    mean, std = gain_statistics(gains)
    expected = rabc_weights(gains, mean=mean, std=std, kappa=0.01)
    assert np.array_equal(cars[WEIGHTS].signal("weight"), expected.astype(np.float32))
    # Where a failure loses the thing, nothing is to be learned from what leads there.
    failure = cars[WEIGHTS].episodes("weight")[1]
    assert failure[20] == 0
    assert cars[WEIGHTS].episodes("weight")[0][5] > 0.9


def test_advantages_follow_the_rule(cars: dict[str, SideCar], told: list[Told]) -> None:
    gained = np.concatenate([advantages(known(item), 7) for item in told])
    car = cars[ADVANTAGES]
    assert np.array_equal(car.signal("advantage"), gained.astype(np.float32), equal_nan=True)
    assert np.array_equal(car.signal("positive"), positive_flags(gained, 0.3))


def test_flags_travel_with_the_value(cars: dict[str, SideCar], told: list[Told]) -> None:
    car = cars[SIGNALS]
    assert set(car.signals) == {"value", "stall", "regression", "unknown", "declared"}
    assert car.signal("unknown").sum() == 6
    value = np.concatenate([item.values for item in told])
    assert np.array_equal(car.signal("value"), value.astype(np.float32))


def test_the_hindsight_curve_holds_where_it_was_trimmed(out: Path, data_set: Path) -> None:
    folder = out.parent / "hindsight"
    result = export(out, dataset=data_set, curve="hindsight", out=folder)
    assert result.curve == "hindsight"
    car = read_side_car(folder / PROGRESS, lerobot_layout(data_set))
    assert car.about is not None
    assert not car.about["provenance"]["causal"]
    first = car.episodes("progress_dense")[0]
    assert np.array_equal(first[:3], [0, 0, 0])
    assert np.array_equal(first[-3:], [1, 1, 1])
    assert np.isnan(read_side_car(folder / SIGNALS).episodes("distance")[0][:2]).all()


def test_the_same_run_gives_the_same_bytes(out: Path, data_set: Path, tmp_path: Path) -> None:
    for name in ("a", "b"):
        export(out, dataset=data_set, out=tmp_path / name)
    for file in (tmp_path / "a").iterdir():
        assert file.read_bytes() == (tmp_path / "b" / file.name).read_bytes()


def test_without_a_data_set_the_recordings_are_numbered(tmp_path: Path, told: list[Told]) -> None:
    data = record(tmp_path / "data", told)
    out = score(tmp_path / "out", data, told)
    result = export(out)
    table = json.loads((out / "exports" / "recordings.json").read_text(encoding="utf-8"))
    assert [entry["episode_index"] for entry in table] == list(range(6))
    assert [entry["name"] for entry in table] == [item.id for item in told]
    car = read_side_car(out / "exports" / PROGRESS)
    assert len(car.index) == result.frames == 6 * LENGTH


def test_values_of_files_fit_the_data_set_that_they_became(
    tmp_path: Path, told: list[Told]
) -> None:
    data = record(tmp_path / "data", told)
    out = score(tmp_path / "out", data, told)
    whole = export(out, dataset=data, to="progress")
    assert whole.episodes == 6
    assert main(["data", "convert", str(data), str(tmp_path / "lr"), "--format", "lerobot"]) == 0
    layout = lerobot_layout(tmp_path / "lr")
    result = export(out, dataset=tmp_path / "lr", out=tmp_path / "cars", to="progress")
    assert result.episodes == 6
    car = read_side_car(tmp_path / "cars" / PROGRESS, layout)
    for item in told:
        span = next(s for s in layout.spans if s.id.endswith(item.id))
        found = car.episodes("progress_dense")[span.index]
        assert np.array_equal(found, known(item).astype(np.float32), equal_nan=True)


def test_missing_episodes_need_a_word(
    data_set: Path, tmp_path: Path, told: list[Told], capsys: pytest.CaptureFixture[str]
) -> None:
    out = score(tmp_path / "out", data_set, told[:4])
    words = ["value", "export", str(out), "--dataset", str(data_set), "--to", "weights"]
    assert main(words) == 2
    assert "2 of 6 episodes have no values" in " ".join(capsys.readouterr().err.split())
    assert main([*words, "--partial"]) == 0
    assert len(read_side_car(out / "exports" / WEIGHTS).index) == 4 * LENGTH
    assert "4 episodes, 160 frames, causal curve" in capsys.readouterr().out


def test_one_curve_for_all_or_a_word_which(
    tmp_path: Path, data_set: Path, told: list[Told]
) -> None:
    out = score(tmp_path / "out", data_set, told[:3], hindsight=False)
    score(out, data_set, told[3:], causal=False)
    with pytest.raises(ConfigError, match="3 have the causal one, 3 have the hindsight one"):
        export(out)
    assert export(out, curve="hindsight").episodes == 3
    only = score(tmp_path / "only", data_set, told, hindsight=False)
    with pytest.raises(ConfigError, match="no episode has a hindsight curve"):
        export(only, curve="hindsight")


def test_another_length_is_not_written(tmp_path: Path, told: list[Told], out: Path) -> None:
    shorter = [Told(t.id, t.success, t.true[:-5], t.values[:-5]) for t in told]
    other = record(tmp_path / "other", shorter, "lerobot")
    with pytest.raises(DataError, match="none of its episodes was scored"):
        export(out, dataset=other)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 60), st.booleans())
def test_a_curve_has_one_value_per_frame_or_is_refused(
    out: Path, frames: int, causal: bool
) -> None:
    episode = scored_episodes(out)[0][0]
    name = "causal" if causal else "hindsight"
    if frames == LENGTH:
        assert len(whole_curve(episode, name, frames).values) == frames  # type: ignore[arg-type]
        return
    with pytest.raises(DataError, match="was scored with"):
        whole_curve(episode, name, frames)  # type: ignore[arg-type]
