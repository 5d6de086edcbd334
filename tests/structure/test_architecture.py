"""The arrows of docs/architecture.md, checked from the syntax trees."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGE = "robovalue_ros"
FLOORS = {
    "contracts": 0,
    "value": 1,
    "segment": 1,
    "policy": 1,
    "plans": 1,
    "data": 2,
    "backends": 2,
    "report": 2,
    "pipelines": 3,
    "training": 3,
    "wiring": 4,
    "cli": 5,
    "nodes": 5,
    "robovalue_envs": 5,
}
# Floors on which siblings do not know each other.
STRANGERS = (1, 2)
# threadpoolctl comes with scikit-learn.
CORE_LIBRARIES = {"numpy", "scipy", "sklearn", "threadpoolctl", "torch"}


def sources() -> list[Path]:
    files = [*sorted((ROOT / PACKAGE).rglob("*.py")), *sorted((ROOT / "envs").rglob("*.py"))]
    assert len(files) > 20
    return files


def room_of(path: Path) -> str | None:
    """Return the room of a file; None for the empty package root."""
    parts = path.relative_to(ROOT).with_suffix("").parts
    if parts[0] == "envs":
        return "robovalue_envs"
    return None if parts[1] == "__init__" else parts[1]


def imported_modules(path: Path) -> set[str]:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path} line {node.lineno}: imports are absolute"
            assert node.module is not None
            found |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return found


def room_of_module(module: str) -> str | None:
    parts = module.split(".")
    if parts[0] == "robovalue_envs":
        return "robovalue_envs"
    if parts[0] == PACKAGE and len(parts) > 1 and parts[1] in FLOORS:
        return parts[1]
    return None


@pytest.mark.parametrize("path", sources(), ids=lambda p: p.relative_to(ROOT).as_posix())
def test_every_arrow_points_down(path: Path) -> None:
    room = room_of(path)
    if room is None:
        assert imported_modules(path) == set(), "the package root imports nothing"
        return
    assert room in FLOORS, f"{path}: {room} is not a room of docs/architecture.md"
    for module in imported_modules(path):
        other = room_of_module(module)
        if other is None or other == room:
            continue
        below = FLOORS[other] < FLOORS[room]
        siblings = FLOORS[other] == FLOORS[room] and FLOORS[room] not in STRANGERS
        assert below or siblings, f"{path}: {room} may not import {module}"


@pytest.mark.parametrize("path", sources(), ids=lambda p: p.relative_to(ROOT).as_posix())
def test_floors_0_and_1_need_only_the_numeric_libraries(path: Path) -> None:
    room = room_of(path)
    if room is None or FLOORS[room] > 1:
        return
    for module in imported_modules(path):
        top = module.split(".")[0]
        allowed = top in sys.stdlib_module_names or top in CORE_LIBRARIES or top == PACKAGE
        assert allowed, f"{path}: floor {FLOORS[room]} imports {module}"


BLOCKED_IMPORTS = """
import importlib, pkgutil, sys
from importlib.abc import MetaPathFinder

BLOCKED = {"rclpy", "gymnasium", "matplotlib", "huggingface_hub", "mujoco", "transformers", "ray"}

class Wall(MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in BLOCKED:
            raise ImportError(f"{name} is blocked")
        return None

sys.meta_path.insert(0, Wall())
import cv2
def no_window(*_, **__):
    raise AssertionError("a library room opened a window")
cv2.imshow = cv2.namedWindow = no_window
import robovalue_ros
count = 0
for room in ("contracts", "value", "segment", "policy", "plans", "data", "backends", "report",
             "pipelines", "training"):
    package = importlib.import_module(f"robovalue_ros.{room}")
    for found in pkgutil.walk_packages(package.__path__, package.__name__ + "."):
        importlib.import_module(found.name)
        count += 1
print(count)
"""


def test_floors_0_to_3_import_without_ros_gym_and_plots() -> None:
    run = subprocess.run(
        [sys.executable, "-c", BLOCKED_IMPORTS], capture_output=True, text=True, timeout=240
    )
    assert run.returncode == 0, run.stderr
    assert int(run.stdout) > 15


IMPORT_TIME = """
import sys, time
before = set(sys.modules)
start = time.perf_counter()
import robovalue_ros
elapsed = time.perf_counter() - start
new = {name for name in set(sys.modules) - before if not name.startswith("robovalue_ros")}
print(elapsed * 1000, sorted(new))
"""


def test_importing_the_package_is_instant_and_empty() -> None:
    times = []
    for _ in range(5):
        run = subprocess.run(
            [sys.executable, "-c", IMPORT_TIME], capture_output=True, text=True, check=True
        )
        elapsed, _, new = run.stdout.partition(" ")
        assert new.strip() == "[]"
        times.append(float(elapsed))
    # Nothing is loaded, so the bound leaves room for a very slow disk.
    assert min(times) < 50


def test_no_file_has_a_name_that_explains_nothing() -> None:
    bad = {"utils.py", "helpers.py", "misc.py", "common.py"}
    assert [p for p in ROOT.rglob("*.py") if p.name in bad and ".venv" not in p.parts] == []


def test_ros_folders_are_no_packages() -> None:
    for folder in ("launch", "config", "tests"):
        assert not (ROOT / folder / "__init__.py").exists(), f"{folder} would shadow ROS packages"
