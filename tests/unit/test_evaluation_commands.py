"""`pairstream eval` on a run of a tiny network."""

import json
import subprocess
import sys

import pytest
import typer
from typer.testing import CliRunner

from monitoring.events import read_journal
from streaming.errors import ConfigError, PairstreamError
from streaming.log.address import open_log
from tests.pair_logs import fill_log, tiny_config
from trainer.checkpoint import CheckpointError, read, save
from trainer.evaluation.commands import eval_command
from trainer.evaluation.config import EvalConfig, TaskName
from trainer.evaluation.scores import Verdict
from trainer.parallel import single_process
from trainer.run import train
from trainer.run_folder import RunFolder, RunFolderError

SMALL = [
    "--set=data.labelled_views=8",
    "--set=data.validation_views=4",
    "--set=data.pairs=8",
    "--set=repeats=2",
]


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("run")
    with open_log(fill_log(folder)) as log:
        config = tiny_config("steps=6")
        train(config, log, RunFolder(folder), single_process(config.device))
    return folder


@pytest.fixture(scope="module")
def cache_option(tmp_path_factory):
    return f"--cache={tmp_path_factory.mktemp('evaluation-cache')}"


def invoke(*arguments):
    app = typer.Typer()
    app.command()(eval_command)
    result = CliRunner().invoke(app, [str(argument) for argument in arguments])
    if isinstance(result.exception, PairstreamError):
        raise result.exception
    return result


def test_scores_of_all_tasks(run, cache_option):
    result = invoke("--run", run, "--json", cache_option, *SMALL)
    assert result.exit_code == 0, result.output
    report = json.loads(result.stdout)
    scores = {(score["task"], score["metric"]): score for score in report["scores"]}
    assert {task for task, _ in scores} == set(TaskName)
    assert ("reconstruction", "second_view_gain") in scores
    assert ("correspondence", "accuracy") in scores
    assert ("depth", "delta_1") in scores
    assert {score["repeats"] for score in scores.values()} == {2}
    assert all(score["verdict"] in tuple(Verdict) for score in scores.values())
    assert report["step"] == 6
    assert report["config"]["reconstruction"]["mask_ratio"] == 0.75  # that of the training
    (kept,) = read_journal(run / "scores.jsonl", "evaluation")
    assert kept["scores"] == report["scores"]


def test_the_same_scores_again_for_the_checkpoint(run, cache_option):
    checkpoint = run / "checkpoints" / "step-00000006"
    tasks = ["--task=correspondence", "--task=reconstruction"]
    of_run = json.loads(invoke("--run", run, "--json", cache_option, *tasks, *SMALL).stdout)
    of_checkpoint = json.loads(
        invoke("--checkpoint", checkpoint, "--json", cache_option, *tasks, *SMALL).stdout
    )
    assert of_run["scores"] == of_checkpoint["scores"]
    assert of_run["scores"][0]["task"] == "correspondence"


def test_table(run, cache_option):
    result = invoke("--run", run, "--task=reconstruction", cache_option, *SMALL)
    assert "random init" in result.stdout
    assert "masked_loss" in result.stdout
    assert "scores.jsonl" in result.stderr


def test_held_out_pairs_of_a_log(run, cache_option, tmp_path):
    held_out = fill_log(tmp_path, pairs=12, first=1_000)
    arguments = ["--run", run, "--task=reconstruction", "--json", cache_option, *SMALL]
    report = json.loads(invoke(*arguments, "--log", held_out).stdout)
    assert {score["samples"] for score in report["scores"]} == {8}
    with pytest.raises(PairstreamError, match="was trained on"):
        invoke(*arguments, "--log", f"sqlite:///{run}/pairs.db")


def trained_otherwise(run, folder, **settings):
    """A copy of the run's checkpoint with some settings replaced."""
    checkpoint = read(run / "checkpoints" / "step-00000006")
    config = checkpoint.manifest.config | settings
    manifest = checkpoint.manifest.model_copy(update={"config": config})
    return save(folder / "checkpoints", manifest, checkpoint.tensors(), keep=1)


def test_a_checkpoint_of_a_gpu_is_scored_wherever_one_is(run, cache_option, tmp_path):
    checkpoint = trained_otherwise(run, tmp_path, device="cuda")
    arguments = ["--checkpoint", checkpoint, "--task=reconstruction", cache_option, *SMALL]
    assert invoke(*arguments).exit_code == 0
    assert (tmp_path / "scores.jsonl").exists()


def test_a_checkpoint_with_settings_unknown_here_is_refused_in_a_line(run, cache_option, tmp_path):
    checkpoint = trained_otherwise(run, tmp_path, colour="red")
    message = r"step-00000006: its settings are .*colour: .*use that version"
    with pytest.raises(CheckpointError, match=message) as caught:
        invoke("--checkpoint", checkpoint, cache_option)
    assert "\n" not in str(caught.value)


def test_masks_that_hide_no_patch_are_refused_before_anything_is_rendered(run, tmp_path):
    settings = [*SMALL, "--set=reconstruction.mask_ratio=0.01", f"--cache={tmp_path}"]
    with pytest.raises(ConfigError, match=r"reconstruction\.mask_ratio: .* 0 of 16 patches"):
        invoke("--run", run, *settings)
    assert not any(tmp_path.iterdir())


def test_a_cache_that_is_no_folder_is_refused_before_anything_is_rendered(run, tmp_path):
    (tmp_path / "file").touch()
    for path in (tmp_path / "file", tmp_path / "file" / "below"):
        with pytest.raises(ConfigError, match=r"cache .*cannot be written to") as caught:
            invoke("--run", run, f"--cache={path}", *SMALL)
        assert "\n" not in str(caught.value)


def test_scores_that_cannot_be_kept_are_printed_all_the_same(run, cache_option, tmp_path):
    checkpoint = trained_otherwise(run, tmp_path)
    (tmp_path / "scores.jsonl").mkdir()
    app = typer.Typer()
    app.command()(eval_command)
    arguments = ["--checkpoint", checkpoint, "--task=reconstruction", cache_option, *SMALL]
    result = CliRunner().invoke(app, [str(argument) for argument in arguments])
    assert "masked_loss" in result.stdout
    assert isinstance(result.exception, RunFolderError)
    assert "\n" not in str(result.exception)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "either --run DIR or --checkpoint PATH"),
        (["--run", "here", "--checkpoint", "there"], "either --run DIR or --checkpoint PATH"),
        (["--run", "nowhere"], "has no checkpoint"),
        (["--checkpoint", "nowhere"], "cannot be read"),
    ],
)
def test_mistakes_are_one_line(arguments, message):
    with pytest.raises(PairstreamError, match=message) as caught:
        invoke(*arguments)
    assert "\n" not in str(caught.value)


def test_unknown_settings_are_refused(run, cache_option):
    with pytest.raises(PairstreamError, match=r"did you mean depth\.penalties"):
        invoke("--run", run, cache_option, "--set=depth.penalty=3")
    with pytest.raises(PairstreamError, match="name each task once"):
        EvalConfig.quick(["tasks=[depth, depth]"])


def test_describing_the_command_needs_no_networks():
    code = (
        "import sys, trainer.evaluation.commands; "
        "sys.exit(bool({'torch', 'torchvision', 'timm', 'numpy', 'cv2'} & sys.modules.keys()))"
    )
    done = subprocess.run([sys.executable, "-c", code], check=False)
    assert done.returncode == 0


def test_quick_is_less():
    quick, whole = EvalConfig.quick(), EvalConfig()
    assert quick.data.pairs < whole.data.pairs
    assert quick.repeats >= 2
    assert EvalConfig.quick(["depth.cells=7"]).depth.cells == 7
