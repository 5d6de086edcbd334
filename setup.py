"""Package for both worlds: pip and colcon (ament_python)."""

import re
from glob import glob
from pathlib import Path

from setuptools import find_packages, setup

HERE = Path(__file__).parent
PACKAGE = "robovalue_ros"
VERSION = re.search(
    r'__version__ = "(.+)"', (HERE / PACKAGE / "__init__.py").read_text(encoding="utf-8")
)[1]

# The folder envs/ installs as robovalue_envs: a top-level package named envs belongs to RoboTwin.
ENVS = ["robovalue_envs"] + [f"robovalue_envs.{name}" for name in find_packages("envs")]

CORE = [
    "numpy>=1.26",
    "scipy>=1.11",
    "scikit-learn>=1.4",
    "threadpoolctl>=3.1",
    "torch>=2.4",
    "h5py>=3.16",
    "opencv-python>=4.8",
    "pyarrow>=15",
    "av>=15",
    "rosbags>=0.11.9",
    "mcap>=1.2",
    "lz4>=4.3",
    "zstandard>=0.22",
    "pillow>=10",
    "PyYAML>=6",
    "tyro>=0.9",
    "rich>=13",
    "matplotlib>=3.8",
    "gymnasium>=1.0",
    "mujoco>=3.3,<3.9",
]
EXTRAS = {
    "ros": ["ros-kilted-rclpy[fastrtps]", "ros-common-interfaces", "ros-std-srvs"],
    "models": ["transformers>=4.57", "open_clip_torch>=2.30", "timm>=1.0", "safetensors>=0.4"],
    "train": ["accelerate>=1.0", "safetensors>=0.4", "tensorboard>=2.16"],
    "libero": ["hf-libero==0.1.4"],
    "rlds": ["protobuf>=4.25", "google-crc32c>=1.5"],
    "ray": ["ray>=2.30"],
    "viz": ["rerun-sdk>=0.24"],
    "codes": ["umap-learn>=0.5.6", "safetensors>=0.4"],
    "dev": [
        "ros-kilted-rclpy[fastrtps]",
        "ros-common-interfaces",
        "ros-std-srvs",
        "pytest>=8",
        "pytest-xdist>=3.5",
        "pytest-timeout>=2.3",
        "hypothesis>=6.100",
        "ruff>=0.6",
        "mypy>=1.11",
        "types-PyYAML",
        "pre-commit>=3.7",
        "psutil>=5.9",
        "playwright>=1.40",
        "colcon-core>=0.16",
        "colcon-ros>=0.4",
        "colcon-python-setup-py>=0.2.8",
        "catkin_pkg>=1.0",
        "protobuf>=4.25",
        "google-crc32c>=1.5",
        "transformers>=4.57",
        "safetensors>=0.4",
        "open_clip_torch>=2.30",
        "timm>=1.0",
        "rerun-sdk>=0.24",
        "umap-learn>=0.5.6",
        "accelerate>=1.0",
        "tensorboard>=2.16",
        # Only a test looks at it: the quantiser has to give the same numbers.
        "vector-quantize-pytorch>=1.20",
    ],
}

setup(
    name=PACKAGE,
    version=VERSION,
    description="How far has the task come? Value, segments and substeps for robot learning.",
    long_description=(HERE / "README.md").read_text(encoding="utf-8"),
    long_description_content_type="text/markdown",
    author="The robovalue_ros authors",
    maintainer="The robovalue_ros authors",
    maintainer_email="maintainers@robovalue.dev",
    license="Apache-2.0",
    python_requires=">=3.10,<3.14",
    packages=[*find_packages(include=[PACKAGE, f"{PACKAGE}.*"]), *ENVS],
    package_dir={"robovalue_envs": "envs"},
    package_data={
        "robovalue_ros": ["**/*.html", "**/*.css", "**/*.js"],
        "robovalue_envs": ["**/*.xml"],
    },
    data_files=[
        ("share/ament_index/resource_index/packages", [f"resource/{PACKAGE}"]),
        (f"share/{PACKAGE}", ["package.xml"]),
        (f"share/{PACKAGE}/launch", sorted(glob("launch/*.launch.py"))),
        (f"share/{PACKAGE}/config", sorted(glob("config/*"))),
    ],
    install_requires=["setuptools", *CORE],
    extras_require=EXTRAS,
    entry_points={
        "console_scripts": [
            "robovalue = robovalue_ros.cli.main:main",
            "value_node = robovalue_ros.nodes.entry:value_node",
            "segmenter_node = robovalue_ros.nodes.entry:segmenter_node",
            "sim_node = robovalue_ros.nodes.entry:sim_node",
        ],
        "gymnasium.envs": ["robovalue = robovalue_envs.registration:register_environments"],
    },
    zip_safe=False,
    classifiers=[
        "Programming Language :: Python :: 3.10",
        "Programming Language :: Python :: 3.11",
        "Programming Language :: Python :: 3.12",
        "Operating System :: POSIX :: Linux",
    ],
)
