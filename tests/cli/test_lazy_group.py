"""Groups of commands: help comes without the commands, and every place leads to the command that it is said to be."""

from __future__ import annotations

import importlib
import subprocess
import sys

import click
import pytest
from click.testing import CliRunner

from secondpass.cli.lazy_group import LazyGroup

GROUPS = [("secondpass.cli.main", "cli"), ("secondpass.cli.data", "data"), ("secondpass.cli.merge", "merge")]


def group_at(module: str, name: str) -> LazyGroup:
    group = getattr(importlib.import_module(module), name)
    assert isinstance(group, LazyGroup)
    return group


@pytest.mark.parametrize(("module", "name"), GROUPS)
def test_every_name_leads_to_a_command_that_says_something_of_itself(module: str, name: str) -> None:
    group = group_at(module, name)
    context = click.Context(group)
    names = group.list_commands(context)
    assert len(names) > 4
    for each in names:
        command = group.get_command(context, each)
        assert command is not None
        assert command.help
    assert group.get_command(context, "检索") is None


@pytest.mark.parametrize(("module", "name"), GROUPS)
def test_help_lists_the_commands_in_the_order_of_the_work_and_imports_none(module: str, name: str) -> None:
    places = group_at(module, name).places
    script = f"import sys; from {module} import {name}; {name}.main(['--help'], standalone_mode=False)\n"
    script += "print(*sorted(found for found in sys.modules if found.startswith('secondpass.cli.')))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    *shown, imported = done.stdout.splitlines()
    listed = [line.split()[0] for line in shown if line.split()[:1] and line.split()[0] in places]
    assert [each for each in listed if each in places] == list(places)
    assert {place.partition(":")[0] for place, _ in places.values()}.isdisjoint(imported.split())


def test_a_command_that_is_not_there_is_refused() -> None:
    result = CliRunner().invoke(group_at("secondpass.cli.data", "data"), ["翻译"])
    assert result.exit_code == 2
    assert "No such command '翻译'" in result.output
