"""The command line as a person meets it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from importlib import import_module
from pathlib import Path

import pytest

from robovalue_ros.cli.commands import COMMANDS, config_of
from robovalue_ros.cli.main import main
from robovalue_ros.contracts.errors import DataError
from robovalue_ros.contracts.fakes import FakeReader, fake_episode
from robovalue_ros.contracts.tools import WriteOptions
from robovalue_ros.pipelines.convert import convert
from robovalue_ros.wiring import make_writer

ROBOVALUE = [sys.executable, "-m", "robovalue_ros.cli.main"]


@pytest.fixture
def episodes(tmp_path: Path) -> Path:
    reader = FakeReader({f"e{n}": fake_episode(f"e{n}", success=n % 2 == 0) for n in range(3)})
    target = tmp_path / "episodes"
    convert(reader, make_writer(WriteOptions()), target, fingerprint="x")
    return target


def test_overview_lists_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 0
    out = capsys.readouterr().out
    for name in COMMANDS:
        assert f"robovalue {name}" in out
    assert main(["data", "--help"]) == 0
    assert "sim record" not in capsys.readouterr().out


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_every_command_has_help_with_an_example(
    name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as left:
        main([*name.split(), "--help"])
    assert left.value.code == 0
    assert f"Example: robovalue {name}" in " ".join(capsys.readouterr().out.split())


@pytest.mark.parametrize(
    ("words", "part"),
    [
        (["dta"], "Did you mean 'data'?"),
        (["data", "conver"], "Did you mean 'convert'?"),
        (["data", "inspect", "/nowhere/at/all"], "The nearest folder that exists is /"),
        (["data", "inspect", "x", "--config"], "--config FILE.yaml"),
        (["data", "inspect", "x", "--fps", "0"], "fps is 0.0"),
    ],
)
def test_errors_leave_with_2_and_a_hint(
    words: list[str], part: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(words) == 2
    err = capsys.readouterr().err
    assert err.startswith("robovalue: error: ") and part in err and "Traceback" not in err


def test_a_usage_error_leaves_with_2(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as left:
        main(["data", "convert", "only-one"])
    assert left.value.code == 2
    with pytest.raises(SystemExit) as left:
        main(["data", "inspect", "x", "--colour", "rgb"])
    assert left.value.code == 2
    assert "--color" in capsys.readouterr().err


def test_debug_shows_the_traceback() -> None:
    with pytest.raises(DataError):
        main(["--debug", "data", "inspect", "/nowhere"])


def test_inspect_prints_json(episodes: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["data", "inspect", str(episodes), "--json", "--verify"]) == 0
    summary = json.loads(capsys.readouterr().out)
    assert summary["format"] == "hdf5"
    assert summary["episodes"] == {"listed": 3, "readable": 3}
    assert summary["success"] == {"success": 2, "failure": 1}
    assert summary["cameras"] == {"cam_high": {"40x32": 3}, "cam_left_wrist": {"40x32": 3}}


def test_inspect_names_a_damaged_episode_and_goes_on(
    episodes: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (episodes / "success" / "episode_000002.hdf5").write_bytes(b"")
    assert main(["data", "inspect", str(episodes)]) == 0
    out = " ".join(capsys.readouterr().out.split())
    assert "2 (1 unreadable)" in out and "episode_000002" in out


def test_convert_camera_and_task_choices(
    episodes: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["data", "convert", str(episodes), str(tmp_path / "out"), "--format", "lerobot"]
    assert main([*words, "--cameras", "cam_hihg"]) == 2
    assert "Did you mean 'cam_high'?" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
    assert main([*words, "--cameras", "cam_high", "--task", "new words"]) == 0
    capsys.readouterr()
    assert main(["data", "inspect", str(tmp_path / "out"), "--json"]) == 0
    summary = json.loads(capsys.readouterr().out)
    assert list(summary["cameras"]) == ["cam_high"] and summary["tasks"] == {"new words": 3}


def test_compare_tells_differences(
    episodes: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = tmp_path / "other"
    assert main(["data", "convert", str(episodes), str(other), "--task", "else"]) == 0
    assert main(["data", "compare", str(episodes), str(episodes)]) == 0
    assert main(["data", "compare", str(episodes), str(other)]) == 1
    assert "task:" in capsys.readouterr().out


def test_doctor_and_report(
    episodes: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["doctor", str(episodes), "--json"]) == 0
    findings = json.loads(capsys.readouterr().out)
    assert set(findings) == {"this machine", str(episodes)}
    assert (tmp_path / "check_sheet.png").read_bytes().startswith(b"\x89PNG")
    assert main(["report", str(episodes), "--out", "look.html"]) == 0
    page = (tmp_path / "look.html").read_text(encoding="utf-8")
    assert page.count("success/episode_00000") >= 2 and "http://" not in page.replace(
        "http://www.w3.org", ""
    )


def test_a_closed_pipe_is_no_error(episodes: Path) -> None:
    command = " ".join([*ROBOVALUE, "data", "inspect", str(episodes), "--json", "| head -n 1"])
    run = subprocess.run(
        ["bash", "-o", "pipefail", "-c", command], capture_output=True, text=True, timeout=120
    )
    assert "Traceback" not in run.stderr and run.stdout.strip() == "{"


def test_interrupt_says_so_and_keeps_the_work(episodes: Path, tmp_path: Path) -> None:
    long = tmp_path / "long"
    reader = FakeReader({"e": fake_episode(frames=3000, size=(64, 64))})
    convert(reader, make_writer(WriteOptions()), long, fingerprint="x")
    words = ["data", "convert", str(long), str(tmp_path / "out"), "--format", "lerobot"]
    process = subprocess.Popen([*ROBOVALUE, *words], stderr=subprocess.PIPE, text=True)
    partial = tmp_path / ".out.partial"
    for _ in range(30_000):
        if partial.exists():
            break
        time.sleep(0.001)
    os.kill(process.pid, signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "interrupted" in err and "Traceback" not in err
    assert not (tmp_path / "out").exists()
    assert main(words) == 0


CONFIGS_ALONE = """
import sys
from importlib.abc import MetaPathFinder

BLOCKED = {"torch", "sklearn", "h5py", "cv2", "av", "pyarrow", "rosbags", "mcap", "lz4", "zstandard",
           "PIL", "tyro", "rich", "matplotlib", "gymnasium", "mujoco", "transformers", "rerun"}

class Wall(MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in BLOCKED:
            raise ImportError(f"{name} is blocked")
        return None

sys.meta_path.insert(0, Wall())
from robovalue_ros.cli.commands import COMMANDS, config_of
for name in COMMANDS:
    if name != "bag play":
        print(name, config_of(name).__doc__)
"""


def test_what_a_command_can_be_told_needs_none_of_its_libraries() -> None:
    run = subprocess.run(
        [sys.executable, "-c", CONFIGS_ALONE], capture_output=True, text=True, timeout=120
    )
    assert run.returncode == 0, run.stderr
    for name in COMMANDS.keys() - {"bag play"}:
        assert f"`robovalue {name}`" in run.stdout


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_the_table_names_the_options_that_the_command_reads(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Read(Exception):
        pass

    def parse(config_type: type, *_: object) -> None:
        assert config_type is config_of(name)
        raise Read

    module, function = COMMANDS[name].target.split(":")
    command = import_module(module)
    monkeypatch.setattr(command, "parse", parse)
    with pytest.raises(Read):
        getattr(command, function)([])
