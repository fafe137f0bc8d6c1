"""The `pairstream` command."""

from __future__ import annotations

import sys

import typer

from pairstream.demo.command import demo_command
from pairstream.doctor import doctor_command
from streaming.commands.mine import mine_command
from streaming.commands.pairs import pairs_app
from streaming.errors import USER_ERROR_STATUS, PairstreamError
from trainer.commands import train_command
from trainer.evaluation.commands import eval_command

app = typer.Typer(
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="Turns video streams into pretrained vision encoders, continuously.",
)
app.command("demo")(demo_command)
app.command("mine")(mine_command)
app.add_typer(pairs_app, name="pairs")
app.command("train")(train_command)
app.command("eval")(eval_command)
app.command("doctor")(doctor_command)


def main() -> None:
    """Runs a command; a user's mistake is one line on stderr and exit status 2."""
    try:
        app()
    except PairstreamError as error:
        sys.stderr.write(f"error: {error}\n")
        sys.exit(USER_ERROR_STATUS)
