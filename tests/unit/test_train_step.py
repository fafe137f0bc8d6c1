"""One step: what it changes, what it skips, and that accumulation changes nothing."""

import copy

import pytest
import torch

from streaming.log.address import open_log
from streaming.pipeline.loader import PairLoader
from tests.pair_logs import fill_log, tiny_config
from trainer.parallel import single_process
from trainer.state import TrainState
from trainer.step import NonFiniteLossError, settle, train_step

WORLD = single_process("cpu")


@pytest.fixture(scope="module")
def batches(tmp_path_factory):
    address = fill_log(tmp_path_factory.mktemp("log"))
    with open_log(address) as log, PairLoader(log, tiny_config().data) as loader:
        return [next(loader) for _ in range(4)]


def parameters(state):
    return torch.cat([p.detach().flatten() for p in state.model.parameters()])


class _BrokenSometimes(torch.nn.Module):
    """A network whose loss is not finite at chosen calls."""

    def __init__(self, model, broken_calls):
        super().__init__()
        self.inner = model
        self.image_size, self.patch_size = model.image_size, model.patch_size
        self._broken_calls = set(broken_calls)
        self._calls = 0

    def forward(self, view_1, view_2, mask):
        result = self.inner(view_1, view_2, mask)
        broken = self._calls in self._broken_calls
        self._calls += 1
        return result._replace(loss=result.loss * float("nan")) if broken else result


def broken_state(config, broken_calls):
    state = TrainState.create(config, WORLD.device)
    state.model = _BrokenSometimes(state.model, broken_calls)
    return state


def test_the_same_step_gives_the_same_bits_and_masks_change_with_the_step(batches):
    config = tiny_config()
    states = [TrainState.create(config, WORLD.device) for _ in range(3)]
    states[2].step = 1
    losses = [train_step(state, batches[0], config, WORLD).loss for state in states]
    assert torch.equal(losses[0], losses[1])
    assert not torch.equal(losses[0], losses[2])
    assert torch.equal(parameters(states[0]), parameters(states[1]))


def test_micro_batches_give_the_gradient_of_the_whole_batch(batches):
    whole, parts = tiny_config(), tiny_config("micro_batch_size=3")
    one = TrainState.create(whole, WORLD.device)
    two = TrainState.create(parts, WORLD.device)
    outcome_1 = train_step(one, batches[0], whole, WORLD)
    outcome_2 = train_step(two, batches[0], parts, WORLD)
    torch.testing.assert_close(outcome_1.loss, outcome_2.loss)
    for p, q in zip(one.model.parameters(), two.model.parameters(), strict=True):
        torch.testing.assert_close(p.grad, q.grad, rtol=1e-4, atol=1e-6)


def test_gradients_are_clipped(batches):
    config = tiny_config("optim.clip_norm=0.001")
    state = TrainState.create(config, WORLD.device)
    outcome = train_step(state, batches[0], config, WORLD)
    norms = torch.stack([p.grad.norm() for p in state.model.parameters()])
    assert outcome.grad_norm > 0.01
    assert norms.norm() == pytest.approx(0.001, rel=1e-3)


def test_bf16_runs_on_the_cpu_and_keeps_weights_and_loss_in_float32(batches):
    config = tiny_config("precision=bf16")
    state = TrainState.create(config, WORLD.device)
    exact = train_step(TrainState.create(tiny_config(), WORLD.device), batches[0], config, WORLD)
    plain = train_step(
        TrainState.create(tiny_config(), WORLD.device), batches[0], tiny_config(), WORLD
    )
    outcome = train_step(state, batches[0], config, WORLD)
    assert outcome.loss.dtype == torch.float32
    assert torch.equal(outcome.loss, exact.loss)
    assert outcome.loss != plain.loss
    assert outcome.loss == pytest.approx(plain.loss.item(), rel=0.05)
    assert all(p.dtype == torch.float32 for p in state.model.parameters())


def test_a_step_that_is_not_finite_changes_nothing_and_is_counted(batches):
    config = tiny_config()
    state = broken_state(config, {1})
    skipped = []
    first = train_step(state, batches[0], config, WORLD)
    before = parameters(state)
    moments = copy.deepcopy(state.tensors())
    second = train_step(state, batches[1], config, WORLD)
    assert torch.equal(parameters(state), before)
    assert all(torch.equal(t, moments[name]) for name, t in state.tensors().items())
    third = train_step(state, batches[2], config, WORLD)
    assert not torch.equal(parameters(state), before)
    readings = settle([first, second, third], state, 2, skipped.append)
    assert [r.skipped for r in readings] == [False, True, False]
    assert (state.step, state.skipped_steps, state.skipped_in_row) == (3, 1, 0)
    assert [r.step for r in skipped] == [2]
    assert tuple(skipped[0].addresses) == batches[1].addresses


def test_too_many_in_a_row_stop_with_the_records(batches):
    config = tiny_config()
    state = broken_state(config, {1, 2})
    outcomes = [train_step(state, batch, config, WORLD) for batch in batches]
    address = batches[2].addresses[0]
    with pytest.raises(NonFiniteLossError) as caught:
        settle(outcomes, state, 2, lambda _: None)
    assert "2 steps in a row, up to step 3" in str(caught.value)
    assert f"{address.partition}@{address.offset}" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_steps_in_a_row_are_counted_over_several_readings(batches):
    config = tiny_config()
    state = broken_state(config, {0, 1})
    settle([train_step(state, batches[0], config, WORLD)], state, 2, lambda _: None)
    with pytest.raises(NonFiniteLossError):
        settle([train_step(state, batches[1], config, WORLD)], state, 2, lambda _: None)
