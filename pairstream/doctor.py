"""`pairstream doctor`: whether this machine can run what Pairstream does."""

from __future__ import annotations

import enum
import json
import os
import shutil
import sqlite3
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import av
import cv2
import numpy as np
import typer
from rich.console import Console
from rich.table import Table

from streaming.errors import PairstreamError, SourceError
from streaming.log.address import open_log
from streaming.log.topics import PAIRS
from streaming.mining.config import MiningConfig
from streaming.mining.features import extract
from streaming.sources.synthetic.render import render
from streaming.sources.synthetic.spec import parse_synthetic

if TYPE_CHECKING:
    from collections.abc import Callable

_GIB: Final = 1 << 30
_WANTED_DISK_GIB = 5
_WANTED_DISK_MB_PER_S = 50
_PROBE_BYTES = 64 << 20
_WANTED_CODECS = ("h264", "hevc", "vp9", "av1")
_STYLES = {"ok": "green", "warning": "yellow", "failure": "red"}


class Status(enum.StrEnum):
    """Outcome of a check; a warning leaves everything usable."""

    OK = "ok"
    WARNING = "warning"
    FAILURE = "failure"


@dataclass(frozen=True, slots=True)
class Finding:
    """What a check found and, unless it is well, what to do."""

    check: str
    status: Status
    detail: str
    advice: str = ""


def doctor_command(
    log: Annotated[
        str | None, typer.Option(help="also check this log, for example sqlite:///runs/pairs.db")
    ] = None,
    *,
    as_json: Annotated[bool, typer.Option("--json", help="print the findings as JSON")] = False,
) -> None:
    """Check this machine; exit status 1 when something needed is missing."""
    findings = [check() for check in _CHECKS]
    if log is not None:
        findings.append(_check_log(log))
    if as_json:
        rows = [
            {"check": f.check, "status": f.status, "detail": f.detail, "advice": f.advice}
            for f in findings
        ]
        typer.echo(json.dumps(rows, indent=2))
    else:
        table = Table("check", "status", "detail", "what to do", box=None)
        for f in findings:
            table.add_row(f.check, f"[{_STYLES[f.status]}]{f.status}", f.detail, f.advice)
        Console().print(table)
    if any(f.status is Status.FAILURE for f in findings):
        raise typer.Exit(1)


def _check_decoders() -> Finding:
    missing = [name for name in _WANTED_CODECS if name not in av.codecs_available]
    detail = f"PyAV {av.__version__}, {len(av.codecs_available)} codecs"
    if missing:
        advice = f"reinstall av: it cannot decode {', '.join(missing)}"
        return Finding("decoders", Status.WARNING, detail, advice)
    return Finding("decoders", Status.OK, detail)


def _check_features() -> Finding:
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3)).astype(np.uint8)
    picture = np.asarray(cv2.resize(noise, (224, 224), interpolation=cv2.INTER_CUBIC), np.uint8)
    started = time.perf_counter()
    features = extract(picture, MiningConfig())
    elapsed_ms = 1e3 * (time.perf_counter() - started)
    detail = f"OpenCV {cv2.__version__}, {elapsed_ms:.0f} ms a view"
    if not len(features):
        return Finding("SIFT", Status.FAILURE, detail, "reinstall opencv-python-headless")
    return Finding("SIFT", Status.OK, detail)


def _check_renderer() -> Finding:
    try:
        next(iter(render(parse_synthetic("synthetic://rooms?seed=1&frames=1&size=64x48"))))
    except SourceError as error:
        return Finding("renderer", Status.WARNING, "synthetic scenes are not available", str(error))
    return Finding("renderer", Status.OK, "renders rooms without a display")


def _check_device() -> Finding:
    import torch

    cores = os.cpu_count()
    if not torch.cuda.is_available():
        detail = f"torch {torch.__version__}, {cores} CPU cores, no CUDA device"
        return Finding("device", Status.WARNING, detail, "fine for the demo; pretrain on GPUs")
    names = ", ".join(
        torch.cuda.get_device_name(index) for index in range(torch.cuda.device_count())
    )
    return Finding("device", Status.OK, f"torch {torch.__version__}, {names}")


def _check_disk() -> Finding:
    here = Path.cwd()
    free_gib = shutil.disk_usage(here).free / _GIB
    if not os.access(here, os.W_OK):
        return Finding("disk", Status.FAILURE, f"{here} is not writable", "change the folder")
    started = time.perf_counter()
    try:
        with tempfile.NamedTemporaryFile(dir=here) as probe:
            probe.write(os.urandom(_PROBE_BYTES))
            probe.flush()
            os.fsync(probe.fileno())
    except OSError as error:
        return Finding("disk", Status.FAILURE, f"{here}: {error.strerror}", "free some space")
    mb_per_s = _PROBE_BYTES / 1e6 / (time.perf_counter() - started)
    detail = f"{free_gib:.0f} GiB free, {mb_per_s:.0f} MB/s written"
    if free_gib < _WANTED_DISK_GIB:
        return Finding("disk", Status.WARNING, detail, "an hour of mining can fill some GiB")
    if mb_per_s < _WANTED_DISK_MB_PER_S:
        return Finding("disk", Status.WARNING, detail, "put the log on a faster disk")
    return Finding("disk", Status.OK, detail)


def _check_sqlite() -> Finding:
    if sqlite3.sqlite_version_info < (3, 35):
        advice = "use a Python with SQLite 3.35 or newer"
        return Finding("SQLite", Status.FAILURE, sqlite3.sqlite_version, advice)
    return Finding("SQLite", Status.OK, sqlite3.sqlite_version)


def _check_log(address: str) -> Finding:
    try:
        with open_log(address, create=False) as log:
            ends = log.offsets(PAIRS)
    except PairstreamError as error:
        return Finding("log", Status.FAILURE, address, str(error))
    held = sum(span.end - span.first for span in ends.values())
    return Finding("log", Status.OK, f"{address}: {len(ends)} partitions, offsets span {held}")


_CHECKS: tuple[Callable[[], Finding], ...] = (
    _check_decoders,
    _check_features,
    _check_renderer,
    _check_device,
    _check_disk,
    _check_sqlite,
)
