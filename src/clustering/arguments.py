"""Arguments that several commands take."""

from typing import Annotated

import typer

Env = Annotated[str | None, typer.Option(help="Environment: configs/<env>.yml. By default `env` of params.yaml.")]
Cores = Annotated[int, typer.Option(min=1, help="Stages at a time.")]


def tags_of(texts: list[str] | None) -> dict[str, str]:
    """--tags as a dictionary; anything but key=value is a wrong argument."""
    tags = {}
    for text in texts or []:
        key, separator, value = text.partition("=")
        if not separator or not key.strip() or not value.strip():
            message = f"{text!r} is no tag: key=value is expected, such as version=2.0"
            raise typer.BadParameter(message, param_hint="--tags")
        tags[key.strip()] = value.strip()
    return tags
