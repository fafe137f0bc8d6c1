"""Configuration: typed models filled from a YAML recipe, the environment and `--set a.b=c`.

Later layers win: model defaults < recipe < environment < `--set`.
"""

from __future__ import annotations

import difflib
import hashlib
import json
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError

from streaming.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from importlib.resources.abc import Traversable
    from pathlib import Path

    from pydantic_core import ErrorDetails


class Settings(BaseModel):
    """Base of every configuration section: immutable, strict about keys, defaults checked."""

    environment_prefix: ClassVar[str] = ""
    """How the environment variables of a root model begin; empty where it reads none."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", validate_default=True, use_attribute_docstrings=True
    )

    def fingerprint(self) -> str:
        """Hex digest of all values, equal for equal configurations on every machine."""
        canonical = json.dumps(self.model_dump(mode="json"), sort_keys=True)
        return hashlib.sha256(canonical.encode()).hexdigest()[:16]


SettingsT = TypeVar("SettingsT", bound=Settings)


def load_settings(
    model: type[SettingsT],
    *,
    recipe: Path | Traversable | None = None,
    environ: Mapping[str, str] | None = None,
    overrides: Iterable[str] = (),
) -> SettingsT:
    """Builds a configuration from its layers.

    Args:
        model: the configuration's root model.
        recipe: a YAML file with a mapping at its top.
        environ: variables such as `PAIRSTREAM_TRAIN__OPTIM__LR=1e-3`, which begin with the model's
            `environment_prefix`; others are passed over.
        overrides: texts of the form `a.b=c`; the value is read as YAML.

    Raises:
        ConfigError: one line that names the layer, the path of the key and what is wrong.
    """
    values: dict[str, Any] = {} if recipe is None else _read_recipe(recipe)
    origins: dict[str, str] = {}
    for name, text in sorted((environ or {}).items()):
        prefix = model.environment_prefix
        if prefix and name.startswith(prefix):
            path = name.removeprefix(prefix).lower().split("__")
            origins[".".join(path)] = f"environment variable {name}"
            _assign(values, path, text, origin=f"environment variable {name}")
    for override in overrides:
        key, equals, text = override.partition("=")
        if not equals or not key.strip():
            raise ConfigError(f"--set {override}: write it as key.path=value")
        path = key.strip().split(".")
        origins[".".join(path)] = f"--set {override}"
        _assign(values, path, text, origin=f"--set {override}")
    try:
        return model.model_validate(values)
    except ValidationError as error:
        elsewhere = "configuration" if recipe is None else f"configuration {recipe.name}"
        details = [
            f"{origins.get('.'.join(map(str, detail['loc'])), elsewhere)}: "
            f"{_describe(model, detail)}"
            for detail in error.errors()[:3]
        ]
        raise ConfigError("; ".join(details)) from error


def _read_recipe(recipe: Path | Traversable) -> dict[str, Any]:
    try:
        values = yaml.safe_load(recipe.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"configuration {recipe}: cannot be read ({error})") from error
    except yaml.YAMLError as error:
        problem = " ".join(str(error).split())
        raise ConfigError(f"configuration {recipe}: not valid YAML ({problem})") from error
    if values is None:
        return {}
    if not isinstance(values, dict):
        raise ConfigError(f"configuration {recipe}: expected keys and values at the top")
    return values


def _assign(values: dict[str, Any], path: list[str], text: str, origin: str) -> None:
    try:
        value = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise ConfigError(f"{origin}: the value is not valid YAML") from error
    node = values
    for key in path[:-1]:
        child = node.setdefault(key, {})
        if not isinstance(child, dict):
            raise ConfigError(f"{origin}: {key} is a value, not a section")
        node = child
    node[path[-1]] = value


def _describe(model: type[BaseModel], detail: ErrorDetails) -> str:
    path = [str(part) for part in detail["loc"]]
    key = ".".join(path) or "(top)"
    if detail["type"] == "extra_forbidden":
        close = difflib.get_close_matches(path[-1], _known_keys(model, path[:-1]), n=1)
        hint = f"; did you mean {'.'.join([*path[:-1], close[0]])}?" if close else ""
        return f"{key}: unknown key{hint}"
    if detail["type"] == "missing":
        return f"{key}: a value is required"
    return f"{key}: {detail['msg']}, not {detail['input']!r}"


def _known_keys(model: type[BaseModel], path: list[str]) -> list[str]:
    node: Any = model
    for key in path:
        info = node.model_fields.get(key) if hasattr(node, "model_fields") else None
        node = None if info is None else info.annotation
    return list(node.model_fields) if hasattr(node, "model_fields") else []
