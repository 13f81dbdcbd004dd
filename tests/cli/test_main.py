from __future__ import annotations

import os
import subprocess
import sys

import click
import pytest

from zoo.errors import ExitCode, InputError, NothingMatchedError, ZooError
from zoo_cli import main
from zoo_cli.context import noun_group, zoo_command

COMMANDS = [
    "recommend",
    "score",
    "models",
    "registry",
    "probes",
    "runs",
    "plugins",
    "cache",
    "doctor",
    "config",
    "completion",
]


def failing(error):
    @zoo_command("boom")
    def boom(context):
        """Fail."""
        raise error

    return boom


def test_help_lists_every_command_in_the_order_of_the_journey(zoo):
    result = zoo("--help")
    assert result.code == 0
    positions = [result.out.index(f"\n  {name} ") for name in COMMANDS]
    assert positions == sorted(positions)
    assert result.out.index("Find a checkpoint") < result.out.index("Learn more")


def test_help_without_strangers_has_no_section_for_plugins(zoo):
    assert "Plugin commands" not in zoo("-h").out


def test_the_table_lists_only_commands_that_exist():
    for name in main.TABLE:
        assert isinstance(main.zoo.get_command(click.Context(main.zoo), name), click.Command)


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_help_with_its_group_or_examples(zoo, name):
    result = zoo(name, "--help")
    assert result.code == 0
    assert "Commands:" in result.out or "Examples:" in result.out


def leaves(command, path=()):
    if isinstance(command, click.Group):
        context = click.Context(command)
        for name in command.list_commands(context):
            yield from leaves(command.get_command(context, name), (*path, name))
    else:
        yield path, command


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_takes_the_common_options_and_ends_with_examples(zoo, name):
    top = main.zoo.get_command(click.Context(main.zoo), name)
    for path, leaf in leaves(top, (name,)):
        text = zoo(*path, "-h").out
        for option in ("--json", "--format", "--quiet", "--offline", "--strict", "--no-plugin"):
            assert option in text
        assert "Examples:" in text, f"zoo {' '.join(path)} has no example"
        assert leaf.help


@pytest.mark.parametrize("name", COMMANDS)
def test_every_option_with_a_value_shows_its_default_and_its_variable(name):
    top = main.zoo.get_command(click.Context(main.zoo), name)
    for path, leaf in leaves(top, (name,)):
        for option in leaf.params:
            valued = isinstance(option, click.Option) and not (option.is_flag or option.count)
            if valued and not option.required and option.name != "resume":
                assert option.show_envvar, f"{path} {option.opts}"
                extra = option.get_help_extra(click.Context(leaf))
                assert "default" in extra, f"{path} {option.opts}"


def test_version_is_that_of_the_distribution(zoo):
    assert zoo("--version").out == "zoo 0.2.0\n"


def test_a_misspelt_command_gets_a_suggestion_and_exit_code_2(zoo):
    result = zoo("modles", "list")
    assert (result.code, result.out) == (2, "")
    assert "Did you mean 'models'?" in result.err
    assert "Hint: zoo --help" in result.err


def test_a_misspelt_subcommand_and_option_get_suggestions(zoo):
    assert "Did you mean 'list'?" in zoo("plugins", "lits").err
    result = zoo("plugins", "list", "--hok", "x")
    assert result.code == 2
    assert "--hook" in result.err
    assert "Hint: zoo plugins list --help" in result.err


def test_a_group_alone_prints_its_help_on_stderr_and_ends_with_2(zoo):
    result = zoo("plugins")
    assert (result.code, result.out) == (2, "")
    assert "uninstall" in result.err


def test_ls_is_list(zoo):
    assert zoo("plugins", "ls", "-q").out == zoo("plugins", "list", "-q").out


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (ZooError("it broke.", "do this"), 1),
        (InputError("no folder 'x'.", "type this"), 2),
        (NothingMatchedError("nothing left.", "raise --max-size"), 4),
    ],
)
def test_an_explained_error_is_one_sentence_a_hint_and_its_code(zoo, command, error, code):
    command("boom", failing(error))
    result = zoo("boom")
    assert result.code == code
    assert result.out == ""
    assert result.err == f"Error: {error.message}\nHint: {error.hint}\n"


def test_an_unknown_error_is_one_sentence_without_a_traceback(zoo, command):
    command("boom", failing(RuntimeError("first line\nsecond line")))
    result = zoo("boom")
    assert result.code == 1
    assert "Traceback" not in result.err
    assert "RuntimeError: first line" in result.err
    assert "zoo doctor --json" in result.err
    assert "second" not in result.err


def test_a_traceback_is_there_for_those_who_ask(zoo, command, monkeypatch):
    monkeypatch.setenv("ZOO_DEBUG", "1")
    command("boom", failing(RuntimeError("inside")))
    assert "Traceback" in zoo("boom").err


def test_a_full_disk_is_named_and_no_bug(zoo, command):
    command("boom", failing(OSError(28, "No space left on device", "/full/file")))
    result = zoo("boom")
    assert result.err == "Error: /full/file: No space left on device.\n"


def test_an_interruption_ends_with_130_and_says_how_to_go_on(zoo, command):
    @zoo_command("long")
    def long(context):
        """Take long."""
        context.invocation.resume = "zoo recommend --resume a1f3"
        raise KeyboardInterrupt

    command("long", long)
    result = zoo("long")
    assert result.code == ExitCode.INTERRUPTED
    assert "Interrupted" in result.err
    assert "Hint: zoo recommend --resume a1f3" in result.err


@pytest.mark.parametrize(
    "arguments",
    [
        ("boom", "--json"),
        ("boom", "--format", "json"),
        ("boom", "--format=json"),
        ("boom", "--json", "--no-such-option"),
        ("bom", "--json"),
        ("boom", "--json", "--format", "csv"),
    ],
)
def test_in_json_mode_every_failure_is_a_document_too(zoo, command, arguments):
    command("boom", failing(InputError("no folder 'x'.", "type this")))
    result = zoo(*arguments)
    assert result.code == 2
    assert result.document["error"]["exit_code"] == 2
    assert result.document["error"]["message"] in result.err


def test_a_failure_after_the_document_does_not_spoil_it(zoo, command):
    @zoo_command("late")
    def late(context):
        """Fail late."""
        context.output.document({"a": 1})
        raise ZooError("too late.")

    command("late", late)
    result = zoo("late", "--json")
    assert (result.code, result.document) == (1, {"a": 1})


def test_strict_turns_partial_success_into_failure(zoo, command):
    @zoo_command("some")
    def some(context):
        """Do some of it."""
        return ExitCode.PARTIAL

    command("some", some)
    assert zoo("some").code == 3
    assert zoo("some", "--strict").code == 1


def test_a_reader_that_leaves_early_is_no_error():
    pipe = f"{sys.executable} -m zoo_cli config show | true"
    done = subprocess.run(["bash", "-c", pipe], capture_output=True, text=True, check=False)
    assert done.returncode == 0
    assert done.stderr == ""


def test_a_reader_that_leaves_before_an_error_still_gets_its_sentence_and_code():
    reader, writer = os.pipe()
    os.close(reader)
    command = [sys.executable, "-m", "zoo_cli", "config", "show", "--bogus", "--json"]
    done = subprocess.run(command, stdout=writer, stderr=subprocess.PIPE, text=True, check=False)
    os.close(writer)
    assert done.returncode == 2
    assert done.stderr.startswith("Error: No such option '--bogus'")
    assert len(done.stderr.splitlines()) == 2


@pytest.mark.parametrize("closed", [1, 2])
def test_a_closed_standard_stream_is_no_error(closed):
    line = f"{sys.executable} -m zoo_cli config show --json {closed}>&-"
    done = subprocess.run(["bash", "-c", line], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert bool(done.stdout) == (closed == 2)


def test_groups_keep_the_order_of_their_source():
    group = noun_group("things", "Things.")
    for name in ("zeta", "alpha"):
        group.add_command(click.Command(name))
    assert group.list_commands(click.Context(group)) == ["zeta", "alpha"]
