"""Opening any source as a stream of sampled frames."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Self

from streaming.errors import SourceError
from streaming.frames.decode import VideoFrames
from streaming.frames.picture import shrink
from streaming.frames.report import FrameReport, LossReason
from streaming.frames.sampling import NS_PER_S, Sampler, SamplingConfig
from streaming.records import Frame, Source, SourceKind
from streaming.sources.images import list_images, read_image
from streaming.sources.synthetic.render import render_images
from streaming.sources.synthetic.spec import SyntheticSpec, parse_synthetic

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import TracebackType


class FrameStream:
    """Frames of one source in the order of time: an iterator and a context manager.

    Attributes:
        report: counts that grow while iterating.
        duration_s: length of the whole source in seconds; None when it is unknown or, in an image
            set, has no meaning.
    """

    def __init__(
        self,
        frames: Iterator[Frame],
        report: FrameReport,
        duration_s: float | None = None,
        release: Callable[[], None] = lambda: None,
    ) -> None:
        self._frames = frames
        self._release = release
        self.report = report
        self.duration_s = duration_s

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> Frame:
        """The next frame.

        Raises:
            SourceError: the source breaks off, or gives no frame at all.
        """
        return next(self._frames)

    def close(self) -> None:
        """Releases the source; there are no more frames then."""
        self._frames = iter(())
        self._release()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()


def open_frames(source: Source, sampling: SamplingConfig, *, from_ns: int = 0) -> FrameStream:
    """Opens a source.

    A video and a synthetic scene are sampled by time. An image set has no clock: every image is a
    frame, up to `max_frames`, and its `timestamp_ns` is its index.

    Args:
        source: where frames come from.
        sampling: which of them are wanted.
        from_ns: `timestamp_ns` before which frames are passed over, beside those before `start_s`.

    Raises:
        SourceError: the source cannot be opened.
    """
    start_s = max(sampling.start_s, from_ns / NS_PER_S)
    later = sampling.model_copy(update={"start_s": start_s})
    match source.kind:
        case SourceKind.VIDEO:
            video = VideoFrames(source.uri, later, source_id=source.source_id)
            return FrameStream(iter(video), video.report, video.duration_s, video.close)
        case SourceKind.IMAGE_SET:
            report = FrameReport()
            return FrameStream(_image_set(source, sampling, report, from_ns), report)
        case SourceKind.SYNTHETIC:
            report = FrameReport()
            spec = parse_synthetic(source.uri)
            frames = _synthetic(source, spec, Sampler(later), sampling.max_side_px, report)
            return FrameStream(frames, report, spec.frames / spec.frames_per_s)


def _image_set(
    source: Source, sampling: SamplingConfig, report: FrameReport, from_index: int
) -> Iterator[Frame]:
    try:
        paths = list_images(Path(source.uri))
    except OSError as error:
        raise SourceError(f"image set {source.uri}: cannot be read ({error.strerror})") from error
    first = max(from_index, 0)
    for index, path in enumerate(paths[first:], first):
        if report.sampled == sampling.max_frames:
            return
        try:
            image = read_image(path)
        except SourceError:
            report.skipped[LossReason.UNREADABLE_IMAGE] += 1
            continue
        report.decoded += 1
        report.sampled += 1
        yield Frame(source.source_id, index, shrink(image, sampling.max_side_px))
    if not report.sampled and not first:
        raise SourceError(f"image set {source.uri}: none of {len(paths)} images can be read")


def _synthetic(
    source: Source, spec: SyntheticSpec, sampler: Sampler, max_side_px: int, report: FrameReport
) -> Iterator[Frame]:
    for timestamp_ns, image in render_images(spec, wanted=sampler.take):
        report.decoded += 1
        report.sampled += 1
        yield Frame(source.source_id, timestamp_ns, shrink(image, max_side_px))
        if sampler.done:
            return
