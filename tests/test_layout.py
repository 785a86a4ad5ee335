"""The folders at the top of the repository are one package: every file of them can be imported.

The editable installation links files, so a new one is importable only after `pip install -e .` has run again.
"""

import importlib.util
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
SETUPTOOLS = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["setuptools"]
FOLDERS = {folder: package for package, folder in SETUPTOOLS["package-dir"].items()}
NO_PACKAGES = {"tests", "benchmarks", "docs", "build", "dist"}


def module_name(file: Path) -> str:
    package = FOLDERS[file.parent.name]
    return package if file.stem == "__init__" else f"{package}.{file.stem}"


FILES = sorted(file for folder in FOLDERS for file in (ROOT / folder).glob("*.py"))


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(ROOT)))
def test_every_file_is_importable(file):
    name = module_name(file)
    spec = importlib.util.find_spec(name)
    if spec is None or spec.origin is None:
        pytest.fail(f"{file.relative_to(ROOT)} is not importable as {name}: run `pip install -e .` again")
    found = Path(spec.origin)
    if (
        not found.samefile(file) and found.read_bytes() != file.read_bytes()
    ):  # an ordinary installation copies
        pytest.fail(
            f"{name} is imported from {found}, which is not this checkout: run `pip install -e .` here"
        )


def test_every_folder_with_code_is_a_package():
    with_code = {file.parent.name for file in ROOT.glob("*/*.py") if not file.parent.name.startswith(".")}
    missing = sorted(with_code - NO_PACKAGES - set(FOLDERS))
    assert not missing, f"add to [tool.setuptools] packages and package-dir in pyproject.toml: {missing}"


def test_the_list_of_packages_is_the_map_of_folders():
    assert sorted(SETUPTOOLS["packages"]) == sorted(SETUPTOOLS["package-dir"])
    for folder in FOLDERS:
        assert (ROOT / folder / "__init__.py").is_file(), f"{folder}/__init__.py is missing"


@pytest.mark.parametrize("folder", FOLDERS)
def test_folders_are_flat(folder):
    deeper = [str(file.relative_to(ROOT)) for file in (ROOT / folder).glob("*/**/*.py")]
    assert not deeper, f"packages are flat, so that the list in pyproject.toml never changes: move {deeper}"


def test_no_folder_shadows_the_package():
    assert not (ROOT / "lexiscope").exists(), "a folder of this name would be imported instead of the package"
