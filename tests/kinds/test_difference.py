"""Differences of results of each kind, compared with hand calculation."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

import mlflow_interp
from mlflow_interp.core.examples import Examples, Explained
from mlflow_interp.drawing.style import png
from mlflow_interp.exceptions import InputsError, InterpretationWarning
from mlflow_interp.kinds.confusion_matrix import from_predictions
from mlflow_interp.kinds.heatmap.result import HeatmapResult
from mlflow_interp.kinds.matching import examples_at, match
from mlflow_interp.kinds.saliency.result import SaliencyResult
from mlflow_interp.method_registry import kind_of
from mlflow_interp.report.folder import read_entries
from tests.interpretations import examples, results
from tests.report.test_load import small_images, write


def examples_of(names, *, digests=None, indices=None, classes=None):
    """Inputs of two classes, each with an image whose pixels equal its position."""
    count = len(names)
    classes = np.array([0] * count if classes is None else classes)
    images = np.broadcast_to(np.arange(count, dtype=np.uint8)[:, None, None, None], (count, 8, 8, 3)).copy()
    return Examples(
        indices=np.arange(count) if indices is None else np.array(indices),
        names=tuple(names),
        labels=np.zeros(count, np.int64),
        classes=np.stack([classes, 1 - classes], axis=1),
        probabilities=np.full((count, 2), 0.5, np.float32),
        class_names=("cat", "dog"),
        images=images,
        digests=None if digests is None else np.tile(np.uint8(digests)[:, np.newaxis], (1, 16)),
    )


def explained_of(shown, probabilities, targets=None):
    count = len(shown)
    targets = np.zeros(count, np.int64) if targets is None else np.array(targets)
    return Explained(shown, targets, np.ones(count, np.float32), np.float32(probabilities), "softmax")


# --- matching inputs -----------------------------------------------------------------------------------


def test_inputs_are_matched_by_digest_not_by_name_or_position():
    one = examples_of(["a", "b", "c"], digests=[1, 2, 3])
    other = examples_of(["x", "y", "z", "w"], digests=[3, 9, 1, 1])
    found = match(one, other)
    assert (found.rows.tolist(), found.other_rows.tolist()) == ([0, 2], [2, 0])
    assert found.left_out == (1, 2)
    assert found.warnings() == [
        "only 2 inputs can be compared: 1 of the first result and 2 of the second are left out, as the other "
        "result does not have them"
    ]


def test_equal_inputs_are_matched_in_order():
    found = match(
        examples_of(["a", "b", "c"], digests=[7, 7, 7]), examples_of(["d", "e", "f"], digests=[7, 1, 7])
    )
    assert (found.rows.tolist(), found.other_rows.tolist()) == ([0, 1], [0, 2])


def test_without_digests_inputs_are_matched_by_position_and_name():
    one = examples_of(["a", "b", "a"], indices=[0, 1, 5], digests=[1, 2, 3])
    other = examples_of(["a", "a"], indices=[5, 1])
    found = match(one, other)
    assert (found.rows.tolist(), found.other_rows.tolist()) == ([2], [0])


def test_results_without_common_inputs_are_rejected():
    with pytest.raises(InputsError) as raised:
        match(examples_of(["a"] * 5, digests=[1] * 5), examples_of(["b"], digests=[2]))
    assert str(raised.value) == (
        "the results have no input in common: the first has 'a', 'a', 'a', … (5 inputs), the second 'b' "
        "(1 input); interpret the same inputs with both models"
    )


# --- kinds ---------------------------------------------------------------------------------------------


def heatmaps(names, values, probabilities, **fields):
    fields = {"digests": None, "targets": None, "layer": "late"} | fields
    explained = explained_of(
        examples_of(names, digests=fields.pop("digests")), probabilities, fields.pop("targets")
    )
    return HeatmapResult(explained, np.float32(values), **fields)


def test_signed_heatmaps_are_subtracted_by_input():
    one = heatmaps(["a", "b"], [[[3, -1]], [[0, 2]]], [0.75, 0.5], digests=[1, 2], title="LayerCAM")
    other = heatmaps(["b", "c"], [[[1, 5]], [[9, 9]]], [0.25, 1.0], digests=[2, 3], title="LayerCAM")
    found = one.difference(other)
    np.testing.assert_array_equal(found.heatmaps, [[[-1, -3]]])
    np.testing.assert_array_equal(found.arrays()["heatmaps"], [[[-1, -3]]])
    assert found.examples.names == ("b",)
    assert found.examples.images[0, 0, 0, 0] == 1  # the image of b in the first
    assert (found.relu, found.title) == (False, "Difference of LayerCAM")
    assert found.metrics()["target_probability"] == pytest.approx(0.25)
    assert found.metrics()["inputs"] == 1
    # In both, half of the positive heat of "b" is at one position of two, so its focus does not change.
    assert found.metrics()["focus"] == 0
    assert found.table() == {
        "input": ["b"], "label": ["cat"], "target": ["cat"], "other_target": ["cat"], "predicted": ["cat"],
        "other_predicted": ["cat"], "target_probability_change": [0.25], "mean_absolute_difference": [2.0],
    }  # fmt: skip
    assert found.warnings() == [
        "only 1 input can be compared: 1 of the first result and 1 of the second are left out, as the other "
        "result does not have them"
    ]


def test_different_targets_give_a_warning():
    one = heatmaps(["a", "b"], np.zeros((2, 1, 2)), [0.5, 0.5], targets=[0, 1])
    other = heatmaps(["a", "b"], np.zeros((2, 1, 2)), [0.5, 0.5], targets=[0, 0])
    assert (
        one.difference(other).warnings()[0].startswith("the two results explain different classes for 1 of 2")
    )


def contrasted(result, contrast, classes=None):
    """The result as if its classes were contrasted with others."""
    classes = None if classes is None else np.array(classes)
    return replace(result, explained=replace(result.explained, contrast=contrast, contrasts=classes))


@pytest.mark.parametrize(
    ("contrasts", "message"),
    [
        ((("", None), ("others", None)), "maps contrasted with nothing and with all other classes can't be"),
        (
            (("runner-up", [[1], [1]]), ("classes", [[1], [1]])),
            "maps contrasted with the runner-up and with dog",
        ),
        (
            (("classes", [[0], [0]]), ("classes", [[1], [1]])),
            "maps contrasted with cat and with dog can't be",
        ),
    ],
)
@pytest.mark.parametrize("kind", ["heatmap", "saliency"])
def test_maps_of_different_contrasts_are_rejected(kind, contrasts, message):
    shown = heatmaps(["a", "b"], np.zeros((2, 1, 2)), [0.5, 0.5])
    if kind == "saliency":
        maps = np.zeros((2, 3, 3, 1), np.float32)
        shown = SaliencyResult(shown.explained, maps, maps, maps, np.zeros(2, np.float32), 1)
    one, other = (contrasted(shown, *each) for each in contrasts)
    with pytest.raises(InputsError) as error:
        one.difference(other)
    assert str(error.value).startswith(message)
    assert str(error.value).endswith("use the same contrast for both")


def test_same_contrasts_are_subtracted():
    """Of classes in any order; of results stored before there was a contrast; of other runners-up too."""
    shown = heatmaps(["a", "b"], np.zeros((2, 1, 2)), [0.5, 0.5])
    for first, second in (
        (("classes", [[0, 1]] * 2), ("classes", [[1, 0]] * 2)),
        (("others", None), ("others", None)),
        ((None, None), ("", None)),
        (("runner-up", [[0], [1]]), ("runner-up", [[0], [1]])),
    ):
        assert contrasted(shown, *first).difference(contrasted(shown, *second)).warnings() == []
    one, other = (contrasted(shown, "runner-up", each) for each in ([[0], [1]], [[1], [1]]))
    found = one.difference(other)
    assert found.warnings() == [
        "the runner-up differs between the two results for 1 of 2 inputs; contrast both with a class to see "
        "the change for one pair of classes"
    ]
    assert found.explained.contrasts.tolist() == [[0], [1]]
    assert (found.table()["contrast"], found.table()["other_contrast"]) == (["cat", "dog"], ["dog", "dog"])


def test_heatmaps_of_different_shapes_are_rejected():
    one = heatmaps(["a"], np.zeros((1, 7, 7)), [0.5])
    other = heatmaps(["a"], np.zeros((1, 14, 14)), [0.5], layer="early")
    with pytest.raises(InputsError, match="heatmaps of 7 × 7 at 'late' and of 14 × 14 at 'early' can't"):
        one.difference(other)


def test_saliency_maps_are_subtracted_with_channels_and_sign():
    maps = np.float32([[[[1, -2]]], [[[3, 4]]]])  # (2, 1, 1, 2)
    shown = examples_of(["a", "b"], digests=[1, 2])
    one = SaliencyResult(
        explained_of(shown, [0.5, 0.5]), maps, 2 * maps, 3 * maps, np.float32([0.5, 0.25]), 7
    )
    shown = examples_of(["b", "a"], digests=[2, 1])
    other = SaliencyResult(explained_of(shown, [0.5, 0.5]), maps, maps, maps, np.float32([0.125, 0.125]), 7)
    found = one.difference(other)
    np.testing.assert_array_equal(found.gradients, [[[[-2, -6]]], [[[2, 6]]]])
    np.testing.assert_array_equal(found.smooth_gradients, [[[[-1, -8]]], [[[5, 10]]]])
    np.testing.assert_array_equal(found.integrated_gradients, [[[[0, -10]]], [[[8, 14]]]])
    np.testing.assert_array_equal(found.completeness_gaps, [0.375, 0.125])
    assert found.metrics()["completeness_gap"] == 0.25
    assert found.warnings() == []


def test_caricatures_are_compared_by_their_cosines():
    shown = examples(3, pictures=small_images(3))
    one = results(shown)["caricature"]
    cosines = one.cosines - np.float32([[0.5, 0, 0.25], [0.5, 0, 0.25], [0.5, 0, -0.5]])
    found = one.difference(replace(one, cosines=cosines))
    np.testing.assert_allclose(found.cosines, [[0.5, 0, 0.25], [0.5, 0, 0.25], [0.5, 0, -0.5]], atol=1e-6)
    assert found.metrics()["cosine/late"] == pytest.approx(0, abs=1e-6)
    assert found.metrics()["cosine/early"] == pytest.approx(0.5)
    assert found.table()["cosine_change at early"] == pytest.approx([0.5] * 3)
    with pytest.raises(InputsError, match="caricatures at early, middle, late and at a, b, c can't be"):
        one.difference(replace(one, layers=("a", "b", "c")))


def test_embeddings_are_subtracted_after_alignment():
    """A square rotated, mirrored, doubled and shifted is the same; one corner moved by (3, 0) is not."""
    shown = examples(4, pictures=small_images(4))
    before = np.float32([[0, 0], [2, 0], [2, 2], [0, 2]])
    turned = 2 * before[:, ::-1] * np.float32([1, -1]) + np.float32([7, -3])
    base = replace(results(shown)["umap"], layers=("late",), measures={"trustworthiness": np.array([0.75])})
    one = replace(base, embeddings=turned[:, np.newaxis])
    other = replace(base, embeddings=before[:, np.newaxis], measures={"trustworthiness": np.array([0.5])})
    found = one.difference(other)
    np.testing.assert_allclose(found.displacements, np.zeros((4, 1, 2)), atol=1e-5)
    assert found.metrics()["distance"] == pytest.approx(0, abs=1e-5)
    assert found.metrics()["trustworthiness"] == 0.25
    # Points on a line: centres 1 and 1, squares 1 + 0 + 1 of the second and 4 + 0 + 4 of the first, so that
    # its scale is (2 + 2) / 8 = 1/2, and it comes to lie on the second.
    line = replace(base, embeddings=np.float32([[-1], [1], [3], [1]])[:, np.newaxis])
    onto = replace(base, embeddings=np.float32([[0], [1], [2], [5]])[:, np.newaxis])
    # Centres 1 and 2; products -2·-2 + 0 + 2·0 + 0 = 4 over squares 8: from 2 + (x - 1) / 2.
    found = line.difference(onto)
    np.testing.assert_allclose(found.displacements[:, 0, 0], [1, 1, 1, -3], atol=1e-5)
    # The spread is sqrt((4 + 1 + 0 + 9) / 4) = sqrt(3.5).
    np.testing.assert_allclose(found.distances[:, 0], np.float32([1, 1, 1, 3]) / np.sqrt(3.5), rtol=1e-5)


def test_counts_are_subtracted_by_class_name():
    one = from_predictions(["a", "a", "b"], ["a", "b", "b"], class_names=["a", "b"])
    other = from_predictions(["a", "a", "b", "b"], ["a", "a", "a", "b"], class_names=["b", "a"])
    found = one.difference(other)
    np.testing.assert_array_equal(found.counts, [[1 - 2, 1 - 0], [0 - 1, 1 - 1]])
    assert found.names == ("a", "b")
    assert found.metrics()["accuracy"] == pytest.approx(2 / 3 - 3 / 4)
    assert found.table()["recall_change"] == pytest.approx([0.5 - 1.0, 1.0 - 0.5])
    assert found.warnings() == [
        "the first matrix counts 3 inputs and the second 4; compare shares (normalize='true'), not counts"
    ]


def test_classes_without_names_are_matched_by_index():
    one, other = from_predictions([0, 1], [0, 1]), from_predictions([0, 1], [1, 1], class_names=["a", "b"])
    np.testing.assert_array_equal(one.difference(other).counts, [[1, -1], [0, 0]])


def test_weights_and_several_labels_are_subtracted():
    one = from_predictions([0, 1], [0, 1], weights=[0.5, 2.0])
    other = from_predictions([0, 1], [1, 1], weights=[1.0, 1.0])
    np.testing.assert_array_equal(one.difference(other).weighted, [[0.5, -1.0], [0, 1.0]])
    labels = [[1, 0, 1], [0, 0, 0]]
    one, other = (from_predictions(labels, np.float32([row] * 2)) for row in ([0.9, 0, 0.9], [0.9, 0.9, 0]))
    counts = one.difference(other).counts
    np.testing.assert_array_equal(counts[0], np.zeros((2, 2)))
    np.testing.assert_array_equal(counts[1], [[2, -2], [0, 0]])
    np.testing.assert_array_equal(counts[2], [[-1, 1], [-1, 1]])


def test_different_classes_are_rejected():
    one = from_predictions(["a", "b"], ["a", "b"], class_names=["a", "b"])
    other = from_predictions(["a", "c"], ["a", "c"], class_names=["a", "c", "d"])
    with pytest.raises(InputsError) as raised:
        one.difference(other)
    assert str(raised.value) == (
        "the confusion matrices have different classes: only the first has 'b', only the second 'c', 'd'"
    )
    with pytest.raises(InputsError, match="the first '0', '1', the second '0', '1', '2'"):
        from_predictions([0, 1], [0, 1]).difference(from_predictions([0, 2], [0, 1]))
    several = from_predictions([[1, 0, 1], [0, 0, 0]], np.float32([[0.9, 0, 0.9]] * 2))
    with pytest.raises(InputsError, match="one confusion matrix has several labels"):
        several.difference(one)


# --- drawing, operator, saving ---------------------------------------------------------------------------


@pytest.fixture(scope="module")
def pair():
    """By method, two results of twelve inputs."""
    shown = examples(12, pictures=small_images(12))
    again = examples(12, pictures=small_images(12), wrong=3)
    return {method: (result, results(again)[method]) for method, result in results(shown).items()}


@pytest.mark.parametrize("method", ["gradcam", "saliency", "caricature", "umap", "confusion_matrix"])
def test_differences_are_drawn_as_figures_and_into_axes(pair, method):
    from matplotlib.figure import Figure

    found = pair[method][0].difference(pair[method][1])
    figure = kind_of(method).draw(found)
    assert png(figure) == png(kind_of(method).draw(found))
    axes = Figure().subplots()
    kind_of(method).draw_panel(axes, found, 0)
    assert axes.has_data()


@pytest.mark.parametrize("components", [1, 3])
def test_displacements_of_one_and_three_components_are_drawn(pair, components):
    points = np.concatenate([pair["umap"][0].embeddings] * 2, axis=2)[..., :components]
    first = replace(pair["umap"][0], embeddings=points)
    second = replace(pair["umap"][1], embeddings=points[::-1].copy())
    assert kind_of("umap").draw(first.difference(second)).axes[0].has_data()


@pytest.mark.parametrize("normalize", ["none", "true", "all"])
def test_differences_of_several_labels_and_many_classes_are_drawn(normalize):
    labels = [[1, 0, 1], [0, 0, 0]]
    one, other = (from_predictions(labels, np.float32([row] * 2)) for row in ([0.9, 0, 0.9], [0.9, 0.9, 0]))
    assert kind_of("confusion_matrix").draw(one.difference(other), normalize=normalize)
    many, others = (from_predictions(np.arange(100), (np.arange(100) + by) % 100) for by in (0, 1))
    assert kind_of("confusion_matrix").draw(many.difference(others), normalize=normalize)


@pytest.mark.filterwarnings("ignore:the two results explain different classes")
@pytest.mark.parametrize("method", ["gradcam", "saliency", "caricature", "umap", "confusion_matrix"])
def test_interpretations_are_subtracted_and_saved(pair, method, tmp_path):
    for side, result in zip("ab", pair[method], strict=True):
        write(tmp_path / side / method, method, result, with_page=False)
    one, other = (mlflow_interp.load(tmp_path / side / method) for side in "ab")
    found = one - other
    expected = pair[method][0].difference(pair[method][1])
    for name, array in expected.arrays().items():
        np.testing.assert_array_equal(found.arrays[name], array)
    assert found.metrics == expected.metrics()
    saved = found.save(tmp_path)
    assert saved == tmp_path / f"{method}-difference"
    assert (saved / "figure.png").read_bytes() == png(found.figure) == found._repr_png_()
    manifest = json.loads((saved / "manifest.json").read_bytes())
    names = {path.name for path in saved.iterdir()}
    assert names == {"figure.png", "figure.svg", "predictions.json", "arrays.npz", "manifest.json"}
    assert set(manifest["files"]) == names - {"manifest.json"}
    assert b"<svg" in (saved / "figure.svg").read_bytes()[:1000]
    assert manifest["difference"]["minuend"]["model"]["uri"] == "models:/sights/3"
    assert manifest["metrics"] == expected.metrics()
    with pytest.raises(InputsError, match="is a difference of two interpretations; load both, and subtract"):
        mlflow_interp.load(saved)
    assert read_entries(tmp_path) == []  # a folder's page shows one model


def test_warnings_of_a_difference_point_to_the_caller(pair, tmp_path):
    first, second = pair["gradcam"]
    explained = replace(first.explained, targets=1 - first.explained.targets)
    write(tmp_path / "a", "gradcam", replace(first, explained=explained), with_page=False)
    write(tmp_path / "b", "gradcam", second, with_page=False)
    one, other = mlflow_interp.load(tmp_path / "a"), mlflow_interp.load(tmp_path / "b")
    with pytest.warns(InterpretationWarning, match="explain different classes") as caught:
        _ = one - other
    assert caught[0].filename == __file__


def test_different_kinds_cannot_be_subtracted(pair, tmp_path):
    for method in ("gradcam", "umap"):
        write(tmp_path / method, method, pair[method][0], with_page=False)
    one, other = (mlflow_interp.load(tmp_path / method) for method in ("gradcam", "umap"))
    with pytest.raises(InputsError, match="gradcam and umap give different kinds of results"):
        _ = one - other
    with pytest.raises(TypeError):
        _ = one - 3


def test_difference_of_selections_has_no_accuracy():
    """A selection that prefers errors still does when its inputs are matched with those of another."""
    shown = examples(6, pictures=np.zeros((6, 8, 8, 3), np.uint8))
    selected = replace(shown, is_selection=True)
    assert examples_at(selected, np.array([4, 1])).is_selection
    assert not examples_at(shown, np.array([4, 1])).is_selection
