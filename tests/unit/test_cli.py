"""The command as a whole."""

import subprocess
import sys

import pytest

from pairstream.cli import app


def run(*arguments):
    return subprocess.run([sys.executable, *arguments], capture_output=True, text=True, check=False)


def test_help_and_mining_do_not_wait_for_pytorch():
    done = run("-c", "import sys, pairstream.cli; print('torch' in sys.modules)")
    assert done.stdout.strip() == "False", done.stderr


def test_module_and_script_are_the_same_command():
    done = run("-m", "pairstream", "--help")
    assert done.returncode == 0
    for command in ("demo", "mine", "pairs", "train", "eval", "doctor"):
        assert command in done.stdout


@pytest.mark.parametrize("command", [c.name for c in app.registered_commands])
def test_every_command_says_what_it_does(command):
    (info,) = [c for c in app.registered_commands if c.name == command]
    assert info.callback.__doc__.strip()


def test_an_unknown_command_is_refused():
    done = run("-m", "pairstream", "fly")
    assert done.returncode == 2
    assert "fly" in done.stderr
