"""A trainer that is killed or told to stop, at any moment, loses nothing and repeats nothing."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch

from monitoring.events import read_journal
from tests.pair_logs import TINY, fill_log
from trainer.checkpoint import latest

STEPS = 40
KILLS = 4
# A run is killed while it still has steps to do, also when the kill comes a little late.
LAST_KILL_STEP = STEPS - 6
INTERRUPTIONS_TRIED = 20


class TrainServer:
    """Starts `train` processes one after the other."""

    def __init__(self):
        self._server = subprocess.Popen(
            [sys.executable, str(Path(__file__).with_name("train_server.py"))],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            env=os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])},
        )

    def start(self, address, run, *settings):
        sets = [part for setting in (*TINY, *settings) for part in ("--set", setting)]
        arguments = ["--log", address, "--run", str(run), "--recipe", "cpu_tiny", *sets]
        self._server.stdin.write(json.dumps(arguments) + "\n")
        self._server.stdin.flush()
        return int(self._server.stdout.readline())

    def wait(self):
        return int(self._server.stdout.readline())

    def close(self):
        self._server.stdin.close()
        self._server.wait()
        self._server.stdout.close()


@pytest.fixture(scope="module")
def server():
    server = TrainServer()
    yield server
    server.close()


@pytest.fixture(scope="module")
def address(tmp_path_factory):
    return fill_log(tmp_path_factory.mktemp("log"))


@pytest.fixture(scope="module")
def uninterrupted(server, address, tmp_path_factory):
    path = tmp_path_factory.mktemp("uninterrupted")
    server.start(address, path, *settings(every_steps=7))
    assert server.wait() == 0
    assert len(losses(path)) == STEPS
    return path


def settings(every_steps):
    return (f"steps={STEPS}", f"checkpoint.every_steps={every_steps}")


def losses(path):
    return [(e["step"], e["loss"].hex()) for e in read_journal(path / "journal.jsonl", "step")]


def last_step(path):
    journal = path / "journal.jsonl"
    return max((e["step"] for e in read_journal(journal)), default=0) if journal.exists() else 0


def wait_for(happened):
    deadline_s = time.monotonic() + 60
    while not happened():
        assert time.monotonic() < deadline_s
        time.sleep(0.001)


def final_tensors(path):
    return latest(path / "checkpoints", lambda _: None).tensors()


@pytest.mark.parametrize("every_steps", [1, 7])
def test_killed_at_random_moments_it_trains_as_if_nothing_had_been(
    server, address, uninterrupted, tmp_path, every_steps
):
    # With a checkpoint after each step most of the time is spent in writing them.
    random = np.random.default_rng(every_steps)
    for kill in range(KILLS):
        target = int(random.integers(1, LAST_KILL_STEP // KILLS)) + kill * LAST_KILL_STEP // KILLS
        pid = server.start(address, tmp_path, *settings(every_steps))
        wait_for(lambda wanted=target: last_step(tmp_path) >= wanted)
        time.sleep(random.uniform(0, 0.03))
        os.kill(pid, signal.SIGKILL)
        assert server.wait() == -signal.SIGKILL
    server.start(address, tmp_path, *settings(every_steps))
    assert server.wait() == 0
    assert losses(tmp_path) == losses(uninterrupted)
    one, two = final_tensors(tmp_path), final_tensors(uninterrupted)
    assert one.keys() == two.keys()
    assert all(torch.equal(one[name], two[name]) for name in one)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_told_to_stop_it_finishes_the_step_and_checkpoints_it(
    server, address, uninterrupted, tmp_path, number
):
    pid = server.start(address, tmp_path, *settings(every_steps=1000))
    wait_for(lambda: last_step(tmp_path) >= 5)
    os.kill(pid, number)
    assert server.wait() == 130
    events = list(read_journal(tmp_path / "journal.jsonl"))
    done = [e["step"] for e in events if e["event"] == "step"][-1]
    assert 5 <= done < STEPS
    assert [(e["event"], e["step"]) for e in events[-2:]] == [("checkpoint", done), ("stop", done)]
    assert events[-1]["reason"] == number.name
    server.start(address, tmp_path, *settings(every_steps=1000))
    assert server.wait() == 0
    assert losses(tmp_path) == losses(uninterrupted)


def test_killed_inside_the_writing_of_a_checkpoint_it_uses_the_one_before(
    server, address, uninterrupted, tmp_path
):
    run = killed_inside_a_checkpoint(server, address, tmp_path)
    server.start(address, run, *settings(every_steps=1))
    assert server.wait() == 0
    assert not any((run / "checkpoints").glob(".partial-*"))
    resumed_at = [event["step"] for event in read_journal(run / "journal.jsonl", "start")]
    assert resumed_at[0] == 0
    assert resumed_at[1] >= 2
    assert losses(run) == losses(uninterrupted)


def killed_inside_a_checkpoint(server, address, tmp_path):
    """The folder of such a run: tried until the kill came before the folder's renaming."""
    for attempt in range(INTERRUPTIONS_TRIED):
        run = tmp_path / str(attempt)
        folder = run / "checkpoints"
        pid = server.start(address, run, *settings(every_steps=1))
        wait_for(lambda run=run: last_step(run) >= 3)
        wait_for(lambda folder=folder: any(folder.glob(".partial-*")))
        os.kill(pid, signal.SIGKILL)
        assert server.wait() == -signal.SIGKILL
        if any(folder.glob(".partial-*")):
            return run
    return pytest.fail(f"{INTERRUPTIONS_TRIED} kills all came after the renaming")
