"""The newest that a robot said, from messages; what cannot be used is counted and left out."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from robovalue_ros.contracts.frames import Image
from robovalue_ros.contracts.ports import ArmReading
from robovalue_ros.nodes.convert import (
    ConversionError,
    joints_from_ros,
    picture_from_ros,
    stamp_from_ros,
)
from robovalue_ros.nodes.ros_arm_config import ArmCamera

Floats = NDArray[np.float64]


class ArmSenses:
    """Takes messages in one thread and gives readings in others.

    names: which joints, in this order; none: those of the first joint state. Sizes that are not
    given are those of the first picture.
    """

    def __init__(self, names: Sequence[str], cameras: Sequence[ArmCamera]) -> None:
        self._lock = threading.Lock()
        self._names = tuple(names)
        self._sizes = {camera.name: camera.size for camera in cameras}
        self._state: Floats | None = None
        self._state_ns = 0
        self._images: dict[str, Image] = {}
        self._images_ns: dict[str, int] = {}
        self._counts: Counter[str] = Counter()
        self._notes: dict[str, str] = {}

    @property
    def names(self) -> tuple[str, ...]:
        return self._names

    @property
    def sizes(self) -> dict[str, tuple[int, int]]:
        """Height and width by camera, of those that are known."""
        return {name: size for name, size in self._sizes.items() if size is not None}

    @property
    def counts(self) -> Mapping[str, int]:
        """How many messages came (`joints`, `pictures`), were refused, or had no stamp."""
        with self._lock:
            return dict(self._counts)

    @property
    def notes(self) -> Mapping[str, str]:
        """Why something was refused last, by camera or `joints`."""
        with self._lock:
            return dict(self._notes)

    @property
    def silent(self) -> tuple[str, ...]:
        """What was never heard: `joints` and names of cameras."""
        with self._lock:
            joints = () if self._state is not None else ("joints",)
            return (*joints, *(name for name in self._sizes if name not in self._images))

    def reading(self) -> ArmReading:
        """Return the newest of everything."""
        with self._lock:
            return ArmReading(
                self._state, self._state_ns, dict(self._images), dict(self._images_ns)
            )

    def joints(self, message: Any, now_ns: int) -> None:
        """Take a JointState."""
        try:
            joints = joints_from_ros(message, self._names or None)
            if not joints.names:
                raise ConversionError("a joint state without joints", "at least one")
            if not np.isfinite(joints.position).all():
                raise ConversionError("a joint state with NaN or infinity", "finite positions")
        except ConversionError as problem:
            self._refuse("joints", problem)
            return
        joints.position.flags.writeable = False
        with self._lock:
            self._counts["joints"] += 1
            self._names = joints.names
            self._state, self._state_ns = joints.position, self._stamp(joints.stamp_ns, now_ns)

    def picture(self, camera: str, message: Any, now_ns: int) -> None:
        """Take an Image or CompressedImage, scaled to the camera's size."""
        try:
            image = picture_from_ros(message)
        except ConversionError as problem:
            self._refuse(camera, problem)
            return
        size = self._sizes[camera] or (image.shape[0], image.shape[1])
        if image.shape[:2] != size:
            image = np.asarray(
                cv2.resize(image, (size[1], size[0]), interpolation=cv2.INTER_AREA), np.uint8
            )
        with self._lock:
            self._counts["pictures"] += 1
            self._sizes[camera] = size
            self._images[camera] = image
            self._images_ns[camera] = self._stamp(stamp_from_ros(message.header.stamp), now_ns)

    def _stamp(self, stamp_ns: int, now_ns: int) -> int:
        """Return the stamp of a measurement: its arrival where a driver does not stamp."""
        if stamp_ns:
            return stamp_ns
        self._counts["unstamped"] += 1
        return now_ns

    def _refuse(self, what: str, problem: ConversionError) -> None:
        with self._lock:
            self._counts["refused"] += 1
            self._notes[what] = str(problem)
