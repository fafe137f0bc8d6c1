"""Makes small videos and photographs for tests."""

from collections.abc import Iterable, Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from numpy.typing import NDArray

PIXEL_FORMATS = {"mjpeg": "yuvj420p", "ffv1": "yuv420p", "prores_ks": "yuv422p10le"}


def moving_pictures(count: int = 30, height: int = 48, width: int = 64) -> list[NDArray[np.uint8]]:
    """RGB pictures of a smooth pattern that wanders; each has a grey level of its own index."""
    y, x = np.mgrid[:height, :width].astype(np.float64)
    pictures = []
    for index in range(count):
        waves = np.stack(
            [np.sin((x + 2 * index) / 5), np.cos(y / 7), np.sin((x + y + index) / 9)], axis=-1
        )
        pictures.append(np.uint8(64 + 32 * waves + 96 * index / max(count, 1)))
    return pictures


def write_clip(  # noqa: PLR0913  each is one property of a video
    path: Path,
    frames: Iterable[NDArray[np.uint8]],
    rate: float | Fraction = 30,
    codec: str = "libx264",
    *,
    pixel_format: str | None = None,
    pts: Sequence[int] | None = None,
    time_base: Fraction | None = None,
    rotation: tuple[float, bool, bool] | None = None,
    pixel_aspect: Fraction | None = None,
    options: dict[str, str] | None = None,
) -> Path:
    """Writes RGB pictures of one size as a video; the container follows from the ending.

    Args:
        path: where to.
        frames: uint8 RGB, each (height, width, 3).
        rate: frames a second; ignored for the timestamps when `pts` is given.
        codec: name of the encoder.
        pixel_format: of the stored pictures; by default what the codec is used to.
        pts: timestamps in units of `time_base`.
        time_base: seconds a unit of `pts`.
        rotation: degrees anticlockwise, mirrored left-right, mirrored upside-down.
        pixel_aspect: width of a pixel over its height.
        options: of the encoder.
    """
    with av.open(path, "w") as container:
        stream = container.add_stream(codec, rate=Fraction(rate), options=dict(options or {}))
        stream.pix_fmt = pixel_format or PIXEL_FORMATS.get(codec, "yuv420p")
        stream.codec_context.thread_count = 1
        if time_base is not None:
            stream.codec_context.time_base = time_base
        if pixel_aspect is not None:
            stream.codec_context.sample_aspect_ratio = pixel_aspect
        if rotation is not None:
            stream.set_display_rotation(rotation[0], hflip=rotation[1], vflip=rotation[2])
        for index, image in enumerate(frames):
            if index == 0:
                stream.height, stream.width = image.shape[:2]
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(image), format="rgb24")
            if pts is not None and time_base is not None:
                frame.pts, frame.time_base = pts[index], time_base
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def write_audio(path: Path, duration_s: float = 0.5) -> Path:
    """Writes a hum without any picture."""
    with av.open(path, "w") as container:
        stream = container.add_stream("aac", rate=16_000, layout="mono")
        samples = np.sin(np.arange(int(16_000 * duration_s)) / 20).astype(np.float32)[None]
        frame = av.AudioFrame.from_ndarray(samples, format="fltp", layout="mono")
        frame.sample_rate = 16_000
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path
