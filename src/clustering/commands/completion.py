"""`clustering completion`: the script that a shell loads."""

from enum import StrEnum
from typing import Annotated

import typer


class Shell(StrEnum):
    """A shell to complete commands in."""

    bash = "bash"
    zsh = "zsh"
    fish = "fish"


def completion(shell: Annotated[Shell, typer.Argument(help="The shell.")]) -> None:
    """Print a shell's completion script.

    Example: clustering completion bash > ~/.local/share/bash-completion/completions/clustering
    """
    from typer._completion_shared import get_completion_script

    script = get_completion_script(prog_name="clustering", complete_var="_CLUSTERING_COMPLETE", shell=shell.value)
    typer.echo(script)
