"""Every option people know, and their own command lines."""

from __future__ import annotations

import dataclasses
import shlex
from pathlib import Path
from typing import Any

import pytest
from estimate_files import Spec, World, arrays, estimate, fill_cache, scored, write_recording

from robovalue_ros.cli.options import parse
from robovalue_ros.pipelines.estimate.config import EstimateConfig

# Names and defaults as documented; paths of a certain site have no default.
DEFAULTS: dict[str, Any] = {
    "teleop-hdf5-dir": None, "rollouts-hdf5-dir": None, "dataset-hdf5-dir": None,
    "intervention-hdf5-dir": None, "out-cache-dir": Path("value_cache"), "overwrite": False,
    "embed-cache-dir": None, "success-mode": "teleop_all", "shortest-p": 0.3,
    "score-sources": "rollouts", "value-method": "progress_warp", "camera-mode": "high",
    "camera-fusion": "dist_min", "epsilon": 1e-4, "trim-signal": "qpos", "max-episode-len": None,
    "vjepa-ckpt": None, "vjepa-img-size": None, "vjepa-num-frames": None, "device": "auto",
    "enable-fp16": True, "embed-batch-size": 8, "timestep-stride": 1,
    "max-success-episodes": None, "max-score-episodes": None,
    "max-score-rollouts-failure-episodes": None, "max-score-rollouts-success-episodes": None,
    "dbscan-eps": 0.5, "dbscan-min-samples": 2, "dbscan-pca-dim": 0,
    "segment-match-num-segments": 50, "segment-match-window-stride": 6, "segment-match-radius": 5,
    "segment-match-first-fixed": True, "segment-match-score": "dist",
    "segment-match-diffusion-pca-dim": 32, "segment-match-diffusion-timesteps": 100,
    "segment-match-diffusion-hidden-dim": 256, "segment-match-diffusion-num-layers": 4,
    "segment-match-diffusion-lr": 1e-4, "segment-match-diffusion-batch-size": 256,
    "segment-match-diffusion-epochs": 500, "segment-match-diffusion-seed": 0,
    "segment-match-diffusion-t-eval": 20, "segment-match-diffusion-noise-samples": 1,
    "segment-match-value-mode": "soft_next", "segment-match-path": "viterbi",
    "segment-match-time-prior-success": 0.5, "segment-match-back-penalty-success": 0.0,
    "segment-match-failure-value-cap": 0.8, "norm-scope": "fail_only", "minmax-skip-prefix-k": 0,
    "enforce-monotonic": False, "value-mapping": "linear_offset_scale", "failure-end-value": 0.5,
    "warp-enable": True, "warp-method": "isotonic", "success-fit-step-ratio": 0.05,
    "reward-scale": 0.6, "sigmoid-steepness": 10.0, "sigmoid-offset": 0.5, "norm-eps": 1e-6,
    "set-success-terminal-reward": False, "success-terminal-reward": 1.0,
}  # fmt: skip
CHOICES = {
    "success-mode": ("teleop_all", "rollouts_shortest_p"),
    "score-sources": ("rollouts", "teleop", "dataset", "all"),
    "value-method": ("progress_warp", "segment_match50"), "camera-mode": ("high", "wrist", "both"),
    "camera-fusion": ("dist_min", "dist_mean", "emb_mean", "emb_concat"),
    "trim-signal": ("qpos", "action"), "segment-match-score": ("dist", "gaussian_nll", "diffusion"),
    "segment-match-value-mode": ("soft_next", "hard"), "segment-match-path": ("viterbi", "greedy"),
    "norm-scope": ("fail_only", "all_scored"),
    "value-mapping": ("linear_offset_scale", "sigmoid"),
}  # fmt: skip
NUMBERS = {"max-episode-len": 7, "max-success-episodes": 7, "max-score-episodes": 7,
           "max-score-rollouts-failure-episodes": 7, "max-score-rollouts-success-episodes": 7,
           "vjepa-img-size": 256, "vjepa-num-frames": 32}  # fmt: skip


def parsed(*words: str) -> EstimateConfig:
    return parse(EstimateConfig, words, "robovalue value estimate", "example")


def field(config: EstimateConfig, flag: str) -> Any:
    return getattr(config, flag.replace("-", "_"))


def test_every_default_is_the_documented_one() -> None:
    config = parsed()
    assert {flag: field(config, flag) for flag in DEFAULTS} == DEFAULTS


def test_every_flag_takes_a_value() -> None:
    """All in one command line, and each with a value that is not its default."""
    words: list[str] = []
    expected: dict[str, Any] = {}
    for flag, default in DEFAULTS.items():
        if isinstance(default, bool):
            words.append(f"--no-{flag}" if default else f"--{flag}")
            expected[flag] = not default
            continue
        if flag in CHOICES:
            value: Any = CHOICES[flag][-1]
        elif flag.endswith(("-dir", "-ckpt")):
            value = Path("some/where")
        elif flag in ("device", "warp-method"):
            value = {"device": "cuda:0"}.get(flag, "isotonic")
        else:
            value = NUMBERS.get(flag) or (default + 1 if isinstance(default, int) else 0.25)
        words += [f"--{flag}", str(value)]
        expected[flag] = value
    config = parsed(*words)
    assert {flag: field(config, flag) for flag in DEFAULTS} == expected


@pytest.mark.parametrize("flag", [flag for flag, v in DEFAULTS.items() if isinstance(v, bool)])
def test_switches_come_in_pairs(flag: str) -> None:
    assert field(parsed(f"--{flag}"), flag) is True
    assert field(parsed(f"--no-{flag}"), flag) is False


def test_every_choice_is_known_and_a_wrong_one_names_them(
    capsys: pytest.CaptureFixture[str],
) -> None:
    for flag, values in CHOICES.items():
        for value in values:
            assert field(parsed(f"--{flag}", value), flag) == value
        with pytest.raises(SystemExit) as stopped:
            parsed(f"--{flag}", "nonsense")
        assert stopped.value.code == 2
        told = capsys.readouterr()
        assert all(value in told.err + told.out for value in values)


def test_every_option_of_the_methods_is_a_flag() -> None:
    known = {item.name for item in dataclasses.fields(EstimateConfig)}
    for method in ("progress_warp", "segment_match50"):
        chosen = parsed("--value-method", method).method()
        assert {item.name for item in dataclasses.fields(chosen)} <= known


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("--success-fit-step-ratio", "0"), "success_fit_step_ratio"),
        (("--value-method", "segment_match50", "--segment-match-num-segments", "0"), "segments"),
        (("--dbscan-eps", "-1"), "dbscan_eps"), (("--shortest-p", "1.5"), "shortest"),
        (("--embed-batch-size", "0"), "batch"), (("--epsilon", "-1"), "epsilon"),
        (("--no-hindsight",), "--causal"), (("--device", "cuda:99"), "cuda"),
    ],
)  # fmt: skip
def test_impossible_values_end_with_two_before_anything_is_written(
    words: tuple[str, ...], told: str, world: World, tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    out = tmp_path / "out"
    assert estimate(world.words(out, *words)) == 2
    error = capsys.readouterr().err
    assert told in error and "Traceback" not in error
    assert not list(out.rglob("*.npz"))


# The user's own command lines; only paths are replaced: {data}, and where a site's default path
# stood, the flag with the path.
LINES = {
    "teleop as reference": """
  --success-mode teleop_all
  --score-sources rollouts
  --camera-mode high
  --out-cache-dir {data}/vjepa_value_cache/vjepa_rollouts_from_teleop_v1
  --timestep-stride 6
  --embed-batch-size 8
  --embed-cache-dir {data}/vjepa_value_cache/embedding_cache""",
    "two cameras": """
  --success-mode teleop_all
  --score-sources rollouts
  --camera-mode both
  --camera-fusion dist_min
  --out-cache-dir {data}/vjepa_value_cache/vjepa_rollouts_both_dist_min_v2
  --timestep-stride 6
  --embed-batch-size 8
  --minmax-skip-prefix-k 25
  --embed-cache-dir {data}/vjepa_value_cache/embedding_cache
  --max-score-rollouts-failure-episodes 1
  --max-score-rollouts-success-episodes 1""",
    "shortest rollouts": """
  --success-mode rollouts_shortest_p
  --shortest-p 0.3
  --score-sources rollouts
  --camera-mode both
  --camera-fusion dist_min
  --out-cache-dir {data}/vjepa_value_cache/vjepa_rollouts_short30_both_v1
  --timestep-stride 6
  --embed-batch-size 8""",
    "segments": """
  --value-method segment_match50
  --success-mode teleop_all
  --teleop-hdf5-dir {data}/success_ref
  --score-sources rollouts
  --camera-mode both
  --camera-fusion dist_min
  --dbscan-eps 40
  --segment-match-num-segments 50
  --segment-match-window-stride 6
  --segment-match-radius 3
  --segment-match-first-fixed
  --segment-match-value-mode soft_next
  --segment-match-path viterbi
  --segment-match-time-prior-success 1.0
  --segment-match-back-penalty-success 5.0
  --out-cache-dir {data}/vjepa_value_cache/vjepa_rollouts_segmatch50_both_dist_min_v1
  --embed-batch-size 8
  --minmax-skip-prefix-k 0
  --embed-cache-dir {data}/vjepa_value_cache/embedding_cache
  --max-score-rollouts-failure-episodes 1
  --max-score-rollouts-success-episodes 2""",
    "diffusion": """
  --value-method segment_match50
  --segment-match-score diffusion
  --success-mode teleop_all
  --teleop-hdf5-dir {data}/success_ref
  --score-sources rollouts
  --camera-mode both
  --camera-fusion dist_min
  --segment-match-num-segments 50
  --segment-match-window-stride 6
  --segment-match-radius 3
  --segment-match-first-fixed
  --segment-match-value-mode soft_next
  --segment-match-path viterbi
  --segment-match-diffusion-pca-dim 32
  --segment-match-diffusion-timesteps 100
  --segment-match-diffusion-epochs {epochs}
  --segment-match-diffusion-hidden-dim 256
  --segment-match-diffusion-num-layers 4
  --segment-match-diffusion-lr 1e-4
  --segment-match-diffusion-batch-size 256
  --segment-match-diffusion-t-eval 20
  --segment-match-diffusion-noise-samples 2
  --out-cache-dir {data}/vjepa_value_cache/vjepa_rollouts_segmatch50_diffusion_both_dist_min_v1
  --embed-batch-size 8
  --embed-cache-dir {data}/vjepa_value_cache/embedding_cache""",
}
WRITTEN = {
    "teleop as reference": 4, "two cameras": 2, "shortest rollouts": 3, "segments": 3,
    "diffusion": 4,
}  # fmt: skip


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory, checkpoint: Path) -> World:
    """A data folder as the user's, with every embedding in the shared cache."""
    data = tmp_path_factory.mktemp("site") / "GraspAnything"
    world = World(data, checkpoint)
    cache = data / "vjepa_value_cache"
    cache.mkdir(parents=True)
    (cache / "embedding_cache").mkdir()
    (data / "cache").symlink_to(cache / "embedding_cache")
    task = "pick_up_anything_and_put_them_in_the_box"
    for place, folder in enumerate(("hdf5", "rollouts_hdf5/success", "rollouts_hdf5/failure")):
        for number in range(3 if place == 0 else 2):
            name = f"episode_20251225_1730{place}{number}_{task}.hdf5"
            spec = Spec(30 + 3 * number + place, number, task=task.replace("_", " "))
            fill_cache(world, write_recording(data / folder / name, spec), spec)
    (data / "success_ref").symlink_to(data / "hdf5")
    return world


@pytest.mark.parametrize("name", LINES)
def test_the_users_own_command_lines(name: str, site: World) -> None:
    data = site.root
    line = LINES[name].format(data=data, epochs=2)
    words = shlex.split(line)
    if "--teleop-hdf5-dir" not in words:
        words += ["--teleop-hdf5-dir", str(data / "hdf5")]
    words += [
        "--rollouts-hdf5-dir", str(data / "rollouts_hdf5"), "--vjepa-ckpt", str(site.checkpoint),
        "--vjepa-img-size", "32", "--vjepa-num-frames", "4", "--no-report",
    ]  # fmt: skip
    assert estimate(words) == 0
    out = Path(words[words.index("--out-cache-dir") + 1])
    assert len(scored(out)) == WRITTEN[name]
    for path in (out / "episode_values").iterdir():
        held = arrays(path)
        assert held["value_pred"].shape == (held["t_total"],)
        assert str(held["task"]) == "pick up anything and put them in the box"
        assert held["value_pred"].min() >= 0.0 and held["value_pred"].max() <= 1.0
        if name == "two cameras":
            assert (held["value_pred"][:25] == 0).all()
    if name == "diffusion":
        suffixes = {"scaler.npz", "pca.npz", "models.npz", "train.npz", "report.json"}
        found = {path.name.removeprefix("segmatch50_diffusion_") for path in out.iterdir()}
        assert suffixes <= found
        assert len([x for x in found if x.startswith("model__") and x.endswith(".pt")]) == 2


@pytest.mark.parametrize("fusion", CHOICES["camera-fusion"])
@pytest.mark.parametrize("score", CHOICES["segment-match-score"])
def test_every_score_with_every_fusion_path_and_value(
    fusion: str, score: str, world: World, tmp_path: Path
) -> None:
    for number, path in enumerate(CHOICES["segment-match-path"]):
        out = tmp_path / str(number)
        words = world.words(
            out, "--value-method", "segment_match50", "--camera-mode", "both",
            "--camera-fusion", fusion, "--segment-match-score", score,
            "--segment-match-path", path, "--segment-match-diffusion-epochs", "1",
            "--segment-match-value-mode", CHOICES["segment-match-value-mode"][number],
            "--segment-match-diffusion-hidden-dim", "8", "--max-score-episodes", "3",
        )  # fmt: skip
        assert estimate(words) == 0
        assert set(scored(out).values()) == {"written"} and len(scored(out)) == 3


def test_help_ends_with_an_example(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        estimate(["--help"])
    assert stopped.value.code == 0
    text = capsys.readouterr().out
    assert "robovalue value estimate --teleop-hdf5-dir" in text
    assert "--segment-match-failure-value-cap" in text
