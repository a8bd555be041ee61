"""How a command ends: messages, exit codes, tracebacks where they are asked for."""

import json
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import typer

from emotion.command_line import Command, ExitCode, command_line, folded, read_help, run, wants_debug
from emotion.console import progress, show, show_facts
from emotion.errors import ConfigError, DataError

Body = Callable[[], None]
Started = Callable[[Body, list[str]], tuple[int, str, str]]


def _raises(error: BaseException) -> Body:
    def body() -> None:
        raise error

    return body


@pytest.fixture
def start(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Started:
    """Runs a command as a process would; what it ends with, and what it printed."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.delenv("FEELALIKE_DEBUG", raising=False)

    def call(body: Body, words: list[str]) -> tuple[int, str, str]:
        app = command_line()

        @app.command(cls=Command)
        def work(n: int = 0, as_json: bool = typer.Option(False, "--json")) -> None:
            """Do it."""
            body()

        monkeypatch.setattr(sys, "argv", ["prog", *words])
        with pytest.raises(SystemExit) as ended:
            run(app)
        return ended.value.code or 0, *capsys.readouterr()

    return call


@pytest.mark.parametrize(
    ("error", "code", "message"),
    [
        (DataError("photos holds no pictures"), 1, "error: photos holds no pictures\n"),
        (ConfigError("unknown key"), 2, "error: unknown key\n"),
        (FileNotFoundError(2, "No such file or directory", "x.csv"), 1, "error: x.csv: No such file or directory\n"),
        (OSError("the disk is gone"), 1, "error: the disk is gone\n"),
        (ModuleNotFoundError("No module named 'faiss'", name="faiss"), 1, "pip install 'feelalike[cpu]'"),
        (ModuleNotFoundError("No module named 'odd'", name="odd"), 1, "the package odd is not installed"),
        (KeyboardInterrupt(), 130, "interrupted\n"),
    ],
)
def test_an_expected_error_is_one_message(start: Started, error: BaseException, code: int, message: str) -> None:
    ended, out, err = start(_raises(error), [])
    assert (ended, out) == (code, "")
    assert message in err
    assert len(err.splitlines()) == 1


def test_an_unexpected_error_names_the_file_with_its_traceback(start: Started, tmp_path: Path) -> None:
    ended, _, err = start(_raises(RuntimeError("device\nlost")), [])
    (details,) = tmp_path.glob("feelalike-error-*.txt")
    assert ended == ExitCode.UNEXPECTED
    assert err.startswith("error: unexpected RuntimeError: device (tests/emotion/test_command_line.py, line ")
    assert f"please report it with {details}, or run again with --debug" in err
    assert "Traceback" in details.read_text()
    assert "device\nlost" in details.read_text()
    assert details.stat().st_mode & 0o077 == 0


def test_where_no_file_can_be_written_the_traceback_is_printed(
    start: Started, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "nowhere"))
    _, _, err = start(_raises(RuntimeError("lost")), [])
    assert "Traceback" in err
    assert "please report it with the lines above" in err


@pytest.mark.parametrize("error", [DataError("no"), RuntimeError("no")])
def test_debug_shows_the_traceback_and_ends_as_without(
    start: Started, error: Exception, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    without = start(_raises(error), [])[0]
    for words in (["--debug"], ["--n", "1", "--debug"], ["--debug", "--n", "1"]):
        ended, _, err = start(_raises(error), words)
        assert (ended, "Traceback" in err) == (without, True)
    monkeypatch.setenv("FEELALIKE_DEBUG", "1")
    assert "Traceback" in start(_raises(error), [])[2]
    assert len(list(tmp_path.glob("feelalike-error-*"))) == (1 if without == ExitCode.UNEXPECTED else 0)


def test_with_json_the_error_is_the_document(start: Started) -> None:
    _, out, err = start(_raises(DataError("no pictures")), ["--json"])
    assert json.loads(out) == {"error": "no pictures", "kind": "DataError"}
    assert err == "error: no pictures\n"


def test_wrong_usage_names_the_option(start: Started) -> None:
    ended, _, err = start(_raises(DataError("never reached")), ["--m", "1"])
    assert ended == ExitCode.USAGE
    assert "--m" in err
    ended, out, _ = start(_raises(DataError("never reached")), ["--m", "1", "--json"])
    assert (ended, json.loads(out)["kind"]) == (ExitCode.USAGE, "usage")
    ended, out, err = start(_raises(KeyboardInterrupt()), ["--json"])
    assert (ended, json.loads(out)["error"], err) == (130, "interrupted", "interrupted\n")
    ended, _, err = start(_raises(typer.Exit(ExitCode.INTERRUPTED)), [])
    assert (ended, err) == (130, ""), "it has said how to go on"
    assert start(_raises(DataError("never reached")), ["-h"])[0] == ExitCode.DONE


def test_debug_is_off_by_the_usual_words() -> None:
    assert not any(wants_debug([], {"FEELALIKE_DEBUG": word}) for word in ("", "0", "false", "No"))
    assert wants_debug([], {"FEELALIKE_DEBUG": "1"})


def test_a_docstring_ends_with_its_examples() -> None:
    text = "Do it.\n\n    More.\n\n    Examples:\n\n      python -m x --a 1\n\n      python -m x\n    "
    assert read_help(text).examples == ("python -m x --a 1", "python -m x")
    assert read_help(text).text.endswith("More.")
    assert read_help(None) == ("", ())


def test_a_long_example_is_folded_between_options() -> None:
    assert folded("python -m x --long value --other v", 30) == "   python -m x --long value \\\n       --other v"


def test_results_that_are_piped_stay_as_they_are(capsys: pytest.CaptureFixture[str]) -> None:
    show("| a | b |\n|---|---|\n| 1 | 2 |\n")
    show_facts({"accuracy": 0.123456, "n": 3, "inner": {"x": "y"}, "list": [1], "none": None})
    assert capsys.readouterr().out.splitlines() == [
        "| a | b |",
        "|---|---|",
        "| 1 | 2 |",
        "accuracy  0.1235",
        "n         3",
        "inner, x  y",
    ]


def test_progress_elsewhere_than_on_a_terminal_is_plain_lines(capsys: pytest.CaptureFixture[str]) -> None:
    with progress("embedding", 2, "pictures") as advance:
        advance(1)
        advance(1)
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("embedding: 2/2 pictures, ")
