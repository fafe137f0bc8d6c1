"""The demo from a video to its report, small, and what happens when it is stopped."""

import os
import signal
import subprocess
import sys
import time

import pytest

from tests.scenery import write_pan

SMALL = ["--set", "model.embed_dim=48", "--set", "model.depth=2", "--set", "steps=12"]
SMALL += ["--set", "optim.schedule.warmup_steps=2", "--set", "log_every=1"]


def demo(folder, *arguments):
    command = [sys.executable, "-m", "pairstream", "demo", "--out", "out", *arguments]
    return subprocess.Popen(
        command,
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def ends_within(timeout_s, group):
    deadline_s = time.monotonic() + timeout_s
    while time.monotonic() < deadline_s:
        try:
            os.killpg(group, 0)
        except ProcessLookupError:
            return True
        time.sleep(0.1)
    return False


@pytest.mark.slow
def test_a_video_becomes_a_report_and_a_second_run_begins_anew(tmp_path):
    clip = write_pan(tmp_path / "pan.mp4", seconds=8)
    for _ in range(2):
        run = demo(tmp_path, "--video", str(clip), *SMALL)
        out, err = run.communicate(timeout=280)
        assert run.returncode == 0, err
        assert "masked_loss" in out
        assert "in 12 steps" in out
        report = (tmp_path / "out" / "report.html").read_text()
        assert report.count("data:image/jpeg") > 12
        assert "pan-" in report


@pytest.mark.slow
def test_sigterm_stops_it_and_leaves_no_process(tmp_path):
    clip = write_pan(tmp_path / "pan.mp4", seconds=60)
    run = demo(tmp_path, "--video", str(clip), *SMALL, "--set", "steps=100000")
    journal = tmp_path / "out" / "train" / "journal.jsonl"
    deadline_s = time.monotonic() + 120
    while not journal.exists() or '"step"' not in journal.read_text():
        assert run.poll() is None, run.communicate()
        assert time.monotonic() < deadline_s
        time.sleep(0.1)
    run.send_signal(signal.SIGTERM)
    out, _ = run.communicate(timeout=60)
    assert run.returncode == 130
    assert "stopped" in out
    # The tracker of multiprocessing ends a moment after the process that it served.
    assert ends_within(30, run.pid)


def test_a_video_that_gives_no_pairs_says_why(tmp_path):
    clip = write_pan(tmp_path / "short.mp4", seconds=0.5)
    run = demo(tmp_path, "--video", str(clip), *SMALL)
    _, err = run.communicate(timeout=120)
    assert run.returncode == 2
    assert "too few pairs to train on: 0 of" in err
    assert "Traceback" not in err
