"""Makes the pictures of README and docs from the demo's model and photographs: `make docs-pictures`.

Needs Chromium for the two that show a browser.
"""

from __future__ import annotations

import contextlib
import io
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import requests
from PIL import Image

import mlflow_interp
from examples import demo, train_digits
from examples.pretrained import save_photographs

IMAGES = Path(__file__).parent / "images"
MOST_PIXELS = 1100


def keep(content: bytes, name: str) -> None:
    """Write a picture at a size fit for a web page."""
    image = Image.open(io.BytesIO(content)).convert("RGB")
    image.thumbnail((MOST_PIXELS, 10 * MOST_PIXELS), Image.Resampling.LANCZOS)
    image.save(IMAGES / f"{name}.jpg", quality=88, optimize=True)


@contextlib.contextmanager
def served(
    uri: str,
    *,
    artifacts: Path | None = None,
    app: str | None = None,
    settings: Mapping[str, str] | None = None,
) -> Iterator[str]:
    """A real MLflow server on loopback; artifacts sent through it go to the folder `artifacts`.

    Args:
        uri: of its store.
        artifacts: where its artifacts go.
        app: the app that it runs, such as basic-auth.
        settings: variables of its environment.
    """
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = str(probe.getsockname()[1])
    command = [sys.executable, "-m", "mlflow", "server", "--backend-store-uri", uri, "--workers", "1"]
    command += ["--port", port] + (["--artifacts-destination", str(artifacts)] if artifacts else [])
    command += ["--app-name", app] if app else []
    environment = os.environ | {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"} | dict(settings or {})
    process = subprocess.Popen(
        command, env=environment, start_new_session=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        deadline = time.monotonic() + 120
        while time.monotonic() < deadline:
            with contextlib.suppress(requests.RequestException):
                if requests.get(f"http://127.0.0.1:{port}/health", timeout=5).ok:
                    break
            time.sleep(0.5)
        yield f"http://127.0.0.1:{port}"
    finally:
        os.killpg(process.pid, 15)
        process.wait(30)


_shared: list[Any] = []  # the Chromium of the innermost `chromium()`


@contextlib.contextmanager
def chromium() -> Iterator[None]:
    """Headless Chromium, which every `browser_page` within shares: starting it takes seconds."""
    from playwright.sync_api import sync_playwright

    path = shutil.which("chromium") or shutil.which("google-chrome")
    if path is None:
        raise SystemExit("Chromium is needed for the pictures of the browser; install it and try again")
    with sync_playwright() as playwright:
        # WebGL, which pages of many points draw with, in software: no GPU is needed.
        args = ["--no-sandbox", "--use-angle=swiftshader", "--enable-unsafe-swiftshader"]
        _shared.append(playwright.chromium.launch(executable_path=path, args=args))
        try:
            yield
        finally:
            _shared.pop().close()


@contextlib.contextmanager
def browser_page(width: int, height: int) -> Iterator[Any]:
    """A page of headless Chromium that has seen nothing yet: no storage, no cookies."""
    with contextlib.nullcontext() if _shared else chromium():
        context = _shared[-1].new_context(viewport={"width": width, "height": height})
        try:
            yield context.new_page()
        finally:
            context.close()


def picture_of_ui(server: str, run_id: str, experiment_id: str) -> None:
    """The run's artifacts in MLflow's UI, the figure opened."""
    path = "artifacts/interpretations/gradcam/figure.png"
    address = f"{server}/#/experiments/{experiment_id}/runs/{run_id}/{path}"
    with browser_page(1400, 760) as page:
        page.goto(address)
        page.wait_for_selector("img[src*='figure.png'], img[src^='blob:']", timeout=90_000)
        # The UI opens with a chat panel and in its mode for language models.
        page.get_by_text("Model training", exact=True).first.click()
        with contextlib.suppress(Exception):
            page.get_by_role("button", name="Close").first.click(timeout=3_000)
        page.goto(address)
        page.wait_for_selector("img[src*='figure.png'], img[src^='blob:']", timeout=90_000)
        page.wait_for_timeout(2_000)
        keep(page.screenshot(), "ui")


def picture_of_page(html: Path) -> None:
    """The interactive page, a picture further on and the heat turned up."""
    with browser_page(900, 640) as page:
        page.goto(html.as_uri())
        page.keyboard.press("ArrowRight")
        page.keyboard.press("ArrowRight")
        page.wait_for_timeout(500)
        keep(page.screenshot(), "page")


def trained_on_digits(epochs: int) -> tuple[Any, np.ndarray, np.ndarray]:
    """A small network, trained here in seconds, and all handwritten digits with their labels."""
    import keras

    keras.utils.set_random_seed(0)
    (pixels, labels), model = train_digits.digits(), train_digits.network()
    model.fit(pixels[:1200], labels[:1200], epochs=epochs, verbose=0)
    return model, pixels, labels


def pictures_of_other_maps(model: str, photos: Path) -> None:
    """HiResCAM at a middle layer and LayerCAM at an early one, where they differ from Grad-CAM."""
    shared: dict[str, Any] = {"log": False, "quiet": True}
    middle = mlflow_interp.visualize_hirescam(model, photos, layer="block11_add", **shared)
    keep(middle._repr_png_(), "hirescam")
    early = mlflow_interp.visualize_layercam(model, photos, layer="block4_expand_relu", **shared)
    keep(early._repr_png_(), "layercam")


def pictures_of_confusion_matrix(folder: str) -> None:
    """What a hardly trained network takes for what, as figure and as page with a cell opened."""
    model, pixels, labels = trained_on_digits(2)
    names = [f"digit {digit}" for digit in range(10)]
    found = mlflow_interp.visualize_confusion_matrix(
        model, pixels, labels=labels, class_names=names, order="cluster", log=False, quiet=True
    )
    keep(found._repr_png_(), "confusion_matrix")
    with browser_page(1200, 760) as page:
        page.goto((found.save(folder) / "figure.html").as_uri())
        page.click("#pairs button >> nth=0")
        page.wait_for_timeout(500)
        keep(page.screenshot(), "confusion_matrix-page")


def picture_of_umap() -> None:
    """Handwritten digits at four layers of a small network."""
    model, pixels, labels = trained_on_digits(6)
    found = mlflow_interp.visualize_umap(
        model,
        pixels,
        labels=labels,
        class_names=[f"digit {digit}" for digit in range(10)],
        layers="input,first,second,features",
        log=False,
        quiet=True,
    )
    keep(found._repr_png_(), "umap")


def main() -> None:
    """Make every picture."""
    IMAGES.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as folder, chromium():
        demo.FOLDER = Path(folder)
        uri = demo.use_local_store()
        save_photographs(Path(folder) / "photos")
        model, photos = demo.register_classifier(), Path(folder) / "photos"
        found = mlflow_interp.visualize_gradcam(model, photos, quiet=True)
        keep(found._repr_png_(), "gradcam")
        cup = mlflow_interp.visualize_gradcam(model, photos, target="cup", log=False, quiet=True)
        keep(cup._repr_png_(), "gradcam-target")
        pictures_of_other_maps(model, photos)
        keep(mlflow_interp.visualize_saliency(model, photos, log=False, quiet=True)._repr_png_(), "saliency")
        drawn = mlflow_interp.visualize_caricature(
            model,
            photos,
            layers="stem_relu,block9_expand_relu,head_relu",
            max_inputs=3,
            log=False,
            quiet=True,
        )
        keep(drawn._repr_png_(), "caricature")
        picture_of_umap()
        pictures_of_confusion_matrix(folder)
        picture_of_page(found.save(folder) / "figure.html")
        with served(uri) as server:
            import mlflow

            experiment = mlflow.get_run(found.run_id).info.experiment_id
            picture_of_ui(server, str(found.run_id), experiment)


if __name__ == "__main__":
    main()
