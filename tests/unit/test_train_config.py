"""Recipes, settings that do not fit together, and settings that a resumed run may change."""

from pathlib import Path

import pytest

from streaming.errors import ConfigError
from streaming.settings import load_settings
from trainer.config import TrainConfig, check_resumable, recipe

NAMES = ("continuous", "cpu_tiny", "croco_base", "demo", "mae_base")


@pytest.mark.parametrize("name", NAMES)
def test_recipes_are_valid(name):
    assert isinstance(load_settings(TrainConfig, recipe=recipe(name)), TrainConfig)


def test_croco_base_is_the_papers():
    config = load_settings(TrainConfig, recipe=recipe("croco_base"))
    assert config.data.batch_size == 4096
    assert config.optim.base_lr == 1.5e-4
    assert config.optim.weight_decay == 0.05
    assert config.mask_ratio == 0.9
    assert (config.model.encoder.dim, config.model.decoder.dim) == (768, 512)


def test_defaults_are_valid_and_without_end():
    assert TrainConfig().steps is None


def test_recipe_can_be_a_file(tmp_path):
    path = tmp_path / "own.yaml"
    path.write_text("steps: 7\n")
    assert load_settings(TrainConfig, recipe=recipe(str(path))).steps == 7


def test_unknown_recipe_names_those_there_are():
    with pytest.raises(ConfigError, match=r"nope: .*continuous, cpu_tiny, croco_base, demo"):
        recipe("nope")


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("optim.lrr=1", r"optim\.lrr: unknown key; did you mean optim\.lr\?"),
        ("optim.schedule.kind=cosin", r"optim\.schedule\.kind: .*'cosine' or 'wsd'"),
        ("steps=null", "steps is required"),
        ("steps=10", "do not fit into steps=10"),
        ("mask_ratio=1.5", "mask_ratio: "),
        ("mask_ratio=0.001", r"mask_ratio: .*0 of 64 .*model\.image_size=64.*model\.patch_size=8"),
        ("mask_ratio=0.999", r"mask_ratio: .*64 of 64 patches"),
        ("model.patch_size=64", r"mask_ratio: .*1 of 1 patches"),
        ("optim.betas=[0.9, 1.0]", r"optim\.betas\.1: .*less than 1"),
        ("optim.betas=[-0.1, 0.9]", r"optim\.betas\.0: .*greater than or equal to 0"),
    ],
)
def test_mistakes_are_one_line(override, message):
    with pytest.raises(ConfigError, match=message) as caught:
        load_settings(TrainConfig, recipe=recipe("demo"), overrides=[override])
    assert "\n" not in str(caught.value)


def test_a_resumed_run_may_be_longer_but_not_different():
    config = load_settings(TrainConfig, recipe=recipe("demo"))
    earlier = config.model_dump(mode="json")
    free = ["steps=900", "checkpoint.keep=9", "log_every=1", "data.decode_threads=7"]
    check_resumable(
        load_settings(TrainConfig, recipe=recipe("demo"), overrides=free), earlier, Path("c")
    )
    other = load_settings(TrainConfig, recipe=recipe("demo"), overrides=["optim.lr=0.5"])
    differs = rf"checkpoint c: .*optim\.lr={config.optim.lr} there, 0\.5 here"
    with pytest.raises(ConfigError, match=differs):
        check_resumable(other, earlier, Path("c"))
