"""Both worlds: `pip install .` and `colcon build` give a working package."""

from __future__ import annotations

import ast
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest

ROOT = Path(__file__).parents[2]
PACKAGE = "robovalue_ros"
SHARED = ("package.xml", "config", "launch")


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a copy of what git tracks, so that builds leave no traces in the checkout."""
    target = tmp_path_factory.mktemp("ws") / "src" / "robovalue_ros"
    target.mkdir(parents=True)
    listing = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT, capture_output=True, text=True, check=True,
    ).stdout.splitlines()  # fmt: skip
    for name in listing:
        if (ROOT / name).is_file() and not name.startswith("tests/"):
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, target / name)
    return target


def run(command: list[str], cwd: Path, **env: str) -> str:
    done = subprocess.run(
        command, cwd=cwd, capture_output=True, text=True, timeout=280, env={**os.environ, **env}
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def check_installed(site: Path, prefix: Path, executable: Path, cwd: Path) -> None:
    for name in SHARED:
        assert (prefix / "share" / "robovalue_ros" / name).exists(), name
    assert list((prefix / "share" / "robovalue_ros" / "config").iterdir())
    assert (prefix / "share/ament_index/resource_index/packages/robovalue_ros").is_file()
    env = {"PYTHONPATH": str(site)}
    probe = (
        "import robovalue_ros, robovalue_envs, gymnasium;"
        "print(robovalue_ros.__file__, robovalue_envs.__file__);"
        "print(gymnasium.spec('robovalue/PutRedCubeInBox-v0').id)"
    )
    printed = run([sys.executable, "-c", probe], cwd, **env)
    assert printed.count(str(site)) == 2, printed
    assert printed.splitlines()[-1] == "robovalue/PutRedCubeInBox-v0"
    assert "robovalue 0." in run([str(executable), "--version"], cwd, **env)
    assets = list(site.rglob("robovalue_ros/report/assets/*"))
    assert {path.suffix for path in assets} >= {".css", ".js"}


def test_pip_install(source: Path, tmp_path: Path) -> None:
    prefix = tmp_path / "prefix"
    run(
        [sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--no-build-isolation",
         "--ignore-installed", "--prefix", str(prefix), "."],
        source,
    )  # fmt: skip
    site = next(prefix.rglob("site-packages"))
    check_installed(site, prefix, prefix / "bin" / "robovalue", tmp_path)


@pytest.fixture(scope="module")
def built(source: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build with colcon, once, and return the prefix of the package."""
    folder = tmp_path_factory.mktemp("colcon")
    workspace = source.parents[1]
    bases = ["--build-base", str(folder / "build"), "--install-base", str(folder / "install")]
    run(
        [sys.executable, "-m", "colcon", "--log-base", str(folder / "log"), "build", *bases,
         "--base-paths", str(workspace / "src"), "--event-handlers", "console_direct+"],
        workspace,
    )  # fmt: skip
    return folder / "install" / PACKAGE


def sourced(prefix: Path) -> dict[str, str]:
    """Return what the workspace's setup script would set, as far as it matters here."""
    site = str(next(prefix.rglob("site-packages")))
    others = [path for path in os.environ.get("PYTHONPATH", "").split(os.pathsep) if path]
    return {
        "PYTHONPATH": os.pathsep.join([site, *others]),
        "AMENT_PREFIX_PATH": os.pathsep.join([str(prefix), sys.prefix]),
        "ROS_LOG_DIR": str(prefix / "log"),
    }


def test_colcon_build(built: Path, tmp_path: Path) -> None:
    site = next(built.rglob("site-packages"))
    check_installed(site, built, built / "lib" / PACKAGE / "robovalue", tmp_path)


def test_colcon_installs_every_launch_file_and_setting(built: Path) -> None:
    for folder in ("launch", "config"):
        installed = {path.name for path in (built / "share" / PACKAGE / folder).iterdir()}
        there = {path.name for path in (ROOT / folder).iterdir() if path.is_file()}
        assert installed == there, folder
    assert all(path.name.endswith(".launch.py") for path in (ROOT / "launch").glob("*.py"))


def test_the_ament_index_knows_the_package(built: Path, tmp_path: Path) -> None:
    pytest.importorskip("ament_index_python")
    code = (
        "from ament_index_python import get_package_prefix, get_package_share_directory as share;"
        f"print(get_package_prefix('{PACKAGE}'), share('{PACKAGE}'))"
    )
    printed = run([sys.executable, "-c", code], tmp_path, **sourced(built)).split()
    assert printed == [str(built), str(built / "share" / PACKAGE)]


@pytest.mark.parametrize(
    ("name", "words", "code", "said"),
    [
        ("robovalue", ["--version"], 0, "robovalue 0."),
        ("value_node", ["--ros-args", "-p", "depth:=5"], 2, "lacks the key 'model'"),
        ("sim_node", ["--ros-args", "-p", "sped:=2.0"], 2, "Did you mean 'speed'?"),
        ("segmenter_node", ["--ros-args", "-p", "strid:=2"], 2, "Did you mean 'stride'?"),
    ],
)
def test_colcon_installs_executables_where_ros2_run_looks(
    name: str, words: list[str], code: int, said: str, built: Path, tmp_path: Path
) -> None:
    if name != "robovalue":
        pytest.importorskip("rclpy")
    executable = built / "lib" / PACKAGE / name
    # The Python that built it: on a robot the one of the environment that has torch.
    assert executable.read_text(encoding="utf-8").splitlines()[0] == f"#!{sys.executable}"
    done = subprocess.run(
        [str(executable), *words], cwd=tmp_path, capture_output=True, text=True, timeout=120,
        env={**os.environ, **sourced(built)},
    )  # fmt: skip
    assert done.returncode == code and said in done.stdout + done.stderr, done.stderr


def test_ros2_finds_runs_and_launches_it(built: Path, tmp_path: Path) -> None:
    for module in ("ros2cli", "ros2pkg", "ros2run", "ros2launch"):
        pytest.importorskip(module, reason="the command `ros2` comes with an installed ROS 2")
    main = "import sys; from ros2cli.cli import main; sys.argv[0] = 'ros2'; sys.exit(main())"

    def ros2(*words: str) -> str:
        return run([sys.executable, "-c", main, *words], tmp_path, **sourced(built))

    assert ros2("pkg", "prefix", PACKAGE).strip() == str(built)
    listed = ros2("pkg", "executables", PACKAGE).split()
    assert {"robovalue", "value_node", "segmenter_node", "sim_node"} <= set(listed)
    assert "robovalue 0." in ros2("run", PACKAGE, "robovalue", "--version")
    for name, key in (("value", "model"), ("sim_demo", "episodes"), ("fit_value", "data")):
        told = ros2("launch", PACKAGE, f"{name}.launch.py", "-s")
        assert "Arguments (pass arguments as" in told and f"'{key}':" in told
    assert '"this machine"' in ros2("launch", PACKAGE, "doctor.launch.py", "json:=true")


def test_package_xml_fits_setup_py() -> None:
    package = ElementTree.parse(ROOT / "package.xml").getroot()
    assert package.get("format") == "3"
    assert package.findtext("name") == "robovalue_ros"
    assert package.findtext("export/build_type") == "ament_python"
    version = run([sys.executable, "setup.py", "--version"], ROOT).strip().splitlines()[-1]
    assert package.findtext("version") == version
    maintainer = package.find("maintainer")
    assert maintainer is not None and "@" in maintainer.get("email", "")
    depends = {element.text for element in package.findall("exec_depend")}
    assert ros_packages() <= depends
    assert {"launch", "launch_ros", "ros2launch"} <= depends


def ros_packages() -> set[str]:
    """Return the ROS packages that the sources import."""
    files = [*(ROOT / PACKAGE).rglob("*.py"), *(ROOT / "launch").glob("*.py")]
    modules = set()
    for path in files:
        for part in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(part, ast.ImportFrom) and part.module:
                modules.add(part.module.split(".")[0])
            elif isinstance(part, ast.Import):
                modules |= {alias.name.split(".")[0] for alias in part.names}
    named = re.compile(r"(rclpy|launch|launch_ros|tf2_ros|cv_bridge|.*_(msgs|srvs|interfaces))")
    return {module for module in modules if named.fullmatch(module)}


def test_pyproject_holds_tool_settings_only() -> None:
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    assert "\n[project]" not in text, "a [project] table silences entry points under colcon"
