"""The page of a run: what it says, what it leaves out, and that its calls make the same again."""

from __future__ import annotations

import base64
import html
import io
import json
import re
import shlex
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import yaml
from PIL import Image

import mlflow_interp
from mlflow_interp.cli import main, method_commands
from mlflow_interp.cli.outcome import Outcome
from mlflow_interp.drawing import view
from mlflow_interp.drawing.charts import charts
from mlflow_interp.drawing.style import png
from mlflow_interp.drawing.view import tile
from mlflow_interp.method_registry import kind_of
from mlflow_interp.report import earlier_steps, reproduce, run_page, view_file
from mlflow_interp.report.folder import Entry, read_entries, read_view
from mlflow_interp.report.run_inputs import Images, _spread, walk
from tests.interpretations import entries, entry, examples, results

CONTRACT_1 = Path(__file__).parent / "contract_1"
PROJECT = Path(__file__).parents[2] / "MLproject"
HOSTILE = "</script><img src=x onerror=alert(1)>\"'&{{7*7}}"


def small_images(count):
    return np.random.default_rng(4).integers(0, 256, (count, 16, 16, 3), dtype=np.uint8)


@pytest.fixture(scope="module")
def run():
    """All methods for twelve small inputs."""
    return entries(examples(12, pictures=small_images(12)))


def data_of(page):
    return json.loads(re.search(r'id="data">(.*?)</script>', page, re.S)[1])


def text_of(page):
    """What a person reads, roughly."""
    body = re.sub(r"<(script|style)\b.*?</\1>", " ", page, flags=re.S)
    return " ".join(html.unescape(re.sub(r"<[^>]+>", " ", body)).split())


def test_the_page_says_which_model_and_what_was_found(run):
    text = text_of(run_page.page(run, "run-7"))
    for expected in (
        "sights version 3 @champion", "input 224 × 224 × 3", "4,694,024 parameters",
        "Loaded from models:/sights/3", "Trained in run abc", "Logged model m-1", "Interpreted in run run-7",
        "12 inputs of ./photos", "half of the heat lies on", "trustworthiness 0.97",
        "accuracy 83.3% · 12 inputs · most confused", "cosine 0.70 to their input, 0.23 to other inputs",
    ):  # fmt: skip
        assert expected in text, expected


def test_one_input_is_the_same_in_every_method(run):
    data = data_of(run_page.page(run, None))
    assert [len(each["inputs"]) for each in data["sets"]] == [12]
    by_place = {method["place"]: method["steps"][0] for method in data["methods"]}
    assert {
        name: [caption for caption, _ in step["rows"]["3"]["tiles"]] for name, step in by_place.items()
    } == {
        "gradcam": [],
        "saliency": ["gradients", "SmoothGrad", "integrated gradients"],
        "umap": [],
        "confusion_matrix": [],
        "caricature": ["early", "middle", "late"],
    }
    assert by_place["umap"]["panel"]["data"]["indices"] == list(range(12))
    row = by_place["gradcam"]["rows"]["3"]
    assert (row["predicted"], row["predictions"][0][0]) == (4, "camera")
    assert data["sets"][0]["inputs"][3]["labelName"] == "rocket"
    # Class 3 was taken for 4 twice, and never for itself.
    matrix = by_place["confusion_matrix"]["panel"]["data"]
    assert [matrix["classes"][at] for at in (3, 4)] == [3, 4]
    assert [3, 4, 2] in matrix["cells"]
    assert not any(cell[:2] == [3, 3] for cell in matrix["cells"])


def test_different_inputs_are_a_separate_set(run):
    shown = examples(2, pictures=small_images(2))
    other = entry(
        "gradcam", results(shown)["gradcam"], place="gradcam-2", inputs={"sha256": "d2", "source": "b"}
    )
    data = data_of(run_page.page([*run, other], None))
    assert [each["name"] for each in data["sets"]] == ["12 inputs of ./photos", "2 inputs of b"]
    assert [each["count"] for each in data["sets"]] == [12, 2]
    assert [method["set"] for method in data["methods"]] == [0] * 5 + [1]


def test_inputs_are_the_same_where_their_digests_are(run):
    """`digest` in the manifest, `sha256` in those of earlier versions."""
    manifest = run[1].manifest
    unnamed = {name: value for name, value in manifest["inputs"].items() if name != "sha256"}
    new = [
        replace(each, place=f"{place}", manifest=manifest | {"inputs": unnamed | {"digest": digest}})
        for place, each, digest in (("a", run[0], "x"), ("b", run[1], "x"), ("c", run[2], "y"))
    ]
    data = data_of(run_page.page([*new, run[3]], None))
    assert [method["set"] for method in data["methods"]] == [0, 0, 1, 2]


def test_each_image_is_stored_once(run):
    data = data_of(run_page.page(run, None))
    assert len(data["images"]) == len(set(data["images"]))
    # An image, three maps and three caricatures for each, and all thumbnails in one.
    assert len(data["images"]) == 12 * (1 + 3 + 3) + 1


def test_positions_equal_those_of_the_embedding():
    shown = examples(6, pictures=small_images(6))
    result = replace(
        results(shown)["umap"],
        embeddings=np.float32([[[0, 0]], [[4, 0]], [[4, 2]], [[0, 2]], [[1, 1]], [[3, 1]]]),
    )
    layer = kind_of("umap").view(replace(result, layers=("late",))).panel.data["layers"][0]
    places = np.frombuffer(base64.b64decode(layer["places"]), "<u2").reshape(-1, 2)
    # As wide as the page lets it be, as high as that makes it, and in the middle.
    assert places.tolist() == [[0, 250], [1000, 250], [1000, 750], [0, 750], [250, 500], [750, 500]]


# --- what came from data ---------------------------------------------------------------------------


def test_hostile_names_stay_text():
    shown = examples(
        5,
        names=[HOSTILE] * 5,
        class_names=tuple(f"{HOSTILE}{at}" for at in range(5)),
        pictures=small_images(5),
    )
    inputs = {"source": HOSTILE, "skipped": {HOSTILE: HOSTILE}}
    found = [
        entry(
            method,
            result,
            given={"target": HOSTILE},
            inputs=inputs,
            model={"name": HOSTILE, "uri": HOSTILE, "aliases": [HOSTILE]},
        )
        for method, result in results(shown).items()
    ]
    page = run_page.page(
        [replace(each, manifest=each.manifest | {"warnings": [HOSTILE]}) for each in found], HOSTILE
    )
    assert "<img src=x" not in page
    assert page.count("<script") == page.count("</script>") == 2
    assert "49" not in text_of(page).split()  # {{7*7}} is no template
    assert data_of(page)["sets"][0]["inputs"][0]["name"] == HOSTILE


def test_only_pictures_are_taken_for_pictures(run):
    view_of = json.loads(json.dumps(run[0].view))
    view_of["steps"][0]["inputs"][0] |= {
        "picture": "https://evil.example/x.png",
        "whole": {"source": "https://evil.example/x.png", "box": [0, 0, 1, 1]},
        "tiles": [
            ["a", "data:text/html;base64,AAAA"],
            ["b", "data:image/svg+xml;base64,AAAA"],
            ["c", 'data:image/png;base64,AA" onerror='],
        ],
    }
    data = data_of(run_page.page([replace(run[0], view=view_of)], None))
    assert data["sets"][0]["inputs"][0]["picture"] is None
    assert data["sets"][0]["inputs"][0]["whole"] is None
    assert data["methods"][0]["steps"][0]["rows"]["0"]["tiles"] == []


@pytest.mark.parametrize(
    "broken",
    [
        b"",
        b"[]",
        b"{",
        b'{"schema_version": 1}',
        b'{"schema_version": 1, "steps": [3], "series": {}}',
        b'{"schema_version": 2}',
        b'{"schema_version": 2, "steps": 3, "series": 4}',
        b'{"schema_version": 3}',
        b'{"schema_version": 4, "steps": []}',
    ],
)
def test_a_damaged_file_costs_its_own_method_only(run, broken):
    page = run_page.page([replace(run[0], view=read_view(broken)), *run[1:]], None)
    assert [method["place"] for method in data_of(page)["methods"]] == [each.place for each in run[1:]]
    assert 'id="section-gradcam"' in page


def test_panels_are_of_kinds_that_bring_a_script(run):
    """Whatever index.json names, only scripts of this package are included, and none for other kinds."""
    page = run_page.page(run, None)
    code = re.findall(r"<script>(.*?)</script>", page, re.S)[0]
    assert re.findall(r'registerPanel\("(\w+)"', code) == ["confusion_matrix", "embedding"]
    view_of = json.loads(json.dumps(run[0].view))
    for kind in ("../../drawing/gallery", "heatmap", "nothing", HOSTILE):
        view_of["steps"][0]["panel"] = {"kind": kind, "data": {}}
        page = run_page.page([replace(run[0], view=view_of)], None)
        assert data_of(page)["methods"][0]["steps"][0]["panel"] is None
        assert 'registerPanel("' not in page


def test_a_page_holds_the_scripts_of_the_kinds_that_it_shows(run):
    code = run_page.page([each for each in run if each.place in ("gradcam", "umap")], None)
    assert re.findall(r'registerPanel\("(\w+)"', code) == ["embedding"]


def test_what_version_1_wrote_opens():
    """With scatter and matrix as fields of their own."""
    folders = read_entries(CONTRACT_1)
    assert all(json.loads((CONTRACT_1 / each.place / "index.json").read_bytes())["schema_version"] == 1
               for each in folders)  # fmt: skip
    steps = {
        method["place"]: method["steps"][0] for method in data_of(run_page.page(folders, None))["methods"]
    }
    assert set(steps) == {"gradcam", "saliency", "umap", "confusion_matrix", "caricature"}
    old = {place: json.loads((CONTRACT_1 / place / "index.json").read_bytes())["steps"][0] for place in steps}
    assert steps["umap"]["panel"] == {"kind": "embedding", "data": old["umap"]["scatter"]}
    assert steps["confusion_matrix"]["panel"] == {
        "kind": "confusion_matrix", "data": old["confusion_matrix"]["matrix"],
    }  # fmt: skip
    assert steps["gradcam"]["panel"] is None


def test_a_damaged_figure_costs_its_own_image_only(run):
    damaged = replace(run[0], figure=b"\x89PNG" + bytes(200_000), view=None)
    assert run_page.page([damaged, replace(run[1], view=None)], None).count('class="figure"') == 1


def test_what_the_workbench_shows_is_not_shown_again_as_a_figure(run):
    assert 'class="figure"' not in run_page.page(run, None)
    assert all(each.view["figure"] is None for each in run)


def test_what_was_logged_without_panels_shows_its_figure(run):
    page = run_page.page([replace(run[0], view=None)], None)
    assert page.count('class="figure"') == 1
    assert data_of(page)["methods"] == []


def test_without_entries_there_is_a_page():
    assert "Interpretations" in run_page.page([], "run")


# --- size ------------------------------------------------------------------------------------------


def mosaic(pictures):
    """A figure as large as one of 64 inputs, without the time that drawing it takes."""
    rows = [np.concatenate(list(row), axis=1) for row in pictures.reshape(8, 8, *pictures.shape[1:])]
    buffer = io.BytesIO()
    Image.fromarray(np.concatenate(rows)).save(buffer, "PNG", compress_level=1)
    return buffer.getvalue()


@pytest.fixture(scope="module")
def many():
    """64 photographs, five methods, caricatures of three layers."""
    shown = examples(64)
    figure = mosaic(shown.images)
    found = []
    for method, result in results(shown).items():
        small = method in ("umap", "confusion_matrix")
        drawn = png(kind_of(method).draw(result)) if small else figure
        found.append(replace(entry(method, result, figure=drawn), figure=b""))
    return found


def test_64_photographs_and_five_methods_take_less_than_5_mb(many):
    page = run_page.page(many, "run")
    assert 3_000_000 < len(page.encode()) < 5_000_000
    assert "left out" not in page
    rows = [row for method in data_of(page)["methods"] for row in method["steps"][0]["rows"].values()]
    assert sum(len(row["tiles"]) for row in rows) == 64 * (3 + 3)


def test_what_does_not_fit_is_left_out_and_said(many):
    """Three times as much: the first inputs stay, and each method says how many went."""
    again = [
        replace(each, place=f"{each.place}-{at}", view=other(each.view, at))
        for at in range(3)
        for each in many
    ]
    page = run_page.page(again, "run")
    assert len(page.encode()) < 5_000_000
    noted = re.findall(
        r'data-page="([^/"]+)/figure.png">[^<]+</span>.*?\. (\d+) of its images are not on this page', page
    )
    numbers = {place: int(number) for place, number in noted}
    data = data_of(page)
    for method in data["methods"]:
        rows = method["steps"][0]["rows"]
        expected = {"saliency": 3, "caricature": 3}.get(method["place"].split("-")[0], 0)
        missing = sum(expected - len(row["tiles"]) for row in rows.values())
        assert numbers.get(method["place"], 0) >= missing
        if expected:
            assert missing
            assert len(rows["0"]["tiles"]) == expected
    assert page.count('<details class="method"') == 15


def other(content, at):
    """The same panels with other pictures: text that is as long."""
    return json.loads(json.dumps(content).replace("base64,/9j/4AAQ", f"base64,/9j/4AA{at}"))


def test_a_hundred_runs_of_it_have_a_page(many):
    page = run_page.page(
        [replace(each, place=f"{each.place}-{at}") for at in range(20) for each in many], "run"
    )
    assert len(page.encode()) < 5_000_000
    assert "60 earlier interpretations have no section here" in text_of(page)


def test_more_inputs_have_smaller_pictures():
    assert view.side_of(1) == view.LARGEST
    assert view.side_of(64) > view.side_of(192) > view.SMALLEST
    assert view.side_of(10_000) == view.SMALLEST


def test_room_goes_to_the_last_step_and_the_first_inputs():
    picture = "data:image/png;base64," + "A" * 100
    row = lambda at, step: {  # noqa: E731
        "index": at, "name": f"{at}", "label": None, "labelName": None, "predicted": 0, "predictions": [],
        "notes": [], "tiles": [["x", picture + f"{at}{step}".ljust(4, "A")]],
    }  # fmt: skip
    steps = [
        {
            "step": step,
            "headline": "",
            "inputs": [row(0, step), row(1, step)],
            "panel": None,
            "overview": None,
            "findings": [],
            "heat": None,
        }
        for step in (0, 1)
    ]
    content = {"schema_version": 3, "title": "t", "over": "epoch", "series": {}, "steps": steps}
    images = Images(3 * (len(picture) + 4))
    shown = walk([Entry("m", {"inputs": {"sha256": "d", "source": "s", "count": 2}}, b"", content)], images)
    kept = [[len(step["rows"][key]["tiles"]) for key in ("0", "1")] for step in shown["methods"][0]["steps"]]
    assert kept == [[1, 0], [1, 1]]
    assert images.left_out == {"m": 1}


# --- over epochs -----------------------------------------------------------------------------------


def test_epochs_are_steps_and_metrics_are_charts():
    shown = examples(5, pictures=small_images(5))
    content = view_file.as_json(kind_of("gradcam").view(results(shown)["gradcam"]))
    series = {"accuracy": [(0, 0.2), (1, 0.6), (3, 1.0)]}
    whole = json.loads(
        view_file.over_steps({0: content, 1: content, 3: content}, series, mosaic(small_images(64)))
    )
    assert [step["step"] for step in whole["steps"]] == [0, 1, 3]
    # The pictures of the inputs are the same at every step, and stand at the last.
    assert ["picture" in step["inputs"][0] for step in whole["steps"]] == [False, False, True]
    made = entry("gradcam", results(shown)["gradcam"], metrics={"accuracy": 1.0})
    page = run_page.page([replace(made, view=whole)], None)
    assert 'id="epoch"' in page
    assert "accuracy: 0.2 at epoch 0, 1 at epoch 3; lowest 0.2, highest 1" in page


def test_epochs_that_have_no_room_are_spaced_evenly():
    content = json.dumps(
        {"title": "t", "steps": [{"inputs": [], "fill": "x" * (earlier_steps.MOST_BYTES * 3 // 10)}]}
    ).encode()
    whole = json.loads(view_file.over_steps(dict.fromkeys(range(30), content), {}, mosaic(small_images(64))))
    assert [step["step"] for step in whole["steps"]] == [6, 14, 21, 29]


def noise(count, side):
    return np.random.default_rng(0).integers(0, 256, (count, side, side, 3), dtype=np.uint8)


def test_many_epochs_of_large_tiles_all_fit_with_smaller_ones():
    """Ten epochs of six inputs with three tiles: each would take 0.7 MB, and the last one does."""
    tiles = [[caption, tile(pixels)] for caption, pixels in zip("abc", noise(3, 256), strict=True)]
    rows = [{"index": index, "picture": tile(noise(1, 200)[0]), "tiles": tiles} for index in range(6)]
    content = json.dumps({"title": "t", "steps": [{"inputs": rows}]}).encode()
    whole = json.loads(view_file.over_steps(dict.fromkeys(range(10), content), {}, mosaic(small_images(64))))
    *earlier, last = whole["steps"]
    assert [step["step"] for step in whole["steps"]] == list(range(10))
    assert last["inputs"] == rows
    assert len(json.dumps(earlier)) < earlier_steps.MOST_BYTES
    sizes = {
        image_of(source).size for step in earlier for row in step["inputs"] for _, source in row["tiles"]
    }
    (size,) = sizes
    assert 72 <= size[0] < 256
    # The same image, not another.
    reduced = np.asarray(image_of(tiles[0][1]).resize(size, Image.Resampling.BOX), float)
    found = np.asarray(image_of(earlier[0]["inputs"][0]["tiles"][0][1]), float)
    assert np.abs(found - reduced).mean() < 25 < np.abs(found[::-1] - reduced).mean()


def image_of(source):
    return Image.open(io.BytesIO(base64.b64decode(source.partition(",")[2]))).convert("RGB")


def test_earlier_epochs_keep_the_heat_of_the_inputs_that_are_shown():
    maps = np.random.default_rng(0).integers(0, 256, (200, 40, 40), dtype=np.uint8)
    text = base64.b64encode(maps.tobytes()).decode()
    heat = {
        "indices": list(range(200)),
        "size": [40, 40],
        "maps": text,
        "targets": [f"class {index}" for index in range(200)],
        "others": {"indices": [7], "maps": "", "targets": [["x"]]},
    }
    rows = [{"index": index} for index in (150, 199)]
    content = json.dumps({"title": "t", "steps": [{"inputs": rows, "heat": heat}]}).encode()
    whole = json.loads(view_file.over_steps(dict.fromkeys(range(16), content), {}, mosaic(small_images(64))))
    *earlier, last = [step["heat"] for step in whole["steps"]]
    assert len(earlier) == 15
    assert last == heat
    assert len(json.dumps(earlier)) < earlier_steps.MOST_BYTES
    for kept in earlier:
        assert {150, 199} < set(kept["indices"])
        assert kept["others"] is None
        assert kept["targets"] == [f"class {index}" for index in kept["indices"]]
        found = np.frombuffer(base64.b64decode(kept["maps"]), np.uint8).reshape(-1, 40, 40)
        np.testing.assert_array_equal(found, maps[kept["indices"]])


def test_a_page_of_many_long_trainings_has_fewer_epochs_rather_than_none():
    """Twelve methods with ten epochs of heat each: all of them would take far more than a page may."""
    shown = examples(5, pictures=small_images(5))
    view = json.loads(view_file.as_json(kind_of("gradcam").view(results(shown)["gradcam"])))
    view["steps"] = [view["steps"][0] | {"step": step, "headline": "x" * 42_000} for step in range(10)]
    made = entry("gradcam", results(shown)["gradcam"])
    page = run_page.page([replace(made, place=f"gradcam-{at}", view=view) for at in range(12)], None)
    assert len(page.encode()) < run_page.BUDGET
    data = json.loads(page.partition('id="data">')[2].partition("</script>")[0])
    assert [[step["step"] for step in method["steps"]] for method in data["methods"]] == [
        [1, 3, 5, 7, 9]
    ] * 12


@pytest.mark.parametrize("count", [0, 1, 2, 3, 8, 50])
def test_epochs_with_room_for_images_are_spread(count):
    order = _spread(count)
    assert sorted(order) == list(range(count))
    assert order[:3] == [0, count - 1, (count - 1) // 2][: len(order)]


def test_charts_are_drawn_to_scale():
    (chart,) = charts({"loss": [[0, 4.0], [5, 2.0], [10, 3.0]], "once": [[0, 1.0]], "never": []})
    assert chart.places == ("4.0,4.0", "100.0,44.0", "196.0,24.0")
    # A hundredth of the value is a tenth of the height, around the middle.
    (calm,) = charts({"accuracy": [[0, 0.99], [1, 1.0]]})
    assert [float(place.split(",")[1]) for place in calm.places] == [26.0, 22.0]
    (flat,) = charts({"same": [[0, 1.0], [1, 1.0], [2, float("nan")]]})
    assert flat.places == ("4.0,24.0", "196.0,24.0")


# --- make it again ---------------------------------------------------------------------------------

GIVEN = {
    "gradcam": {"layer": "block/late conv", "target": "it's", "opacity": 0.5, "max_inputs": 3},
    "saliency": {"noise_samples": 3, "noise": 0.0, "average": "mean", "trust_model_code": True},
    "caricature": {"layers": ["a", "-1"], "ascent_steps": 9},
    "umap": {"supervised": False, "class_names": ["$HOME", "b c"], "spread": 2.0},
    "confusion_matrix": {"normalize": "all", "labels": "labels.txt", "experiment": "my models"},
}


def manifest_of(method, **more):
    return {
        "method": method, "given": GIVEN[method], "model": {"uri": "models:/a net/3"},
        "inputs": {"source": "-my photos/*.png"},
    } | more  # fmt: skip


@pytest.fixture
def parsed(monkeypatch):
    """A function that gives the command line words and gets what its own parser made of them."""
    seen = []

    def interpret(model, inputs, methods, *, tracking_uri=None, as_json, fail_if, **given):
        options = {name: value for name, value in given.items() if value is not None}
        seen.append((model, inputs, list(methods), options))
        return Outcome()

    monkeypatch.setattr(method_commands, "interpret_from_shell", interpret)

    def parse(words):
        with pytest.raises(SystemExit) as ended:
            main(words, standalone_mode=False)
        assert ended.value.code == 0
        return seen.pop()

    return parse


def as_given(method):
    """What the command line makes of options: its lists are texts with commas."""
    return {
        name: ",".join(value) if isinstance(value, list) else value for name, value in GIVEN[method].items()
    }


@pytest.mark.parametrize("method", GIVEN)
def test_the_command_says_to_the_real_command_line_what_was_given(method, parsed):
    program, *words = shlex.split(reproduce.command(manifest_of(method)))
    assert program == "mlflow-interp"
    assert parsed(words) == ("models:/a net/3", "./-my photos/*.png", [method], as_given(method))


@pytest.mark.parametrize("method", GIVEN)
def test_mlflow_run_says_to_the_project_what_was_given(method, parsed):
    """Its parameters, put into the command of the MLproject file as MLflow does, mean the same."""
    words = shlex.split(reproduce.mlflow_run(manifest_of(method, inputs={"source": "photos"})))
    assert words[:7] == ["mlflow", "run", ".", "--env-manager", "local", "-e", method]
    assert [word for word in words[5:] if word.startswith("--")] == (
        ["--experiment-name=my models"] if method == "confusion_matrix" else []
    )
    values = dict(word.split("=", 1) for flag, word in pairwise(words) if flag == "-P")
    project = yaml.safe_load(PROJECT.read_text(encoding="utf-8"))["entry_points"][method]
    filled = {
        name: shlex.quote(values.get(name, kind.get("default", "")))
        for name, kind in project["parameters"].items()
    }
    line = project["command"].format(**filled)
    more = {name: value for name, value in values.items() if name not in project["parameters"]}
    extra = [word for name, value in more.items() for word in (f"--{name}", value)]
    expected = {name: value for name, value in as_given(method).items() if name != "experiment"}
    got = parsed([*shlex.split(line)[3:], *extra])
    assert got == ("models:/a net/3", "photos", [method], expected)


@pytest.mark.parametrize("method", GIVEN)
def test_the_python_call_is_the_call(method, monkeypatch):
    called = []
    monkeypatch.setattr(
        mlflow_interp,
        f"visualize_{method}",
        lambda *args, **options: called.append((args, options)),
        raising=False,
    )
    exec(reproduce.python(manifest_of(method)), {})
    assert called == [(("models:/a net/3", "-my photos/*.png"), GIVEN[method])]


@pytest.mark.parametrize(
    ("method", "given", "expected"),
    [
        ("saliency", {"samples": 3, "steps": 9}, {"noise_samples": 3, "path_steps": 9}),
        ("caricature", {"steps": 9, "learning_rate": 0.1}, {"ascent_steps": 9, "ascent_rate": 0.1}),
        ("umap", {"learning_rate": 0.5}, {"learning_rate": 0.5}),
    ],
)
def test_options_of_schema_version_1_are_shown_by_their_present_names(method, given, expected, parsed):
    manifest = manifest_of(method) | {"schema_version": 1, "given": given}
    assert parsed(shlex.split(reproduce.command(manifest))[1:])[3] == expected
    assert all(f"-P {name}={value}" in reproduce.mlflow_run(manifest) for name, value in expected.items())
    assert all(f"{name}={value!r}" in reproduce.python(manifest) for name, value in expected.items())


@pytest.mark.parametrize("source", ["array", "tf.data.Dataset", "keras.utils.PyDataset"])
def test_what_was_at_hand_is_named_and_not_invented(source):
    manifest = {
        "method": "gradcam", "given": {}, "at_hand": ["labels"], "model": {"uri": "keras.Model"},
        "inputs": {"source": source},
    }  # fmt: skip
    assert reproduce.missing(manifest) == ["model", "inputs", "labels"]
    assert reproduce.python(manifest).endswith("visualize_gradcam(model, inputs, labels=labels)")
    assert reproduce.command(manifest) == "mlflow-interp gradcam MODEL INPUTS"
