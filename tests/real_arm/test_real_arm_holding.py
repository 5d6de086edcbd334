"""Real processes: whatever ends them, the last command is a hold."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

SCRIPT = Path(__file__).with_name("file_arm.py")


def start(path: Path, how: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, str(SCRIPT), str(path), how],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


def lines(path: Path) -> list[str]:
    return path.read_text().splitlines() if path.exists() else []


def wait_until_moving(path: Path, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 60
    while lines(path).count("send") < 10:
        assert process.poll() is None and time.monotonic() < deadline
        time.sleep(0.02)


@pytest.mark.parametrize("numbers", [["SIGTERM"], ["SIGINT"], ["SIGTERM", "SIGTERM", "SIGINT"]])
def test_a_signal_holds_the_arm_and_exits_with_0(tmp_path: Path, numbers: list[str]) -> None:
    path = tmp_path / "commands"
    process = start(path, "guarded")
    wait_until_moving(path, process)
    for number in numbers:
        process.send_signal(signal.Signals[number])
    _, said = process.communicate(timeout=30)
    assert process.returncode == 0, said.decode()
    assert said == b""
    # Every line is whole, and nothing follows the hold but letting go.
    assert set(lines(path)) == {"send", "hold", "close"}
    assert lines(path)[-2:] == ["hold", "close"]


@pytest.mark.parametrize(("how", "code"), [("forgets", 0), ("fails", 1)])
def test_an_end_or_an_error_holds_the_arm(tmp_path: Path, how: str, code: int) -> None:
    path = tmp_path / "commands"
    process = start(path, how)
    _, said = process.communicate(timeout=60)
    assert process.returncode == code, said.decode()
    assert lines(path).count("send") == 5
    assert lines(path)[-2:] == ["hold", "close"]
    assert ("a policy fell over" in said.decode()) == (how == "fails")
