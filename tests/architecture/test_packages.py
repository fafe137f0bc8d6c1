"""The packages are ours and stay in their layers."""

import importlib
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("name", ["pairstream", "streaming", "models", "trainer", "monitoring"])
def test_import_name_is_ours(name):
    # Distributions such as mosaicml-streaming install packages of the same names.
    module = importlib.import_module(name)
    assert Path(module.__file__).is_relative_to(ROOT)


def test_imports_keep_the_layers():
    linter = Path(sys.executable).with_name("lint-imports")
    run = subprocess.run([linter], cwd=ROOT, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stdout


def test_every_runtime_dependency_is_justified():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"]
    wanted = [*project["dependencies"], *extras["synthetic"], *extras["export"], *extras["dev"]]
    names = {requirement.split(">")[0].split("=")[0].split("[")[0] for requirement in wanted}
    justified = (ROOT / "docs" / "dependencies.md").read_text()
    assert [name for name in sorted(names) if name not in justified] == []


def test_lock_holds_no_address():
    lock = (ROOT / "requirements.lock").read_text()
    assert "://" not in lock
    assert "torchdata==0.11.0" in lock
