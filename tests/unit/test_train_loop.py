"""Whole runs: the loss falls, a resumed run is the same to the last bit, mistakes are one line."""

import threading
import time

import pytest
import torch
import yaml

from monitoring.events import read_journal
from streaming.errors import ConfigError, LogError
from streaming.log.address import open_log
from streaming.log.protocol import Message, read_all
from streaming.log.topics import DEAD_LETTERS, PAIRS
from streaming.schema.dead_letter import decode_dead_letter
from streaming.settings import load_settings
from tests.pair_logs import fill_log, tiny_config
from trainer.checkpoint import CheckpointError, latest
from trainer.config import TrainConfig
from trainer.hooks import Hook, StopAfter
from trainer.parallel import single_process
from trainer.run import train
from trainer.run_folder import RunFolder, RunFolderError
from trainer.state import load_model
from trainer.step import NonFiniteLossError

WORLD = single_process("cpu")
RESUMABLE = ("steps=24", "checkpoint.every_steps=5", "optim.clip_norm=1.0", "augment.contrast=0.3")


@pytest.fixture(scope="module")
def address(tmp_path_factory):
    return fill_log(tmp_path_factory.mktemp("log"))


class Notes(Hook):
    def __init__(self):
        self.notes, self.checkpoints, self.ended = [], [], 0

    def on_note(self, text):
        self.notes.append(text)

    def on_checkpoint(self, path, step):
        self.checkpoints.append(step)

    def on_stop(self):
        self.ended += 1


def run(address, path, config, *hooks):
    with open_log(address) as log:
        return train(config, log, RunFolder(path), WORLD, hooks)


def losses(path):
    return [(e["step"], e["loss"]) for e in read_journal(path / "journal.jsonl", "step")]


def tensors(path):
    return latest(path / "checkpoints", lambda _: None).tensors()


def assert_same_tensors(one, two):
    assert one.keys() == two.keys()
    assert [name for name in one if not torch.equal(one[name], two[name])] == []


def test_the_loss_falls(address, tmp_path):
    result = run(address, tmp_path, tiny_config("steps=120"))
    values = [loss for _, loss in losses(tmp_path)]
    assert (result.reason, result.step, result.pairs_seen) == ("done", 120, 960)
    assert sum(values[-10:]) < 0.85 * sum(values[:10])
    first = next(read_journal(tmp_path / "journal.jsonl", "step"))
    assert first["fresh_share"] == 1.0
    assert first["lr"] == pytest.approx(2e-3 / 4)


def test_a_run_in_three_parts_is_the_uninterrupted_one_to_the_last_bit(address, tmp_path):
    config = tiny_config(*RESUMABLE)
    run(address, tmp_path / "whole", config)
    parts = tmp_path / "parts"
    hooks = Notes()
    assert run(address, parts, config, StopAfter(max_steps=7)).reason == "max_steps"
    assert run(address, parts, config, StopAfter(max_steps=6), hooks).resumed_from_step == 7
    assert run(address, parts, config, hooks).reason == "done"
    assert losses(parts) == losses(tmp_path / "whole")
    assert_same_tensors(tensors(parts), tensors(tmp_path / "whole"))
    assert [note for note in hooks.notes if "resumed from step" in note] == [
        f"run {parts}: resumed from step 7",
        f"run {parts}: resumed from step 13",
    ]
    assert hooks.checkpoints == [10, 13, 15, 20, 24]


def test_a_run_whose_checkpoints_are_all_damaged_does_not_begin_anew(address, tmp_path):
    config = tiny_config(*RESUMABLE)
    run(address, tmp_path, config)
    whole = losses(tmp_path)
    for step in (20, 24):
        (tmp_path / "checkpoints" / f"step-{step:08d}" / "complete").unlink()
    with pytest.raises(CheckpointError, match="all 2 checkpoints are damaged"):
        run(address, tmp_path, config)
    assert losses(tmp_path) == whole


def test_a_damaged_checkpoint_falls_back_to_the_one_before(address, tmp_path):
    config = tiny_config(*RESUMABLE)
    run(address, tmp_path, config)
    whole, final = losses(tmp_path), tensors(tmp_path)
    damaged = tmp_path / "checkpoints" / "step-00000024" / "tensors.pt"
    damaged.write_bytes(damaged.read_bytes()[:-100])
    hooks = Notes()
    assert run(address, tmp_path, config, hooks).resumed_from_step == 20
    assert "step-00000024: tensors.pt is damaged; passed over" in hooks.notes[0]
    assert losses(tmp_path) == whole
    assert_same_tensors(tensors(tmp_path), final)
    starts = list(read_journal(tmp_path / "journal.jsonl", "start"))
    assert [(e["step"], e["events_rewound"]) for e in starts] == [(0, 0), (20, 6)]


def test_a_finished_run_is_done_and_can_be_made_longer(address, tmp_path):
    run(address, tmp_path, tiny_config("steps=6"))
    hooks = Notes()
    assert run(address, tmp_path, tiny_config("steps=6"), hooks).step == 6
    assert hooks.checkpoints == []
    assert run(address, tmp_path, tiny_config("steps=8"), hooks).step == 8
    assert hooks.ended == 2


def test_other_settings_and_other_logs_are_refused_in_a_line(address, tmp_path):
    run(address, tmp_path / "run", tiny_config("steps=5"))
    with pytest.raises(ConfigError, match=r"model\.depth=2 there, 3 here"):
        run(address, tmp_path / "run", tiny_config("steps=5", "model.depth=3"))
    other = fill_log(tmp_path)
    with pytest.raises(CheckpointError, match="trained on another log"):
        run(other, tmp_path / "run", tiny_config("steps=5"))


def test_one_trainer_at_a_time(address, tmp_path):
    with (
        RunFolder(tmp_path).locked(),
        pytest.raises(RunFolderError, match="another trainer works in it"),
    ):
        run(address, tmp_path, tiny_config("steps=5"))


def test_a_bounded_reading_ends_the_run_after_a_smaller_batch(address, tmp_path):
    config = tiny_config("data.until_end=true", "data.batch_size=16", "data.window_records=64")
    result = run(address, tmp_path, config)
    assert (result.reason, result.step, result.pairs_seen) == ("end_of_data", 3, 40)


def test_it_waits_for_pairs_and_can_be_stopped_while_it_waits(tmp_path):
    address = fill_log(tmp_path, pairs=0)
    result = run(address, tmp_path / "run", tiny_config(), StopAfter(max_seconds=0.3))
    assert (result.reason, result.step) == ("max_seconds", 0)
    filler = threading.Thread(target=lambda: (time.sleep(0.5), fill_log(tmp_path)))
    filler.start()
    result = run(address, tmp_path / "run", tiny_config(), StopAfter(max_steps=2))
    filler.join()
    assert result.step == 2
    waits = [e["data_wait_s"] for e in read_journal(tmp_path / "run" / "journal.jsonl", "step")]
    assert waits[0] > 0.2


def test_steps_that_stay_not_finite_end_the_run_and_name_the_records(address, tmp_path):
    config = tiny_config("optim.lr=1e30", "max_skipped_in_row=3", "log_every=4")
    with pytest.raises(NonFiniteLossError, match="3 steps in a row"):
        run(address, tmp_path, config)
    events = list(read_journal(tmp_path / "journal.jsonl"))
    skipped = [e for e in events if e["event"] == "skipped"]
    assert len(skipped) >= 3
    assert all(len(e["records"]) == 8 for e in skipped)
    assert events[-1]["reason"] == "non_finite_loss"


def test_an_error_that_ends_the_run_stands_in_its_journal(address, tmp_path):
    class Failing(Hook):
        def after_step(self):
            raise LogError("log: is gone")

    with pytest.raises(LogError, match="is gone"):
        run(address, tmp_path, tiny_config("steps=5"), Failing())
    last = list(read_journal(tmp_path / "journal.jsonl"))[-1]
    assert (last["event"], last["step"], last["reason"]) == ("stop", 1, "error")
    assert last["error"] == "log: is gone"


def test_settings_are_replaced_whole(tmp_path):
    folder, before, after = RunFolder(tmp_path), tiny_config("steps=5"), tiny_config("steps=6")
    folder.write_config(before)
    with folder.config.open() as opened:
        folder.write_config(after)
        # Whoever had the file of before open still has all of it: it was not written over.
        assert yaml.safe_load(opened) == before.model_dump(mode="json")
    assert load_settings(TrainConfig, recipe=folder.config) == after
    assert list(tmp_path.iterdir()) == [folder.config]


def test_broken_records_become_dead_letters_and_stop_nothing(tmp_path):
    address = fill_log(tmp_path, pairs=20)
    with open_log(address) as log:
        producer = log.producer("vandal")
        with producer.transaction() as transaction:
            transaction.append(PAIRS, Message(b"no pair"))
        producer.close()
    result = run(address, tmp_path / "run", tiny_config("steps=6"))
    assert result.step == 6
    assert sum(result.rejected.values()) >= 1
    with open_log(address) as log:
        letters = [decode_dead_letter(r.value) for r in read_all(log, DEAD_LETTERS)]
    assert [(letter.topic, letter.original) for letter in letters] == [(PAIRS, b"no pair")]


def test_the_trained_network_is_read_from_a_checkpoint(address, tmp_path):
    run(address, tmp_path, tiny_config("steps=5"))
    checkpoint = latest(tmp_path / "checkpoints", lambda _: None)
    model = load_model(checkpoint, WORLD.device)
    weights = checkpoint.tensors()
    assert not model.training
    for name, tensor in model.state_dict().items():
        assert torch.equal(tensor, weights[f"model.{name}"])
