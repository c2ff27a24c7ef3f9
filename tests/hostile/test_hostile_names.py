"""Hostile names of files, classes, models and runs, in every store: not executed, not used as paths."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import mlflow
import numpy as np
import pytest
import requests
from click.testing import Result
from mlflow import MlflowClient
from PIL import Image

SCRIPT = "<script>document.title='ran'</script>"
IMAGE = "<img src=x onerror=\"document.title='ran'\">"
NAMES = [
    "C#",
    "what?",
    "up%2f..%2f..%2fx",
    "up\\..\\..\\x",
    "\u202egnp.exe",
    "n" * 240,
    "=1+1",
    "a&b;c=d",
    "two\nlines",
    f"{SCRIPT[:-9]}&lt;",  # no "/", which file names cannot contain
    IMAGE,
    "100% 犬 🙂",
]
CLASSES = [SCRIPT, "=cmd|'/C calc'!A0", "../../" + "x" * 300]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Images with each of the names, in two class folders with such names."""
    root = tmp_path_factory.mktemp("names") / SCRIPT[:-9]
    for number, name in enumerate(NAMES):
        place = root / ("@class#" if number % 2 else IMAGE)
        place.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (8, 8), (20 * number, 9, 9)).save(place / f"{name}.png")
    return root


@pytest.fixture(scope="module")
def class_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("classes") / "c.json"
    path.write_text(json.dumps(CLASSES))
    return path


def check_complete(run_id: str, folder: Path) -> dict[str, bytes]:
    """Check that every file listed in a manifest can be downloaded from the run, byte for byte."""
    client, found = MlflowClient(), dict[str, bytes]()
    for method in ("gradcam", "confusion_matrix"):
        root = Path(client.download_artifacts(run_id, f"interpretations/{method}", str(folder)))
        manifest = json.loads((root / "manifest.json").read_text())
        assert manifest["inputs"]["count"] == len(NAMES)
        for name, digest in manifest["files"].items():
            content = (root / name).read_bytes()
            assert hashlib.sha256(content).hexdigest() == digest
            found[f"{method}/{name}"] = content
        assert {path.name for path in root.iterdir()} == {*manifest["files"], "manifest.json"}
        found[f"{method}/manifest.json"] = (root / "manifest.json").read_bytes()
    index = Path(client.download_artifacts(run_id, "interpretations/index.html", str(folder)))
    return found | {"index.html": index.read_bytes()}


def interpreted(
    command: Callable[..., Result], model: str, folder: Path, class_file: Path, run_name: str
) -> str:
    """The id of a run with this name that interprets the hostile folder with two methods."""
    run = MlflowClient().create_run("0", run_name=run_name)
    labels = class_file.with_name("labels.txt")
    labels.write_text("\n".join(str(number % 3) for number in range(len(NAMES))))
    done = command(
        "interpret", model, folder, "--methods", "gradcam,confusion_matrix", "--labels", labels, "--quiet",
        "--class-names", class_file, "--run-id", run.info.run_id, "--preprocess", "none",
    )  # fmt: skip
    assert done.exit_code == 0, done.output
    return str(run.info.run_id)


@pytest.fixture(scope="module")
def local(
    store: str, command: Callable[..., Result], rgb_model: str, folder: Path, class_file: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> tuple[str, dict[str, Any]]:  # fmt: skip
    mlflow.set_tracking_uri(store)
    run_id = interpreted(command, rgb_model, folder, class_file, f"{SCRIPT}../C#?")
    return run_id, check_complete(run_id, tmp_path_factory.mktemp("local"))


def test_hostile_names_in_a_local_store(local: tuple[str, dict[str, Any]]) -> None:
    _, found = local
    table = json.loads(found["gradcam/predictions.json"])
    names = [row[table["columns"].index("input")] for row in table["data"]]
    assert sorted(Path(name).name for name in names) == sorted(f"{name}.png" for name in NAMES)


def test_scripts_in_names_do_not_run(local: tuple[str, dict[str, Any]], tmp_path: Path) -> None:
    """In a browser, with and without the page's own Content-Security-Policy."""
    from docs.pictures import browser_page

    _, found = local
    pages = {name: content for name, content in found.items() if name.endswith("figure.html")}
    pages["index.html"] = found["index.html"]
    assert len(pages) == 3
    with browser_page(1200, 900) as page:
        dialogs: list[str] = []
        page.on("dialog", lambda dialog: (dialogs.append(dialog.message), dialog.dismiss()))
        for number, (name, content) in enumerate(pages.items()):
            text = content.decode()
            assert SCRIPT not in text
            for variant in (text, text.replace("Content-Security-Policy", "X-Nothing")):
                (tmp_path / f"{number}.html").write_text(variant)
                page.goto((tmp_path / f"{number}.html").as_uri())
                page.wait_for_timeout(150)
                assert page.title() != "ran", name
                assert page.evaluate("document.querySelectorAll('img[src=x]').length") == 0
        assert not dialogs


def test_table_cells_are_not_formulas(local: tuple[str, dict[str, Any]]) -> None:
    _, found = local
    tables = {name: content for name, content in found.items() if name.endswith(".csv")}
    assert tables
    for content in tables.values():
        cells = [cell for row in csv.reader(io.StringIO(content.decode())) for cell in row]
        assert any("cmd|" in cell for cell in cells)
        texts = [cell for cell in cells if not _is_number(cell)]
        assert not [cell for cell in texts if cell.startswith(("=", "+", "-", "@", "\t", "\r"))]


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True


def test_saving_writes_only_to_its_folder(
    command: Callable[..., Result], rgb_model: str, folder: Path, class_file: Path, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    """Neither names, classes nor names of arrays in an archive become part of a path."""
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")
    done = command(
        "gradcam", rgb_model, folder, "--no-log", "--quiet", "--save", "out", "--class-names", class_file,
        "--preprocess", "none",
    )  # fmt: skip
    assert done.exit_code == 0, done.output
    assert {path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*") if path.is_file()} == {
        "work/out/index.html",
        *(f"work/out/gradcam/figure.{kind}" for kind in ("png", "svg", "html")),
        *(f"work/out/gradcam/{name}.json" for name in ("predictions", "index", "manifest", "result")),
        "work/out/gradcam/arrays.npz",
    }


def test_registered_model_with_a_hostile_name(
    store: str, command: Callable[..., Result], assert_error: Callable[..., str], folder: Path
) -> None:
    """MLflow rejects "/" and ":" in names, and cuts URIs at "#" and "?": these give a one-line error."""
    import keras

    mlflow.set_tracking_uri(store)
    name = f"{IMAGE} C++ \u202e"
    layers = keras.layers
    model = keras.Sequential(
        [keras.Input((8, 8, 3)), layers.Conv2D(2, 3), layers.GlobalMaxPooling2D(), layers.Dense(3)]
    )
    with mlflow.start_run():
        for each in (name, "C#?"):
            mlflow.keras.log_model(
                model, name="model", registered_model_name=each, pip_requirements=["keras"]
            )
    done = command("gradcam", f"models:/{name}/1", folder, "--quiet", "--preprocess", "none")
    assert done.exit_code == 0, done.output
    runs = MlflowClient().search_runs([e.experiment_id for e in MlflowClient().search_experiments()])
    (run,) = [run for run in runs if run.data.tags.get("mlflow_interp.model_uri") == f"models:/{name}/1"]
    assert run.info.status == "FINISHED"
    for odd in ("C#?", "../../x", "a%2f..%2fb", "/host/x", "x" * 300):
        uri = f"models:/{odd}/1"
        assert_error(command("gradcam", uri, folder, "--no-log", "--json", "--quiet"), uri[:40])


# The same through MLflow's artifact proxy and through S3.


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """An MLflow server on loopback that forwards artifacts."""
    folder = tmp_path_factory.mktemp("server")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    options = {
        "--backend-store-uri": f"sqlite:///{folder / 'mlflow.db'}",
        "--artifacts-destination": (folder / "artifacts").as_uri(),
        "--workers": "1",
        "--port": str(port),
    }
    command = [sys.executable, "-m", "mlflow", "server", "--serve-artifacts"]
    command += [text for pair in options.items() for text in pair]
    process = subprocess.Popen(
        command, env=os.environ | {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}, start_new_session=True,
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        address, deadline = f"http://127.0.0.1:{port}", time.monotonic() + 120
        while not _answers(address) and time.monotonic() < deadline:
            time.sleep(0.5)
        yield address
    finally:
        os.killpg(process.pid, 15)
        process.wait(30)


def _answers(address: str) -> bool:
    try:
        return requests.get(f"{address}/health", timeout=5).ok
    except requests.RequestException:
        return False


def test_artifact_proxy_stores_no_password(
    server: str, store: str, command: Callable[..., Result], rgb_model: str, folder: Path, class_file: Path,
    tmp_path: Path, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    """With a tracking URI that contains a user and a password, which must not be stored anywhere."""
    secret = "hunter2"
    mlflow.set_tracking_uri(server.replace("://", f"://someone:{secret}@"))
    try:
        run_id = interpreted(command, rgb_model, folder, class_file, f"{SCRIPT}../C#?")
        found = check_complete(run_id, tmp_path)
        run = MlflowClient().get_run(run_id).to_dictionary()
        refusals = [
            command("gradcam", "models:/nothing/1", folder),
            command("gradcam", rgb_model, "runs:/0123/x"),
            command("gradcam", rgb_model, folder, "--run-id", "nothing"),
            command("gradcam", rgb_model, folder, "--tracking-uri", f"http://someone:{secret}@127.0.0.1:9"),
            command("gradcam", f"http://someone:{secret}@127.0.0.1:9/m.keras", folder),
            command("gradcam", rgb_model, f"http://someone:{secret}@127.0.0.1:9/a.npy"),
            command("umap", rgb_model, folder, "--align", f"http://someone:{secret}@127.0.0.1:9/e"),
        ]
    finally:
        mlflow.set_tracking_uri(store)
    assert secret not in json.dumps(run)
    for name, content in found.items():
        assert secret.encode() not in content, name
    assert [done.exit_code for done in refusals] == [2] * len(refusals), [done.output for done in refusals]
    assert secret not in "".join(done.output for done in refusals)
    assert secret not in caplog.text + "".join(capfd.readouterr())


def test_hostile_names_in_s3(
    store: str,
    command: Callable[..., Result],
    rgb_model: str,
    folder: Path,
    class_file: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A bucket served on loopback by moto."""
    boto3 = pytest.importorskip("boto3", reason="the client of S3 is an extra of MLflow's users, not ours")
    from moto.server import ThreadedMotoServer

    bucket = ThreadedMotoServer(ip_address="127.0.0.1", port=0)
    bucket.start()
    try:
        address = "http://{}:{}".format(*bucket.get_host_and_port())
        for name, value in {
            "MLFLOW_S3_ENDPOINT_URL": address,
            "AWS_ACCESS_KEY_ID": "testing",
            "AWS_SECRET_ACCESS_KEY": "testing",
            "AWS_DEFAULT_REGION": "us-east-1",
        }.items():
            monkeypatch.setenv(name, value)
        boto3.client("s3", endpoint_url=address).create_bucket(Bucket="interpretations")
        mlflow.set_tracking_uri(store)
        experiment = mlflow.create_experiment("s3", artifact_location="s3://interpretations/C%23")
        run = MlflowClient().create_run(experiment)
        arrays = tmp_path / "in.npz"
        np.savez(arrays, inputs=np.zeros((12, 8, 8, 3), np.float32), labels=np.arange(12) % 3)
        done = command(
            "interpret", rgb_model, folder, "--methods", "gradcam", "--quiet", "--class-names", class_file,
            "--run-id", run.info.run_id, "--preprocess", "none",
        )  # fmt: skip
        assert done.exit_code == 0, done.output
        where = (run.info.run_id, "interpretations/gradcam", str(tmp_path))
        root = Path(MlflowClient().download_artifacts(*where))
        manifest = json.loads((root / "manifest.json").read_text())
        for name, digest in manifest["files"].items():
            assert hashlib.sha256((root / name).read_bytes()).hexdigest() == digest
    finally:
        bucket.stop()
