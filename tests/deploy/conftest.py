"""The Dockerfile as a list of stages, and a folder in which their steps can be executed without a container engine."""

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import NamedTuple

import pytest
from dockerfile_parse import DockerfileParser

from conftest import ROOT

FOLDERS = ("app", "data", "gallery", "models", "tmp", "wheel")
"""Absolute paths that the Dockerfile may name; each is mapped to one in the scratch root."""
_ABSOLUTE = re.compile(rf"(?<![\w.}}])/({'|'.join(FOLDERS)})\b")
_SHIMS = ("useradd", "chown")
"""Commands that change the machine; noted, not run."""
_FACTS = frozenset({"EXPOSE", "HEALTHCHECK", "STOPSIGNAL", "USER", "VOLUME"})


class Stage(NamedTuple):
    """One FROM and what follows it."""

    name: str
    parent: str
    steps: list[tuple[str, str]]


def read_stages(text: str) -> dict[str, Stage]:
    """Stages by name, in the Dockerfile's order."""
    stages: dict[str, Stage] = {}
    for line in DockerfileParser(fileobj=BytesIO(text.encode())).structure:
        instruction, value = line["instruction"], line["value"]
        if instruction == "FROM":
            parent, _, name = value.partition(" AS ")
            stage = stages[name] = Stage(name, parent, [])
        elif instruction != "COMMENT":
            stage.steps.append((instruction, value))
    return stages


class ScratchImage:
    """A stage's steps, executed in a virtual environment below `root`, and what its ENTRYPOINT starts."""

    def __init__(self, root: Path, stages: dict[str, Stage]) -> None:
        self.root = root
        self.python = root / "usr" / "local" / "bin" / "python"
        self.environment: dict[str, str] = {}
        self.entrypoint: list[str] = []
        self.facts: dict[str, str] = {}
        self.commands: list[str] = []
        self._stages = stages
        self._folder = root
        subprocess.run([sys.executable, "-m", "venv", root / "usr" / "local"], check=True)
        (root / "tmp").mkdir()
        for name in _SHIMS:
            shim = root / "shims" / name
            shim.parent.mkdir(exist_ok=True)
            shim.write_text(f'#!/bin/sh\necho "{name} $*" >> "{root}/noted"\n')
            shim.chmod(0o755)

    def execute(self, name: str) -> None:
        """Run the steps of a stage and, before them, of those it stands on."""
        stage = self._stages[name]
        if stage.parent in self._stages:
            self.execute(stage.parent)
        for instruction, value in stage.steps:
            self._step(instruction, value)

    def mapped(self, text: str) -> str:
        """The text with the image's absolute paths turned into ours."""
        return _ABSOLUTE.sub(rf"{self.root}/\1", text)

    def start(self, *arguments: str, **environment: str | Path) -> "subprocess.Popen[str]":
        """Run the entry point as a container does: its own variables alone, no rights, a read-only root."""
        self._make_read_only()
        variables = self._variables() | {name: str(value) for name, value in environment.items()}
        no_rights = ["setpriv", "--bounding-set=-all", "--no-new-privs"] if os.geteuid() == 0 else []
        return subprocess.Popen(
            [*no_rights, *self.entrypoint, *map(self.mapped, arguments)],
            cwd=self._folder,
            env=variables,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def output(self, *arguments: str, **environment: str | Path) -> tuple[int, str]:
        """Exit code and all that was said."""
        with self.start(*arguments, **environment) as process:
            text, _ = process.communicate(timeout=600)
        return process.returncode, text

    def is_healthy(self, **environment: str) -> bool:
        """What HEALTHCHECK says."""
        command = json.loads(self.facts["HEALTHCHECK"].partition("CMD ")[2])
        done = subprocess.run(command, env=self._variables() | environment, capture_output=True, check=False)
        return done.returncode == 0

    def size_mb(self) -> float:
        """What the steps installed, in 10^6 bytes; pip and setuptools are the base image's."""
        base = {"pip", "setuptools", "pkg_resources"}
        folders = [self.root / "app", *(path for path in self.site_packages.iterdir() if path.name not in base)]
        files = (file for folder in folders for file in ([folder] if folder.is_file() else folder.rglob("*")))
        return sum(file.stat().st_size for file in files if file.is_file()) / 1e6

    @property
    def site_packages(self) -> Path:
        """Where pip installs to."""
        return next((self.root / "usr" / "local" / "lib").glob("python*/site-packages"))

    def _step(self, instruction: str, value: str) -> None:
        if instruction in _FACTS:
            self.facts[instruction] = value
            return
        match instruction:
            case "WORKDIR":
                self._folder = Path(self.mapped(value))
                self._folder.mkdir(exist_ok=True)
            case "ENV":
                words = (word.partition("=") for word in shlex.split(value))
                self.environment |= {name: self.mapped(word) for name, _, word in words}
            case "COPY":
                self._copy(*shlex.split(value))
            case "RUN":
                self.commands.append(value)
                environment = self._variables() | {k: v for k, v in os.environ.items() if k.startswith("PIP_")}
                subprocess.run(["sh", "-ec", self.mapped(value)], cwd=self._folder, env=environment, check=True)
            case "ENTRYPOINT":
                self.entrypoint = [self.mapped(word) for word in json.loads(value)]
            case _:
                raise NotImplementedError(f"{instruction} {value}")

    def _copy(self, *words: str) -> None:
        if words[0].startswith("--from="):
            other = ScratchImage(self.root.parent / words[0].removeprefix("--from="), self._stages)
            other.execute(other.root.name)
            shutil.copytree(other.mapped(words[1]), self.mapped(words[2]))
            return
        *sources, target = words
        for source in sources:
            to = self._folder / target / (source if target == "./" else "")
            to.parent.mkdir(parents=True, exist_ok=True)
            if (ROOT / source).is_dir():
                ignored = shutil.ignore_patterns("__pycache__", ".*")
                shutil.copytree(ROOT / source, to, ignore=ignored, dirs_exist_ok=True)
            else:
                shutil.copyfile(ROOT / source, to)

    def _variables(self) -> dict[str, str]:
        path = f"{self.python.parent}:{self.root / 'shims'}:/usr/bin:/bin"
        return {"PATH": path, "LANG": "C.UTF-8", **self.environment}

    def _make_read_only(self) -> None:
        writable = {self.root / "data", self.root / "tmp", self.root / "models"}
        for folder, _, _ in os.walk(self.root):
            if not any(path == Path(folder) or path in Path(folder).parents for path in writable):
                Path(folder).chmod(0o555)


@pytest.fixture(scope="session")
def stages() -> dict[str, Stage]:
    """The Dockerfile's."""
    return read_stages((ROOT / "Dockerfile").read_text())


@pytest.fixture
def scratch(tmp_path: Path, stages: dict[str, Stage]) -> Iterator[ScratchImage]:
    """An image without a step executed; its folder is removed afterwards, as it may have gigabytes."""
    yield ScratchImage(tmp_path / "image", stages)
    for folder, _, _ in os.walk(tmp_path):
        Path(folder).chmod(0o755)
    shutil.rmtree(tmp_path)
