import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from benchmarks.__main__ import PAGE, Name, app, is_done, write
from benchmarks.machine import Machine, Noise, busy_cores, noise_now, this_machine
from benchmarks.page import page
from benchmarks.results import Bar, Chart, ChartKind, Result, Row, Sense, read_result, read_results, shown
from conftest import ROOT
from emotion.errors import DataError, FeelalikeError

MACHINE = Machine(
    cpu="Some CPU",
    cores=2,
    memory_gb=8.0,
    bf16_vectors=True,
    bf16_matrices=False,
    python="3.11.7",
    versions={"numpy": "2.4"},
)
AT_MOST = Bar(sense=Sense.AT_MOST, limit=1.1, unit="x")


def row(**changes: Any) -> Row:
    fields: dict[str, Any] = {"what": "time", "bar": AT_MOST, "measured": 1.05, "unit": "x", "detail": "2 ms of 1.9"}
    return Row(**(fields | changes))


def result(**changes: Any) -> Result:
    fields: dict[str, Any] = {
        "name": "predictor",
        "title": "Predictor",
        "quick": False,
        "started": datetime(2026, 1, 2, tzinfo=UTC),
        "seconds": 1.0,
        "machine": MACHINE,
        "noise": Noise(load=0.05, busy=0.01, cores=2),
        "workload": "batches of 8",
        "rows": [row()],
    }
    return Result(**(fields | changes))


@pytest.mark.parametrize(
    ("sense", "figure", "reached"),
    [
        (Sense.AT_MOST, 1.0, True),
        (Sense.AT_MOST, 1.01, False),
        (Sense.AT_LEAST, 1.0, True),
        (Sense.AT_LEAST, 0.99, False),
        (Sense.ABOVE, 1.0, False),
        (Sense.ABOVE, 1.01, True),
        (Sense.BELOW, 1.0, False),
        (Sense.BELOW, 0.99, True),
        *((sense, float("nan"), False) for sense in Sense),
    ],
)
def test_bar(sense: Sense, figure: float, reached: bool) -> None:
    assert Bar(sense=sense, limit=1.0, unit="x").is_reached(figure) is reached


@pytest.mark.parametrize(
    ("changes", "matrices", "verdict"),
    [
        ({}, False, "reached"),
        ({"measured": 1.2}, False, "**not reached**"),
        ({"measured": None}, False, "not measured"),
        ({"bar": None}, False, ""),
        ({"measured": 1.2, "bar": AT_MOST.model_copy(update={"needs_bf16_matrices": True})}, True, "**not reached**"),
        (
            {"measured": 1.2, "bar": AT_MOST.model_copy(update={"needs_bf16_matrices": True})},
            False,
            "not reached; presumes bf16 matrix units",
        ),
    ],
)
def test_verdict(changes: dict[str, Any], matrices: bool, verdict: str) -> None:
    assert row(**changes).verdict(MACHINE.model_copy(update={"bf16_matrices": matrices})) == verdict


@pytest.mark.parametrize(
    ("figure", "unit", "text"),
    [(1.0527, "x", "1.05x"), (0.3333, "x", "0.333x"), (12345.6, "MB", "12346 MB"), (85, "%", "85 %")],
)
def test_shown(figure: float, unit: str, text: str) -> None:
    assert shown(figure, unit) == text


def test_the_page_says_what_was_measured_where() -> None:
    text = page([result(rows=[row(), row(what="memory", bar=None, measured=300.0, unit="MB", detail="")])], Path("i"))
    assert "| time | at most 1.1x | 1.05x | reached |" in text
    assert "- time: 1.05x (2 ms of 1.9)" in text
    assert "- memory: 300 MB\n" in text
    assert "| memory" not in text
    assert "Some CPU, 2 cores, 8 GB of memory, bf16: vector units only (AVX-512 BF16)" in text
    assert "Python 3.11.7, numpy 2.4. Measured on 2026-01-02" in text
    assert "Warning" not in text


def test_the_page_warns_of_a_machine_that_was_not_quiet_and_of_quick_figures() -> None:
    text = page([result(noise=Noise(load=1.5, busy=1.25, cores=2), quick=True)], Path("i"))
    assert "> **Warning**: predictor: measured with `--quick`" in text
    assert "others kept 1.25 of 2 cores busy" in text


def test_the_page_tells_machines_apart() -> None:
    other = MACHINE.model_copy(update={"cpu": "Another CPU"})
    text = page([result(), result(name="decode", machine=other)], Path("i"))
    assert text.count("Machine: ") == 2
    assert "when each part began: decode 0.05 (0.01)." in text


def test_the_page_warns_of_parts_measured_at_different_commits() -> None:
    text = page([result(commit="1a2b3c"), result(name="decode", commit="4d5e6f+")], Path("i"))
    assert "> **Warning**: parts were measured at different commits: predictor 1a2b3c, decode 4d5e6f+." in text
    text = page([result(commit="1a2b3c"), result(name="decode", commit="1a2b3c")], Path("i"))
    assert "Measured on 2026-01-02 at commit 1a2b3c; load" in text
    assert "Warning" not in text


@pytest.mark.parametrize(
    ("noise", "quiet"),
    [
        (Noise(load=2.0, busy=0.2, cores=2), True),
        (Noise(load=0.0, busy=0.21, cores=2), False),
        (Noise(load=0.0, busy=0.0, cores=2, thread_limits={"OMP_NUM_THREADS": "1"}), False),
    ],
)
def test_noise(noise: Noise, quiet: bool) -> None:
    assert noise.is_quiet is quiet
    assert (noise.warning is None) is quiet


def test_this_machine() -> None:
    found = this_machine()
    assert found.cpu
    assert found.cores >= 1
    assert found.versions["numpy"]
    noise = noise_now(look_s=0.05)
    assert noise.cores == found.cores
    assert 0 <= noise.busy <= (os.cpu_count() or 1)


@pytest.mark.parametrize(
    ("after", "busy"),
    [
        ([0] * 8, 0.0),
        ([0, 0, 0, 50, 50, 0, 0, 0], 0.0),
        ([50, 0, 0, 50, 0, 0, 0, 0], 1.0),
        ([0, 0, 50, 0, 0, 0, 0, 50], 2.0),
    ],
)
def test_busy_cores(after: list[int], busy: float) -> None:
    assert busy_cores([0] * 8, after, n_cores=2) == busy


def test_results_are_kept_and_read_in_order(tmp_path) -> None:
    for name in ("decode", "predictor"):
        result(name=name).save(tmp_path)
    found = read_results(tmp_path, ["predictor", "search", "decode"])
    assert [one.name for one in found] == ["predictor", "decode"]
    assert found[0] == result()


def test_a_damaged_result_is_named(tmp_path) -> None:
    (tmp_path / "decode.json").write_text("{}")
    with pytest.raises(DataError, match=r"decode\.json"):
        read_result(tmp_path / "decode.json")


@pytest.mark.parametrize("kind", ChartKind)
def test_charts_are_drawn_beside_the_page(tmp_path, kind: ChartKind) -> None:
    series = {"ours": [1.0, 2.0], "theirs": [1.5, 2.5]}
    chart = Chart(name="c", title="Throughput", unit="a second", labels=["1", "8"], series=series, kind=kind)
    result(charts=[chart]).save(tmp_path / "results")
    write(tmp_path / "results", tmp_path / "docs" / "benchmarks.md")
    file = tmp_path / "docs" / "images" / "benchmarks" / "c.svg"
    drawn = file.read_text()
    assert "theirs" in drawn
    assert "![Throughput](images/benchmarks/c.svg)" in (tmp_path / "docs" / "benchmarks.md").read_text()
    write(tmp_path / "results", tmp_path / "docs" / "benchmarks.md")
    assert file.read_text() == drawn


def test_without_results_there_is_no_page(tmp_path) -> None:
    with pytest.raises(FeelalikeError, match="no results"):
        write(tmp_path, tmp_path / "page.md")
    assert not (tmp_path / "page.md").exists()


def test_what_is_done_is_not_measured_again(tmp_path) -> None:
    for name in Name:
        result(name=name.value).save(tmp_path / "results")
    done = CliRunner().invoke(
        app, ["--missing", "--results", str(tmp_path / "results"), "--page", str(tmp_path / "page.md")]
    )
    assert done.exit_code == 0, done.output
    assert (tmp_path / "page.md").read_text().count("## Predictor") == len(Name)


@pytest.mark.parametrize(
    ("quick", "run_quick", "done"), [(False, False, True), (True, False, False), (True, True, True)]
)
def test_a_quick_result_is_as_good_as_missing(tmp_path, quick: bool, run_quick: bool, done: bool) -> None:
    assert not is_done(Name.PREDICTOR, tmp_path, quick=run_quick)
    result(quick=quick).save(tmp_path)
    assert is_done(Name.PREDICTOR, tmp_path, quick=run_quick) is done


@pytest.mark.parametrize("options", [["--page", str(PAGE), "--results", "quick"], ["--page", "quick/page.md"]])
def test_quick_figures_never_reach_the_docs_nor_the_results(monkeypatch, options: list[str]) -> None:
    monkeypatch.chdir(ROOT)
    done = CliRunner().invoke(app, ["--quick", *options])
    assert isinstance(done.exception, FeelalikeError)


def test_every_benchmark_is_a_module() -> None:
    for name in Name:
        assert (ROOT / "benchmarks" / f"{name}.py").exists() or (ROOT / "benchmarks" / name / "__main__.py").exists()
