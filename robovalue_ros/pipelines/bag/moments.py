"""Pictures of a bag, matched to moments and decoded ahead of those who need them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import NamedTuple

from robovalue_ros.contracts.frames import Image
from robovalue_ros.contracts.types import Finding, Frame
from robovalue_ros.data.rosbag.images import image_rgb
from robovalue_ros.data.rosbag.messages import BadMessage, has_header
from robovalue_ros.data.rosbag.storage import NO_STAMP, header_stamp
from robovalue_ros.data.rosbag.stream import RawMessage
from robovalue_ros.value.pixels.shrink import shrink
from robovalue_ros.value.stream.flags import Floats
from robovalue_ros.value.stream.pairing import Matched, Pairing


class Pixels(NamedTuple):
    """A decoded picture, and what the stream looks at first."""

    image: Image
    small: Floats


@dataclass(slots=True, eq=False)
class Picture:
    """A picture of the bag. decoding: begun when the first moment uses it."""

    topic: str
    kind: str
    data: memoryview
    decoding: Future[Pixels | BadMessage] | None = None


@dataclass(frozen=True, slots=True, eq=False)
class PendingMoment:
    """A moment whose pictures are being decoded. log_ns: receipt of what completed it."""

    stamp_ns: int
    log_ns: int
    pictures: Mapping[str, Picture]

    def done(self) -> bool:
        """Tell whether nothing needs to be waited for."""
        return all(
            picture.decoding is not None and picture.decoding.done()
            for picture in self.pictures.values()
        )


class MomentMaker:
    """Takes the messages of camera topics; hands out moments.

    cameras: camera -> topic, the timeline first. pool: where pictures are decoded.
    """

    def __init__(
        self,
        cameras: Mapping[str, str],
        tolerance_ns: int,
        pool: ThreadPoolExecutor,
        unnamed_bgr: bool = False,
    ) -> None:
        self._names = {topic: name for name, topic in cameras.items()}
        self._cameras = dict(cameras)
        self._pairing: Pairing[Picture] = Pairing(tuple(cameras), tolerance_ns)
        self._pool = pool
        self._unnamed_bgr = unnamed_bgr
        self._damaged: Counter[str] = Counter()
        self._reasons: dict[str, str] = {}

    def take(self, message: RawMessage) -> list[PendingMoment]:
        """Take a camera's message; return the moments that are certain now."""
        topic = message.topic
        stamp = NO_STAMP
        if has_header(topic.type):
            stamp = header_stamp(message.data, 0, len(message.data))
        if stamp in (NO_STAMP, 0):
            stamp = message.log_ns  # as the reader of episodes does
        picture = Picture(topic.name, topic.type, message.data)
        matched = self._pairing.add(self._names[topic.name], stamp, picture)
        return self._begun(matched, message.log_ns)

    def flush(self, log_ns: int) -> list[PendingMoment]:
        """Return what still waits, for the end of the bag or of a try."""
        moments = self._begun(self._pairing.flush(), log_ns)
        self._pairing.reset()
        return moments

    def frame(self, moment: PendingMoment) -> tuple[Frame, Mapping[str, Floats]] | None:
        """Wait for the pictures, as they are and small; None when every one is damaged."""
        images: dict[str, Image] = {}
        small: dict[str, Floats] = {}
        for camera, picture in moment.pictures.items():
            assert picture.decoding is not None
            found = picture.decoding.result()
            if isinstance(found, BadMessage):
                self._damaged[picture.topic] += 1
                self._reasons.setdefault(picture.topic, str(found))
            else:
                images[camera], small[camera] = found
        return (Frame(moment.stamp_ns, images), small) if images else None

    def findings(self) -> list[Finding]:
        """Tell what became of the pictures, where that is not the usual."""
        found = []
        for camera, tally in self._pairing.tallies.items():
            topic = self._cameras[camera]
            if self._damaged[topic]:
                found.append(
                    Finding(
                        "warning", topic,
                        f"{self._damaged[topic]} of {tally.used} pictures cannot be used; the "
                        f"first {self._reasons[topic]}",
                        "Those moments were scored without this camera.",
                    )
                )  # fmt: skip
            if tally.missed:
                found.append(
                    Finding(
                        "warning", topic, f"{tally.missed} moments lack this camera",
                        "A driver paused, or the cameras differ by more than --tolerance-ms.",
                    )
                )  # fmt: skip
            if tally.late:
                found.append(
                    Finding(
                        "warning", topic,
                        f"{tally.late} pictures are not newer than one before and are left out",
                    )
                )  # fmt: skip
        return found

    def _begun(self, matched: list[Matched[Picture]], log_ns: int) -> list[PendingMoment]:
        for moment in matched:
            for picture in moment.items.values():
                if picture.decoding is None:
                    picture.decoding = self._pool.submit(self._decode, picture)
        return [PendingMoment(moment.stamp_ns, log_ns, moment.items) for moment in matched]

    def _decode(self, picture: Picture) -> Pixels | BadMessage:
        try:
            image = image_rgb(picture.data, picture.kind, self._unnamed_bgr)
        except BadMessage as problem:
            return problem
        return Pixels(image, shrink(image))
