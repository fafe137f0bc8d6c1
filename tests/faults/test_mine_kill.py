"""Killed anywhere, mining goes on and leaves each pair once, as if it had never been killed."""

import signal
import subprocess
import sys
import time

import numpy as np
import pytest

from streaming.log.address import open_log
from streaming.log.protocol import read_all
from streaming.log.topics import PAIRS, topic_specs
from streaming.producer import read_progress
from streaming.schema.codec import decode_pair
from streaming.schema.progress import SourceState
from tests.scenery import write_pan

SETTINGS = ["--set", "commit.pairs=1", "--set", "sampling.frames_per_s=8"]
KILLS = 6


def mine(folder, log, clip):
    command = [sys.executable, "-m", "pairstream", "mine", clip, "--log", log, *SETTINGS]
    return subprocess.Popen(command, cwd=folder, stdout=subprocess.DEVNULL)


def pairs_of(folder, log):
    with open_log(f"sqlite:///{folder / log}") as opened:
        records = read_all(opened, PAIRS)
        (progress,) = read_progress(opened).values()
    return [decode_pair(record.value).pair_id for record in records], progress


def pairs_committed(path):
    if not path.exists():
        return 0
    with open_log(f"sqlite:///{path}") as log:
        for spec in topic_specs():
            log.create_topic(spec)
        return sum(p.funnel.accepted for p in read_progress(log).values())


def kill_after_the_next_commit(process, path, delay_s):
    """Tells whether it was still mining when it was killed."""
    before = pairs_committed(path)
    while process.poll() is None and pairs_committed(path) == before:
        time.sleep(0.02)
    time.sleep(delay_s)
    was_mining = process.poll() is None
    process.send_signal(signal.SIGKILL)
    process.wait()
    return was_mining


@pytest.mark.slow
def test_kill_9_loses_nothing_and_doubles_nothing(tmp_path):
    clip = write_pan(tmp_path / "pan.mp4", seconds=20)
    assert mine(tmp_path, "sqlite:///whole.db", clip).wait(timeout=120) == 0
    whole, progress_of_whole = pairs_of(tmp_path, "whole.db")

    random = np.random.default_rng(0)
    path = tmp_path / "killed.db"
    kills = [
        kill_after_the_next_commit(
            mine(tmp_path, "sqlite:///killed.db", clip), path, random.uniform(0, 0.2)
        )
        for _ in range(KILLS)
    ]
    assert sum(kills) >= KILLS // 2
    assert mine(tmp_path, "sqlite:///killed.db", clip).wait(timeout=120) == 0

    ids, progress = pairs_of(tmp_path, "killed.db")
    assert progress.state is SourceState.DONE
    assert len(ids) == len(set(ids))
    assert set(ids) == set(whole)
    assert progress.funnel == progress_of_whole.funnel
