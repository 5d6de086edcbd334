"""One recording on its way: its cameras, and the pieces that are decoded together."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from threading import Lock

from robovalue_ros.contracts.errors import DataError
from robovalue_ros.contracts.frames import Image
from robovalue_ros.contracts.ports import FrameEncoder
from robovalue_ros.pipelines.embedding.camera import CameraClips, Vectors
from robovalue_ros.pipelines.embedding.frames import Piece, cut, prepare
from robovalue_ros.pipelines.embedding.request import ClipRequest

Answer = Vectors | DataError
Deliver = Callable[[int, Answer], None]
"""Called with a request's place in the run and its vectors, or why there are none."""


@dataclass(frozen=True, eq=False)
class Recording:
    """All that is asked of one recording; places: where its requests stand in the run."""

    name: str
    places: list[int] = field(default_factory=list)
    requests: list[ClipRequest] = field(default_factory=list)


def by_recording(requests: Sequence[ClipRequest]) -> list[Recording]:
    """Group requests by recording, in the order of their first appearance."""
    found: dict[str, Recording] = {}
    for place, request in enumerate(requests):
        recording = found.setdefault(request.recording, Recording(request.recording))
        recording.places.append(place)
        recording.requests.append(request)
    return list(found.values())


class Job:
    """A recording being embedded. open_clips: planned and not yet done."""

    def __init__(self, recording: Recording, encoders: Mapping[str, FrameEncoder]) -> None:
        self.name = recording.name
        self.reading = Lock()
        self.open_clips = 0
        self.planned = False
        asked: dict[str, list[int]] = {}
        for number, request in enumerate(recording.requests):
            asked.setdefault(request.camera, []).append(number)
        self._places = [[recording.places[n] for n in numbers] for numbers in asked.values()]
        self.cameras = [
            CameraClips([recording.requests[n] for n in numbers], encoders[camera])
            for camera, numbers in asked.items()
        ]

    @property
    def complete(self) -> bool:
        return self.planned and self.open_clips == 0

    def contents(self) -> list[str | DataError]:
        """Name what each camera shows, or say why that cannot be told; may decode every frame."""
        names: list[str | DataError] = []
        for camera in self.cameras:
            try:
                names.append(camera.content())
            except DataError as problem:
                names.append(problem)
        self.close()
        return names

    def tasks(self, capacity: int) -> Iterator[Task]:
        """Cut what is missing into tasks of at most `capacity` bytes of prepared frames."""
        group: list[Piece] = []
        room = capacity
        for camera in self.cameras:
            for piece in cut(camera, capacity) if camera.failure is None else ():
                if group and piece.nbytes > room:
                    yield Task(self, group)
                    group, room = [], capacity
                group.append(piece)
                room -= piece.nbytes
        if group:
            yield Task(self, group)

    def deliver(self, to: Deliver) -> None:
        """Hand over the answer to every request."""
        for places, camera in zip(self._places, self.cameras, strict=True):
            for place, answer in zip(places, camera.results(), strict=True):
                to(place, answer)

    def close(self) -> None:
        """Let go of the recording's files."""
        for camera in self.cameras:
            camera.source.close()


class Task:
    """Pieces of one recording that are decoded together; left: clips not yet done."""

    def __init__(self, job: Job, pieces: Sequence[Piece]) -> None:
        self.job, self.pieces = job, tuple(pieces)
        self.left = sum(len(piece.rows) for piece in pieces)
        self.nbytes = sum(piece.nbytes for piece in pieces)

    def decode(self) -> list[Image | DataError]:
        """Return the prepared frames of each piece, or why they cannot be read."""
        frames: list[Image | DataError] = []
        # The cameras of a recording share its open file, so one thread reads it at a time.
        with self.job.reading:
            for piece in self.pieces:
                try:
                    # What failed in an earlier task needs no more work.
                    frames.append(piece.camera.failure or prepare(piece))
                except DataError as problem:
                    frames.append(problem)
            self.job.close()
        return frames
