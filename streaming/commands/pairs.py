"""`pairstream pairs`: look at what a log holds, and take it elsewhere."""

from __future__ import annotations

import enum
import json
import sys
from collections import Counter, defaultdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import cv2
import numpy as np
import typer
from rich.console import Console
from rich.progress import track
from rich.table import Table

from streaming.commands.mine import LogOption, funnel_table
from streaming.errors import LogError, PairstreamError
from streaming.export import (
    describe,
    export_mimic,
    export_webdataset,
    pair_addresses,
    pairs_at,
    stored_pairs,
)
from streaming.log.address import DEFAULT_LOG, open_log
from streaming.mining.draw import draw_correspondences
from streaming.mining.views import decode_view
from streaming.producer import read_progress

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from streaming.errors import RecordError
    from streaming.log.protocol import Record
    from streaming.records import Pair

_OVERLAP_EDGES: Final = np.linspace(0.0, 1.0, 21)
_BAR_WIDTH: Final = 40
_GUTTER_PX: Final = 8

pairs_app = typer.Typer(no_args_is_help=True, help="Look at the pairs in a log, and export them.")


class Layout(enum.StrEnum):
    """What an export looks like on disk."""

    MIMIC = "mimic"
    WEBDATASET = "webdataset"


@pairs_app.command("stats")
def stats_command(
    log_address: LogOption = DEFAULT_LOG,
    *,
    as_json: Annotated[bool, typer.Option("--json", help="print the figures as JSON")] = False,
) -> None:
    """Pairs by source, why candidates were not kept, overlaps and bytes."""
    with open_log(log_address, create=False) as log:
        progress = read_progress(log, _report)
        overlaps: list[float] = []
        by_source: Counter[str] = Counter()
        jpeg_bytes = 0
        for pair in stored_pairs(log, _report):
            overlaps.append(pair.two_view.overlap)
            by_source[pair.source_id] += 1
            jpeg_bytes += len(pair.view_1.jpeg) + len(pair.view_2.jpeg)
    rejected: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for p in progress.values():
        rejected[p.source_id].update(p.funnel.rejected)
    counts, _ = np.histogram(overlaps, bins=_OVERLAP_EDGES)
    if as_json:
        figures = {
            "pairs": len(overlaps),
            "pairs_by_source": dict(by_source),
            "jpeg_bytes": jpeg_bytes,
            "overlap_edges": _OVERLAP_EDGES.round(2).tolist(),
            "overlap_counts": counts.tolist(),
            "rejected": {s: dict(counts) for s, counts in rejected.items()},
        }
        typer.echo(json.dumps(figures, indent=2))
        return
    console = Console()
    console.print(funnel_table(progress.values()))
    console.print(f"\n{len(overlaps)} pairs in the log, {jpeg_bytes / 1e6:.1f} MB of JPEG")
    for low, count in zip(_OVERLAP_EDGES[:-1], counts, strict=True):
        if count:
            bar = "#" * max(1, round(_BAR_WIDTH * count / counts.max()))
            console.print(f"overlap {low:.2f}-{low + 0.05:.2f} {count:6d} {bar}")


@pairs_app.command("show")
def show_command(
    log_address: LogOption = DEFAULT_LOG,
    out: Annotated[Path, typer.Option(help="the picture to write")] = Path("pairs.png"),
    count: Annotated[int, typer.Option(min=1, max=200, help="pairs to show, spread evenly")] = 12,
    source: Annotated[str | None, typer.Option(help="only pairs of this source id")] = None,
    *,
    as_json: Annotated[bool, typer.Option("--json", help="print the pairs as JSON")] = False,
) -> None:
    """Draw pairs with their corresponding patches into one picture, and list their geometry."""
    with open_log(log_address, create=False) as log:
        found = pair_addresses(log, source)
        spread = np.linspace(0, len(found) - 1, min(count, len(found))).astype(int)
        picked = list(pairs_at(log, [found[i] for i in spread], _report))
    if not picked:
        of_source = "" if source is None else f" of source {source}"
        raise LogError(f"{log_address}: holds no pairs{of_source}; mine some first")
    _write_picture(out, _contact_sheet([draw_pair(pair) for pair in picked]))
    if as_json:
        typer.echo(json.dumps([describe(pair) for pair in picked], indent=2))
        return
    table = Table("pair", "source", "at", "gap", "overlap", "inliers", box=None)
    for pair in picked:
        gap_ns = pair.view_2.timestamp_ns - pair.view_1.timestamp_ns
        table.add_row(
            pair.pair_id[:12],
            pair.source_id,
            f"{pair.view_1.timestamp_ns / 1e9:.2f} s",
            f"{gap_ns / 1e9:.2f} s",
            f"{pair.two_view.overlap:.0%}",
            f"{pair.two_view.inlier_count} of {pair.two_view.match_count}",
        )
    console = Console()
    console.print(table)
    console.print(f"{len(picked)} of {len(found)} pairs drawn into {out}")


@pairs_app.command("export")
def export_command(
    folder: Annotated[Path, typer.Argument(help="a new folder")],
    log_address: LogOption = DEFAULT_LOG,
    layout: Annotated[Layout, typer.Option(help="what the folder shall look like")] = Layout.MIMIC,
) -> None:
    """Write all pairs of a log as a MIMIC folder or as WebDataset shards."""
    write = {Layout.MIMIC: export_mimic, Layout.WEBDATASET: export_webdataset}[layout]
    with open_log(log_address, create=False) as log:
        console = Console(stderr=True)
        pairs = track(
            stored_pairs(log, _report), description="exporting", console=console, transient=True
        )
        count = write(pairs, folder)
    Console().print(f"{count} pairs written to {folder}")


def draw_pair(pair: Pair) -> NDArray[np.uint8]:
    """Both views side by side, corresponding patches in the same colour; uint8 RGB."""
    views = decode_view(pair.view_1.jpeg), decode_view(pair.view_2.jpeg)
    return draw_correspondences(*views, pair.two_view.correspondence, pair.patch_size)


def _report(record: Record, error: RecordError) -> None:
    place = f"{record.topic}[{record.partition}] offset {record.offset}"
    sys.stderr.write(f"error: {place}: {error}; passed over\n")


def _contact_sheet(pictures: list[NDArray[np.uint8]]) -> NDArray[np.uint8]:
    columns = 1 if len(pictures) < 3 else 2 if len(pictures) < 7 else 3
    height = max(p.shape[0] for p in pictures) + _GUTTER_PX
    width = max(p.shape[1] for p in pictures) + _GUTTER_PX
    rows = -(-len(pictures) // columns)
    sheet = np.full((rows * height, columns * width, 3), 255, dtype=np.uint8)
    for index, picture in enumerate(pictures):
        top, left = height * (index // columns), width * (index % columns)
        sheet[top : top + picture.shape[0], left : left + picture.shape[1]] = picture
    return sheet


def _write_picture(path: Path, picture: NDArray[np.uint8]) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        written = cv2.imwrite(str(path), cv2.cvtColor(picture, cv2.COLOR_RGB2BGR))
    except (OSError, cv2.error) as error:
        raise PairstreamError(f"{path}: cannot be written ({error})") from error
    if not written:
        raise PairstreamError(f"{path}: cannot be written; check folder and ending (.png, .jpg)")
