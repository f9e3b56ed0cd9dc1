"""Groups of commands that import a command only when it runs, so that help comes at once."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from typing import ClassVar, TypeAlias

import click

Places: TypeAlias = Mapping[str, tuple[str, str]]
"""Name of a command → where it is (``module:name``), and the line that help shows without importing it."""


class LazyGroup(click.Group):
    """A group whose commands lie at ``places``, listed in that order."""

    places: ClassVar[Places] = {}

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names in their order."""
        return list(self.places)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import the command."""
        if cmd_name not in self.places:
            return None
        module, _, attribute = self.places[cmd_name][0].partition(":")
        command = getattr(importlib.import_module(module), attribute)
        assert isinstance(command, click.Command)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the list of commands without importing them."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in self.places.items()])


def lazy_group(commands: Places) -> type[LazyGroup]:
    """Return the class of a group with ``commands``, for ``click.command(cls=...)``."""

    class GroupOfPlaces(LazyGroup):
        places = commands

    return GroupOfPlaces
