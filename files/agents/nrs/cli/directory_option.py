"""The option of commands that work with a deployment's keys: where they are."""

from __future__ import annotations

from pathlib import Path

import click

secrets_directory = click.option(
    "--directory",
    type=click.Path(path_type=Path),
    default=Path(".secrets"),
    envvar="NRS_SECRETS_DIRECTORY",
    show_default=True,
    show_envvar=True,
    help="Where the deployment's keys are.",
)
