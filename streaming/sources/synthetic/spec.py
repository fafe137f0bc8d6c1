"""What a synthetic video shows: read from a `synthetic://` address."""

from __future__ import annotations

import enum
from pathlib import Path
from typing import Final, Self
from urllib.parse import parse_qsl, urlsplit

from pydantic import Field, ValidationError, model_validator

from streaming.errors import SourceError
from streaming.settings import Settings

SCHEME = "synthetic"
HELD_OUT_SEED: Final = 1_000_000_000
"""The first of the seeds that are reserved for evaluation; no address may ask for one."""


class SceneKind(enum.StrEnum):
    """Where the scene comes from."""

    ROOMS = "rooms"
    """Made from a seed."""
    SCENE = "scene"
    """Read from a mesh file."""


class PathKind(enum.StrEnum):
    """How the camera moves."""

    AUTO = "auto"
    """`walk` where one can stand inside, `orbit` around anything else."""
    WALK = "walk"
    """Through the free space of a room at walking speed, head turning."""
    ORBIT = "orbit"
    """Round the middle of the scene, facing it."""
    LOOK = "look"
    """Standing still and looking around: rotation alone, a homography in truth."""


class SyntheticSpec(Settings):
    """A synthetic video: the same values give the same frames."""

    kind: SceneKind = SceneKind.ROOMS
    """Rooms made from the seed, or a scene file."""
    file: Path | None = None
    """The mesh of a scene: .glb, .gltf, .obj, .ply or .stl, in metres."""
    seed: int = Field(default=0, ge=0)
    """Decides the rooms and the camera's way."""
    rooms: int = Field(default=1, ge=1, le=1_000)
    """Number of rooms, shown one after the other with a cut between."""
    frames: int = Field(default=300, ge=1)
    """Frames of the whole video."""
    frames_per_s: float = Field(default=30.0, gt=0, le=1_000)
    """Frame rate."""
    width: int = Field(default=640, ge=32, le=4_096, multiple_of=2)
    """Frame width in pixels, even."""
    height: int = Field(default=480, ge=32, le=4_096, multiple_of=2)
    """Frame height in pixels, even."""
    speed: float = Field(default=1.0, ge=0, le=20)
    """Factor on the speed of the camera: 1 is a walking person, 0 a camera on a tripod."""
    path: PathKind = PathKind.AUTO
    """How the camera moves."""

    @model_validator(mode="after")
    def _check_together(self) -> Self:
        if self.kind is SceneKind.SCENE and self.file is None:
            raise ValueError("file: a scene needs file=PATH of a .glb or .obj file")
        if self.kind is SceneKind.ROOMS and self.file is not None:
            raise ValueError("file: rooms are made, not read; write synthetic://scene?file=PATH")
        if self.kind is SceneKind.SCENE and self.rooms != 1:
            raise ValueError("rooms: a scene file is one room")
        if self.frames < self.rooms:
            raise ValueError("frames: at least one for each room")
        return self


_FIELD_OF_KEY = {"fps": "frames_per_s"} | {
    name: name for name in ("file", "seed", "rooms", "frames", "speed", "path")
}
_KEY_OF_FIELD = {"frames_per_s": "fps", "width": "size: width", "height": "size: height"}


def parse_synthetic(uri: str) -> SyntheticSpec:
    """Reads `synthetic://rooms?seed=1&...` or `synthetic://scene?file=PATH&...`.

    Keys: seed, rooms, frames, fps, size=WIDTHxHEIGHT, speed, path, and file for a scene.

    Raises:
        SourceError: one line that names the key and what is allowed.
    """
    address = urlsplit(uri)
    kinds = [kind.value for kind in SceneKind]
    if address.scheme != SCHEME or address.netloc not in kinds or address.path.strip("/"):
        raise SourceError(f"{uri}: write {SCHEME}://{{{'|'.join(kinds)}}}?key=value&key=value")
    values: dict[str, str] = {"kind": address.netloc}
    for key, text in parse_qsl(address.query, keep_blank_values=True):
        for field, value in _fields(uri, key, text).items():
            if field in values:
                raise SourceError(f"{uri}: {key}: given twice, give it once")
            values[field] = value
    try:
        spec = SyntheticSpec.model_validate(values)
    except ValidationError as error:
        raise SourceError(f"{uri}: {_describe(error)}") from error
    if spec.seed >= HELD_OUT_SEED:
        raise SourceError(
            f"{uri}: seed: seeds from {HELD_OUT_SEED} on are kept for evaluation; use a smaller one"
        )
    return spec


def _fields(uri: str, key: str, text: str) -> dict[str, str]:
    if key == "size":
        width, cross, height = text.partition("x")
        if not (cross and width.isdecimal() and height.isdecimal()):
            raise SourceError(f"{uri}: size: write WIDTHxHEIGHT such as 640x480, not {text!r}")
        return {"width": width, "height": height}
    if key not in _FIELD_OF_KEY:
        allowed = ", ".join(sorted([*_FIELD_OF_KEY, "size"]))
        raise SourceError(f"{uri}: {key}: unknown key; allowed are {allowed}")
    return {_FIELD_OF_KEY[key]: text}


def _describe(error: ValidationError) -> str:
    detail = error.errors()[0]
    message = detail["msg"].removeprefix("Value error, ")
    if not detail["loc"]:
        return message
    field = str(detail["loc"][0])
    return f"{_KEY_OF_FIELD.get(field, field)}: {message}, not {detail['input']!r}"
