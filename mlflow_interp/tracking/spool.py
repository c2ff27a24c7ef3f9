"""Results on disk until they are logged, and the state of the run that they go to.

Everything is written here before it is logged. So no result is lost if a server fails or the process is
killed, and another process can upload the missing results later.
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
_HISTORY = "growth"  # a folder for series and frames, which are not logged as files


@dataclass(frozen=True)
class SpoolEntry:
    """A complete folder that is to be logged: of a method, or of one of its steps.

    Attributes:
        folder: its path.
        method: the name of the method's folder.
        step: the step, None for the folder of the method itself.
    """

    folder: Path
    method: str
    step: int | None

    @property
    def name(self) -> str:
        """Its name, such as umap or umap/epoch-0003."""
        return self.method if self.step is None else f"{self.method}/{self.folder.name}"

    @property
    def manifest(self) -> Mapping[str, Any]:
        """Its manifest."""
        manifest: Mapping[str, Any] = json.loads((self.folder / MANIFEST).read_text(encoding="utf-8"))
        return manifest


@dataclass
class Spool:
    """A folder with a folder for each method, and the state of the run.

    Attributes:
        folder: its path.
        tracking_uri: the tracking server or store, without a password.
        run_id: the run, None before it is created.
        run_name: the name of a run that is to be created.
        tags: the tags of a run that is to be created.
        experiment_id: the experiment of a run that is to be created; None for the current one.
        status: the status to end the run with once all is logged; None leaves it running.
        places: by method, the name of its folder in the run.
        logged: the names of the entries that are in the run.
        process: the process that logs them, None for none.
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
        """Write the state to disk, so that another process can continue."""
        state = {name: value for name, value in asdict(self).items() if name != "folder"}
        new_file = self.folder / f"{FILE}.new"
        new_file.write_bytes(to_json(state))
        new_file.replace(self.folder / FILE)

    @classmethod
    def read(cls, folder: Path) -> Spool:
        """The spool that another process left behind.

        Raises:
            InputsError: the folder holds no results to upload.
        """
        try:
            state = json.loads((folder / FILE).read_text(encoding="utf-8"))
            return cls(folder, **{each.name: state[each.name] for each in fields(cls)[1:]})
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise InputsError(
                f"{str(folder)!r} holds no results to upload (it has no readable {FILE}); give the folder "
                "named in the warning, or no folder to list all of them"
            ) from error

    def add(self, interpretation: InterpretationFiles) -> None:
        """Add an interpretation that is to be logged."""
        write_folder(self.folder / interpretation.method, interpretation.files, interpretation.manifest)
        history = self.folder / _HISTORY / interpretation.method
        if interpretation.series or interpretation.frames:
            history.mkdir(parents=True)
            (history / "series.json").write_bytes(to_json(interpretation.series))
            np.savez(history / "frames.npz", **{str(step): frame for step, frame in interpretation.frames})  # type: ignore[arg-type]

    def read_files(self, entry: SpoolEntry) -> InterpretationFiles:
        """The interpretation of an entry, read from disk."""
        names = [name for name in entry.manifest["files"] if (entry.folder / name).is_file()]
        files = {name: (entry.folder / name).read_bytes() for name in names}
        history = self.folder / _HISTORY / entry.name
        if not history.is_dir():
            return InterpretationFiles(entry.method, files, entry.manifest)
        series = json.loads((history / "series.json").read_text(encoding="utf-8"))
        with np.load(history / "frames.npz", allow_pickle=False) as arrays:
            frames = [(int(step), arrays[step]) for step in arrays.files]
        return InterpretationFiles(entry.method, files, entry.manifest, series, frames)

    def entries(self) -> Iterator[SpoolEntry]:
        """The complete entries, those of single steps before those of methods."""
        for manifest in sorted(self.folder.glob(f"*/epoch-*/{MANIFEST}")):
            yield SpoolEntry(
                manifest.parent, manifest.parts[-3], int(manifest.parts[-2].removeprefix("epoch-"))
            )
        for manifest in sorted(self.folder.glob(f"*/{MANIFEST}"), key=_age):
            yield SpoolEntry(manifest.parent, manifest.parts[-2], None)

    def waiting(self) -> list[SpoolEntry]:
        """The entries that are not logged yet."""
        return [entry for entry in self.entries() if entry.name not in self.logged]

    def mark(self, entry: SpoolEntry) -> None:
        """Record that an entry is logged."""
        self.logged.append(entry.name)
        self.save()

    def leave(self) -> None:
        """Let another process log what is missing."""
        self.process = None
        self.save()

    def remove(self) -> None:
        """Remove the folder once everything is logged."""
        shutil.rmtree(self.folder, ignore_errors=True)


def _age(file: Path) -> float:
    return file.stat().st_mtime


def make_folder() -> Path:
    """A new folder for a spool, readable only by its user."""
    return Path(tempfile.mkdtemp(prefix=PREFIX))


def left_behind() -> list[Path]:
    """The spools on this machine that hold results to upload, the oldest first."""
    files = Path(tempfile.gettempdir()).glob(f"{PREFIX}*/{FILE}")
    return [file.parent for file in sorted(files, key=_age)]


def is_alive(process: int | None) -> bool:
    """Whether a process on this machine still runs."""
    if process is None or process == os.getpid():
        return False
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except OSError:  # it belongs to another user
        return True
    return True
