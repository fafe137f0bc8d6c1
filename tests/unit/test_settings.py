import pytest
from pydantic import Field

from streaming.errors import ConfigError
from streaming.settings import Settings, load_settings


class Optimiser(Settings):
    lr: float = Field(default=1e-3, gt=0)
    betas: tuple[float, float] = (0.9, 0.95)


class Run(Settings):
    environment_prefix = "PAIRSTREAM_RUN__"

    steps: int = 10
    optim: Optimiser = Optimiser()


def test_layers_override_in_order(tmp_path):
    recipe = tmp_path / "run.yaml"
    recipe.write_text("steps: 20\noptim:\n  lr: 0.1\n")
    environ = {"PAIRSTREAM_RUN__OPTIM__LR": "0.2", "PAIRSTREAM_RUN__STEPS": "30", "HOME": "/x"}
    run = load_settings(Run, recipe=recipe, environ=environ, overrides=["steps=40"])
    assert (run.steps, run.optim.lr, run.optim.betas) == (40, 0.2, (0.9, 0.95))


@pytest.mark.parametrize(
    ("override", "expected"),
    [
        ("optim.lrr=1", "optim.lrr: unknown key; did you mean optim.lr?"),
        ("optim.lr=-1", "optim.lr: Input should be greater than 0, not -1"),
        ("optim.lr=fast", "optim.lr: "),
        ("stepss=3", "stepss: unknown key; did you mean steps?"),
        ("steps", "--set steps: write it as key.path=value"),
        ("steps.x=1", "steps: "),
        ("optim=[1", "--set optim=[1: the value is not valid YAML"),
    ],
)
def test_a_mistake_is_one_line_that_names_the_key(override, expected):
    with pytest.raises(ConfigError) as caught:
        load_settings(Run, overrides=[override])
    message = str(caught.value)
    assert expected in message
    assert "\n" not in message


@pytest.mark.parametrize("text", ["- a\n- b\n", "a: [", "\xff"])
def test_a_broken_recipe_is_one_line_that_names_the_file(tmp_path, text):
    recipe = tmp_path / "broken.yaml"
    recipe.write_bytes(text.encode("latin-1"))
    with pytest.raises(ConfigError, match=r"broken\.yaml") as caught:
        load_settings(Run, recipe=recipe)
    assert "\n" not in str(caught.value)


def test_equal_values_have_equal_fingerprints():
    assert Run().fingerprint() == Run(steps=10).fingerprint()
    assert Run().fingerprint() != Run(steps=11).fingerprint()


def test_variables_of_another_command_are_passed_over():
    assert load_settings(Run, environ={"PAIRSTREAM_MINE__MINING__RATIO": "0.7"}) == Run()


def test_a_wrong_variable_is_named():
    with pytest.raises(ConfigError, match=r"PAIRSTREAM_RUN__OPTIM__LRR: optim\.lrr: unknown key"):
        load_settings(Run, environ={"PAIRSTREAM_RUN__OPTIM__LRR": "1"})
