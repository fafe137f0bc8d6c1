"""Writes a synthetic video as an ordinary H.264 file."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING, Final

import av

from streaming.errors import SourceError
from streaming.sources.synthetic.render import render_images

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from streaming.sources.synthetic.spec import SyntheticSpec

_OPTIONS: Final = {"crf": "18", "preset": "veryfast"}


def write_video(
    spec: SyntheticSpec, path: Path, *, on_frame: Callable[[int], None] | None = None
) -> None:
    """Renders a video into an .mp4 file; an unfinished one is never left under its name.

    Args:
        spec: what to render.
        path: the file to write; it is replaced.
        on_frame: called with the number of frames written so far.

    Raises:
        SourceError: the scene cannot be rendered, or the file not written.
    """
    rate = Fraction(spec.frames_per_s).limit_denominator(1_001)
    unfinished = path.with_name(f"{path.name}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with av.open(unfinished, "w", format="mp4") as container:
            stream = container.add_stream("libx264", rate=rate, options=_OPTIONS)
            stream.width, stream.height, stream.pix_fmt = spec.width, spec.height, "yuv420p"
            for number, (_, image) in enumerate(render_images(spec), start=1):
                frame = av.VideoFrame.from_ndarray(image, format="rgb24")
                container.mux(stream.encode(frame))
                if on_frame is not None:
                    on_frame(number)
            container.mux(stream.encode())
        unfinished.replace(path)
    except OSError as error:
        raise SourceError(f"{path}: cannot be written ({error.strerror or error})") from error
    finally:
        if unfinished.exists():
            unfinished.unlink()
