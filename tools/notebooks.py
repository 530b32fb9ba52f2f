"""Runs notebooks and writes their outputs into them: `python -m tools.notebooks [NAME...]`, from the repository's root.

Pictures are stored with few colours, so that the files stay small.
"""

from __future__ import annotations

import base64
import io
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import nbformat
from PIL import Image

from tests.notebook_runner import executed, fingerprint, notebook_paths, pictures

COLORS = 64


def shrink(png: str) -> str:
    """A PNG in base64 with a palette."""
    picture = Image.open(io.BytesIO(base64.b64decode(png))).convert("RGB")
    small = io.BytesIO()
    picture.quantize(COLORS, dither=Image.Dither.NONE).save(small, "PNG", optimize=True)
    return base64.b64encode(small.getvalue()).decode()


def tidy(notebook: Any) -> None:
    """Leave out what differs from run to run without meaning anything."""
    for cell in notebook.cells:
        cell.metadata.pop("execution", None)
    notebook.metadata.kernelspec = {"display_name": "Python 3", "language": "python", "name": "python3"}
    notebook.metadata.language_info = {"name": "python"}


def main(names: list[str]) -> None:
    chosen = [path for path in notebook_paths() if not names or any(path.stem.startswith(name) for name in names)]
    if not chosen:
        sys.exit(f"no notebook is called {', '.join(names)}; there are {', '.join(p.stem for p in notebook_paths())}")
    for path in chosen:
        start = time.perf_counter()
        with tempfile.TemporaryDirectory() as folder:
            notebook = executed(path, Path(folder))
        for output in pictures(notebook):
            output.data["image/png"] = shrink(output.data["image/png"])
        tidy(notebook)
        notebook.metadata["executed"] = fingerprint(notebook)
        nbformat.write(notebook, path)
        print(f"{path.name}: {time.perf_counter() - start:.0f} s, {path.stat().st_size // 1000} kB")


if __name__ == "__main__":
    main(sys.argv[1:])
