"""What the pages on data, training and merging say is what the code says: forms, options, losses, methods."""

from __future__ import annotations

import dataclasses
import re
from typing import get_args

import click
import pytest
from tests.docs.pages import LANGUAGES, page_text, prose, tables

from secondpass.cli.data import data
from secondpass.cli.merge import merge
from secondpass.data.training_forms import FormName
from secondpass.train.options import CHOICES, TrainOptions


def names(cell: str) -> list[str]:
    return re.findall(r"`([\w-]+)`", cell)


def first_column(text: str, header: str) -> list[str]:
    """The names in the first column of the table whose first cell is ``header``."""
    table = next(table for table in tables(text) if table[0][0] == header)
    return [name for row in table[1:] for name in names(row[0])]


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_option_of_a_run_is_on_the_page_with_its_default_and_choices(language: str) -> None:
    *_, table = tables(page_text(language, "train"))
    options = dataclasses.fields(TrainOptions)
    assert [names(row[0])[0] for row in table[1:]] == [option.name for option in options]
    for option, (_, default, said) in zip(options, table[1:], strict=True):
        shown = str(option.default).lower() if isinstance(option.default, bool) else str(option.default)
        assert default == (shown or "none"), option.name
        assert all(choice in said for choice in CHOICES.get(option.name, ())), option.name
        assert language == "zh" or said.startswith(option.metadata["help"]), option.name


@pytest.mark.parametrize(("language", "header"), [("en", "loss"), ("zh", "损失")])
def test_every_loss_is_on_the_page(language: str, header: str) -> None:
    assert first_column(page_text(language, "train"), header) == list(CHOICES["loss"])


@pytest.mark.parametrize(("language", "header"), [("en", "form"), ("zh", "格式")])
def test_every_form_of_training_data_is_on_the_page(language: str, header: str) -> None:
    assert set(first_column(page_text(language, "data"), header)) == set(get_args(FormName))


@pytest.mark.parametrize(("language", "header"), [("en", "command"), ("zh", "命令")])
def test_every_way_of_merging_is_on_the_page(language: str, header: str) -> None:
    assert first_column(page_text(language, "merge"), header) == merge.list_commands(click.Context(merge))


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_command_and_every_flag_that_the_page_on_data_names_is_there(language: str) -> None:
    text = page_text(language, "data")
    context = click.Context(data)
    commands = [data.get_command(context, name) for name in data.list_commands(context)]
    assert all(f"secondpass data {name}" in text for name in data.list_commands(context))
    flags = {flag for command in commands if command for param in command.params for flag in param.opts}
    assert set(re.findall(r"`(--[\w-]+)", prose(text))) <= flags
