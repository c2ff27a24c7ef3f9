"""Two versions compared end to end: in memory, from the registry, from runs, in the shell."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest

import mlflow_interp
from mlflow_interp.exceptions import InputsError, ModelError, OptionError

QUIET = {"quiet": True, "log": False}


@pytest.fixture(scope="module")
def lost(versions: dict[str, Any]) -> mlflow_interp.Comparison:
    """The comparison with a version that has lost a class."""
    return mlflow_interp.compare(
        versions["old"], versions["lost"], versions["inputs"], labels=versions["labels"], **QUIET
    )


class TestNumbers:
    def test_a_version_and_itself(self, versions: dict[str, Any]) -> None:
        """Every number is 0 or 1 exactly, and the gate passes."""
        found = mlflow_interp.compare(
            versions["old"], versions["old"], versions["inputs"], labels=versions["labels"], **QUIET
        )
        assert found.passed
        assert found.metrics.pop("inputs") == 300
        ones = {"correlation/gradcam", "overlap/gradcam", "kept/gradcam", "cka", "neighbour_overlap"}
        for name, value in found.metrics.items():
            if name != "inputs":
                assert value == pytest.approx(1 if name in ones else 0, abs=1e-6), name
        assert found.flips["input"] == []

    def test_are_those_of_the_models_own_predictions(
        self, versions: dict[str, Any], lost: mlflow_interp.Comparison
    ) -> None:
        old, new = (
            versions[name].predict(versions["inputs"], verbose=0).argmax(axis=1) for name in ("old", "lost")
        )
        labels = versions["labels"]
        metrics = lost.metrics
        assert metrics["accuracy_drop"] == pytest.approx((old == labels).mean() - (new == labels).mean())
        assert metrics["churn"] == pytest.approx((old != new).mean())
        flipped = np.flatnonzero((old == labels) & (new != labels))
        assert metrics["negative_flips"] == pytest.approx(len(flipped) / 300)
        assert sorted(lost.flips["input"]) == sorted(f"#{index}" for index in flipped)
        assert lost.flips["old_probability"] == sorted(lost.flips["old_probability"], reverse=True)

    @pytest.mark.filterwarnings("ignore:.*heatmaps are empty")
    def test_heatmaps_are_of_the_same_class(
        self, versions: dict[str, Any], lost: mlflow_interp.Comparison
    ) -> None:
        """The agreement is that of the heatmaps of each version for the label."""
        maps = [
            mlflow_interp.visualize_gradcam(
                versions[name], versions["inputs"], labels=versions["labels"], target="label", **QUIET
            ).heatmaps.reshape(300, -1)
            for name in ("old", "lost")
        ]
        from scipy.stats import spearmanr

        agreements = lost.result.paired.agreements["gradcam"].correlation
        for row in range(0, 300, 37):
            expected = spearmanr(maps[0][row], maps[1][row]).statistic
            assert agreements[row] == pytest.approx(expected, abs=1e-4)

    def test_without_labels_the_class_is_what_the_old_version_predicts(
        self, versions: dict[str, Any]
    ) -> None:
        found = mlflow_interp.compare(versions["old"], versions["lost"], versions["inputs"], **QUIET)
        predicted = versions["old"].predict(versions["inputs"], verbose=0).argmax(axis=1)
        np.testing.assert_array_equal(found.result.old.targets, predicted)
        np.testing.assert_array_equal(found.result.new.targets, predicted)
        assert "accuracy_drop" not in found.metrics
        assert "churn" in found.metrics

    def test_a_class_that_is_stated(self, versions: dict[str, Any]) -> None:
        found = mlflow_interp.compare(
            versions["old"],
            versions["lost"],
            versions["inputs"],
            labels=versions["labels"],
            target=3,
            **QUIET,
        )
        assert (found.result.old.targets == 3).all()
        assert (found.result.new.targets == 3).all()

    def test_a_part_of_the_inputs(self, versions: dict[str, Any]) -> None:
        found = mlflow_interp.compare(
            versions["old"],
            versions["lost"],
            versions["inputs"],
            labels=versions["labels"],
            max_inputs=60,
            **QUIET,
        )
        np.testing.assert_array_equal(found.result.examples.indices, np.arange(60) * 5)
        np.testing.assert_array_equal(found.result.new.targets, versions["labels"][::5])

    def test_batches_change_nothing(self, versions: dict[str, Any], lost: mlflow_interp.Comparison) -> None:
        other = mlflow_interp.compare(
            versions["old"],
            versions["lost"],
            versions["inputs"],
            labels=versions["labels"],
            batch_size=7,
            **QUIET,
        )
        assert other.metrics == pytest.approx(lost.metrics, abs=1e-4)
        np.testing.assert_array_equal(other.result.shown, lost.result.shown)

    def test_methods_of_many_passes_explain_the_same_sample(self, versions: dict[str, Any]) -> None:
        found = mlflow_interp.compare(
            versions["old"],
            versions["seed"],
            versions["inputs"],
            {"gradcam": {}, "saliency": {"noise_samples": 2, "max_explained": 24}},
            labels=versions["labels"],
            anchors=False,
            **QUIET,
        )
        agreements = found.result.paired.agreements
        assert np.isfinite(agreements["saliency/integrated_gradients"].correlation).sum() == 24
        assert np.isfinite(agreements["gradcam"].correlation).sum() == 300
        assert "kept/gradcam" not in found.metrics

    def test_quality_of_both(self, versions: dict[str, Any]) -> None:
        found = mlflow_interp.compare(
            versions["old"],
            versions["seed"],
            versions["inputs"],
            "gradcam,quality",
            labels=versions["labels"],
            quick=True,
            max_explained=24,
            anchors=False,
            groups=np.arange(300) // 3,
            **QUIET,
        )
        assert found.result.numbers["faithfulness_drop/gradcam"].count == 24
        assert "faithfulness_drop/gradcam" in [each["rule"] for each in found.report["rules"]]


class TestReading:
    """Inputs are read once and given to all versions."""

    def test_a_dataset_that_can_be_read_only_once(
        self, versions: dict[str, Any], lost: mlflow_interp.Comparison
    ) -> None:
        import tensorflow as tf

        elements = iter(list(zip(versions["inputs"], versions["labels"], strict=True)))
        pixels = versions["inputs"]
        signature = (tf.TensorSpec(pixels.shape[1:], pixels.dtype), tf.TensorSpec((), tf.int64))
        once = tf.data.Dataset.from_generator(lambda: elements, output_signature=signature)
        found = mlflow_interp.compare(versions["old"], versions["lost"], once, **QUIET)
        assert found.metrics == lost.metrics
        arrays = found.result.arrays()
        for name, expected in lost.result.arrays().items():
            np.testing.assert_array_equal(arrays[name], expected, err_msg=name)

    def test_numbers_are_those_of_inputs_read_apart(
        self, versions: dict[str, Any], lost: mlflow_interp.Comparison, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        from mlflow_interp.comparing import sides
        from mlflow_interp.data.prepare import load_inputs

        monkeypatch.setattr(
            sides,
            "load_inputs_for",
            lambda inputs, models, **options: [load_inputs(inputs, each, **options) for each in models],
        )
        found = mlflow_interp.compare(
            versions["old"], versions["lost"], versions["inputs"], labels=versions["labels"], **QUIET
        )
        assert found.metrics == lost.metrics


class TestOtherMethods:
    def test_their_difference_is_shown(self, versions: dict[str, Any], tmp_path: Path) -> None:
        found = mlflow_interp.compare(
            versions["old"],
            versions["lost"],
            versions["inputs"],
            "gradcam,confusion_matrix",
            labels=versions["labels"],
            anchors=False,
            save=str(tmp_path),
            **QUIET,
        )
        difference = found.result.differences["confusion_matrix"].counts
        old, new = (
            versions[name].predict(versions["inputs"], verbose=0).argmax(axis=1) for name in ("old", "lost")
        )
        eights = versions["labels"] == 8
        assert difference[8, 3] == (new[eights] == 3).sum() - (old[eights] == 3).sum()
        assert difference.sum() == 0
        assert (tmp_path / "comparison" / "confusion_matrix.png").is_file()
        assert "confusion matrix" in (tmp_path / "comparison" / "figure.html").read_text().lower()

    def test_representations_are_compared(
        self, versions: dict[str, Any], lost: mlflow_interp.Comparison
    ) -> None:
        """By the layer of 32 features, as a model without the head gives them."""
        import keras

        from mlflow_interp.comparison.representation import debiased_cka

        vectors = [
            keras.Model(versions[name].inputs, versions[name].get_layer("features").output).predict(
                versions["inputs"], verbose=0
            )
            for name in ("old", "lost")
        ]
        assert lost.metrics["cka"] == pytest.approx(debiased_cka(*vectors), abs=1e-4)
        assert "cka" not in lost.result.numbers  # so that no rule can be about it


class TestClasses:
    def test_in_another_order_are_matched_by_name(self, versions: dict[str, Any]) -> None:
        """A version whose classes are reversed, and that is otherwise the same."""
        import keras

        old = versions["old"]
        order = np.arange(9, -1, -1)
        reverse = keras.models.clone_model(old)
        reverse.set_weights([*old.get_weights()[:-2], *(each[..., order] for each in old.get_weights()[-2:])])
        names = [f"digit {index}" for index in range(10)]

        def with_names(model: Any, own: list[str]) -> Any:
            from dataclasses import replace

            loaded = mlflow_interp.load_model(model)
            return replace(loaded, metadata={"class_names": own})

        labels = [names[label] for label in versions["labels"]]
        found = mlflow_interp.compare(
            with_names(old, names),
            with_names(reverse, names[::-1]),
            versions["inputs"],
            labels=labels,
            **QUIET,
        )
        assert found.metrics["churn"] == 0
        assert found.metrics["accuracy_drop"] == 0
        assert found.metrics["correlation/gradcam"] == pytest.approx(1, abs=1e-4)
        assert found.metrics["probability_shift"] == pytest.approx(0, abs=1e-5)

    def test_that_differ_are_refused(self, versions: dict[str, Any]) -> None:
        import keras

        two = keras.Sequential(
            [
                keras.Input((8, 8, 1)),
                keras.layers.Conv2D(2, 3),
                keras.layers.Flatten(),
                keras.layers.Dense(2, activation="softmax"),
            ]
        )
        with pytest.raises(InputsError, match="the old version has 10 classes, and the new one 2"):
            mlflow_interp.compare(versions["old"], two, versions["inputs"], **QUIET)


class TestOtherArchitectures:
    def test_grids_of_other_sizes(self, versions: dict[str, Any]) -> None:
        import keras

        keras.utils.set_random_seed(3)
        layers = keras.layers
        other = keras.Sequential(
            [
                keras.Input((8, 8, 1)),
                layers.Rescaling(1 / 255),
                layers.Conv2D(8, 3, padding="same", activation="relu"),
                layers.Flatten(),
                layers.Dense(10, activation="softmax"),
            ]
        )
        found = mlflow_interp.compare(
            versions["old"], other, versions["inputs"], labels=versions["labels"], **QUIET
        )
        assert not found.passed
        assert np.isfinite(found.metrics["correlation/gradcam"])
        assert found.result.pairs[0].has_difference is False
        assert found.figure is not None


class TestGate:
    def test_names_the_class_that_is_lost(self, lost: mlflow_interp.Comparison) -> None:
        assert not lost.passed
        assert lost.verdict == "failed"
        rules = {each["rule"]: each for each in lost.report["rules"]}
        assert rules["class_accuracy_drop"]["status"] == "failed"
        assert "'8'" in rules["class_accuracy_drop"]["reason"]

    def test_none(self, versions: dict[str, Any]) -> None:
        found = mlflow_interp.compare(
            versions["old"],
            versions["lost"],
            versions["inputs"],
            labels=versions["labels"],
            gate="none",
            **QUIET,
        )
        assert found.passed
        assert found.verdict == ""
        assert found.report["rules"] == []

    def test_references(self, versions: dict[str, Any]) -> None:
        found = mlflow_interp.compare(
            versions["old"],
            versions["lost"],
            versions["inputs"],
            labels=versions["labels"],
            reference=[versions["seed"]] * 3,
            **QUIET,
        )
        rules = {each["rule"]: each for each in found.report["rules"]}
        assert "with 3 references" in rules["negative_flips"]["reason"]
        assert rules["class_explanation_kept/gradcam"]["action"] == "warn"
        assert rules["explanation_kept/gradcam"]["action"] == "fail"
        self._table(found, versions)

    def _table(self, found: mlflow_interp.Comparison, versions: dict[str, Any]) -> None:
        """The old version, the new one and each reference, with the models' own predictions."""
        right = {
            name: versions[name].predict(versions["inputs"], verbose=0).argmax(axis=1) == versions["labels"]
            for name in ("old", "lost", "seed")
        }
        rows = found.report["versions"]
        assert [each["role"] for each in rows] == ["old", "new", *["reference"] * 3]
        for row, name in zip(rows, ("old", "lost", "seed", "seed", "seed"), strict=True):
            assert row["accuracy"]["value"] == pytest.approx(right[name].mean())
            if name != "old":
                flips = (right["old"] & ~right[name]).mean()
                assert row["negative_flips"]["value"] == pytest.approx(flips)
                assert -1 < row["agreement"]["gradcam"]["value"] < 1
        assert rows[0]["negative_flips"] is None
        files = found.interpretation._files  # type: ignore[union-attr]
        summary = files["summary.md"].decode()
        assert summary.count("| reference |") == 3
        assert "negative flips against old" in files["figure.html"].decode()

    def test_a_first_release(self, versions: dict[str, Any], store: str) -> None:
        with pytest.raises(ModelError):
            mlflow_interp.compare("models:/nothing/1", versions["old"], versions["inputs"], **QUIET)
        found = mlflow_interp.compare(
            "models:/nothing/1", versions["old"], versions["inputs"], if_old_missing="pass", **QUIET
        )
        assert found.passed
        assert found.report["old"] is None
        with pytest.raises(InputsError, match="no old version"):
            _ = found.flips

    def test_an_old_version_that_can_not_be_used_is_no_first_release(
        self, versions: dict[str, Any], tmp_path: Path
    ) -> None:
        broken = tmp_path / "old.keras"
        broken.write_bytes(b"")
        with pytest.raises(ModelError, match="is empty"):
            mlflow_interp.compare(
                str(broken), versions["old"], versions["inputs"], if_old_missing="pass", **QUIET
            )

    def test_a_reference_whose_classes_are_in_another_order(self, versions: dict[str, Any]) -> None:
        """It agrees with the old version fully, once its classes are matched by name."""
        import keras

        old = versions["old"]
        order = np.arange(9, -1, -1)
        reverse = keras.models.clone_model(old)
        reverse.set_weights([*old.get_weights()[:-2], *(each[..., order] for each in old.get_weights()[-2:])])
        names = [f"digit {index}" for index in range(10)]

        def named(model: Any, own: list[str]) -> Any:
            from dataclasses import replace

            return replace(mlflow_interp.load_model(model), metadata={"class_names": own})

        found = mlflow_interp.compare(
            named(old, names),
            named(versions["seed"], names),
            versions["inputs"][:60],
            labels=[names[label] for label in versions["labels"][:60]],
            reference=[named(reverse, names[::-1])],
            anchors=False,
            **QUIET,
        )
        row = found.report["versions"][2]
        assert row["negative_flips"]["value"] == 0
        assert row["agreement"]["gradcam"]["value"] == pytest.approx(1, abs=1e-4)

    def test_groups(self, versions: dict[str, Any]) -> None:
        found = mlflow_interp.compare(
            versions["old"],
            versions["lost"],
            versions["inputs"],
            labels=versions["labels"],
            groups=np.arange(300) // 3,
            **QUIET,
        )
        rules = {each["rule"]: each for each in found.report["rules"]}
        assert "sign test of 100 groups" in rules["accuracy_drop"]["reason"]
        assert "belong to 100 groups" in found.report["grouping"]
        assert "belong to 100 groups" in found.interpretation._files["figure.html"].decode()  # type: ignore[union-attr]
        with pytest.raises(InputsError, match="there are 7 groups for 300 inputs; give one for each"):
            mlflow_interp.compare(
                versions["old"], versions["lost"], versions["inputs"], groups=np.arange(7), **QUIET
            )


class TestBadInput:
    def test_is_refused(self, versions: dict[str, Any], tmp_path: Path) -> None:
        arguments = (versions["old"], versions["seed"], versions["inputs"][:5])
        with pytest.raises(InputsError, match="have 5 inputs in common; give at least 20"):
            mlflow_interp.compare(*arguments, **QUIET)
        with pytest.raises(OptionError, match="no rule 'acuracy'"):
            mlflow_interp.compare(*arguments, gate={"acuracy": 1}, **QUIET)
        with pytest.raises(OptionError, match=r"gate .*can't be read"):
            mlflow_interp.compare(*arguments, gate=str(tmp_path / "gate.yaml"), **QUIET)
        with pytest.raises(OptionError, match="no undecided 'maybe'"):
            mlflow_interp.compare(*arguments, undecided="maybe", **QUIET)

    def test_a_layer_that_only_one_version_has(self, versions: dict[str, Any], tmp_path: Path) -> None:
        import keras

        other = keras.models.clone_model(versions["old"])
        other.layers[1].name = "renamed"
        with pytest.raises(OptionError, match="first"):
            mlflow_interp.compare(
                versions["old"], other, versions["inputs"], layer="first", save=str(tmp_path), **QUIET
            )
        assert not list(tmp_path.rglob("report.json"))

    def test_values_instead_of_classes(self, versions: dict[str, Any]) -> None:
        import keras

        model = keras.Sequential(
            [keras.Input((8, 8, 1)), keras.layers.Conv2D(2, 3), keras.layers.Flatten(), keras.layers.Dense(1)]
        )
        model.compile(loss="mse")
        with pytest.raises(InputsError, match="needs models with classes"):
            mlflow_interp.compare(model, model, versions["inputs"], **QUIET)


class TestFiles:
    def test_are_complete(self, lost: mlflow_interp.Comparison, tmp_path: Path) -> None:
        folder = lost.interpretation.save(tmp_path)  # type: ignore[union-attr]
        names = {path.name for path in folder.iterdir()}
        expected = "report.json junit.xml summary.md figure.html figure.png figure.svg rules.csv classes.csv"
        assert {*expected.split(), "predictions.json", "arrays.npz", "manifest.json"} <= names
        report = json.loads((folder / "report.json").read_text())
        assert report["verdict"] == "failed"
        failures = ElementTree.fromstring((folder / "junit.xml").read_text()).findall(".//failure")
        assert {each.get("message") for each in failures} == {
            each["reason"] for each in report["rules"] if each["status"] == "failed"
        }
        assert "class accuracy drop" in (folder / "figure.html").read_text()

    def test_inputs_that_must_not_be_logged(self, versions: dict[str, Any]) -> None:
        found = mlflow_interp.compare(
            versions["old"],
            versions["lost"],
            versions["inputs"],
            labels=versions["labels"],
            log_images=False,
            **QUIET,
        )
        assert found.result.examples.images is None
        assert found.result.examples.values is None
