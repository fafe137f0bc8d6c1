"""How fast the embedded log takes and gives records, beside SQLite without a log around it."""

from __future__ import annotations

import sqlite3
import tempfile
import time
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import numpy as np
import typer
from rich.table import Table

from benchmarks.material import CACHE
from benchmarks.report import publish
from streaming.log.address import open_log
from streaming.log.protocol import Message, TopicSpec

if TYPE_CHECKING:
    from collections.abc import Sequence

_TOPIC: Final = "pairs"
_HEADERS: Final = (("source_id", b"rooms"), ("schema", b"0123456789abcdef"))
_LAYOUT: Final = """
PRAGMA page_size = 16384;
PRAGMA journal_mode = WAL;
PRAGMA synchronous = NORMAL;
PRAGMA wal_autocheckpoint = 4096;
CREATE TABLE records (
    partition_id INTEGER NOT NULL,
    record_offset INTEGER NOT NULL,
    timestamp_ms INTEGER NOT NULL,
    key BLOB,
    headers TEXT,
    value BLOB,
    PRIMARY KEY (partition_id, record_offset)
);
"""


def main(
    records: Annotated[int, typer.Option(help="Records written and read.", min=1)] = 2000,
    record_bytes: Annotated[int, typer.Option(help="Size of a record.", min=1)] = 50_000,
    transaction: Annotated[int, typer.Option(help="Records in a transaction.", min=1)] = 100,
    rounds: Annotated[int, typer.Option(help="Turns; the best of each counts.", min=1)] = 4,
) -> None:
    """Appends records in transactions and reads them back, in turn with bare SQLite."""
    rng = np.random.default_rng(0)
    pool = [rng.bytes(record_bytes) for _ in range(min(records, 100))]
    values = [pool[number % len(pool)] for number in range(records)]
    seconds: dict[str, list[tuple[float, float]]] = {"embedded": [], "sqlite": []}
    CACHE.mkdir(exist_ok=True)
    for _ in range(rounds):
        with tempfile.TemporaryDirectory(dir=CACHE) as folder:
            seconds["embedded"].append(_embedded(Path(folder) / "log.db", values, transaction))
            seconds["sqlite"].append(_bare_sqlite(Path(folder) / "bare.db", values, transaction))
    rates = {
        name: tuple(records / min(column) for column in zip(*turns, strict=True))
        for name, turns in seconds.items()
    }
    ratios = [log / bare for log, bare in zip(rates["embedded"], rates["sqlite"], strict=True)]
    table = Table("", "append, records/s", "read, records/s")
    for name, figures in rates.items():
        table.add_row(name, *(f"{rate:,.0f}" for rate in figures))
    table.add_row("embedded to sqlite", *(f"{ratio:.2f}" for ratio in ratios))
    publish(
        "log",
        [table],
        {
            "embedded_append_per_s": rates["embedded"][0],
            "embedded_read_per_s": rates["embedded"][1],
            "append_ratio_to_sqlite": ratios[0],
        },
        {
            "read_ratio_to_sqlite": ratios[1],
            "records": records,
            "record_bytes": record_bytes,
            "transaction": transaction,
            "append_and_read_s": seconds,
        },
    )


def _embedded(path: Path, values: Sequence[bytes], transaction: int) -> tuple[float, float]:
    """Seconds of appending and of reading."""
    with open_log(str(path)) as log:
        log.create_topic(TopicSpec(_TOPIC, 1))
        producer = log.producer("bench")
        began_s = time.perf_counter()
        for start in range(0, len(values), transaction):
            with producer.transaction() as opened:
                for value in values[start : start + transaction]:
                    opened.append(_TOPIC, Message(value, headers=_HEADERS))
        appended_s = time.perf_counter()
        offset, bytes_total = 0, 0
        while offset < len(values):
            fetch = log.read(_TOPIC, 0, offset, max_records=transaction, max_bytes=1 << 30)
            bytes_total += sum(len(record.value or b"") for record in fetch.records)
            offset = fetch.next_offset
        read_s = time.perf_counter()
    _check(bytes_total, values)
    return appended_s - began_s, read_s - appended_s


def _bare_sqlite(path: Path, values: Sequence[bytes], transaction: int) -> tuple[float, float]:
    """The same with one table of the same layout and nothing around it."""
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.executescript(_LAYOUT)
        began_s = time.perf_counter()
        for start in range(0, len(values), transaction):
            part = values[start : start + transaction]
            rows = [(1, start + n, 0, None, None, value) for n, value in enumerate(part)]
            connection.execute("BEGIN IMMEDIATE")
            connection.executemany("INSERT INTO records VALUES (?, ?, ?, ?, ?, ?)", rows)
            connection.execute("COMMIT")
        appended_s = time.perf_counter()
        bytes_total = 0
        for start in range(0, len(values), transaction):
            rows = connection.execute(
                "SELECT * FROM records WHERE partition_id = 1 AND record_offset >= ?"
                " ORDER BY record_offset LIMIT ?",
                (start, transaction),
            ).fetchall()
            bytes_total += sum(len(row[-1]) for row in rows)
        read_s = time.perf_counter()
    _check(bytes_total, values)
    return appended_s - began_s, read_s - appended_s


def _check(bytes_total: int, values: Sequence[bytes]) -> None:
    written = sum(map(len, values))
    if bytes_total != written:
        raise RuntimeError(f"read {bytes_total} of {written} bytes")


if __name__ == "__main__":
    typer.run(main)
