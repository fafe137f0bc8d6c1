"""`pairstream mine`: sources into pairs in the log."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import cv2
import typer
from rich.console import Console, Group
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table

from monitoring.funnel import SourceFunnel
from streaming.errors import INTERRUPTED_STATUS, SourceError
from streaming.log.address import DEFAULT_LOG, open_log
from streaming.log.topics import topic_specs
from streaming.producer import ProduceConfig, mine_source, read_progress
from streaming.schema.progress import Progress, SourceState
from streaming.settings import load_settings
from streaming.sources.spec import expand

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from streaming.log.protocol import Log
    from streaming.records import Source

_STATE_STYLES: Final = {
    SourceState.RUNNING: "cyan",
    SourceState.DONE: "green",
    SourceState.FAILED: "red",
}
_PLAIN_INTERVAL_S: Final = 5.0

Uris = Annotated[
    list[str],
    typer.Argument(
        metavar="SOURCE...",
        help="video file, folder of videos or images, glob, http(s):// or synthetic:// address",
    ),
]
LogOption = Annotated[str, typer.Option("--log", help="the log, for example sqlite:///pairs.db")]


def mine_command(
    uris: Uris,
    log_address: LogOption = DEFAULT_LOG,
    profile: Annotated[
        str | None, typer.Option(help="start from these mining settings: default or mimic")
    ] = None,
    recipe: Annotated[
        Path | None, typer.Option(help="YAML file with sections sampling, mining, commit")
    ] = None,
    overrides: Annotated[
        list[str] | None, typer.Option("--set", help="one setting, as mining.ratio=0.7; repeatable")
    ] = None,
    *,
    as_json: Annotated[
        bool, typer.Option("--json", help="print the final progress of each source as JSON")
    ] = False,
) -> None:
    """Mine pairs of overlapping views from sources into a log.

    Run again, it goes on where it stopped. Exit status: 0 when any source could be mined, 2 when
    none could, 130 when interrupted (what was mined is committed).
    """
    presets = [] if profile is None else [f"mining.profile={profile}"]
    # One process uses one core: OpenCV's own threads cost more than they give on small views.
    cv2.setNumThreads(1)
    config = load_settings(
        ProduceConfig,
        recipe=recipe,
        environ=os.environ,
        overrides=[*presets, *(overrides or [])],
    )
    sources = _expand_all(uris)
    with open_log(log_address) as log, _stop_on_signal() as stop:
        for spec in topic_specs():
            log.create_topic(spec)
        display = _plain_display() if as_json or not sys.stderr.isatty() else _live_display()
        with display as show:
            progress = _mine_all(sources, log, config, stop, show)
    if as_json:
        typer.echo(json.dumps([_as_json(p) for p in progress.values()], indent=2))
    else:
        Console().print(funnel_table(progress.values()))
    if stop():
        raise typer.Exit(INTERRUPTED_STATUS)
    if all(p.state is SourceState.FAILED for p in progress.values()):
        raise SourceError("nothing was mined: every source failed, see the lines above")


def funnel_table(progress: Iterable[Progress]) -> Table:
    """Yield of each source with its main reasons of rejection."""
    table = Table("source", "state", "frames", "candidates", "pairs", "yield", "not kept because")
    table.box = None
    rows = list(progress)
    for p in rows:
        state = f"[{_STATE_STYLES[p.state]}]{p.state}"
        table.add_row(p.source_id, state, *_figures(p.funnel))
    if len(rows) > 1:
        total = sum((p.funnel for p in rows), SourceFunnel())
        table.add_section()
        table.add_row("all", "", *_figures(total), style="bold")
    return table


def _expand_all(uris: list[str]) -> list[Source]:
    sources: dict[str, Source] = {}
    for uri in uris:
        try:
            sources.update((source.source_id, source) for source in expand(uri))
        except SourceError as error:
            _complain(str(error))
    if not sources:
        raise SourceError("nothing to mine: no source could be opened, see the lines above")
    return list(sources.values())


def _mine_all(
    sources: list[Source],
    log: Log,
    config: ProduceConfig,
    stop: Callable[[], bool],
    show: Callable[[dict[str, Progress]], None],
) -> dict[str, Progress]:
    known = read_progress(log, lambda _, error: _complain(f"{error}; passed over")).values()
    progress: dict[str, Progress] = {}

    def note(p: Progress) -> None:
        progress[p.source_id] = p
        show(progress)

    for source in sources:
        if stop():
            break
        final = mine_source(source, log, config, stop=stop, on_progress=note)
        progress[source.source_id] = final
        if final.state is SourceState.FAILED:
            _complain(final.reason)
        elif final in known:
            _tell(f"{source.source_id}: mined already with these settings; nothing to do")
    return progress


def _figures(funnel: SourceFunnel) -> tuple[str, ...]:
    unused = funnel.rejected + funnel.skipped_frames
    reasons = ", ".join(f"{name} {count}" for name, count in unused.most_common(4))
    return (
        str(funnel.frames),
        str(funnel.candidates),
        str(funnel.accepted),
        f"{funnel.accepted_share:.0%}",
        reasons,
    )


@contextlib.contextmanager
def _live_display() -> Iterator[Callable[[dict[str, Progress]], None]]:
    with Live(console=Console(stderr=True), refresh_per_second=4, transient=True) as live:

        def show(progress: dict[str, Progress]) -> None:
            newest = list(progress.values())[-1]
            bar = ProgressBar(total=newest.duration_s, completed=newest.position_ns / 1e9)
            live.update(Group(funnel_table(progress.values()), bar))

        yield show


@contextlib.contextmanager
def _plain_display() -> Iterator[Callable[[dict[str, Progress]], None]]:
    last_s = time.monotonic()

    def show(progress: dict[str, Progress]) -> None:
        nonlocal last_s
        newest = list(progress.values())[-1]
        if newest.state is SourceState.RUNNING and time.monotonic() - last_s < _PLAIN_INTERVAL_S:
            return
        last_s = time.monotonic()
        funnel = newest.funnel
        _tell(
            f"{newest.source_id}: {newest.state} at {max(newest.position_ns, 0) / 1e9:.1f} s, "
            f"{funnel.accepted} pairs of {funnel.candidates} candidates"
        )

    yield show


@contextlib.contextmanager
def _stop_on_signal() -> Iterator[Callable[[], bool]]:
    event = threading.Event()
    handled = (signal.SIGINT, signal.SIGTERM)
    before = {number: signal.signal(number, lambda *_: event.set()) for number in handled}
    try:
        yield event.is_set
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _as_json(p: Progress) -> dict[str, object]:
    return {
        "source_id": p.source_id,
        "uri": p.uri,
        "state": p.state,
        "reason": p.reason,
        "frames": p.funnel.frames,
        "skipped_frames": dict(p.funnel.skipped_frames),
        "candidates": p.funnel.candidates,
        "pairs": p.funnel.accepted,
        "rejected": dict(p.funnel.rejected),
    }


def _tell(line: str) -> None:
    sys.stderr.write(f"{line}\n")


def _complain(line: str) -> None:
    _tell(f"error: {line}")
