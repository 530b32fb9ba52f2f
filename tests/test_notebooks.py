"""The notebooks run from top to bottom, their own checks hold, and the outputs that are committed are theirs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbclient.exceptions import CellExecutionError

from tests.notebook_runner import code_of, executed, fingerprint, notebook_paths, pictures

EXPECTED = {
    "01_compose",
    "02_jax_md",
    "03_differentiate_a_trajectory",
    "04_fit_snap",
    "06_train_a_network",
    "07_trust_it",
    "08_ase",
}
LARGEST = 250_000  # bytes of a notebook with its outputs


def read(path: Path) -> Any:
    return nbformat.read(path, as_version=4)


def checks(code: str) -> int:
    return sum(line.lstrip().startswith("assert ") for line in code.splitlines())


def test_all_notebooks_are_here() -> None:
    assert {path.stem for path in notebook_paths()} >= EXPECTED


@pytest.mark.slow
@pytest.mark.parametrize("path", notebook_paths(), ids=lambda path: path.stem)
def test_runs(path: Path, tmp_path: Path) -> None:
    notebook = executed(path, tmp_path)
    said = [
        output.text
        for cell in notebook.cells
        if cell.cell_type == "code"
        for output in cell.outputs
        if output.output_type == "stream" and output.name == "stderr"
    ]
    assert said == []  # neither a warning nor a progress bar: this is what a reader would see
    assert len(pictures(notebook)) == sum("plt.show()" in code for code in code_of(notebook)) > 0


@pytest.mark.parametrize("path", notebook_paths(), ids=lambda path: path.stem)
def test_checks_itself(path: Path) -> None:
    assert sum(checks(code) for code in code_of(read(path))) >= 3


@pytest.mark.parametrize("path", notebook_paths(), ids=lambda path: path.stem)
def test_committed_outputs_are_those_of_the_code(path: Path) -> None:
    notebook = read(path)
    assert notebook.metadata.get("executed") == fingerprint(notebook), "run: python -m tools.notebooks"
    assert len(pictures(notebook)) > 0
    assert path.stat().st_size < LARGEST


def test_an_error_in_a_notebook_is_fatal(tmp_path: Path) -> None:
    cells = [nbformat.v4.new_code_cell("import jaxpot"), nbformat.v4.new_code_cell("assert jaxpot.__version__ == ''")]
    path = tmp_path / "wrong.ipynb"
    nbformat.write(nbformat.v4.new_notebook(cells=cells), path)
    with pytest.raises(CellExecutionError, match="AssertionError"):
        executed(path, tmp_path)
