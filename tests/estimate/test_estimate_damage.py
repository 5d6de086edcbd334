"""Damaged recordings, caches and results: made anew or told, never trusted, never a traceback."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from damage import empty, flip, hdf5_structure, replace_by_text, truncate
from estimate_files import World, contents, estimate, rows, scored, vectors_of

from robovalue_ros.contracts.errors import DataError
from robovalue_ros.data.embedding_cache.legacy import Trim, read_legacy
from robovalue_ros.data.value_store.causal import read_causal
from robovalue_ros.data.value_store.centers import read_cluster_centers, read_segment_centers
from robovalue_ros.data.value_store.diffusion import read_scorers, stored_diffusion_cfg
from robovalue_ros.data.value_store.episode import read_values
from robovalue_ros.data.value_store.rows import read_rows
from robovalue_ros.data.value_store.value_model import read_value_model
from robovalue_ros.data.value_store.warp import read_warp
from robovalue_ros.pipelines.estimate.config import EstimateConfig
from robovalue_ros.pipelines.estimate.prepare import Prepared, Skipped, prepare
from robovalue_ros.pipelines.estimate.sources import list_recordings
from robovalue_ros.pipelines.recordings import Readers
from robovalue_ros.wiring import open_reader

TINY = (
    "--segment-match-score", "diffusion", "--segment-match-diffusion-epochs", "1",
    "--segment-match-diffusion-hidden-dim", "8", "--segment-match-diffusion-num-layers", "1",
)  # fmt: skip
SEGMENTS = ("--value-method", "segment_match50", *TINY)
CAUSAL = ("--causal", "--fit-steps", "20", "--workers", "1")


def zeros(root: Path, rng: np.random.Generator) -> str:
    """Fill a stretch with zeros, as a disk that lost a block does."""
    content = bytearray(root.read_bytes())
    start = int(rng.integers(0, len(content)))
    stop = min(len(content), start + int(rng.integers(1, 4096)))
    content[start:stop] = bytes(stop - start)
    root.write_bytes(content)
    return f"zeros at {start}..{stop} of {root.name}"


WAYS = (flip, truncate, zeros, flip, truncate, zeros, empty, replace_by_text)


def plain(value: Any) -> Any:
    """Turn what a reader gave into values that compare, arrays as bytes."""
    if isinstance(value, np.ndarray):
        return value.dtype.str, value.shape, value.tobytes()
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    fields = getattr(value, "__dataclass_fields__", None)
    if fields is not None:
        return {name: plain(getattr(value, name)) for name in fields}
    if hasattr(value, "state_dict"):
        return {name: plain(item.numpy()) for name, item in value.state_dict().items()}
    return repr(value)


@pytest.fixture(scope="module")
def finished(world: World, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with every kind of result."""
    out = tmp_path_factory.mktemp("finished") / "out"
    assert estimate(world.words(out, *SEGMENTS)) == 0
    assert estimate(world.words(out, *CAUSAL)) == 0
    return out


def scorers(path: Path) -> Any:
    return read_scorers(path.parent, stored_diffusion_cfg(path.parent)[0])


READ: dict[str, Callable[[Path], Any]] = {
    "episode_values/episode_4.hdf5.npz": read_values,
    "causal_values/episode_4.hdf5.npz": read_causal,
    "cluster_centers.npz": read_cluster_centers, "segment_centers.npz": read_segment_centers,
    "warp_f.npz": read_warp, "value_model.npz": read_value_model,
    "segmatch50_diffusion_scaler.npz": scorers, "segmatch50_diffusion_pca.npz": scorers,
    "segmatch50_diffusion_models.npz": scorers,
    "hdf5_to_vjepa_value_map.jsonl": read_rows,
}  # fmt: skip
TIMES = 30


@pytest.mark.parametrize("name", READ)
def test_a_damaged_result_is_refused_or_harmless(name: str, finished: Path, tmp_path: Path) -> None:
    """Of 30 damaged copies each is refused by name, or reads as what was written."""
    folder = tmp_path / "out"
    shutil.copytree(finished, folder, ignore=shutil.ignore_patterns("embedding_cache"))
    path = folder / name
    whole = path.read_bytes()
    wanted = plain(READ[name](path))
    rng = np.random.default_rng(len(name))
    refused = 0
    for turn in range(TIMES):
        path.write_bytes(whole)
        told = WAYS[turn % len(WAYS)](path, rng)
        try:
            found = READ[name](path)
        except DataError as problem:
            assert path.name in str(problem) or "segmatch50_diffusion" in str(problem), told
            refused += 1
            continue
        if path.suffix == ".npz":
            assert found is None or plain(found) == wanted, told
    assert refused > TIMES // 2


def test_damaged_denoisers_are_refused(finished: Path, tmp_path: Path) -> None:
    folder = tmp_path / "out"
    shutil.copytree(finished, folder, ignore=shutil.ignore_patterns("embedding_cache"))
    (path,) = folder.glob("segmatch50_diffusion_model__*.pt")
    whole = path.read_bytes()
    rng = np.random.default_rng(3)
    for turn in range(20):
        path.write_bytes(whole)
        told = WAYS[turn % len(WAYS)](path, rng)
        if path.read_bytes() == whole:
            continue
        with pytest.raises(DataError, match="segmatch50_diffusion_model__"):
            scorers(path)
        assert told


def test_a_damaged_embedding_cache_is_not_used(world: World, tmp_path: Path) -> None:
    name = "rollouts/success/episode_4.hdf5"
    (path,) = world.encoder.folder(world.cache).glob("episode_4__*.npz")
    copy = tmp_path / path.name
    wanted = plain(vectors_of(world.root / name, 42))
    rng = np.random.default_rng(4)
    for turn in range(60):
        shutil.copy(path, copy)
        told = WAYS[turn % len(WAYS)](copy, rng)
        found = read_legacy(copy, Trim(1, 42, 42), world.encoder)
        if found.series is None:
            assert found.findings, told
        else:
            held = {n: {r: list(e) for r, e in roles.items()} for n, roles in found.series.items()}
            kept = plain(held)
            assert kept == wanted or all(kept[n] == wanted[n] for n in kept), told


def test_damaged_recordings_are_told(world: World, tmp_path: Path) -> None:
    """100 damaged copies of a recording: each is prepared, skipped or named."""
    source = world.rollouts / "success" / "episode_4.hdf5"
    folder = tmp_path / "rollouts" / "failure"
    folder.mkdir(parents=True)
    rng = np.random.default_rng(5)
    told = {}
    for turn in range(100):
        path = folder / f"episode_{turn:03d}.hdf5"
        shutil.copy(source, path)
        told[path.name] = (*WAYS, hdf5_structure, hdf5_structure)[turn % 10](path, rng)
    config = EstimateConfig(rollouts_hdf5_dir=tmp_path / "rollouts", camera_mode="both")
    readers = Readers(partial(open_reader, options=config.read))
    outcomes = {"prepared": 0, "skipped": 0, "refused": 0}
    for recording in list_recordings(config, readers).by_source["rollouts_failure"]:
        try:
            found = prepare(recording, readers, config)
        except DataError as problem:
            assert recording.path.name in str(problem), told[recording.path.name]
            outcomes["refused"] += 1
            continue
        assert isinstance(found, Prepared | Skipped)
        outcomes["prepared" if isinstance(found, Prepared) else "skipped"] += 1
    readers.close()
    assert outcomes["refused"] > 40 and outcomes["prepared"] > 5


@pytest.mark.parametrize("method", ["progress", "segments"])
def test_a_run_over_damaged_recordings_ends_well(
    method: str, own_world: World, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """40 damaged rollouts and 6 damaged demonstrations beside the good ones."""
    rng = np.random.default_rng(6)
    good = own_world.rollouts / "success" / "episode_4.hdf5"
    for turn in range(46):
        folder = own_world.demos if turn % 8 == 7 else own_world.rollouts / "failure"
        path = folder / f"episode_damaged{turn:02d}.hdf5"
        shutil.copy(good, path)
        (*WAYS, hdf5_structure, hdf5_structure)[turn % 10](path, rng)
    out = tmp_path / "out"
    words = own_world.words(
        out, *(SEGMENTS if method == "segments" else ("--timestep-stride", "9"))
    )
    assert estimate(words) == 0
    statuses = scored(out)
    assert len(statuses) == 45
    assert all(statuses[f"success/episode_{n}"] == "written" for n in (4, 5))
    assert set(statuses.values()) <= {"written", "error", "skipped"}
    assert list(statuses.values()).count("error") > 15
    told = capsys.readouterr()
    assert "Traceback" not in told.out + told.err
    assert estimate(words) == 0
    again = {n: s.replace("reused", "written") for n, s in scored(out).items()}
    assert again == statuses


@pytest.mark.parametrize("name", [*READ, "segmatch50_diffusion_model", "causal and values"])
def test_a_damaged_result_is_made_anew(
    name: str, finished: Path, world: World, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A run over a damaged result ends with what it had before, or says what to do."""
    out = tmp_path / "out"
    shutil.copytree(finished, out)
    words = world.words(out, *(SEGMENTS if "seg" in name else CAUSAL))
    assert estimate(words) == 0
    wanted = contents(out / "episode_values") | contents(out / "causal_values")
    models = {file: content for file, content in contents(out).items() if file.endswith(".npz")}
    rng = np.random.default_rng(7)
    if name == "causal and values":
        paths = [*(out / "episode_values").iterdir(), *(out / "causal_values").iterdir()]
    else:
        paths = list(out.glob(f"{name}*"))
    for way in (truncate, zeros):
        for path in paths:
            way(path, rng)
        code = estimate(words)
        told = capsys.readouterr()
        assert "Traceback" not in told.err
        if name.endswith(".jsonl") and code == 2:
            assert "Delete the line" in told.err
            (out / name).unlink()
            assert estimate(words) == 0
        else:
            assert code == 0
        assert contents(out / "episode_values") | contents(out / "causal_values") == wanted
        after = contents(out)
        assert {file: after[file] for file in models} == models


def test_a_file_of_another_kind_in_the_place_of_a_result(
    world: World, finished: Path, tmp_path: Path
) -> None:
    """Values under the name of another recording are not taken for its own."""
    out = tmp_path / "out"
    assert estimate(world.words(out)) == 0
    wanted = contents(out / "episode_values")
    values = out / "episode_values"
    shutil.copy(values / "episode_4.hdf5.npz", values / "episode_6.hdf5.npz")
    shutil.copy(finished / "segment_centers.npz", values / "episode_7.hdf5.npz")
    shutil.copy(out / "warp_f.npz", out / "cluster_centers.npz")
    assert estimate(world.words(out)) == 0
    assert contents(values) == wanted
    statuses = sorted(row["status"] for row in rows(out)[-4:])
    assert statuses == ["reused", "reused", "written", "written"]
