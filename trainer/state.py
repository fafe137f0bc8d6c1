"""What training changes: model, optimiser and counters; and how a checkpoint holds them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

from pydantic import ValidationError

from models.registry import build_model
from trainer.checkpoint import Checkpoint, CheckpointError
from trainer.config import TrainConfig
from trainer.optim import build_optimizer

if TYPE_CHECKING:
    import torch
    from torch import Tensor
    from torch.optim import AdamW

    from models.pretraining import PretrainingModel

_MODEL = "model."
_OPTIMIZER = "optimizer."


@dataclass(slots=True)
class TrainState:
    """Everything that a step changes, but for the position in the data.

    Attributes:
        model: the network.
        optimizer: AdamW over its parameters.
        step: steps done, also the skipped ones.
        pairs_seen: pairs handed to those steps, by all processes.
        skipped_steps: steps whose loss or gradient was not finite.
        skipped_in_row: how many of them were the last ones.
    """

    model: PretrainingModel
    optimizer: AdamW
    step: int = 0
    pairs_seen: int = 0
    skipped_steps: int = 0
    skipped_in_row: int = 0

    @classmethod
    def create(cls, config: TrainConfig, device: torch.device) -> Self:
        """A new network, the same for a seed on every device, and its optimiser."""
        model = build_model(config.model, config.seed).to(device).train()
        return cls(model, build_optimizer(model, config.optim))

    def tensors(self) -> dict[str, Tensor]:
        """Model and optimiser by name; optimiser states are named after their parameters."""
        tensors = {_MODEL + name: tensor for name, tensor in self.model.state_dict().items()}
        for name, parameter in self.model.named_parameters():
            for key, tensor in self.optimizer.state[parameter].items():
                tensors[f"{_OPTIMIZER}{name}.{key}"] = tensor
        return tensors

    def restore(self, checkpoint: Checkpoint) -> None:
        """Takes over a checkpoint of the same network.

        Raises:
            CheckpointError: when it is of another network.
        """
        tensors = checkpoint.tensors()
        _load_model(self.model, tensors, checkpoint)
        parameters = dict(self.model.named_parameters())
        for name, tensor in tensors.items():
            if name.startswith(_OPTIMIZER):
                owner, _, key = name.removeprefix(_OPTIMIZER).rpartition(".")
                parameter = parameters[owner]
                self.optimizer.state[parameter][key] = tensor.to(parameter.device)
        self.step = checkpoint.manifest.step
        self.pairs_seen = checkpoint.manifest.pairs_seen
        self.skipped_steps = checkpoint.manifest.skipped_steps
        self.skipped_in_row = checkpoint.manifest.skipped_in_row


def trained_config(checkpoint: Checkpoint) -> TrainConfig:
    """The settings that a checkpoint was trained with.

    Raises:
        CheckpointError: when this version does not know them all.
    """
    try:
        return TrainConfig.model_validate(checkpoint.manifest.config)
    except ValidationError as error:
        detail = error.errors()[0]
        key = ".".join(str(part) for part in detail["loc"])
        raise CheckpointError(
            f"checkpoint {checkpoint.path}: its settings are of pairstream "
            f"{checkpoint.manifest.software_version} ({key}: {detail['msg']}); use that version"
        ) from error


def load_model(checkpoint: Checkpoint, device: torch.device) -> PretrainingModel:
    """The network of a checkpoint in evaluation mode.

    Raises:
        CheckpointError: when its configuration and its weights do not fit.
    """
    model = build_model(trained_config(checkpoint).model)
    _load_model(model, checkpoint.tensors(), checkpoint)
    return model.to(device).eval()


def _load_model(
    model: PretrainingModel, tensors: dict[str, Tensor], checkpoint: Checkpoint
) -> None:
    weights = {
        name.removeprefix(_MODEL): tensor
        for name, tensor in tensors.items()
        if name.startswith(_MODEL)
    }
    own = {name: tensor.shape for name, tensor in model.state_dict().items()}
    if own != {name: tensor.shape for name, tensor in weights.items()}:
        raise CheckpointError(f"checkpoint {checkpoint.path}: holds another network than this one")
    model.load_state_dict(weights)
