"""Every dependency of the core and of the extras is permissive."""

from __future__ import annotations

import ast
import importlib.metadata as metadata
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

# Licences of direct dependencies as their projects state them; a new dependency is reviewed here.
REVIEWED = {
    "setuptools": "MIT",
    "numpy": "BSD-3-Clause",
    "scipy": "BSD-3-Clause",
    "scikit-learn": "BSD-3-Clause",
    "threadpoolctl": "BSD-3-Clause",
    "torch": "BSD-3-Clause",
    "h5py": "BSD-3-Clause",
    "opencv-python": "Apache-2.0",
    "pyarrow": "Apache-2.0",
    "av": "BSD-3-Clause",
    "rosbags": "Apache-2.0",
    "mcap": "MIT",
    "lz4": "BSD-3-Clause",
    "zstandard": "BSD-3-Clause",
    "protobuf": "BSD-3-Clause",
    "pillow": "MIT-CMU",
    "pyyaml": "MIT",
    "tyro": "MIT",
    "rich": "MIT",
    "matplotlib": "PSF-2.0",
    "gymnasium": "MIT",
    "mujoco": "Apache-2.0",
    "ros-kilted-rclpy": "Apache-2.0",
    "ros-common-interfaces": "Apache-2.0",
    "ros-std-srvs": "Apache-2.0",
    "transformers": "Apache-2.0",
    "open-clip-torch": "MIT",
    "timm": "Apache-2.0",
    "safetensors": "Apache-2.0",
    "accelerate": "Apache-2.0",
    "tensorboard": "Apache-2.0",
    # Itself MIT, but it needs frozendict (LGPL) through einx: for a test only, never for users.
    "vector-quantize-pytorch": "MIT",
    "hf-libero": "MIT",
    "google-crc32c": "Apache-2.0",
    "ray": "Apache-2.0",
    "rerun-sdk": "MIT",
    "umap-learn": "BSD-3-Clause",
    "pytest": "MIT",
    "pytest-xdist": "MIT",
    "pytest-timeout": "MIT",
    "ruff": "MIT",
    "mypy": "MIT",
    "types-pyyaml": "Apache-2.0",
    "pre-commit": "MIT",
    "psutil": "BSD-3-Clause",
    "playwright": "Apache-2.0",
    "colcon-core": "Apache-2.0",
    "colcon-ros": "Apache-2.0",
    "colcon-python-setup-py": "Apache-2.0",
    "catkin-pkg": "BSD-3-Clause",
}
PERMISSIVE = re.compile(
    r"MIT|BSD|Apache|PSF|Python Software Foundation|ISC|Zlib|0BSD|CC0|Unlicense|HPND|BSL|"
    r"Public Domain|any-OSI|matplotlib license",
    re.IGNORECASE,
)
COPYLEFT = re.compile(r"GPL|Mozilla|MPL|EUPL|CC-BY-NC|NonCommercial|CDDL|EPL", re.IGNORECASE)
# Tools that only developers run, under file-level copyleft; nothing of them is shipped or imported
# by the package. docutils is public domain save for an editor mode that is not installed.
DEVELOPMENT_ONLY = {"hypothesis": "MPL-2.0", "pathspec": "MPL-2.0", "docutils": "Public Domain"}
# File-level copyleft that transformers and its hub client bring along. It binds changes to those
# files themselves, which nobody here makes; it reaches no code of this package.
UNAVOIDABLE = {"tqdm": "MPL-2.0 AND MIT", "certifi": "MPL-2.0"}

# These state their licence in a file or in their sources only.
FILE_ONLY = {"setuptools": "MIT", "ros-fastcdr": "Apache-2.0", "ros-fastdds": "Apache-2.0"}


def canonical(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def requirement_name(text: str) -> str:
    match = re.match(r"[A-Za-z0-9._-]+", text)
    assert match is not None, text
    return canonical(match[0])


def declared() -> tuple[set[str], dict[str, set[str]]]:
    """Read CORE and EXTRAS from setup.py without running it."""
    tree = ast.parse((ROOT / "setup.py").read_text(encoding="utf-8"))
    found = {
        node.targets[0].id: ast.literal_eval(node.value)
        for node in tree.body
        if isinstance(node, ast.Assign)
        and isinstance(node.targets[0], ast.Name)
        and node.targets[0].id in ("CORE", "EXTRAS")
    }
    core = {requirement_name(text) for text in found["CORE"]}
    return core, {k: {requirement_name(t) for t in v} for k, v in found["EXTRAS"].items()}


def licence_texts(distribution: metadata.Distribution) -> list[str]:
    info = distribution.metadata
    expression = info.get("License-Expression")
    if expression:
        return [expression]
    classifiers = [
        line.split("::")[-1].strip()
        for line in info.get_all("Classifier") or []
        if line.startswith("License ::") and not line.endswith("OSI Approved")
    ]
    first_line = (info.get("License") or "").strip().splitlines()[:1]
    return classifiers or first_line or ros_licences(distribution)


def ros_licences(distribution: metadata.Distribution) -> list[str]:
    """Return what the package.xml of a ROS package says; its wheel says nothing itself."""
    manifests = [file for file in distribution.files or [] if file.name == "package.xml"]
    found = [file.locate().read_text(encoding="utf-8") for file in manifests]
    return [text for xml in found for text in re.findall(r"<license[^>]*>([^<]+)</license>", xml)]


def closure(names: set[str]) -> set[str]:
    """Return the installed distributions that `names` need, without optional parts."""
    found: set[str] = set()
    waiting = set(names)
    while waiting:
        name = waiting.pop()
        if name in found:
            continue
        try:
            distribution = metadata.distribution(name)
        except metadata.PackageNotFoundError:
            continue
        found.add(name)
        for text in distribution.requires or []:
            if "extra ==" not in text:
                waiting.add(requirement_name(text))
    return found


def test_every_direct_dependency_was_reviewed() -> None:
    core, extras = declared()
    everything = core | set().union(*extras.values())
    unknown = everything - set(REVIEWED) - set(DEVELOPMENT_ONLY)
    assert unknown == set(), "add the licence of each to REVIEWED after reading it"
    for name in everything & set(REVIEWED):
        assert PERMISSIVE.search(REVIEWED[name]) and not COPYLEFT.search(REVIEWED[name]), name


def test_what_users_install_is_permissive_all_the_way_down() -> None:
    core, extras = declared()
    users = core | set().union(*(names for extra, names in extras.items() if extra != "dev"))
    installed = closure(users)
    assert len(installed) > 30
    for name in sorted(installed):
        texts = licence_texts(metadata.distribution(name))
        if not texts and name in FILE_ONLY | REVIEWED:
            continue
        assert texts, f"{name} states no licence"
        if name in UNAVOIDABLE:
            assert name not in closure(core), f"the core must not need {name}"
            continue
        for text in texts:
            assert not COPYLEFT.search(text), f"{name} is under {text}"
        assert any(PERMISSIVE.search(text) for text in texts) or name in REVIEWED, (
            f"{name}: {texts}"
        )


@pytest.mark.parametrize("name", sorted(DEVELOPMENT_ONLY))
def test_exceptions_are_development_tools_only(name: str) -> None:
    core, extras = declared()
    users = core | set().union(*(names for extra, names in extras.items() if extra != "dev"))
    assert name not in closure(users)


def test_the_core_is_small() -> None:
    core, _ = declared()
    heavy = {"transformers", "ray", "timm", "rclpy", "open-clip-torch", "rerun-sdk", "tensorflow"}
    assert core.isdisjoint(heavy)
    assert len(core) <= 20
