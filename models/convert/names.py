"""Renaming parameters by prefix, strictly."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torch import Tensor


def rename(state: Mapping[str, Tensor], prefixes: Mapping[str, str]) -> dict[str, Tensor]:
    """Replaces the prefix of each name.

    Args:
        state: parameters by name.
        prefixes: old prefix to new; `#` stands for the number of a block in both.

    Raises:
        ValueError: when no prefix fits a name.
    """
    return {_renamed(name, prefixes): value for name, value in state.items()}


def inverted(prefixes: Mapping[str, str]) -> dict[str, str]:
    """The prefixes for the way back."""
    return {new: old for old, new in prefixes.items()}


def _renamed(name: str, prefixes: Mapping[str, str]) -> str:
    for old, new in prefixes.items():
        match = re.match(re.escape(old).replace(r"\#", r"(\d+)"), name)
        if match:
            number = match[1] if match.groups() else ""
            return new.replace("#", number) + name[match.end() :]
    raise ValueError(f"parameter {name} does not belong to this kind of network")
