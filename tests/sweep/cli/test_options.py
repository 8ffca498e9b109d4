"""What every option of every command has in common."""

from collections.abc import Iterator

import click
import pytest

import marsdisk.cli
import sweep.cli.commands

PROGRAMS = {"marsdisk": marsdisk.cli.main, "sweep": sweep.cli.commands.main}


def commands(command: click.Command, path: str) -> Iterator[tuple[str, click.Command]]:
    if isinstance(command, click.Group):
        for name, part in command.commands.items():
            yield from commands(part, f"{path} {name}")
    else:
        yield path, command


COMMANDS = dict(pair for name, main in PROGRAMS.items() for pair in commands(main, name))


@pytest.mark.parametrize("path", COMMANDS)
def test_the_help_of_a_command_shows_what_an_option_is_when_it_is_not_given(path: str) -> None:
    command = COMMANDS[path]
    given = command.make_context(path, [], resilient_parsing=True)
    options = [part for part in command.params if isinstance(part, click.Option)]
    for option in options:
        default = option.get_default(given)
        if default and isinstance(default, str | int | float) and not option.is_flag:
            assert option.show_default, option.name
