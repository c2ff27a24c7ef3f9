"""The summary of a table: numbers computed by hand, the figure, the page, storing and restoring."""

from __future__ import annotations

import io
import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from matplotlib.text import Text
from PIL import Image

from mlflow_interp.core.chunk import UNKNOWN
from mlflow_interp.core.model_record import ModelRecord, with_record
from mlflow_interp.drawing import style
from mlflow_interp.exceptions import OptionError
from mlflow_interp.kinds.table.counts import BINS, Cells, ProbabilityBins, no_bins
from mlflow_interp.kinds.table.figure import draw, draw_panel
from mlflow_interp.kinds.table.heatmaps import ClassHeatmaps
from mlflow_interp.kinds.table.location import Location
from mlflow_interp.kinds.table.page import page
from mlflow_interp.kinds.table.result import TableResult, no_examples
from mlflow_interp.kinds.table.tiles import make_tiles
from mlflow_interp.kinds.table.view import view
from mlflow_interp.report import run_page
from mlflow_interp.report.files import draw_files
from mlflow_interp.report.folder import read_entries, write_folder
from mlflow_interp.report.load import load
from mlflow_interp.report.manifest import complete_manifest
from mlflow_interp.report.metric_meanings import meaning_of
from tests.figure_texts import check_texts
from tests.interpretations import MODEL

NAMES = ("cat", "dog", "<b>owl</b>")
LOCATION = Location("/data/results", "parquet", "c01", (("id", "string"), ("<i>", "array<float>")))
#: Label, prediction, number of inputs, and the mean probability of the prediction.
ROWS = [(0, 0, 60, 0.95), (0, 1, 20, 0.55), (1, 1, 10, 0.75), (2, 0, 10, 0.55)]


def cells_of(rows: list[tuple[int, int, int, float]]) -> Cells:
    counts = np.array([row[2] for row in rows], np.int64)
    means = np.array([row[3] for row in rows], np.float64)
    return Cells(np.array([row[:2] for row in rows], np.int64).reshape(-1, 2), counts, counts * means)


def bins_of(rows: list[tuple[int, int, int, float]]) -> ProbabilityBins:
    bins = no_bins()
    for label, predicted, count, mean in rows:
        state = 2 if label == UNKNOWN else int(label != predicted)
        at = min(int(mean * BINS), BINS - 1)
        bins.counts[state, at] += count
        bins.sums[state, at] += count * mean
    return bins


def heatmaps_of(classes: list[int], counts: list[int], **changes: Any) -> ClassHeatmaps:
    """Means with a spot further to the right for each class."""
    side = np.arange(7)
    means = np.stack(
        [np.exp(-((side[:, np.newaxis] - 3) ** 2 + (side - at % 7) ** 2) / 4) - 0.2 for at in classes]
    )
    made = ClassHeatmaps(
        "gradcam", "Grad-CAM", True, np.array(classes), np.array(counts), means, np.abs(means) / 2
    )
    return replace(made, **changes)


def result_of(inputs: list[tuple[int, int, int, float]], **changes: Any) -> TableResult:
    made = TableResult(
        rows=sum(row[2] for row in inputs),
        errors=0,
        reasons=(),
        cells=cells_of(inputs),
        bins=bins_of(inputs),
        heatmaps=(heatmaps_of([0, 1], [70, 30]),),
        location=LOCATION,
        sample=50,
        examples=no_examples(NAMES),
    )
    return replace(made, **changes)


@pytest.fixture
def labelled() -> TableResult:
    return result_of(ROWS, rows=105, errors=5, reasons=(("a <damaged> image", 4), ("no image", 1)))


def unlabelled() -> TableResult:
    return result_of([(UNKNOWN, 0, 70, 0.9), (UNKNOWN, 1, 30, 0.6)])


def regression() -> TableResult:
    cells = Cells(np.array([[UNKNOWN, UNKNOWN]]), np.array([100]), np.zeros(1))
    only = heatmaps_of([0], [100])
    return result_of(ROWS, cells=cells, bins=no_bins(), heatmaps=(only,), examples=no_examples(None))


def many() -> TableResult:
    rng = np.random.default_rng(0)
    rows = [(label, label, int(rng.integers(50, 900)), 0.9) for label in range(1000)]
    rows += [(label, (label + 7) % 1000, int(rng.integers(1, 60)), 0.4) for label in range(1000)]
    names = [f"a class with quite a long name {label}" for label in range(1000)]
    heatmaps = heatmaps_of(list(range(1000)), [row[2] for row in rows[:1000]])
    signed = replace(heatmaps, method="signed", title="Signed", relu=False)
    return result_of(rows, heatmaps=(heatmaps, signed), examples=no_examples(names))


SITUATIONS = {
    "labels": lambda: result_of(ROWS),
    "no labels": unlabelled,
    "no heatmaps": lambda: result_of(ROWS, heatmaps=()),
    "two classes": lambda: result_of(ROWS[:3], examples=no_examples(NAMES[:2])),
    "a thousand classes": many,
    "all right": lambda: result_of([ROWS[0], ROWS[2]]),
    "regression": regression,
    "scores": lambda: result_of(ROWS, bins=no_bins()),
    "nothing to draw": lambda: replace(regression(), heatmaps=()),
    "a signal": lambda: result_of(
        ROWS, heatmaps=(heatmaps_of([0], [9], means=np.ones((1, 7)), deviations=np.ones((1, 7))),)
    ),
}


# --- numbers -------------------------------------------------------------------------------------------


def test_the_calibration_error_by_hand(labelled: TableResult) -> None:
    """Bins: 0.95 all right; 0.55 with 30 wrong ones; 0.75 all right, of 100 inputs."""
    expected = 0.6 * (1 - 0.95) + 0.3 * (0.55 - 0) + 0.1 * (1 - 0.75)
    assert labelled.calibration_error == pytest.approx(expected)


def test_right_and_wrong_in_one_bin_offset_each_other() -> None:
    """Half of the inputs with a probability of 0.5 are right, which is perfect."""
    perfect = result_of([(0, 0, 5, 0.5), (1, 0, 5, 0.5)])
    assert perfect.calibration_error == pytest.approx(0)
    assert perfect.accuracy == 0.5


def test_unlabelled_inputs_count_neither_for_calibration_nor_for_accuracy(labelled: TableResult) -> None:
    more = result_of([*ROWS, (UNKNOWN, 1, 900, 0.31)])
    assert more.calibration_error == pytest.approx(labelled.calibration_error)
    assert more.accuracy == labelled.accuracy == 0.7
    assert more.labelled == 100
    assert more.predicted == 1000


def test_metrics(labelled: TableResult) -> None:
    assert labelled.metrics() == {
        "rows": 105,
        "errors": 5,
        "labelled": 100,
        "accuracy": 0.7,
        "calibration_error": pytest.approx(0.22),
        "mean_probability": pytest.approx(0.81),
    }
    assert set(unlabelled().metrics()) == {"rows", "errors", "mean_probability"}
    assert set(regression().metrics()) == {"rows", "errors"}
    assert not [name for name in labelled.metrics() if not meaning_of("table", name)]


def test_classes_by_hand(labelled: TableResult) -> None:
    cat, dog, owl = labelled.classes
    assert (cat.name, cat.labelled, cat.predicted, cat.accuracy) == ("cat", 80, 70, 0.75)
    assert cat.probability == pytest.approx((60 * 0.95 + 10 * 0.55) / 70)
    assert (dog.labelled, dog.predicted, dog.accuracy) == (10, 30, 1)
    assert (owl.labelled, owl.predicted, owl.accuracy, owl.probability) == (10, 0, 0, None)


def test_counts_and_pairs(labelled: TableResult) -> None:
    assert labelled.counts == {(0, 0): 60, (0, 1): 20, (1, 1): 10, (2, 0): 10}
    assert labelled.confused() == [(0, 1, 20), (2, 0, 10)]
    assert unlabelled().counts == {(None, 0): 70, (None, 1): 30}
    assert unlabelled().confused() == []


def test_the_tables_have_all_inputs(labelled: TableResult) -> None:
    tables = labelled.tables()
    bins = tables["probabilities.csv"]
    assert sum(bins["right"]) == 70
    assert sum(bins["wrong"]) == 30
    assert sum(bins["unlabelled"]) == 0
    assert bins["mean_probability"][11] == pytest.approx(0.55)
    assert bins["mean_probability"][0] is None
    assert (bins["from"][0], bins["to"][-1]) == (0, 1)
    assert sum(tables["counts.csv"]["inputs"]) == 100
    assert tables["errors.csv"] == {"reason": ["a <damaged> image", "no image"], "inputs": [4, 1]}
    assert tables["classes.csv"]["heatmaps of gradcam"] == [70, 30, 0]


def test_the_mean_of_all_inputs_weights_classes_by_their_inputs() -> None:
    means = np.stack([np.full((2, 2), 1.0), np.full((2, 2), 5.0)])
    assert heatmaps_of([0, 1], [3, 1], means=means).mean == pytest.approx(np.full((2, 2), 2.0))


def test_scores_are_no_probabilities() -> None:
    """Outputs outside 0..1 are in no bin, so that bins hold fewer inputs than there are."""
    scores = result_of(ROWS, bins=no_bins())
    assert scores.calibration_error is None
    assert "not all between 0 and 1" in scores.warnings()[0]
    assert "mean_probability" not in scores.table()


def test_the_caption_says_what_colours_mean() -> None:
    positive = heatmaps_of([0, 1], [70, 30])
    signed = replace(positive, title="Signed", relu=False)
    untargeted = replace(positive, title="EigenCAM", has_target=False)

    def caption_of(*heatmaps: ClassHeatmaps) -> str:
        return " ".join(texts(draw(result_of(ROWS, heatmaps=heatmaps))))

    assert "Bright is evidence for the class." in caption_of(positive)
    assert "Grad-CAM: Bright is evidence" in caption_of(positive, signed)
    assert "Signed: Positive is evidence for the class, negative" in caption_of(positive, signed)
    assert "evidence" not in caption_of(untargeted)
    assert "by predicted class" in page(result_of(ROWS, heatmaps=(untargeted,)))


def test_errors_are_a_warning(labelled: TableResult) -> None:
    (warning,) = labelled.warnings()
    assert ": no image." in replace(labelled, reasons=(("no image", 5),)).warnings()[0]
    assert warning.startswith("5 of 105 inputs could not be interpreted, most often: a <damaged> image.")


# --- figure --------------------------------------------------------------------------------------------


def texts(figure: Any) -> list[str]:
    return [each.get_text() for each in figure.findobj(Text)]


@pytest.mark.parametrize("situation", SITUATIONS)
def test_texts_of_the_figure_fit(situation: str) -> None:
    result = SITUATIONS[situation]()
    figure = draw(result)
    check_texts(figure)
    assert figure.get_figwidth() == 7
    assert figure.get_figheight() < 8
    assert "All inputs of the table" in texts(figure)


def test_the_most_frequent_classes_are_drawn_after_all_inputs() -> None:
    result = many()
    (tiles, _) = make_tiles(result)
    assert [tile.name for tile in tiles[:1]] == ["all inputs"]
    assert tiles[0].count == sum(tile for tile in result.heatmaps[0].counts)
    assert [tile.count for tile in tiles[1:]] == sorted(result.heatmaps[0].counts, reverse=True)[:8]


def test_a_single_class_is_not_drawn_twice() -> None:
    ((tile,),) = make_tiles(regression())
    assert (tile.name, tile.count) == ("output 0", 100)


def test_tiles_are_drawn_as_their_method_does() -> None:
    """Inferno starts black; without the ReLU, negative heat is blue and positive red."""
    mean = np.array([[-1.0, 1.0]] * 2)
    positive = heatmaps_of([0], [1], means=mean[np.newaxis])
    ((tile,),) = make_tiles(result_of(ROWS, heatmaps=(positive,)))
    assert tile.pixels[0, 0].max() < 10
    ((tile,),) = make_tiles(result_of(ROWS, heatmaps=(replace(positive, relu=False),)))
    (low, high) = tile.pixels[0, 0].astype(int), tile.pixels[0, -1].astype(int)
    assert low[2] > low[0] + 50
    assert high[0] > high[2] + 50
    assert "RdBu" not in "".join(texts(draw(result_of(ROWS), colormap="viridis")))
    with pytest.raises(OptionError, match="no colormap 'virids'; nearest: viridis"):
        make_tiles(result_of(ROWS), colormap="virids")


def test_bars_of_the_histogram_are_stacked(labelled: TableResult) -> None:
    axes = style.new_figure(4, 3).add_axes((0.2, 0.2, 0.7, 0.7))
    draw_panel(axes, result_of([*ROWS, (UNKNOWN, 1, 7, 0.55)]), "probabilities")
    right, wrong, rest = axes.containers
    assert sum(bar.get_height() for bar in right) == 70
    assert (wrong[11].get_y(), wrong[11].get_height()) == (0, 30)
    assert (rest[11].get_y(), rest[11].get_height()) == (30, 7)


@pytest.mark.parametrize("panel", [0, 1, "classes", "gradcam"])
def test_panels(labelled: TableResult, panel: int | str) -> None:
    axes = style.new_figure(4, 3).add_axes((0.2, 0.2, 0.7, 0.7))
    draw_panel(axes, labelled, panel)
    assert axes.has_data()


def test_a_panel_that_does_not_exist(labelled: TableResult) -> None:
    axes = style.new_figure(4, 3).add_axes((0.2, 0.2, 0.7, 0.7))
    with pytest.raises(OptionError, match="no panel 'gradcan'; nearest: gradcam"):
        draw_panel(axes, labelled, "gradcan")


# --- page ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("situation", SITUATIONS)
def test_pages(situation: str) -> None:
    html = page(SITUATIONS[situation]())
    assert "spark.read.parquet(&#39;/data/results&#39;).where(&#34;call = &#39;c01&#39;&#34;)" in html
    assert len(html) < 4_000_000
    assert not re.search(r"\b(nan|None|inf)\b", re.sub(r'"data:[^"]*"', "", html.partition("<script")[0]))


def test_names_are_escaped(labelled: TableResult) -> None:
    html = page(labelled)
    assert "<td>&lt;b&gt;owl&lt;/b&gt;</td>" in html
    assert "<td>a &lt;damaged&gt; image</td>" in html
    assert "<td>&lt;i&gt;</td>" in html
    for raw in ("<b>owl", "<damaged>", "<i>"):
        assert raw not in html


def test_the_page_says_where_the_table_is_and_how_it_is_read(labelled: TableResult) -> None:
    html = page(labelled)
    assert "105 rows in <code>/data/results</code>" in html
    assert "a sample of 50 of the 100 inputs" in html
    assert "found = mlflow_interp.spark.heatmaps(rows.limit(1000), &#39;gradcam&#39;)" in html
    assert "heatmaps(" not in page(replace(labelled, heatmaps=()))


def test_reasons_beyond_those_that_are_listed_are_counted(labelled: TableResult) -> None:
    assert "other reasons" not in page(labelled)
    assert '>3</td><td class="faint">other reasons' in page(replace(labelled, rows=108, errors=8))


@pytest.mark.parametrize(
    ("location", "read"),
    [
        (
            Location("/a", "delta", "c1"),
            "rows = spark.read.format('delta').load('/a').where(\"call = 'c1'\")",
        ),
        (
            Location("main.a", "delta", "c1", is_path=False),
            "rows = spark.table('main.a').where(\"call = 'c1'\")",
        ),
    ],
)
def test_other_formats_and_tables_of_a_catalog(location: Location, read: str) -> None:
    code = location.code("gradcam")
    assert code.splitlines()[0] == read
    compile(code, "page", "exec")


def test_a_thousand_classes_have_a_row_each_and_the_most_frequent_a_heatmap() -> None:
    html = page(many())
    assert html.count("<tr><td>a class with") == 1000
    assert 400 < html.count('alt="Mean heatmap of a class') / 2 < 1000
    assert "most frequent classes are shown; arrays.npz has all" in html


# --- files ---------------------------------------------------------------------------------------------


def stored(result: TableResult, folder: Path) -> dict[str, bytes]:
    """Write a result as a call does, and return its files."""
    _, files = draw_files("table", result, {})
    manifest = complete_manifest(
        {
            "method": "table",
            "created": "2026-11-27T00:00:00",
            "metrics": result.metrics(),
            "parameters": {},
            "given": {},
            "resolved": [],
            "warnings": result.warnings(),
            "seconds": 1.0,
            "package": {"name": "mlflow-interp", "version": "1"},
            "model": MODEL,
            "inputs": {"source": "data", "count": 100, "digest": "0" * 32, "skipped": {}},
            "calls": {"Python": "interpret(data)"},
        },
        files,
    )
    write_folder(folder / "table", files, manifest)
    return files


@pytest.mark.parametrize("situation", SITUATIONS)
def test_stored_results_are_restored(situation: str, tmp_path: Path) -> None:
    result = with_record(SITUATIONS[situation](), ModelRecord("sights", "3", "2026-11-27"))
    files = stored(result, tmp_path)
    back = load(tmp_path / "table").result
    assert isinstance(back, TableResult)
    assert back.metrics() == result.metrics()
    assert back.counts == result.counts
    assert back.classes == result.classes
    assert back.location == result.location
    assert (back.rows, back.errors, back.reasons, back.sample) == (
        result.rows, result.errors, result.reasons, result.sample,
    )  # fmt: skip
    assert back.examples.model_record == result.examples.model_record
    assert {name: each.tobytes() for name, each in back.arrays().items()} == {
        name: each.tobytes() for name, each in result.arrays().items()
    }
    assert style.svg(draw(back)) == files["figure.svg"]
    assert page(back).encode() == files["figure.html"]


def test_the_files(labelled: TableResult, tmp_path: Path) -> None:
    files = stored(labelled, tmp_path)
    assert {"classes.csv", "counts.csv", "probabilities.csv", "errors.csv", "arrays.npz"} < set(files)
    with Image.open(io.BytesIO(files["figure.png"])) as image:
        assert image.size[0] == 1400
    assert json.loads(files["predictions.json"])["columns"][:2] == ["class", "labelled"]
    facts = labelled.facts()
    assert facts["columns"] == [{"name": "id", "type": "string"}, {"name": "<i>", "type": "array<float>"}]
    assert (facts["where"], facts["rows"], facts["errors"], facts["sample"]) == ("/data/results", 105, 5, 50)


def test_the_page_of_a_run_shows_the_figure_and_the_findings(labelled: TableResult, tmp_path: Path) -> None:
    stored(labelled, tmp_path)
    html = run_page.page(read_entries(tmp_path), None)
    assert "All inputs of the table" in html
    assert "cat is predicted as dog in 20 of 80 cases." in html
    assert 'src="data:image/png;base64' in html or 'src="data:image/jpeg;base64' in html
    assert "expected calibration error" in html


def test_findings_are_about_no_input_that_could_be_shown(labelled: TableResult) -> None:
    made = view(labelled)
    assert made.inputs == []
    assert all(each.about == {} for each in made.findings)
    assert made.findings[0].text == "70 of 100 inputs are predicted correctly (70.0%)."
    assert made.findings[-1].text == "5 inputs could not be interpreted."
    assert "/data/results" in made.headline
