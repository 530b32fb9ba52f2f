"""Checkpoints of a training, written by orbax: its complete state, so that it resumes bit for bit."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import jax

__all__ = ["Checkpoints"]

FACTS = "training.json"


class Checkpoints:
    """The checkpoints in a folder. Only the newest is kept; the one before is removed once the newest is complete.

    Args:
        folder: the folder.
        identity: potential, params, data and settings, which must be the same when a training resumes.
    """

    def __init__(self, folder: Path, identity: dict[str, Any]) -> None:
        self.folder = folder.absolute()
        self.identity = json.loads(json.dumps(identity))

    def begin(self) -> None:
        """Removes the checkpoints of an earlier training, and writes the identity of this one."""
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir(parents=True)
        (self.folder / FACTS).write_text(json.dumps(self.identity, indent=1) + "\n")

    def save(self, epoch: int, tree: Any) -> None:
        """Writes a checkpoint, then removes older ones.

        Args:
            epoch: number of epochs done.
            tree: pytree of arrays.
        """
        import orbax.checkpoint as orbax

        older = self._epochs()
        with orbax.StandardCheckpointer() as writer:
            writer.save(self._path(epoch), jax.tree.map(jax.numpy.asarray, tree), force=True)
        for before in older:
            if before != epoch:
                shutil.rmtree(self._path(before))

    def restore(self, like: Any) -> tuple[int, Any]:
        """Reads the newest checkpoint.

        Args:
            like: pytree of arrays with the shapes and types that were saved.

        Returns:
            The number of epochs done, and the tree.

        Raises:
            ValueError: there is none, or it belongs to another training; the message says what differs.
        """
        import orbax.checkpoint as orbax

        facts, epochs = self.folder / FACTS, self._epochs()
        if not facts.is_file() or not epochs:
            raise ValueError(f"{self.folder} holds no checkpoint to go on from; start the training anew")
        before = json.loads(facts.read_text())
        changed = [key for key, value in self.identity.items() if before.get(key) != value]
        if changed:
            said = ", ".join(f"{key} ({before.get(key)} then, {self.identity[key]} now)" for key in changed)
            raise ValueError(f"{self.folder}: the training was started with other {said}; use the same, or start anew")
        with orbax.StandardCheckpointer() as reader:
            target = jax.tree.map(
                lambda leaf: jax.ShapeDtypeStruct(leaf.shape, leaf.dtype, sharding=leaf.sharding), like
            )
            return epochs[-1], reader.restore(self._path(epochs[-1]), target)

    def _path(self, epoch: int) -> Path:
        return self.folder / f"epoch_{epoch:06d}"

    def _epochs(self) -> list[int]:
        names = [path.name.removeprefix("epoch_") for path in self.folder.glob("epoch_*") if path.is_dir()]
        return sorted(int(name) for name in names if name.isdigit())
