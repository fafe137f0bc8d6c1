"""The `train` command: what it prints, how it ends, what it refuses."""

import json

import pytest
import typer
from typer.testing import CliRunner

from streaming.errors import ConfigError, LogError
from tests.pair_logs import TINY, fill_log
from trainer.commands import train_command
from trainer.run_folder import RunFolderError


@pytest.fixture(scope="module")
def address(tmp_path_factory):
    return fill_log(tmp_path_factory.mktemp("log"))


def invoke(address, run, *arguments, settings=TINY):
    app = typer.Typer(pretty_exceptions_enable=False)
    app.command()(train_command)
    sets = [part for setting in settings for part in ("--set", setting)]
    result = CliRunner().invoke(app, ["--log", address, "--run", str(run), *sets, *arguments])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


def begin(address, run, *arguments):
    return invoke(address, run, "--recipe", "cpu_tiny", "--set", "steps=10", *arguments)


def test_a_run_prints_plain_lines_and_ends_with_status_0(address, tmp_path):
    result = begin(address, tmp_path)
    assert result.exit_code == 0
    assert "step 1/10  loss " in result.stderr
    assert f"{tmp_path}: step 10, 80 pairs (done)" in result.stderr
    assert result.stdout == ""


def test_json_is_all_of_stdout(address, tmp_path):
    result = begin(address, tmp_path, "--json", "--max-steps", "4")
    ended = json.loads(result.stdout)
    assert (ended["reason"], ended["step"], ended["resumed_from_step"]) == ("max_steps", 4, 0)


def test_a_run_goes_on_by_itself_with_its_own_settings(address, tmp_path):
    begin(address, tmp_path, "--max-steps", "4")
    result = invoke(address, tmp_path, settings=())
    assert f"run {tmp_path}: resumed from step 4" in result.stderr
    assert "step 10, 80 pairs (done)" in result.stderr


def test_fresh_refuses_a_folder_that_holds_a_run(address, tmp_path):
    assert begin(address, tmp_path, "--fresh").exit_code == 0
    with pytest.raises(RunFolderError, match="holds a run already"):
        begin(address, tmp_path, "--fresh")


def test_other_settings_are_refused(address, tmp_path):
    begin(address, tmp_path)
    with pytest.raises(ConfigError, match=r"seed=0 there, 5 here"):
        invoke(address, tmp_path, "--set", "seed=5", settings=())


def test_a_missing_log_is_an_error_and_makes_no_file(tmp_path):
    missing = tmp_path / "missing.db"
    with pytest.raises(LogError, match=r"missing\.db"):
        begin(f"sqlite:///{missing}", tmp_path / "run")
    assert not missing.exists()


def test_loss_that_stays_not_finite_ends_with_status_3(address, tmp_path):
    result = begin(address, tmp_path, "--set", "optim.lr=1e30")
    assert result.exit_code == 3
    assert "error: the loss or its gradient was not finite in 5 steps in a row" in result.stderr
    assert "Traceback" not in result.stderr
