"""How often does the default gate fail, warn and leave open, and does it see what is worse?

    python -m benchmarks.gate                # simulated predictions of two versions
    python -m benchmarks.gate --retrain      # the digits network, trained again and again
    python -m benchmarks.gate --tune         # the digits network, trained on

Simulated versions are right for 90 % of the inputs of ten classes and differ in one input of ten. For a drop
of some points, more of the inputs that differ are lost than gained.

A retrained version differs from the old one in its seed only. A version with a shortcut has seen a bright
square in one corner of every training image of class 3, and in the opposite corner of every one of class 8.
It is compared on clean images, where the shortcut is missing, and on images that have the square as well,
where its accuracy does not fall. Versions with a decisive shortcut have also seen 200 images of other classes
with each square, labelled as its class.

A tuned version is trained on from the old one: on the same data, or on data with a mark on each 8, as in
`examples.shortcut`. Both are compared with the old one on images with the mark.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

import numpy as np

from mlflow_interp.comparison import statistics
from mlflow_interp.comparison.gate import DEFAULT, Gate, decide, overall
from mlflow_interp.comparison.paired import Paired
from mlflow_interp.comparison.predictions import Predictions
from mlflow_interp.comparison.rules import ALPHA
from mlflow_interp.comparison.verdict import Status, Verdict

CLASSES = 10
ACCURACY, CHURN = 0.9, 0.1  # of simulated versions
BOUND = DEFAULT["accuracy_drop"].bound
DROPS = (0.0, BOUND, 0.01, 0.02, 0.05)
CLASS_DROPS = (0.1, 0.2, 0.3)
COUNTS = (500, 2_000, 5_000)
PLANTED = {3: (slice(0, 2), slice(0, 2)), 8: (slice(6, 8), slice(6, 8))}  # by class, where its square is
MAP, GATE = "gradcam", "whole gate"
TUNED_VERSIONS = 20
TUNED_METHODS = ("gradcam", "hirescam")
STATUSES: tuple[Status, ...] = ("failed", "warned", "undecided", "passed")

mcnemar = cache(statistics.mcnemar)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument(
        "--draws", type=int, default=2_000, help="pairs of simulated versions for each number"
    )
    parser.add_argument("--retrain", action="store_true", help="train networks instead of simulating them")
    parser.add_argument("--tune", action="store_true", help="tune networks instead of simulating them")
    parser.add_argument("--versions", type=int, default=40, help="retrainings, and as many with a shortcut")
    parser.add_argument(
        "--decisive", type=int, default=10, help="versions with a shortcut that decides alone"
    )
    parser.add_argument("--references", type=int, default=5)
    parser.add_argument("--epochs", type=int, default=12)
    options = parser.parse_args()
    if options.tune:
        print_tuned(min(options.versions, TUNED_VERSIONS), options.epochs)
    elif options.retrain:
        print_trained(
            trained_versions(options.versions, options.decisive, options.references, options.epochs)
        )
    else:
        print_alarms(options.draws)
        print_power(options.draws)


# Simulated versions


def simulated(
    count: int, rng: np.random.Generator, *, drop: float = 0.0, class_drop: float = 0.0
) -> Predictions:
    """The predictions of two versions.

    Args:
        count: the number of inputs, the same of each class.
        rng: what is drawn from.
        drop: the true accuracy of the old version minus that of the new one.
        class_drop: the same for class 0 only.
    """
    labels = np.arange(count) % CLASSES
    drops = np.where(labels == 0, max(drop, class_drop), drop)
    churn = np.maximum(CHURN, drops)
    lost, gained = (churn + drops) / 2, (churn - drops) / 2
    drawn = rng.random(count)
    wrong = (labels + rng.integers(1, CLASSES, count)) % CLASSES
    old_right = drawn < ACCURACY
    new_right = ((drawn >= lost) & old_right) | ((drawn >= ACCURACY) & (drawn < ACCURACY + gained))
    predicted = np.where(np.stack([old_right, new_right], axis=1), labels[:, None], wrong[:, None])
    sure = np.full(predicted.shape, 0.9)
    return Predictions(labels, predicted, sure, sure)


def drawn(count: int, draws: int, **drops: float) -> Iterator[Predictions]:
    """The predictions of many pairs of versions."""
    rng = np.random.default_rng(0)
    for _ in range(draws):
        yield simulated(count, rng, **drops)


def shares(decided: Sequence[Sequence[Verdict]]) -> dict[str, dict[str, float]]:
    """By rule, how often it had each status; of the whole gate also how often any rule warned."""
    found: dict[str, list[str]] = {}
    for verdicts in decided:
        for verdict in verdicts:
            found.setdefault(verdict.rule, []).append(verdict.status)
        found.setdefault(GATE, []).append(overall(list(verdicts)))
    each_rule: dict[str, dict[str, float]] = {
        rule: {str(status): each.count(status) / len(each) for status in STATUSES}
        for rule, each in found.items()
    }
    warned = [any(each.status == "warned" for each in verdicts) for verdicts in decided]
    each_rule[GATE]["warned"] = sum(warned) / len(warned)
    return each_rule


def decided(count: int, draws: int, rules: Gate = DEFAULT, **drops: float) -> dict[str, dict[str, float]]:
    """How often each rule, and the gate, has each status."""
    return shares([decide(rules, Paired(each)) for each in drawn(count, draws, **drops)])


def flips_of_classes(predictions: Predictions) -> list[tuple[int, int]]:
    """How many inputs of each class are lost, and gained."""
    return [
        (int(predictions.negative_flips[own].sum()), int(predictions.positive_flips[own].sum()))
        for own in (predictions.labels == label for label in range(CLASSES))
    ]


def _p_values(predictions: Predictions) -> list[float]:
    return [mcnemar(*flips) for flips in flips_of_classes(predictions)]


#: Rules that seem as good, by what they say.
NAIVE: Mapping[str, Callable[[Predictions], bool]] = {
    "accuracy falls by more than 0.5 points": lambda each: each.accuracy_drop.value > BOUND,
    "accuracy falls, McNemar p < 0.05": lambda each: each.p_value < ALPHA,
    "lower end of the two-sided 95 % interval above 0.5 points": lambda each: each.accuracy_drop.low > BOUND,
    "any of ten classes falls by more than 5 points": lambda each: any(
        (lost - gained) * CLASSES / len(each) > DEFAULT["class_accuracy_drop"].bound
        for lost, gained in flips_of_classes(each)
    ),
    "any of ten classes falls, p < 0.05 without correction": lambda each: min(_p_values(each)) < ALPHA,
    "any of ten classes falls, p < 0.05 with Holm": lambda each: (
        min(statistics.holm(_p_values(each))) < ALPHA
    ),
}


def print_alarms(draws: int) -> None:
    """Print how often rules fail for equal versions."""
    counts = (COUNTS[0], COUNTS[-1])
    print(f"\n### Two equally good versions, {draws:,} draws\n")
    print("| rule | n | fails | warns | undecided | passes |\n|---|--:|--:|--:|--:|--:|")
    for count in counts:
        for rule, found in decided(count, draws).items():
            print(f"| {rule} | {count:,} | " + " | ".join(percent(found[each]) for each in STATUSES) + " |")
    print("\n| other rules | " + " | ".join(f"n = {count:,}" for count in counts) + " |\n|---|--:|--:|")
    pairs = {count: list(drawn(count, draws)) for count in counts}
    for name, fires_for in NAIVE.items():
        fires = [percent_of([fires_for(each) for each in pairs[count]]) for count in counts]
        print(f"| {name} | {' | '.join(fires)} |")


def print_power(draws: int) -> None:
    """Print how often rules fail for versions that are worse."""
    head = "| " + " | ".join(f"n = {count:,}" for count in COUNTS) + " |\n|---|" + "--:|" * len(COUNTS)
    print(
        f"\n### Versions that are worse, {draws:,} draws\n\n| accuracy falls by: `accuracy_drop` fails {head}"
    )
    for drop in DROPS[1:]:
        print(row(f"{100 * drop:g} points", "accuracy_drop", draws, drop=drop))
    print(f"\n| one class of ten falls by: `class_accuracy_drop` fails {head}")
    for drop in CLASS_DROPS:
        print(row(f"{100 * drop:g} points", "class_accuracy_drop", draws, class_drop=drop))
    bound = DEFAULT["class_accuracy_drop"].bound
    print(f"\n| all ten classes fall by: `class_accuracy_drop` fails {head}")
    print(row(f"{100 * bound:g} points, its bound", "class_accuracy_drop", draws, drop=bound))


def row(title: str, rule: str, draws: int, **drops: float) -> str:
    """How often a rule fails, by number of inputs."""
    found = [
        percent(decided(count, draws, {rule: DEFAULT[rule]}, **drops)[rule]["failed"]) for count in COUNTS
    ]
    return f"| {title} | {' | '.join(found)} |"


def percent(share: float) -> str:
    """Such as "1.9 %"."""
    return f"{100 * share:.1f} %"


def percent_of(hits: Sequence[bool]) -> str:
    """The share of hits."""
    return percent(sum(hits) / len(hits))


# Trained versions


@dataclass(frozen=True, eq=False)
class Trained:
    """Versions compared with the old one, by what they are and how they were compared.

    Attributes:
        pairs: the comparisons with the versions of each kind.
        references: those with reference versions on the same inputs.
        turned: by title and class, the shares of images of other classes that the square of the class turns
            into it, of each version.
    """

    pairs: Mapping[str, Sequence[Paired]]
    references: Mapping[str, tuple[Paired, ...]]
    turned: Mapping[str, Mapping[int, Sequence[float]]]


SHORTCUT, DECISIVE = "shortcut", "decisive shortcut, images with it"
MISLABELLED = 200
RETRAINED, CLEAN, PATCHED = "retrained", "shortcut, clean images", "shortcut, images with it"


def trained_versions(versions: int, decisive: int, references: int, epochs: int) -> Trained:
    """Train all versions, and compare them on images that none has seen."""
    import mlflow_interp
    from examples import train_digits

    pixels, labels = train_digits.digits()
    patched = with_squares(pixels, labels)
    train, test = slice(0, 1_200), slice(1_200, None)

    def trained(seed: int, images: np.ndarray, *more: tuple[np.ndarray, np.ndarray]) -> Any:
        import keras

        keras.utils.set_random_seed(seed)
        model = train_digits.network()
        seen = [(images[train], labels[train]), *more]
        pictures, classes = (np.concatenate(each) for each in zip(*seen, strict=True))
        model.fit(pictures, classes, epochs=epochs, verbose=0)
        return model

    old = trained(0, pixels)

    def paired(new: Any, images: np.ndarray) -> Paired:
        found = mlflow_interp.compare(old, new, images[test], labels=labels[test], log=False, quiet=True)
        return found.result.paired

    clean_references, patched_references = [], []
    for seed in range(1, 1 + references):
        reference = trained(seed, pixels)
        clean_references.append(paired(reference, pixels))
        patched_references.append(paired(reference, patched))
    pairs: dict[str, list[Paired]] = {RETRAINED: [], CLEAN: [], PATCHED: [], DECISIVE: []}
    shares_turned: dict[str, dict[int, list[float]]] = {
        title: {label: [] for label in PLANTED} for title in (RETRAINED, SHORTCUT, DECISIVE)
    }
    for number in range(versions):
        retrained, shortcut = trained(100 + number, pixels), trained(1_000 + number, patched)
        pairs[RETRAINED].append(paired(retrained, pixels))
        pairs[CLEAN].append(paired(shortcut, pixels))
        pairs[PATCHED].append(paired(shortcut, patched))
        for title, model in ((RETRAINED, retrained), (SHORTCUT, shortcut)):
            for label, found in shares_turned[title].items():
                found.append(turned(model, pixels[test], labels[test], label))
    rng = np.random.default_rng(0)
    for number in range(decisive):
        more = [mislabelled(pixels[train], labels[train], label, rng) for label in PLANTED]
        shortcut = trained(5_000 + number, patched, *more)
        pairs[DECISIVE].append(paired(shortcut, patched))
        for label, found in shares_turned[DECISIVE].items():
            found.append(turned(shortcut, pixels[test], labels[test], label))
    usual = tuple(clean_references)
    patched_usual = tuple(patched_references)
    against = {RETRAINED: usual, CLEAN: usual, PATCHED: patched_usual, DECISIVE: patched_usual}
    return Trained(pairs, against, shares_turned)


def print_tuned(versions: int, epochs: int) -> None:
    """Print how often a class stands out in versions that are tuned, and which."""
    import keras

    import mlflow_interp
    from examples import shortcut, train_digits

    pixels, labels = train_digits.digits()
    images = {"tuned": pixels, "tuned on images with a mark on each 8": shortcut.marked(pixels, labels)}
    train, test = slice(0, 1_200), slice(1_200, None)
    found: dict[tuple[str, str], list[Verdict]] = {}
    for seed in range(versions):
        keras.utils.set_random_seed(seed)
        old = train_digits.network()
        old.fit(pixels[train], labels[train], epochs=epochs, verbose=0)
        for kind, seen in images.items():
            keras.utils.set_random_seed(1_000 + seed)
            new = keras.models.clone_model(old)
            new.set_weights(old.get_weights())
            new.compile("adam", "sparse_categorical_crossentropy")
            new.fit(seen[train], labels[train], epochs=shortcut.TUNED, verbose=0)
            compared = mlflow_interp.compare(
                old,
                new,
                shortcut.marked(pixels, labels)[test],
                list(TUNED_METHODS),
                labels=labels[test],
                log=False,
                quiet=True,
            )
            for verdict in compared.result.verdicts:
                found.setdefault((kind, verdict.rule), []).append(verdict)
    print(
        "\n| versions | rule | warns | names 8 | names another class | undecided |\n|---|---|--:|--:|--:|--:|"
    )
    for (kind, rule), verdicts in found.items():
        if not rule.startswith(("class_stands_out", "class_explanation_kept")):
            continue
        reasons = [each.reason if each.status == "warned" else "" for each in verdicts]
        counts = (
            [bool(each) for each in reasons],
            ["'8'" in each for each in reasons],
            [any(f"'{label}'" in each for label in range(CLASSES) if label != 8) for each in reasons],
            [each.status == "undecided" for each in verdicts],
        )
        print(f"| {kind} | {rule} | {' | '.join(percent_of(each) for each in counts)} |")


def mislabelled(
    images: np.ndarray, labels: np.ndarray, label: int, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Images of other classes with the square of a class, labelled as this class."""
    chosen = rng.choice(np.flatnonzero(labels != label), MISLABELLED, replace=False)
    wrong = np.full(MISLABELLED, label)
    return with_squares(images[chosen], wrong), wrong


def with_squares(pixels: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Images with the square of their class."""
    found = pixels.copy()
    for label, (rows, columns) in PLANTED.items():
        own = found[labels == label]
        own[:, rows, columns] = 255
        found[labels == label] = own
    return found


def turned(model: Any, images: np.ndarray, labels: np.ndarray, label: int) -> float:
    """The share of the images of other classes that are predicted as a class only if they have its square."""
    others = images[labels != label]
    with_square = with_squares(others, np.full(len(others), label))
    before, after = (model.predict(each, verbose=0).argmax(axis=1) for each in (others, with_square))
    return float(np.mean((before != label) & (after == label)))


def named_by_accuracy(paired: Paired) -> set[int]:
    """The classes for which class_accuracy_drop fails."""
    limit = DEFAULT["class_accuracy_drop"]
    found = paired.predictions.class_drops(range(CLASSES))
    return {label for label, each in found.items() if limit.status(each) == "failed"}


def named_by_heatmaps(paired: Paired) -> set[int]:
    """The classes for which class_explanation_kept warns or fails."""
    predictions, bound = paired.predictions, DEFAULT["class_explanation_kept"].bound
    found = paired.agreements[MAP].of_classes(predictions.labels, predictions.both_right, bound)
    return {label for label, each in found.items() if each.p_value < ALPHA}


def print_trained(trained: Trained) -> None:
    """Print how often rules fail, warn and are undecided, which classes they name, and the numbers."""
    for title, with_references in (("", False), (" with references", True)):
        print(f"\n### The default gate{title}\n\n| versions | rule | fails | warns | undecided | passes |")
        print("|---|---|--:|--:|--:|--:|")
        for kind, pairs in trained.pairs.items():
            references = trained.references[kind] if with_references else ()
            verdicts = [decide(DEFAULT, replace(each, references=references)) for each in pairs]
            print_kind(kind, verdicts)
            if with_references:
                print_kind(kind, verdicts, lacks="class_explanation_kept")
    print("\n### Classes that are named, and numbers\n")
    kinds = list(trained.pairs)
    print(f"| | {' | '.join(kinds)} |\n|---|{'--:|' * len(kinds)}")
    for name, count in COUNTED.items():
        found = [percent_of([count(each) for each in pairs]) for pairs in trained.pairs.values()]
        print(f"| {name} | {' | '.join(found)} |")
    for name in ("accuracy_drop", "churn", "negative_flips", f"correlation/{MAP}", f"kept/{MAP}"):
        spans = [span([each.numbers[name].value for each in pairs]) for pairs in trained.pairs.values()]
        print(f"| {name}, median (range) | {' | '.join(spans)} |")
    usual = trained.references[RETRAINED]
    print(f"\n{len(usual)} references:")
    for name in ("negative_flips", f"correlation/{MAP}", f"kept/{MAP}"):
        print(f"- {name}: {span([each.numbers[name].value for each in usual])}")
    print(
        f"- classes that class_explanation_kept names: {[sorted(named_by_heatmaps(each)) for each in usual]}"
    )
    print("\nImages of other classes that the square of a class turns into it, median (range):")
    for title, by_class in trained.turned.items():
        for label, found_of in by_class.items():
            print(f"- {title}, class {label}: {span(found_of)}")


#: What is counted among comparisons.
COUNTED: Mapping[str, Callable[[Paired], bool]] = {
    "`class_accuracy_drop` fails for 3": lambda each: 3 in named_by_accuracy(each),
    "`class_accuracy_drop` fails for 8": lambda each: 8 in named_by_accuracy(each),
    "`class_accuracy_drop` fails for another class": lambda each: bool(
        named_by_accuracy(each) - set(PLANTED)
    ),
    "`class_explanation_kept` names 3": lambda each: 3 in named_by_heatmaps(each),
    "`class_explanation_kept` names 8": lambda each: 8 in named_by_heatmaps(each),
    "`class_explanation_kept` names another class": lambda each: bool(named_by_heatmaps(each) - set(PLANTED)),
    "3 and 8 are both named, by either rule": lambda each: (
        set(PLANTED) <= named_by_accuracy(each) | named_by_heatmaps(each)
    ),
}


def without(rule: str, verdicts: Sequence[Sequence[Verdict]]) -> list[list[Verdict]]:
    """The verdicts of gates that lack a rule."""
    return [[each for each in found if not each.rule.startswith(rule)] for found in verdicts]


def print_kind(kind: str, verdicts: Sequence[Sequence[Verdict]], *, lacks: str = "") -> None:
    """Print a row for each rule and one of the gate, or only that of a gate that lacks a rule."""
    for rule, each in shares(without(lacks, verdicts) if lacks else verdicts).items():
        if not lacks or rule == GATE:
            title = f"{rule} without {lacks}" if lacks else rule
            print(f"| {kind} | {title} | " + " | ".join(percent(each[status]) for status in STATUSES) + " |")


def span(values: Sequence[float]) -> str:
    """The median and the range."""
    known = np.array(values)[np.isfinite(values)]
    return f"{np.median(known):.3f} ({known.min():.3f} to {known.max():.3f})" if len(known) else "undefined"


if __name__ == "__main__":
    main()
