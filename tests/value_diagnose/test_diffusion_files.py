"""Trained denoisers on disk: equal to the bit, and refused when anything is not as written."""

from __future__ import annotations

import io
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from robovalue_ros.contracts.errors import DataError
from robovalue_ros.data.plain_npz import write_arrays
from robovalue_ros.data.value_store import diffusion
from robovalue_ros.data.value_store.denoiser_file import model_file
from robovalue_ros.data.value_store.ids import cfg_id
from robovalue_ros.data.value_store.npz import read_members
from robovalue_ros.data.value_store.reports import read_report
from robovalue_ros.value.config import SegmentConfig
from robovalue_ros.value.denoise import DiffusionScorer, episode_noise
from robovalue_ros.value.episodes import EmbeddedEpisode, KeyedEmbeddings
from robovalue_ros.value.segment_method import SegmentModel, fit_segments

TASKS = ("放好杯子 on/off 100%", "open the drawer")
N, D = 5, 12


def references(task: str, count: int = 4) -> list[EmbeddedEpisode]:
    rng = np.random.default_rng(len(task))
    centres = rng.normal(size=(N, D)) * 3
    episodes = []
    for n in range(count):
        cameras = {
            role: KeyedEmbeddings(
                np.arange(N), (centres + rng.normal(size=(N, D)) + shift).astype(np.float32)
            )
            for role, shift in (("high", 0.0), ("wrist", 1.0))
        }
        episodes.append(EmbeddedEpisode(f"{task}-{n}", task, 60, True, cameras))
    return episodes


def config(**changed: Any) -> SegmentConfig:
    options: dict[str, Any] = {
        "camera_mode": "both", "segment_match_num_segments": N, "segment_match_score": "diffusion",
        "segment_match_diffusion_pca_dim": 4, "segment_match_diffusion_timesteps": 20,
        "segment_match_diffusion_hidden_dim": 9, "segment_match_diffusion_num_layers": 2,
        "segment_match_diffusion_epochs": 3,
    }  # fmt: skip
    return SegmentConfig(**(options | changed))


@pytest.fixture(scope="module")
def model() -> SegmentModel:
    return fit_segments([e for task in TASKS for e in references(task)], config())


CFG = {"value_method": "segment_match50", "seed": 0}


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory, model: SegmentModel) -> Path:
    folder = tmp_path_factory.mktemp("written")
    episodes = [e for task in TASKS for e in references(task)]
    train = diffusion.training_rows(model.scorers, episodes, config())
    assert diffusion.write_scorers(folder, CFG, model.scorers, train) == cfg_id(CFG)
    return folder


def costs(scorer: DiffusionScorer) -> Any:
    x = np.random.default_rng(5).normal(size=(7, D)).astype(np.float32)
    noise = episode_noise(0, "e", "high", 2, len(x), scorer.latent_dim)
    return scorer.costs(x, noise, 5)


def test_round_trip_gives_the_same_costs_to_the_bit(written: Path, model: SegmentModel) -> None:
    found = diffusion.read_scorers(written, cfg_id(CFG))
    assert found is not None
    assert {t: set(k) for t, k in found.items()} == {t: {"high", "wrist"} for t in TASKS}
    for task, keys in model.scorers.items():
        for key, scorer in keys.items():
            again = found[task][key]
            assert costs(again).tobytes() == costs(scorer).tobytes()
            assert again.losses == scorer.losses
            assert again.options == scorer.options
            assert again.space.norms == scorer.space.norms


def test_without_projection_and_with_unit_length(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    episodes = []
    for n in range(6):
        x = (rng.normal(size=(N, D)) * 10 ** (n / 2)).astype(np.float32)
        single = {"high": KeyedEmbeddings(np.arange(N), x)}
        episodes.append(EmbeddedEpisode(str(n), "t", 60, True, single))
    options = config(camera_mode="high", segment_match_diffusion_pca_dim=0)
    trained = fit_segments(episodes, options)
    scorer = trained.scorers["t"]["single"]
    assert scorer.space.projection is None and scorer.space.scaler.l2
    train = diffusion.training_rows(trained.scorers, episodes, options)
    diffusion.write_scorers(tmp_path, CFG, trained.scorers, train)
    found = diffusion.read_scorers(tmp_path, cfg_id(CFG))
    assert found is not None
    assert costs(found["t"]["single"]).tobytes() == costs(scorer).tobytes()


def test_files_are_plain_and_repeat_to_the_byte(
    tmp_path: Path, written: Path, model: SegmentModel
) -> None:
    episodes = [e for task in TASKS for e in references(task)]
    train = diffusion.training_rows(model.scorers, episodes, config())
    diffusion.write_scorers(tmp_path, CFG, model.scorers, train)
    names = sorted(p.name for p in written.iterdir())
    assert names == sorted(p.name for p in tmp_path.iterdir())
    for name in names:
        if name != diffusion.REPORT_FILE:  # tells where the models lie
            assert (written / name).read_bytes() == (tmp_path / name).read_bytes(), name
    for name in names:
        if name.endswith(".npz"):
            members = read_members(written / name)
            assert not members.pickled
            assert members.text("diffusion_cfg_id") == cfg_id(CFG)
    one = torch.load(
        written / model_file(cfg_id(CFG), TASKS[0], "high"), weights_only=True, map_location="cpu"
    )
    assert set(one) == {
        "state_dict", "dim_in", "num_segments", "hidden_dim", "num_layers", "timesteps",
        "beta_start", "beta_end", "cfg_id", "task", "key",
    }  # fmt: skip
    assert one["task"] == TASKS[0]


def test_training_rows_and_report(written: Path, model: SegmentModel) -> None:
    rows = diffusion.read_training(written, cfg_id(CFG))
    for task in TASKS:
        high, wrist = rows[task]["high"], rows[task]["wrist"]
        assert high.segment_N.tolist() == list(range(N)) * 4 == wrist.segment_N.tolist()
        x = np.concatenate([e.cameras["high"].vectors for e in references(task)])
        expected = model.scorers[task]["high"].space.encode(x)
        np.testing.assert_allclose(high.latents_Nd, expected, atol=1e-5)
    report = read_report(written / diffusion.REPORT_FILE)
    told = report["tasks"][TASKS[0]]["wrist"]
    assert told["n_samples"] == 4 * N and told["dim_in"] == 4 and told["seg_counts"] == [4] * N
    assert told["train"]["loss_last"] == model.scorers[TASKS[0]]["wrist"].losses[-1]
    assert Path(told["model_path"]).is_file()
    assert diffusion.stored_diffusion_cfg(written) == (cfg_id(CFG), CFG)


def test_nothing_written_is_no_error(tmp_path: Path) -> None:
    assert diffusion.read_scorers(tmp_path, "x") is None


def test_models_of_other_configurations_go(tmp_path: Path, model: SegmentModel) -> None:
    first = diffusion.write_scorers(tmp_path, CFG, model.scorers)
    second = diffusion.write_scorers(tmp_path, CFG | {"seed": 1}, model.scorers)
    assert first != second
    assert len(list(tmp_path.glob("*.pt"))) == 4
    assert all(second in p.name for p in tmp_path.glob("*.pt"))
    with pytest.raises(DataError, match=f"is of configuration {second}"):
        diffusion.read_scorers(tmp_path, first)
    assert not (tmp_path / diffusion.TRAIN_FILE).exists()


def copied(source: Path, target: Path) -> Path:
    target.mkdir()
    for path in source.iterdir():
        (target / path.name).write_bytes(path.read_bytes())
    return target


@pytest.mark.parametrize("name", ["scaler", "pca", "models"])
def test_an_absent_or_foreign_part_is_named(tmp_path: Path, written: Path, name: str) -> None:
    folder = copied(written, tmp_path / "x")
    part = folder / f"segmatch50_diffusion_{name}.npz"
    members = read_members(part)
    write_arrays(part, dict(members.arrays) | {"diffusion_cfg_id": "other"})
    with pytest.raises(DataError, match=f"{part.name}: is of configuration other"):
        diffusion.read_scorers(folder, cfg_id(CFG))
    part.unlink()
    with pytest.raises(DataError, match=part.name):
        diffusion.read_scorers(folder, cfg_id(CFG))


def test_an_absent_model_is_named(tmp_path: Path, written: Path) -> None:
    folder = copied(written, tmp_path / "x")
    lost = folder / model_file(cfg_id(CFG), TASKS[1], "wrist")
    lost.unlink()
    with pytest.raises(DataError, match=lost.name):
        diffusion.read_scorers(folder, cfg_id(CFG))


def test_pickled_files_of_todays_tools_are_refused(tmp_path: Path, written: Path) -> None:
    folder = copied(written, tmp_path / "x")
    np.savez_compressed(
        folder / diffusion.SCALER_FILE, diffusion_cfg_id="i",
        scaler=np.array({"t": {"high": {"mean": 1}}}, object),
    )  # fmt: skip
    with pytest.raises(DataError, match="holds pickled objects"):
        diffusion.read_scorers(folder, cfg_id(CFG))


@settings(
    deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(data=st.data())
def test_damage_never_passes(written: Path, tmp_path: Path, data: st.DataObject) -> None:
    names = sorted(p.name for p in written.iterdir() if p.suffix in (".npz", ".pt"))
    names.remove(diffusion.TRAIN_FILE)
    folder = tmp_path / "x"
    if not folder.exists():
        copied(written, folder)
    name = data.draw(st.sampled_from(names))
    whole = (written / name).read_bytes()
    at = data.draw(st.integers(0, len(whole) - 1))
    broken = bytearray(whole)
    broken[at] ^= data.draw(st.integers(1, 255))
    cut = data.draw(st.booleans())
    (folder / name).write_bytes(whole[:at] if cut else bytes(broken))
    try:
        found = diffusion.read_scorers(folder, cfg_id(CFG))
    except DataError as problem:
        assert name in str(problem)
    else:
        # Bytes that mean nothing, such as the date of an entry, may change.
        assert found is not None
        intact = diffusion.read_scorers(written, cfg_id(CFG))
        assert intact is not None
        for task in TASKS:
            assert costs(found[task]["high"]).tobytes() == costs(intact[task]["high"]).tobytes()
    finally:
        (folder / name).write_bytes(whole)


class Touch:
    """Would create a file if it were unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self.path,)


def test_a_hostile_model_file_runs_nothing(tmp_path: Path, written: Path) -> None:
    folder = copied(written, tmp_path / "x")
    victim = tmp_path / "victim"
    name = model_file(cfg_id(CFG), TASKS[0], "high")
    stream = io.BytesIO()
    torch.save({"state_dict": Touch(victim)}, stream, pickle_module=pickle)
    (folder / name).write_bytes(stream.getvalue())
    members = read_members(folder / diffusion.MODELS_FILE)
    import hashlib

    where = next(k for k, v in members.arrays.items() if str(v) == name).partition("/")[2]
    honest = {f"sha256/{where}": hashlib.sha256(stream.getvalue()).hexdigest()}
    write_arrays(folder / diffusion.MODELS_FILE, dict(members.arrays) | honest)
    with pytest.raises(DataError, match=name):
        diffusion.read_scorers(folder, cfg_id(CFG))
    assert not victim.exists()
