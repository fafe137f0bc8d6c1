"""A trainer over pairs that it can never use ends with one line instead of reading for ever."""

import subprocess
import sys

import pytest

from streaming.errors import LogError
from streaming.log.address import open_log
from streaming.log.protocol import Message, read_all
from streaming.log.topics import DEAD_LETTERS, PAIRS
from tests.pair_logs import TINY, fill_log, tiny_config
from trainer.parallel import single_process
from trainer.run import train
from trainer.run_folder import RunFolder

OTHER_SIZE = ("data.view_size=64", "data.patch_size=16")
ADVICE = "set data.view_size=32 and data.patch_size=8"


def test_pairs_of_another_size_end_training_at_once(tmp_path):
    with open_log(fill_log(tmp_path)) as log:
        with pytest.raises(LogError, match=ADVICE) as caught:
            train(tiny_config(*OTHER_SIZE), log, RunFolder(tmp_path / "run"), single_process("cpu"))
        assert read_all(log, DEAD_LETTERS) == []
    assert "\n" not in str(caught.value)


def test_nothing_but_broken_records_ends_training(tmp_path):
    with open_log(fill_log(tmp_path, pairs=0)) as log:
        with log.producer("broken").transaction() as transaction:
            for _ in range(5):
                transaction.append(PAIRS, Message(b"poison"))
        with pytest.raises(LogError, match="every retained record is broken"):
            train(tiny_config(), log, RunFolder(tmp_path / "run"), single_process("cpu"))
        assert len(read_all(log, DEAD_LETTERS)) == 5


def test_the_command_prints_one_line_and_ends_with_status_2(tmp_path):
    address = fill_log(tmp_path)
    sets = [part for setting in (*TINY, *OTHER_SIZE) for part in ("--set", setting)]
    command = [sys.executable, "-m", "pairstream", "train", "--recipe", "cpu_tiny"]
    done = subprocess.run(
        [*command, "--log", address, "--run", str(tmp_path / "run"), *sets],
        capture_output=True,
        text=True,
        check=False,
        timeout=100,
    )
    assert done.returncode == 2
    assert ADVICE in done.stderr.splitlines()[-1]
    assert "Traceback" not in done.stderr
