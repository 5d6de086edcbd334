"""A second run does again what has to be done again, and nothing else."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from estimate_files import (
    METADATA,
    SPECS,
    Spec,
    World,
    arrays,
    contents,
    estimate,
    fill_cache,
    rows,
    scored,
    write_recording,
)

SEGMENTS = ("--value-method", "segment_match50")
TINY = (
    "--segment-match-diffusion-epochs", "2", "--segment-match-diffusion-hidden-dim", "8",
    "--segment-match-diffusion-timesteps", "10", "--segment-match-diffusion-num-layers", "1",
    "--segment-match-diffusion-t-eval", "4",
)  # fmt: skip
DIFFUSION = (*SEGMENTS, "--segment-match-score", "diffusion", *TINY)
ALL = {"success/episode_4", "success/episode_5", "failure/episode_6", "failure/episode_7"}
SUCCESS = {name for name in ALL if name.startswith("success")}
FAILURE = ALL - SUCCESS
HISTORY = (METADATA, "estimate.json", "hdf5_to_vjepa_value_map.jsonl", "estimate_vjepa_value.log")

# First options, further options, and which recordings are written again.
CHANGES: dict[str, tuple[tuple[str, ...], tuple[str, ...], set[str]]] = {
    "nothing": ((), (), set()),
    "trim signal": ((), ("--trim-signal", "action"), ALL),
    "longest episode": ((), ("--max-episode-len", "500"), ALL),
    "epsilon": ((), ("--epsilon", "0.001"), ALL),
    "norm eps": ((), ("--norm-eps", "1e-5"), ALL),
    "failure end, of failures only": ((), ("--failure-end-value", "0.6"), FAILURE),
    "failure end, again": (
        ("--failure-end-value", "0.7"), ("--failure-end-value", "0.7"), set(),
    ),
    "fit ratio, again": (
        ("--success-fit-step-ratio", "0.05"), ("--success-fit-step-ratio", "0.05"), set(),
    ),
    "no warp": ((), ("--no-warp-enable",), ALL),
    "skipped prefix": ((), ("--minmax-skip-prefix-k", "3"), ALL),
    "monotonic": ((), ("--enforce-monotonic",), ALL),
    "stride": ((), ("--timestep-stride", "5"), ALL),
    "stride below one is one": ((), ("--timestep-stride", "0"), set()),
    "clusters": ((), ("--dbscan-eps", "20"), ALL),
    "camera": ((), ("--camera-mode", "wrist"), ALL),
    "fusion of one camera": ((), ("--camera-fusion", "emb_mean"), set()),
    "fusion of two": (
        ("--camera-mode", "both"), ("--camera-mode", "both", "--camera-fusion", "emb_mean"), ALL,
    ),
    "share of shortest, not used": ((), ("--shortest-p", "0.9"), set()),
    "limit beyond what is there": ((), ("--max-success-episodes", "99"), set()),
    "fewer demonstrations": ((), ("--max-success-episodes", "3"), ALL),
    "sigmoid options in the linear mapping": (
        (), ("--sigmoid-steepness", "3", "--reward-scale", "0.2", "--norm-scope", "all_scored"),
        set(),
    ),
    "terminal reward, of successes only": ((), ("--set-success-terminal-reward",), SUCCESS),
    "terminal reward not set": ((), ("--success-terminal-reward", "0.5"), set()),
    "mapping": ((), ("--value-mapping", "sigmoid"), ALL),
    "sigmoid steepness": (
        ("--value-mapping", "sigmoid"), ("--value-mapping", "sigmoid", "--sigmoid-steepness", "9"),
        ALL,
    ),
    "sigmoid range": (
        ("--value-mapping", "sigmoid"), ("--value-mapping", "sigmoid", "--norm-scope",
        "all_scored"), ALL,
    ),
    "sigmoid again": (("--value-mapping", "sigmoid"), ("--value-mapping", "sigmoid"), set()),
    "batch size and device": ((), ("--embed-batch-size", "2", "--device", "cpu"), set()),
    "other scored lists": ((), ("--score-sources", "all"), {f"demos/episode_{n}" for n in range(4)}),
    "compat": ((), ("--compat", "reference"), ALL),
    "task": ((), ("--task", "something else"), ALL),
    "camera by name": ((), ("--high-camera", "cam_left_wrist"), ALL),
    "method": ((), SEGMENTS, ALL),
    "segment options of the other method": ((), ("--segment-match-radius", "2"), set()),
    "segments: radius": (SEGMENTS, (*SEGMENTS, "--segment-match-radius", "2"), ALL),
    "segments: prior, of successes only": (
        SEGMENTS, (*SEGMENTS, "--segment-match-time-prior-success", "0.4"), SUCCESS,
    ),
    "segments: cap, of failures only": (
        SEGMENTS, (*SEGMENTS, "--segment-match-failure-value-cap", "0.7"), FAILURE,
    ),
    "segments: trim signal": (SEGMENTS, (*SEGMENTS, "--trim-signal", "action"), ALL),
    "segments: denoiser not used": (
        SEGMENTS, (*SEGMENTS, "--segment-match-diffusion-lr", "0.1"), set(),
    ),
    "diffusion at the default learning rate": (DIFFUSION, DIFFUSION, set()),
    "diffusion: learning rate": (
        DIFFUSION, (*DIFFUSION, "--segment-match-diffusion-lr", "2e-4"), ALL,
    ),
    "diffusion: noise": (
        DIFFUSION, (*DIFFUSION, "--segment-match-diffusion-noise-samples", "2"), ALL,
    ),
    "diffusion: clusters do not matter": (DIFFUSION, (*DIFFUSION, "--dbscan-eps", "20"), set()),
}  # fmt: skip


@pytest.mark.parametrize("name", CHANGES)
def test_what_depends_on_a_change_is_written_again(name: str, world: World, tmp_path: Path) -> None:
    first, second, changed = CHANGES[name]
    out, fresh = tmp_path / "out", tmp_path / "fresh"
    assert estimate(world.words(out, *first)) == 0
    before = contents(out / "episode_values")
    count = len(rows(out))
    assert estimate(world.words(out, *second)) == 0
    last = rows(out)[count:]
    written = {
        f"{Path(row['hdf5']).parent.name}/{Path(row['hdf5']).stem}"
        for row in last if row["status"] == "written"
    }  # fmt: skip
    assert written == changed
    assert all(row["status"] in ("written", "reused") for row in last)
    if not changed:
        assert contents(out / "episode_values") == before
    # Whatever was kept is what a run from nothing would give.
    assert estimate(world.words(fresh, *second)) == 0
    here, there = contents(out / "episode_values"), contents(fresh / "episode_values")
    assert here.keys() == there.keys()
    for file in here:
        kept, made = arrays(out / "episode_values" / file), arrays(fresh / "episode_values" / file)
        if str(kept.get("source")) and "scoring_cfg" in kept:
            assert str(kept["scoring_cfg"]) == str(made["scoring_cfg"])
        assert kept["value_pred"].tobytes() == made["value_pred"].tobytes()
        assert kept["distance"].tobytes() == made["distance"].tobytes()


def test_denoisers_are_not_trained_again_for_other_clusters(world: World, tmp_path: Path) -> None:
    out = tmp_path / "out"
    assert estimate(world.words(out, *DIFFUSION)) == 0
    models = contents(out, *HISTORY)
    kept = {name for name in models if name.startswith("segmatch50_diffusion_model__")}
    assert len(kept) == 1
    times = {name: (out / name).stat().st_mtime_ns for name in kept}
    assert estimate(world.words(out, *DIFFUSION, "--dbscan-eps", "20")) == 0
    after = contents(out, *HISTORY)
    assert {name: after[name] for name in kept} == {name: models[name] for name in kept}
    assert after["segment_centers.npz"] != models["segment_centers.npz"]
    del times


@pytest.mark.parametrize("method", ["progress_warp", "segment_match50"])
def test_an_edited_recording_is_scored_again(method: str, own_world: World, tmp_path: Path) -> None:
    out = tmp_path / "out"
    words = own_world.words(out, "--value-method", method)
    assert estimate(words) == 0
    spec = Spec(48, 17, success=1)
    path = write_recording(own_world.rollouts / "success" / "episode_4.hdf5", spec)
    fill_cache(own_world, path, spec)
    assert estimate(words) == 0
    assert scored(out) == dict.fromkeys(ALL, "reused") | {"success/episode_4": "written"}
    assert arrays(out / "episode_values/episode_4.hdf5.npz")["t_total"] == 48
    os.utime(path)
    assert estimate(words) == 0
    assert scored(out)["success/episode_4"] == "written"


def test_an_edited_demonstration_changes_everything(own_world: World, tmp_path: Path) -> None:
    out = tmp_path / "out"
    assert estimate(own_world.words(out)) == 0
    centers = (out / "cluster_centers.npz").read_bytes()
    path = own_world.demos / "episode_0.hdf5"
    fill_cache(own_world, write_recording(path, Spec(41, 18)), Spec(41, 18))
    assert estimate(own_world.words(out)) == 0
    assert set(scored(out).values()) == {"written"}
    assert (out / "cluster_centers.npz").read_bytes() != centers


def test_a_label_that_changes_is_seen(own_world: World, tmp_path: Path) -> None:
    out = tmp_path / "out"
    assert estimate(own_world.words(out)) == 0
    path = own_world.rollouts / "success" / "episode_4.hdf5"
    relabelled = Spec(**{**vars(SPECS["rollouts/success/episode_4.hdf5"]), "success": 0})
    fill_cache(own_world, write_recording(path, relabelled), relabelled)
    assert estimate(own_world.words(out)) == 0
    held = arrays(out / "episode_values/episode_4.hdf5.npz")
    assert held["is_success"] == 0 and held["value_pred"].max() <= 0.5


@pytest.mark.parametrize("words", [(), SEGMENTS], ids=["progress", "segments"])
def test_results_of_todays_tools_are_believed_on_request(
    words: tuple[str, ...], world: World, tmp_path: Path
) -> None:
    """Files without the complete configuration, as those tools write them, in compat alone."""
    import numpy as np

    out = tmp_path / "out"
    compat = world.words(out, *words, "--compat", "reference")
    assert estimate(compat) == 0
    for path in (out / "episode_values").iterdir():
        held = {n: a for n, a in arrays(path).items() if not n.startswith("scoring_cfg")}
        np.savez_compressed(path, **held)
    (out / "hdf5_to_vjepa_value_map.jsonl").unlink()
    assert estimate(compat) == 0
    assert set(scored(out).values()) == {"reused"}
    assert estimate(world.words(out, *words)) == 0
    assert set(scored(out).values()) == {"written"}


def test_overwrite_keeps_embeddings_and_what_is_not_ours(own_world: World, tmp_path: Path) -> None:
    out = tmp_path / "out"
    words = own_world.words(out, *DIFFUSION)
    own_world.cache.rename(out.parent / "moved")
    out.mkdir()
    (out.parent / "moved").rename(out / "embedding_cache")
    at = words.index("--embed-cache-dir")
    words = words[:at] + words[at + 2 :]
    assert estimate(words) == 0
    foreign = {"notes.txt": b"mine", "episode_values/notes.txt": b"mine", "sub/x.npz": b"mine"}
    for name, content in foreign.items():
        (out / name).parent.mkdir(exist_ok=True)
        (out / name).write_bytes(content)
    (out / "episode_values" / "stale.hdf5.npz").write_bytes(b"old")
    embeddings = contents(out / "embedding_cache")
    assert estimate([*words, "--overwrite"]) == 0
    assert set(scored(out).values()) == {"written"}
    assert contents(out / "embedding_cache") == embeddings
    after = contents(out)
    assert {name: after[name] for name in foreign} == foreign
    assert "episode_values/stale.hdf5.npz" not in after


def test_an_old_run_in_a_folder_read_by_its_symbolic_link(own_world: World, tmp_path: Path) -> None:
    """The same recordings by another name of their folder keep their files."""
    out, link = tmp_path / "out", tmp_path / "link"
    link.symlink_to(own_world.root)
    assert estimate(own_world.words(out)) == 0
    linked = World(link, own_world.checkpoint)
    assert estimate(linked.words(out)) == 0
    assert set(scored(out).values()) == {"reused"}
    assert len(list((out / "episode_values").rglob("*.npz"))) == 4
