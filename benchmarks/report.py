"""What every benchmark ends with: a table, a file of results, and one line of headline figures."""

from __future__ import annotations

import json
import os
import platform
import sys
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Final

from rich.console import Console

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from rich.table import Table

RESULTS: Final = Path(__file__).parent / "results"
_LIBRARIES: Final = ("numpy", "opencv-python-headless", "av", "fastavro", "torch", "torchdata")


def publish(
    name: str,
    tables: Sequence[Table],
    headline: Mapping[str, float],
    details: Mapping[str, object],
) -> None:
    """Prints tables and, as the last line, the headline; writes all to `results/NAME.json`.

    Args:
        name: name of the benchmark.
        tables: the figures for a reader.
        headline: the few figures that stand for the others.
        details: what the tables show, and the settings, for programs; JSON-able.
    """
    for table in tables:
        table.box = None
        Console().print(table)
    RESULTS.mkdir(exist_ok=True)
    report = {
        "benchmark": name,
        "measured_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": _machine(),
        "headline": dict(headline),
        "details": dict(details),
    }
    path = RESULTS / f"{name}.json"
    path.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
    sys.stdout.write(" ".join(f"{key}={_short(value)}" for key, value in headline.items()) + "\n")


def _short(value: float) -> str:
    return f"{value:.0f}" if value >= 100 else f"{value:.3g}"


def _machine() -> dict[str, object]:
    return {
        "cpu": _cpu_model(),
        "cores": os.cpu_count(),
        "load_1min": round(os.getloadavg()[0], 2),
        "python": platform.python_version(),
        **{library: metadata.version(library) for library in _LIBRARIES},
    }


def _cpu_model() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor()
