"""Loading interpretations from artifacts, those of this version and of schema version 1."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import mlflow_interp
from mlflow_interp.drawing.style import png
from mlflow_interp.exceptions import InputsError, OptionError
from mlflow_interp.kinds.confusion_matrix import from_predictions
from mlflow_interp.method_registry import kind_of
from mlflow_interp.options import parameters_of
from mlflow_interp.report.files import draw_files
from mlflow_interp.report.folder import write_folder
from mlflow_interp.report.formats import table_json
from mlflow_interp.report.manifest import complete_manifest, describe
from mlflow_interp.report.provenance import Provenance
from mlflow_interp.training import epoch_summary
from tests.interpretations import MODEL, examples, results

#: One method for each kind of result.
RESULTS = ("caricature", "confusion_matrix", "gradcam", "saliency", "umap")
CONTRACT_1 = Path(__file__).parent / "contract_1"
COUNT = 12


def small_images(count):
    return np.random.default_rng(4).integers(0, 256, (count, 16, 16, 3), dtype=np.uint8)


@pytest.fixture(scope="module")
def found():
    """By method, a result for twelve small inputs."""
    shown = examples(COUNT, pictures=small_images(COUNT))
    shown = replace(shown, digests=np.arange(COUNT * 16, dtype=np.uint8).reshape(COUNT, 16))
    return results(shown)


def write(folder, method, result, *, given=None, with_page=True, **more):
    given = given or {}
    drawing = {name: value for name, value in given.items() if name in ("colormap", "opacity", "normalize")}
    _, files = draw_files(method, result, drawing, with_page=with_page)
    inputs = {"source": "./photos", "sha256": "d1", "count": len(result.examples), "skipped": {}}
    manifest = complete_manifest(
        describe(
            method,
            result,
            given,
            Provenance(MODEL, inputs, {}, ()),
            parameters=parameters_of(method, given),
            seconds=1.0,
        )
        | more,
        files,
    )
    write_folder(folder, files, manifest)
    return manifest


def assert_equal(one, other):
    """Compare arrays, metrics, tables and resolved values."""
    assert set(one.arrays()) == set(other.arrays())
    for name, array in one.arrays().items():
        np.testing.assert_array_equal(array, other.arrays()[name], err_msg=name)
        assert array.dtype == other.arrays()[name].dtype, name
    assert one.metrics() == other.metrics()
    assert one.table() == other.table()
    assert one.resolved == other.resolved
    assert one.warnings() == other.warnings()


@pytest.mark.parametrize("method", RESULTS)
def test_saved_results_are_loaded(found, tmp_path, method):
    write(tmp_path / method, method, found[method])
    loaded = mlflow_interp.load(tmp_path / method)
    assert_equal(loaded.result, found[method])
    assert loaded.metrics == found[method].metrics()
    assert loaded.manifest == json.loads((tmp_path / method / "manifest.json").read_bytes())
    # Images of up to 32 pixels are stored without loss, so that the figure is equal to the pixel.
    assert png(loaded.figure) == (tmp_path / method / "figure.png").read_bytes()
    if method == "umap":  # its thumbnails are computed again from the images
        assert loaded.thumbnails.shape == found[method].thumbnails.shape
    else:
        page = (tmp_path / method / "figure.html").read_text(encoding="utf-8")
        assert kind_of(method).page(loaded.result) == page


def test_photographs_are_loaded_with_storage_precision(tmp_path):
    shown = examples(3)
    for method, result in results(shown).items():
        write(tmp_path / method, method, result, with_page=False)
        images = mlflow_interp.load(tmp_path / method).examples.images
        if method == "confusion_matrix":
            assert images is None
            continue
        assert images.shape == shown.images.shape
        assert np.abs(images.astype(int) - shown.images).mean() < 6


def test_figure_is_drawn_with_the_original_options(found, tmp_path):
    write(tmp_path / "gradcam", "gradcam", found["gradcam"], given={"colormap": "viridis", "opacity": 0.3})
    loaded = mlflow_interp.load(tmp_path / "gradcam")
    assert png(loaded.figure) == (tmp_path / "gradcam/figure.png").read_bytes()
    assert png(loaded.draw(opacity=0.9)) != png(loaded.figure)


def test_selection_of_many_inputs_is_loaded(tmp_path):
    rows = np.array([1, 66, 69])
    result = results(examples(70, pictures=small_images(70)))["gradcam"]
    chosen = replace(result.examples, images=small_images(70)[rows], shown=rows)
    result = replace(result, explained=replace(result.explained, examples=chosen))
    write(tmp_path / "gradcam", "gradcam", result)
    loaded = mlflow_interp.load(tmp_path / "gradcam")
    assert_equal(loaded.result, result)
    assert png(loaded.figure) == (tmp_path / "gradcam/figure.png").read_bytes()


def test_signals_are_loaded_with_their_values(tmp_path):
    signals = np.random.default_rng(0).random((4, 40, 2), np.float32)
    shown = replace(examples(4, pictures=small_images(4)), images=None, values=signals)
    result = results(replace(shown, images=small_images(4)))["gradcam"]
    explained = replace(result.explained, examples=shown)
    result = replace(result, explained=explained, heatmaps=result.heatmaps[:, 0], title="Ours", relu=False)
    write(tmp_path / "gradcam", "gradcam", result)
    loaded = mlflow_interp.load(tmp_path / "gradcam")
    assert_equal(loaded.result, result)
    assert (loaded.title, loaded.relu) == ("Ours", False)
    assert png(loaded.figure) == (tmp_path / "gradcam/figure.png").read_bytes()


@pytest.mark.parametrize("weights", [None, [0.5, 1.0, 2.0, 4.0]])
def test_several_labels_and_weights_are_loaded(tmp_path, weights):
    labels = [[1, 0, 1], [0, 1, 0], [1, 1, 0], [0, 0, 0]]
    result = from_predictions(labels, np.float32([[0.9, 0.8, 0.1]] * 4), weights=weights)
    write(tmp_path / "confusion_matrix", "confusion_matrix", result)
    loaded = mlflow_interp.load(tmp_path / "confusion_matrix")
    assert_equal(loaded.result, result)
    assert loaded.result.tables() == result.tables()


def test_counts_of_pixels_are_loaded(tmp_path):
    rng = np.random.default_rng(0)
    labels, found = rng.integers(-1, 3, (2, 5, 4, 6))
    result = from_predictions(labels, np.maximum(found, 0), class_names=["sky", "road", "tree"])
    write(tmp_path / "confusion_matrix", "confusion_matrix", result)
    loaded = mlflow_interp.load(tmp_path / "confusion_matrix")
    assert_equal(loaded.result, result)
    assert (loaded.result.unit, loaded.result.positions) == ("positions", (labels >= 0).sum())
    assert loaded.result.left_out == {"without label": (labels < 0).sum()}


def test_load_from_a_run_an_epoch_and_the_last_epoch(store, found, tmp_path):
    import mlflow

    folder = tmp_path / "gradcam"
    by_step = {
        step: replace(found["gradcam"], heatmaps=found["gradcam"].heatmaps * (step + 1))
        for step in (0, 2, 11)
    }
    manifests = {
        step: write(folder / f"epoch-{step:04d}", "gradcam", result, with_page=False, step=step)
        for step, result in by_step.items()
    }
    epoch_summary.write_whole(folder, "gradcam", {11: by_step[11]}, manifests, {})
    with mlflow.start_run() as run:
        mlflow.log_artifacts(str(folder), "interpretations/gradcam")
    place = f"runs:/{run.info.run_id}/interpretations/gradcam"
    for uri, step in ((place, 11), (f"{place}/", 11), (f"{place}/epoch-0002", 2), (str(folder), 11)):
        loaded = mlflow_interp.load(uri)
        np.testing.assert_array_equal(loaded.heatmaps, by_step[step].heatmaps)
        assert loaded.run_id == (run.info.run_id if uri.startswith("runs:") else None)
    assert mlflow_interp.load(place).artifact_path == "interpretations/gradcam/epoch-0011"


def test_saving_a_loaded_result_gives_the_same_files(found, tmp_path):
    write(tmp_path / "a", "umap", found["umap"])
    saved = mlflow_interp.load(tmp_path / "a").save(tmp_path / "b")
    assert saved == tmp_path / "b/umap"
    for file in (tmp_path / "a").iterdir():
        assert (saved / file.name).read_bytes() == file.read_bytes()
    assert_equal(mlflow_interp.load(saved).result, found["umap"])


# --- one panel in given axes -------------------------------------------------------------------------


def test_panel_is_drawn_into_axes(found, tmp_path):
    from matplotlib.figure import Figure

    axes = Figure().subplots(1, 4)
    for method, result in found.items():
        write(tmp_path / method, method, result, with_page=False)
    loaded = {method: mlflow_interp.load(tmp_path / method) for method in found}
    assert loaded["gradcam"].draw(ax=axes[0], panel="photograph 3.jpg") is axes[0]
    assert axes[0].get_title() == "photograph 3.jpg"
    loaded["umap"].draw(ax=axes[1], panel="late")
    assert axes[1].get_title().startswith("late")
    assert len(axes[1].collections[0].get_offsets()) == COUNT
    loaded["confusion_matrix"].draw(ax=axes[2])
    assert [text.get_text() for text in axes[2].get_xticklabels()] == list(loaded["confusion_matrix"].names)
    loaded["caricature"].draw(ax=axes[3], panel=2)
    for options, message in (
        ({"opacity": 3}, "opacity is 3; give a number from 0 to 1"),
        ({"colormap": "infernal"}, "no colormap 'infernal'; nearest: inferno"),
        ({"legend": "off"}, "the figure of gradcam has no option 'legend'"),
    ):
        with pytest.raises(OptionError, match=message):
            loaded["gradcam"].draw(**options)
        with pytest.raises(OptionError, match=message):
            loaded["gradcam"].draw(ax=axes[0], **options)
    with pytest.raises(OptionError, match="no layer 'lat'; nearest: late"):
        loaded["umap"].draw(ax=axes[1], panel="lat")
    with pytest.raises(OptionError, match="panel 1 is out of range"):
        loaded["confusion_matrix"].draw(ax=axes[2], panel=1)


def test_three_components_need_3d_axes(found):
    from matplotlib.figure import Figure

    points = np.concatenate([found["umap"].embeddings, found["umap"].embeddings[..., :1]], axis=2)
    result = replace(found["umap"], embeddings=points)
    kind_of("umap").draw_panel(Figure().add_subplot(projection="3d"), result, 0)
    with pytest.raises(OptionError, match="three components need axes with projection='3d'"):
        kind_of("umap").draw_panel(Figure().subplots(), result, 0)


# --- schema version 1 --------------------------------------------------------------------------------


@pytest.mark.parametrize("method", RESULTS)
def test_schema_version_1_is_loaded(method):
    """Everything except the number of unlabelled inputs: these files have no result.json."""
    folder = CONTRACT_1 / method
    loaded = mlflow_interp.load(folder)
    manifest = json.loads((folder / "manifest.json").read_bytes())
    assert manifest["schema_version"] == 1
    assert loaded.metrics == manifest["metrics"]
    with np.load(folder / "arrays.npz") as arrays:
        assert set(loaded.arrays) == set(arrays)
        assert all(np.array_equal(loaded.arrays[name], arrays[name]) for name in arrays)
    assert table_json(loaded.result.table()) == (folder / "predictions.json").read_bytes()
    renamed = {"samples": "noise_samples"}
    assert {name: loaded.result.resolved[renamed.get(name, name)] for name in manifest["resolved"]} == {
        name: manifest["parameters"][name] for name in manifest["resolved"]
    }
    assert loaded.examples.names == tuple(manifest["inputs"]["names"])
    if method not in ("confusion_matrix", "caricature"):
        assert loaded.examples.images.shape == (2, 8, 8, 3)
    assert loaded.figure.get_figwidth() > 1


@pytest.mark.parametrize("method", RESULTS)
def test_the_figure_of_contract_1_is_drawn_as_figures_are_now(method):
    """Which model it was of is not in these files, only in their manifest, and not in the caption."""
    figure = mlflow_interp.load(CONTRACT_1 / method).figure
    assert figure.get_figwidth() <= 7
    assert "model" not in " ".join(text.get_text() for text in figure.texts).lower()
    with Image.open(BytesIO(png(figure))) as image:
        assert image.width == round(200 * figure.get_figwidth())


# --- errors ------------------------------------------------------------------------------------------


@pytest.fixture
def folder(tmp_path):
    shutil.copytree(CONTRACT_1 / "gradcam", tmp_path / "runs/gradcam")
    return tmp_path / "runs/gradcam"


def edited(folder, **changes):
    manifest = json.loads((folder / "manifest.json").read_bytes()) | changes
    (folder / "manifest.json").write_text(json.dumps(manifest))


def refusal(source):
    with pytest.raises(InputsError) as raised:
        mlflow_interp.load(source)
    message = str(raised.value)
    assert "\n" not in message
    return message


def test_folder_without_an_interpretation(folder, tmp_path):
    assert refusal(tmp_path / "nothing") == (
        f"there is no interpretation at '{tmp_path}/nothing': no manifest.json; give the folder of an "
        "interpretation, such as runs:/<run_id>/interpretations/gradcam"
    )
    assert refusal(folder.parent).endswith("no manifest.json; available: gradcam")


def test_blank_name():
    with pytest.raises(OptionError, match="is not a path; give"):
        mlflow_interp.load(" ")


def test_missing_run(store):
    message = refusal("runs:/abc/interpretations/gradcam")
    assert message.startswith("there is no interpretation at 'runs:/abc/interpretations/gradcam': ")
    assert "Run with id=abc not found; check its name and the tracking URI" in message


def test_missing_file(folder):
    (folder / "arrays.npz").unlink()
    assert refusal(folder).endswith("is incomplete: arrays.npz is missing")


def test_damaged_file(folder):
    (folder / "arrays.npz").write_bytes((folder / "arrays.npz").read_bytes()[:-9])
    assert "arrays.npz at " in refusal(folder)
    assert refusal(folder).endswith("is damaged: its sha256 differs from the one in manifest.json")


@pytest.mark.parametrize("content", [b"", b"[]", b"{}", b'{"schema_version": 1}', b"{" * 9000])
def test_damaged_manifest(folder, content):
    (folder / "manifest.json").write_bytes(content)
    assert "is damaged" in refusal(folder)


def test_later_schema_version(folder):
    edited(folder, schema_version=3)
    assert "has schema version 3, but only versions up to 2 can be loaded; update mlflow_interp" in refusal(
        folder
    )


def test_unknown_method(folder):
    edited(folder, method="os.path")
    assert "can't be loaded: no method 'os.path'" in refusal(folder)


def test_manifest_with_files_outside_the_folder(folder):
    (folder.parent / "secret").write_text("x")
    edited(folder, files={"../secret": "0" * 64})
    assert refusal(folder).endswith("is incomplete: ../secret is missing")


def test_arrays_of_objects_are_not_unpickled(folder):
    import hashlib

    with np.load(folder / "arrays.npz") as arrays:
        held = {name: arrays[name] for name in arrays}
    np.savez(folder / "arrays.npz", **held | {"heatmaps": np.array([object()])}, allow_pickle=True)
    manifest = json.loads((folder / "manifest.json").read_bytes())
    digest = hashlib.sha256((folder / "arrays.npz").read_bytes()).hexdigest()
    edited(folder, files=manifest["files"] | {"arrays.npz": digest})
    assert "is damaged: ValueError: Object arrays cannot be loaded when allow_pickle=False" in refusal(folder)
