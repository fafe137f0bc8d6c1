"""Ridge regression: the exact linear head for a penalty, without steps or learning rates."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import torch

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor

_CHUNK: Final = 8192


@dataclass(frozen=True, slots=True)
class LinearRegression:
    """A linear map with an offset.

    Attributes:
        weight: float32, shape (inputs, outputs).
        bias: float32, shape (outputs,).
    """

    weight: Tensor
    bias: Tensor

    def __call__(self, inputs: Tensor) -> Tensor:
        """Maps inputs (..., inputs) to outputs (..., outputs)."""
        return inputs @ self.weight + self.bias


def ridge_regressions(
    inputs: Tensor, targets: Tensor, penalties: Sequence[float]
) -> list[LinearRegression]:
    """Least squares with a penalty on the weights, but none on the offset.

    Args:
        inputs: float32, shape (n, inputs); of unit variance, as the penalty is the same for all.
        targets: float32, shape (n, outputs).
        penalties: weights of the squared weights beside the mean squared error.

    Returns:
        For each penalty, the minimum.
    """
    count = len(inputs)
    mean_input, mean_target = inputs.mean(dim=0), targets.mean(dim=0)
    covariance = torch.zeros(inputs.shape[1], inputs.shape[1], dtype=torch.float64)
    products = torch.zeros(inputs.shape[1], targets.shape[1], dtype=torch.float64)
    for start in range(0, count, _CHUNK):
        chunk = slice(start, start + _CHUNK)
        centred = inputs[chunk] - mean_input
        covariance += (centred.T @ centred).double() / count
        products += (centred.T @ (targets[chunk] - mean_target)).double() / count
    # One decomposition serves every penalty.
    values, vectors = torch.linalg.eigh(covariance)
    projected = vectors.T @ products
    regressions = []
    for penalty in penalties:
        # Rounding makes the smallest values of a singular covariance negative.
        shrunk = projected / (values.clamp_min(0.0) + penalty)[:, None]
        weight = (vectors @ shrunk).float()
        regressions.append(LinearRegression(weight, mean_target - mean_input @ weight))
    return regressions
