"""Runs `train` commands in processes of their own, without paying for the imports each time.

Reads the arguments of one command a line, as JSON; answers with the process id of the fork that
runs it, and, when that has ended, with its status (negative: the signal that killed it).
"""

import json
import os
import sys
from typing import NoReturn

import torch
import typer

from trainer.commands import train_command


def main() -> None:
    torch.set_num_threads(1)
    app = typer.Typer(pretty_exceptions_enable=False)
    app.command()(train_command)
    for line in sys.stdin:
        child = os.fork()
        if child == 0:
            _run(app, json.loads(line))
        print(child, flush=True)  # noqa: T201  this is its answer
        _, status = os.waitpid(child, 0)
        print(os.waitstatus_to_exitcode(status), flush=True)  # noqa: T201


def _run(app: typer.Typer, arguments: list[str]) -> NoReturn:
    status = 1
    try:
        app(arguments)
    except SystemExit as ended:
        status = ended.code
    finally:
        # Not by way of the interpreter's own end, which takes seconds after these imports.
        os._exit(status)


if __name__ == "__main__":
    main()
