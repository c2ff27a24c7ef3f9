"""Makes the images of README and docs from the demo's model and photographs: `make docs-pictures`.

`python -m docs.pictures umap saliency` makes only some, named as in `IMAGES_OF`. Needs Chromium.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import requests

import mlflow_interp
from docs.annotated import (
    annotated_comparison,
    annotated_dynamics,
    annotated_features,
    annotated_heatmap,
    annotated_matrix,
    annotated_neighbours,
    annotated_quality,
    mark_points,
    mark_tiles,
)
from docs.figures import IMAGES, WIDTH, keep, keep_figure, panels, share_legend
from examples import demo, planted_patch, train_digits
from examples.pretrained import save_photographs
from mlflow_interp.drawing import style


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
def browser_page(width: int, height: int, *, pixels: int = 1) -> Iterator[Any]:
    """A page of headless Chromium that has seen nothing yet: no storage, no cookies.

    Args:
        width: of the window, in CSS pixels.
        height: of the window, in CSS pixels.
        pixels: of the screen, along a CSS pixel.
    """
    with contextlib.nullcontext() if _shared else chromium():
        viewport = {"width": width, "height": height}
        context = _shared[-1].new_context(viewport=viewport, device_scale_factor=pixels)
        try:
            yield context.new_page()
        finally:
            context.close()


def picture_of_ui(server: str, run_id: str, experiment_id: str) -> None:
    """The page of the run in MLflow's UI."""
    path = f"experiments/{experiment_id}/runs/{run_id}/artifacts/interpretations/index.html"
    with browser_page(1280, 800, pixels=2) as page:
        page.goto(f"{server}/#/{path}?workflowType=machine_learning")
        page.wait_for_selector("iframe", timeout=90_000)
        with contextlib.suppress(Exception):  # the UI opens with a chat panel
            page.get_by_role("button", name="Close").first.click(timeout=3_000)
        page.wait_for_timeout(2_000)
        keep(page.screenshot(), "ui")


def picture_of_page(html: Path) -> None:
    """The interactive page, at its third image."""
    with browser_page(900, 640, pixels=2) as page:
        page.goto(html.as_uri())
        page.keyboard.press("ArrowRight")
        page.keyboard.press("ArrowRight")
        page.wait_for_timeout(500)
        keep(page.screenshot(), "page")


def picture_of_errors(html: Path, name: str) -> None:
    """The page of a confusion matrix, with the cell of its most frequent error opened."""
    with browser_page(1200, 760, pixels=2) as page:
        page.goto(html.as_uri())
        page.click("#pairs button >> nth=0")
        page.wait_for_timeout(500)
        keep(page.screenshot(), name)


def trained_on_digits(epochs: int, *, count: int = 1200) -> tuple[Any, np.ndarray, np.ndarray]:
    """A small network, trained here in seconds on the first digits, and all digits with their labels."""
    import keras

    keras.utils.set_random_seed(0)
    (pixels, labels), model = train_digits.digits(), train_digits.network()
    model.fit(pixels[:count], labels[:count], epochs=epochs, verbose=0)
    return model, pixels, labels


def trained_as_in_tutorial() -> tuple[Any, np.ndarray, np.ndarray]:
    """The tutorial's network, and the digits it is validated on, with their labels."""
    model, pixels, labels = trained_on_digits(3, count=1400)
    return model, pixels[1400:], labels[1400:]


SHOWN = ("cat.png", "coffee.png", "motorcycle.png", "palace.jpg")
_SILENT: dict[str, Any] = {"log": False, "quiet": True}


def images_of_gradcam(demo: Demo) -> None:
    """Grad-CAM as it is logged, in the UI, on its page, of another class, and annotated."""
    found = demo.gradcam
    keep_figure(found.draw(), "gradcam-figure")
    keep_figure(panels(found, SHOWN, columns=2, height=2.0), "gradcam")
    picture_of_page(found.save(demo.folder) / "figure.html")
    cup = mlflow_interp.visualize_gradcam(demo.model, demo.photos, target="cup", **_SILENT)
    keep_figure(panels(cup, SHOWN, columns=2, height=2.0), "gradcam-target")
    one = mlflow_interp.visualize_gradcam(demo.model, demo.photos / "palace.jpg", **_SILENT)
    keep_figure(annotated_heatmap(one), "gradcam-annotated")


def images_of_ui(demo: Demo) -> None:
    """The run in MLflow's UI."""
    import mlflow

    experiment = mlflow.get_run(demo.gradcam.run_id).info.experiment_id
    with served(demo.uri) as server:
        picture_of_ui(server, str(demo.gradcam.run_id), experiment)


def images_of_workbench(demo: Demo) -> None:
    """The page of a run: a map of all inputs beside an error, with its heat."""
    model, pixels, labels = trained_on_digits(3)
    mlflow_interp.interpret(
        model,
        pixels[1200:],
        ["umap", "confusion_matrix", "gradcam", "saliency"],
        labels=labels[1200:],
        class_names=[f"digit {digit}" for digit in range(10)],
        pooling="flatten",
        save=demo.folder / "workbench",
        **_SILENT,
    )
    with browser_page(1300, 860, pixels=2) as page:
        page.goto((demo.folder / "workbench" / "index.html").as_uri())
        page.wait_for_timeout(1_000)
        keep(page.screenshot(), "workbench")


def images_of_map(demo: Demo, *, method: str, layer: str | None, photo: str) -> None:
    """A method, at a layer where it differs from Grad-CAM if it has one, and both compared."""
    options = {method: {"layer": layer} if layer else {}}
    found = mlflow_interp.interpret(demo.model, demo.photos, options, **_SILENT)[method]
    keep_figure(panels(found, SHOWN, columns=2, height=2.0), method)
    compared = annotated_comparison(demo.model, demo.photos / photo, ("gradcam", method), layer)
    keep_figure(compared, f"{method}-annotated")


def images_of_contrast(demo: Demo) -> None:
    """Grad-CAM of two classes of one photograph, and of each contrasted with the other."""
    figure = style.new_figure(WIDTH, 4.0)
    figure.set_layout_engine("constrained", w_pad=0.08, h_pad=0.08)
    one, other = "palace", "lakeside"
    pairs = ((one, None), (other, None), (one, other), (other, one))
    for axes, (target, contrast) in zip(figure.subplots(2, 2).flat, pairs, strict=True):
        found = mlflow_interp.visualize_gradcam(
            demo.model, demo.photos / "palace.jpg", target=target, contrast=contrast, **_SILENT
        )
        found.draw(ax=axes, panel=0)
    keep_figure(figure, "contrast")


def images_of_layers(demo: Demo) -> None:
    """LayerCAM at an early, a middle and the last layer, fused."""
    layers = "block4_expand_relu,block9_expand_relu,head_relu"
    found = mlflow_interp.visualize_layercam(demo.model, demo.photos, layer=layers, **_SILENT)
    keep_figure(panels(found, SHOWN, columns=2, height=2.0), "layercam-fused")


def images_of_saliency(demo: Demo) -> None:
    """The three maps of some photographs, and annotated."""
    found = mlflow_interp.visualize_saliency(demo.model, demo.photos, **_SILENT)
    keep_figure(panels(found, SHOWN[1:], columns=1, height=2.05), "saliency")
    figure = panels(found, ["rocket.jpg"], columns=1, height=2.4)
    mark_tiles(figure.axes[0], 6)
    keep_figure(figure, "saliency-annotated")


def images_of_comparison(demo: Demo) -> None:
    """Two versions of a digit classifier, of which the new one has learnt a shortcut."""
    from examples import shortcut

    keep_figure(shortcut.main(demo.folder).figure, "comparison")


def images_of_quality(demo: Demo) -> None:
    """Three methods on handwritten digits, and the best of them annotated."""
    model, pixels, labels = trained_on_digits(4)
    found = mlflow_interp.visualize_quality(
        model, pixels[1200:], labels=labels[1200:], of="gradcam,gradcam_plus_plus,saliency", **_SILENT
    )
    keep_figure(found.draw(), "quality")
    keep_figure(annotated_quality(found.only("saliency/integrated_gradients")), "quality-annotated")


def with_wrong_labels(labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Labels of digits of which a twentieth is replaced by another one, and the positions of those."""
    generator = np.random.default_rng(1)
    wrong = generator.choice(len(labels), len(labels) // 20, replace=False)
    noisy = labels.copy()
    noisy[wrong] = (noisy[wrong] + generator.integers(1, 10, len(wrong))) % 10
    return noisy, wrong


def report_found(name: str, first: np.ndarray, wrong: np.ndarray) -> None:
    """Print how many of the wrong labels are among the inputs that are listed first."""
    print(f"{name}: {np.isin(wrong, first).sum()} of {len(wrong)} wrong labels are in the first tenth")


def images_of_training_dynamics(demo: Demo) -> None:
    """Handwritten digits of which a twentieth has a wrong label, followed over five epochs; and annotated."""
    import keras

    keras.utils.set_random_seed(0)
    pixels, labels = train_digits.digits()
    labels, wrong = with_wrong_labels(labels)
    callback = mlflow_interp.InterpretationCallback(
        "training_dynamics", data=(pixels, labels), samples=len(labels), wait=300
    )
    train_digits.network().fit(pixels, labels, epochs=5, verbose=0, callbacks=[callback])
    found = mlflow_interp.load(f"runs:/{callback.run_id}/interpretations/training_dynamics")
    report_found("training dynamics", found.result.examples.indices[: len(labels) // 10], wrong)
    keep_figure(found.draw(), "training_dynamics")
    keep_figure(annotated_dynamics(found.result), "training_dynamics-annotated")


def images_of_nearest_examples(demo: Demo) -> None:
    """The same digits in a network that was trained on the wrong labels too; and annotated."""
    import keras

    keras.utils.set_random_seed(0)
    pixels, labels = train_digits.digits()
    labels, wrong = with_wrong_labels(labels)
    model = train_digits.network()
    model.fit(pixels, labels, epochs=5, verbose=0)
    found: Any = mlflow_interp.visualize_nearest_examples(model, pixels, labels=labels, **_SILENT)
    report_found("nearest examples", found.result.order[: len(labels) // 10], wrong)
    keep_figure(found.draw(), "nearest_examples")
    keep_figure(annotated_neighbours(found.result), "nearest_examples-annotated")


def images_of_errors(demo: Demo) -> None:
    """The saliency of the first wrong predictions of the tutorial's network."""
    model, tested, answers = trained_as_in_tutorial()
    wrong = model.predict(tested, verbose=0).argmax(axis=1) != answers
    found = mlflow_interp.visualize_saliency(
        model, tested[wrong][:4], labels=answers[wrong][:4], noise=0, **_SILENT
    )
    keep_figure(panels(found, range(4), columns=1, height=2.05), "errors")


def images_of_caricature(demo: Demo) -> None:
    """Caricatures at three layers, and annotated."""
    found = mlflow_interp.visualize_caricature(
        demo.model,
        demo.photos,
        layers="stem_relu,block9_expand_relu,head_relu",
        max_inputs=3,
        **_SILENT,
    )
    keep_figure(found.draw(), "caricature")
    figure = panels(found, [found.examples.names[1]], columns=1, height=2.8)
    mark_tiles(figure.axes[0], 4)
    keep_figure(figure, "caricature-annotated")


def crops_of(photos: Path, folder: Path, *, along: int = 4, side: int = 112) -> Path:
    """A folder with crops of photographs, `along` in each direction: inputs with one texture or part."""
    from PIL import Image, ImageOps

    folder.mkdir(exist_ok=True)
    for path in sorted(photos.iterdir()):
        square = ImageOps.fit(Image.open(path).convert("RGB"), (along * side, along * side))
        for row, column in np.ndindex(along, along):
            left, top = column * side, row * side
            crop = square.crop((left, top, left + side, top + side))
            crop.save(folder / f"{path.stem} {row}{column}.png")
    return folder


def images_of_feature_visualization(demo: Demo) -> None:
    """Channels of a middle layer beside crops of photographs, different images of one, and classes."""
    crops = crops_of(demo.photos, demo.folder / "crops")
    layer = "block9_expand_relu"
    found: Any = mlflow_interp.visualize_feature_visualization(demo.model, crops, layer=layer, **_SILENT)
    keep_figure(found.draw(), "feature_visualization")
    diverse: Any = mlflow_interp.visualize_feature_visualization(
        demo.model,
        crops,
        layer=layer,
        features=found.features[:2].tolist(),
        diversity=3,
        strongest=4,
        **_SILENT,
    )
    keep_figure(annotated_features(diverse.result), "feature_visualization-annotated")
    classes = mlflow_interp.visualize_feature_visualization(
        demo.model, demo.photos, layer="output", strongest=2, **_SILENT
    )
    keep_figure(panels(classes, range(6), columns=2, height=1.7), "feature_visualization-classes")


def images_of_confusion_matrix(demo: Demo) -> None:
    """The confusions of a hardly trained network: figure, page with a cell opened, and annotated."""
    model, pixels, labels = trained_on_digits(2)
    names = [f"digit {digit}" for digit in range(10)]
    found = mlflow_interp.visualize_confusion_matrix(
        model, pixels, labels=labels, class_names=names, order="cluster", **_SILENT
    )
    keep_figure(found.draw(order="cluster"), "confusion_matrix")
    keep_figure(annotated_matrix(found), "confusion_matrix-annotated")
    picture_of_errors(found.save(demo.folder) / "figure.html", "confusion_matrix-page")
    model, pixels, labels = trained_as_in_tutorial()
    found = mlflow_interp.visualize_confusion_matrix(
        model, pixels, labels=labels, class_names=list("0123456789"), **_SILENT
    )
    picture_of_errors(found.save(demo.folder) / "figure.html", "confusion_matrix-tutorial")


def images_of_attention(demo: Demo) -> None:
    """Images with a bright patch, and a transformer that tells its colour."""
    model = planted_patch.trained()
    images, labels, _ = planted_patch.planted_patches(4, seed=3)
    shared = {"labels": labels, "class_names": list(planted_patch.CLASSES), "preprocess": "none", **_SILENT}
    relevance = mlflow_interp.visualize_attention(model, images, **shared)
    keep_figure(panels(relevance, range(4), columns=2, height=2.0), "attention")
    figure = panels(relevance, [1], columns=1, height=2.6)
    mark_tiles(figure.axes[0], 2)
    keep_figure(figure, "attention-annotated")


def images_of_positions(demo: Demo) -> None:
    """What the first block of its page finds: the class red, at the pixels that are predicted as red."""
    page = (Path(__file__).parent / "howto" / "positions.md").read_text(encoding="utf-8")
    namespace: dict[str, Any] = {}
    block = page.split("```python\n", 1)[1].partition("```")[0]
    exec(compile(block, "positions.md", "exec"), namespace)
    keep_figure(panels(namespace["found"], range(4), columns=2, height=2.0), "positions")


def images_of_umap(demo: Demo) -> None:
    """Handwritten digits at four layers of a small network, all values kept, and the last one annotated."""
    model, pixels, labels = trained_on_digits(6)
    found = mlflow_interp.visualize_umap(
        model,
        pixels,
        labels=labels,
        class_names=[f"digit {digit}" for digit in range(10)],
        layers="input,first,second,features",
        pooling="flatten",  # the mean of an image of one channel is one number
        **_SILENT,
    )
    figure = panels(found, found.layers, columns=2, height=3.9, point_size=5)
    share_legend(figure)
    keep_figure(figure, "umap")
    figure = panels(found, ["features"], columns=1, height=6.6, point_size=14)
    share_legend(figure)
    mark_points(figure.axes[0], found)
    keep_figure(figure, "umap-annotated")


@dataclass(frozen=True)
class Demo:
    """What the images are made of.

    Attributes:
        folder: for what is made on the way.
        uri: of the store.
        model: the URI of the registered classifier.
        gradcam: its Grad-CAM, logged.
    """

    folder: Path
    uri: str
    model: str
    gradcam: Any

    @property
    def photos(self) -> Path:
        """The folder of photographs."""
        return self.folder / "photos"

    @classmethod
    def made(cls, folder: Path) -> Demo:
        """A store of its own, with the classifier and one run."""
        demo.FOLDER = folder
        uri = demo.use_local_store()
        save_photographs(folder / "photos")
        model = demo.register_classifier()
        return cls(folder, uri, model, mlflow_interp.visualize_gradcam(model, folder / "photos", quiet=True))


IMAGES_OF: dict[str, Callable[[Demo], None]] = {
    "gradcam": images_of_gradcam,
    "ui": images_of_ui,
    "workbench": images_of_workbench,
    "hirescam": partial(images_of_map, method="hirescam", layer="block11_add", photo="motorcycle.png"),
    "gradcam_plus_plus": partial(
        images_of_map, method="gradcam_plus_plus", layer="head_relu", photo="camera.png"
    ),
    "eigencam": partial(images_of_map, method="eigencam", layer="head_relu", photo="camera.png"),
    "attention": images_of_attention,
    "positions": images_of_positions,
    "comparison": images_of_comparison,
    "contrast": images_of_contrast,
    "occlusion": partial(images_of_map, method="occlusion", layer=None, photo="camera.png"),
    "rise": partial(images_of_map, method="rise", layer=None, photo="camera.png"),
    "layercam-fused": images_of_layers,
    "layercam": partial(images_of_map, method="layercam", layer="block4_expand_relu", photo="coffee.png"),
    "saliency": images_of_saliency,
    "quality": images_of_quality,
    "training_dynamics": images_of_training_dynamics,
    "nearest_examples": images_of_nearest_examples,
    "errors": images_of_errors,
    "umap": images_of_umap,
    "confusion_matrix": images_of_confusion_matrix,
    "caricature": images_of_caricature,
    "feature_visualization": images_of_feature_visualization,
}


def main() -> None:
    """Make every image, or those that are named."""
    IMAGES.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as folder, chromium():
        made = Demo.made(Path(folder))
        for name in sys.argv[1:] or IMAGES_OF:
            IMAGES_OF[name](made)


if __name__ == "__main__":
    main()
