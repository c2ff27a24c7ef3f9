"""Results on disk until they are logged, and what is known of the run that they go to.

Whatever is to be logged is written here first. So nothing that was computed is lost where a server fails or
the process is killed, and what is missing can be logged later, by another process too.
"""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

import numpy as np

from mlflow_interp.exceptions import InputsError
from mlflow_interp.report.folder import MANIFEST, write_folder
from mlflow_interp.report.formats import to_json
from mlflow_interp.report.interpretation import InterpretationFiles

FILE = "spool.json"
PREFIX = "mlflow-interp-"
_GROWTH = "growth"  # a folder of what has grown step by step, apart from what is logged as files


@dataclass(frozen=True)
class SpoolEntry:
    """A complete folder that is to be logged: of a method, or of one of its steps.

    Attributes:
        folder: where it lies.
        method: the name of the method's folder.
        step: which step, None for the method's own folder.
    """

    folder: Path
    method: str
    step: int | None

    @property
    def name(self) -> str:
        """Such as umap or umap/epoch-0003."""
        return self.method if self.step is None else f"{self.method}/{self.folder.name}"

    @property
    def manifest(self) -> Mapping[str, Any]:
        """Its manifest."""
        found: Mapping[str, Any] = json.loads((self.folder / MANIFEST).read_text(encoding="utf-8"))
        return found


@dataclass
class Spool:
    """A folder with a folder for each method, and what is known of the run.

    Attributes:
        folder: where it is.
        tracking_uri: the tracking server or store, without a password.
        run_id: the run, None before it is made.
        run_name: of a run that is to be made.
        tags: of a run that is to be made.
        experiment_id: of a run that is to be made; None for the current one.
        status: what to end the run with once all is logged; None leaves it.
        places: by method, the name of its folder in the run.
        logged: the pieces that are there, by name.
        process: who is logging them, None for nobody.
    """

    folder: Path
    tracking_uri: str
    run_id: str | None
    run_name: str = ""
    tags: Mapping[str, str] = field(default_factory=dict)
    experiment_id: str | None = None
    status: str | None = None
    places: dict[str, str] = field(default_factory=dict)
    logged: list[str] = field(default_factory=list)
    process: int | None = None

    def save(self) -> None:
        """Write down what is known, so that another process can go on."""
        known = {name: value for name, value in asdict(self).items() if name != "folder"}
        fresh = self.folder / f"{FILE}.new"
        fresh.write_bytes(to_json(known))
        fresh.replace(self.folder / FILE)

    @classmethod
    def read(cls, folder: Path) -> Spool:
        """What another process has left.

        Raises:
            InputsError: the folder holds nothing that waits to be logged.
        """
        try:
            known = json.loads((folder / FILE).read_text(encoding="utf-8"))
            return cls(folder, **{each.name: known[each.name] for each in fields(cls)[1:]})
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise InputsError(
                f"nothing in {str(folder)!r} waits to be logged (no {FILE} can be read there); give the "
                "folder that the warning named, or none to see all there are"
            ) from error

    def add(self, finished: InterpretationFiles) -> None:
        """Put an interpretation in, to be logged."""
        write_folder(self.folder / finished.method, finished.files, finished.manifest)
        grown = self.folder / _GROWTH / finished.method
        if finished.series or finished.frames:
            grown.mkdir(parents=True)
            (grown / "series.json").write_bytes(to_json(finished.series))
            np.savez(grown / "frames.npz", **{str(step): frame for step, frame in finished.frames})  # type: ignore[arg-type]

    def finished(self, piece: SpoolEntry) -> InterpretationFiles:
        """A piece as it is to be logged."""
        names = [name for name in piece.manifest["files"] if (piece.folder / name).is_file()]
        files = {name: (piece.folder / name).read_bytes() for name in names}
        grown = self.folder / _GROWTH / piece.name
        if not grown.is_dir():
            return InterpretationFiles(piece.method, files, piece.manifest)
        series = json.loads((grown / "series.json").read_text(encoding="utf-8"))
        with np.load(grown / "frames.npz", allow_pickle=False) as found:
            frames = [(int(step), found[step]) for step in found.files]
        return InterpretationFiles(piece.method, files, piece.manifest, series, frames)

    def pieces(self) -> Iterator[SpoolEntry]:
        """What is complete and not logged yet, steps before what belongs to all of them."""
        for manifest in sorted(self.folder.glob(f"*/epoch-*/{MANIFEST}")):
            yield SpoolEntry(
                manifest.parent, manifest.parts[-3], int(manifest.parts[-2].removeprefix("epoch-"))
            )
        for manifest in sorted(self.folder.glob(f"*/{MANIFEST}"), key=_age):
            yield SpoolEntry(manifest.parent, manifest.parts[-2], None)

    def waiting(self) -> list[SpoolEntry]:
        """The pieces that are not logged yet."""
        return [piece for piece in self.pieces() if piece.name not in self.logged]

    def mark(self, piece: SpoolEntry) -> None:
        """A piece is logged."""
        self.logged.append(piece.name)
        self.save()

    def leave(self) -> None:
        """Let another process log what is missing."""
        self.process = None
        self.save()

    def remove(self) -> None:
        """All is logged."""
        shutil.rmtree(self.folder, ignore_errors=True)


def _age(file: Path) -> float:
    return file.stat().st_mtime


def make_folder() -> Path:
    """A new folder for a spool, which nobody else can read."""
    return Path(tempfile.mkdtemp(prefix=PREFIX))


def left_behind() -> list[Path]:
    """The spools on this machine in which something waits to be logged, the oldest first."""
    found = Path(tempfile.gettempdir()).glob(f"{PREFIX}*/{FILE}")
    return [file.parent for file in sorted(found, key=_age)]


def is_alive(process: int | None) -> bool:
    """Whether a process of this machine still runs."""
    if process is None or process == os.getpid():
        return False
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except OSError:  # it is somebody else's
        return True
    return True
