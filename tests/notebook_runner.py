"""Runs a notebook in a kernel of this very Python, which finds jaxpot as this one does."""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import sys
from pathlib import Path
from typing import Any

REPOSITORY = Path(__file__).resolve().parent.parent
NOTEBOOKS = REPOSITORY / "notebooks"


def notebook_paths() -> list[Path]:
    return sorted(NOTEBOOKS.glob("*.ipynb"))


def code_of(notebook: Any) -> list[str]:
    return [cell.source for cell in notebook.cells if cell.cell_type == "code"]


def fingerprint(notebook: Any) -> str:
    """Tells whether outputs were made by the code that stands above them."""
    return hashlib.sha256(json.dumps(code_of(notebook)).encode()).hexdigest()[:16]


def executed(path: Path, folder: Path, timeout: int = 600) -> Any:
    """The notebook with the outputs of all cells, run with ``folder`` as its working directory.

    Raises:
        nbclient.exceptions.CellExecutionError: a cell raised.
        nbclient.exceptions.CellTimeoutError: a cell took more than ``timeout`` seconds.
    """
    import nbformat
    from jupyter_client import AsyncKernelManager
    from jupyter_client.kernelspec import KernelSpecManager
    from nbclient import NotebookClient

    # A kernel of its own: "python3" may be another Python in somebody's home.
    kernel = folder / "kernels" / "this"
    kernel.mkdir(parents=True)
    cache = os.environ.get("JAX_COMPILATION_CACHE_DIR", str(REPOSITORY / ".cache" / "jax"))
    environment = {
        "PYTHONPATH": str(REPOSITORY),
        "JAX_PLATFORMS": os.environ.get("JAX_PLATFORMS", "cpu"),
        "JAX_COMPILATION_CACHE_DIR": cache,
        "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
        "MPLBACKEND": "module://matplotlib_inline.backend_inline",
        "TF_CPP_MIN_LOG_LEVEL": "3",  # XLA says on stderr where a busy machine took long to compile
        "IPYTHONDIR": str(folder / "ipython"),
    }
    command = [sys.executable, "-m", "ipykernel_launcher", "--log-level=ERROR", "-f", "{connection_file}"]
    spec = {"argv": command, "display_name": "this", "language": "python", "env": environment}
    (kernel / "kernel.json").write_text(json.dumps(spec))

    notebook = nbformat.read(path, as_version=4)
    manager = AsyncKernelManager(
        kernel_name="this", kernel_spec_manager=KernelSpecManager(kernel_dirs=[str(kernel.parent)])
    )
    client = NotebookClient(notebook, km=manager, timeout=timeout, resources={"metadata": {"path": str(folder)}})
    asyncio.run(client.async_execute(cleanup_kc=True))
    return notebook


def pictures(notebook: Any) -> list[Any]:
    """The outputs that hold a picture."""
    return [
        output
        for cell in notebook.cells
        if cell.cell_type == "code"
        for output in cell.outputs
        if "image/png" in output.get("data", {})
    ]
