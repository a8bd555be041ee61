"""Python, packages, and the two that exclude each other."""

import contextlib
import platform
from collections.abc import Iterable, Mapping
from importlib import import_module
from importlib.metadata import PackageNotFoundError, metadata, requires, version
from typing import Final

from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

from service.doctor.finding import Finding, Findings, failed, ok, warning

PROJECT: Final = "feelalike"
_INSTALL: Final = "pip install 'feelalike[cpu]'; from a checkout pip install -e '.[cpu]'"
_FAISS: Final = ("faiss-cpu", "faiss-gpu")


def python_findings() -> Findings:
    """Whether this Python is one that the packages say they run on."""
    try:
        wanted = metadata(PROJECT)["Requires-Python"]
    except PackageNotFoundError:
        wanted = ">=3.11"
    if SpecifierSet(wanted).contains(platform.python_version(), prereleases=True):
        yield ok("python", f"{platform.python_version()} on {platform.machine()}")
    else:
        yield failed("python", f"{platform.python_version()}, not {wanted}", f"install Python {wanted}")


def package_findings() -> Findings:
    """Whether every installed package is of a version that this software was written for."""
    try:
        wanted = [Requirement(line) for line in requires(PROJECT) or ()]
    except PackageNotFoundError:
        yield warning("packages", f"{PROJECT} is not installed, so versions are not known", _INSTALL)
        return
    yield judge_packages(wanted, installed(requirement.name for requirement in wanted))


def installed(names: Iterable[str]) -> dict[str, str]:
    """Name to version, of those of them that are there."""
    found = {}
    for name in names:
        with contextlib.suppress(PackageNotFoundError):
            found[name] = version(name)
    return found


def judge_packages(wanted: list[Requirement], found: Mapping[str, str]) -> Finding:
    """Missing are those that no extra is needed for; those of extras count where they are there."""
    missing, wrong, fitting = [], [], 0
    for requirement in wanted:
        name = requirement.name
        always = requirement.marker is None or requirement.marker.evaluate({"extra": ""})
        if name not in found:
            missing += [name] if always else []
        elif not requirement.specifier.contains(found[name], prereleases=True):
            wrong.append(f"{name} {found[name]} is not {requirement.specifier}")
        else:
            fitting += 1
    if missing:
        return failed("packages", f"not installed: {', '.join(missing)}", _INSTALL)
    if wrong:
        return warning("packages", "; ".join(dict.fromkeys(wrong)), f"the same with {PROJECT} as it stands: {_INSTALL}")
    return ok("packages", f"{PROJECT} {version(PROJECT)}, and all packages in the ranges it asks for")


def faiss_findings() -> Findings:
    """Whether there is one FAISS, and just one: both packages write to the same folder."""
    there = [f"{name} {number}" for name, number in installed(_FAISS).items()]
    if len(there) > 1:
        remedy = "pip uninstall -y faiss-cpu faiss-gpu, then install one: feelalike[cpu] or feelalike[gpu]"
        yield failed("faiss", f"{' and '.join(there)} are both installed and overwrite each other", remedy)
        return
    try:
        import_module("faiss")
    except ImportError as error:
        yield failed("faiss", f"cannot be imported: {error}", f"{_INSTALL}; on an NVIDIA GPU gpu in place of cpu")
        return
    yield ok("faiss", there[0] if there else "of another package than faiss-cpu and faiss-gpu")
