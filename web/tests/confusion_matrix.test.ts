import { describe, expect, it } from "vitest";
import { blocksOf, type Entry } from "../src/pages/confusion_matrix/blocks";
import { cellOf, codeOf, count, type Shape } from "../src/pages/confusion_matrix/counts";
import type { PageData, Step } from "../src/pages/confusion_matrix/data";
import { Matrix } from "../src/pages/confusion_matrix/matrix";
import { around, ordered } from "../src/pages/confusion_matrix/order";
import { ticks } from "../src/pages/confusion_matrix/plot";
import { keptNote } from "../src/pages/confusion_matrix/text";

const packed = (numbers: Uint32Array | Float32Array) =>
  btoa(String.fromCharCode(...new Uint8Array(numbers.buffer)));

/** A step with these counts by code, and weights that are half of them. */
function step(counts: Record<number, number>, weighted = false): Step {
  return {
    step: 0,
    headline: ["", ""],
    cells: packed(Uint32Array.from(Object.keys(counts).map(Number))),
    counts: packed(Uint32Array.from(Object.values(counts))),
    wide: false,
    sums: weighted ? packed(Float32Array.from(Object.values(counts), (each) => each / 2)) : null,
    mistakes: [
      { cell: [0, 1], name: "a", predictions: [], share: null, picture: null },
      { cell: [2, 1], name: "b", predictions: [], share: null, picture: null },
    ],
  };
}

function matrix(changes: Partial<PageData> = {}, counts: Record<number, number> = COUNTS): Matrix {
  return new Matrix({
    names: ["cat", "dog", "cow"],
    multi: false,
    weighted: false,
    unit: "inputs",
    steps: [step({ 0: 1 }), step(counts)],
    pictures: [],
    cluster: [1, 0, 2],
    normalize: "true",
    order: "given",
    shades: [],
    ...changes,
  });
}

const THREE: Shape = { classes: 3, multi: false };
const LABELS: Shape = { classes: 2, multi: true };
// Rows: 6 cats, of which 4 are right and 2 are dogs; 3 dogs; a cow that is a dog.
const COUNTS = { 0: 4, 1: 2, 4: 3, 7: 1 };
// Of label 0: 5 absent, 1 of them predicted; 4 present, 3 of them predicted. Of label 1: 9 absent.
const LABEL_COUNTS = { 0: 4, 1: 1, 2: 1, 3: 3, 4: 9 };

describe("cells and their codes", () => {
  it.each([THREE, LABELS])("are each other's inverse", (shape) => {
    const codes = Array.from({ length: shape.multi ? 8 : 9 }, (_, code) => code);
    expect(codes.map((code) => codeOf(cellOf(code, shape), shape))).toEqual(codes);
  });
  it("have the true class as row", () => {
    expect(cellOf(7, THREE)).toEqual({ label: 0, row: 2, column: 1 });
    expect(cellOf(6, LABELS)).toEqual({ label: 1, row: 1, column: 0 });
  });
});

describe("what cells add up to", () => {
  it("has precision, recall, F1 and the most frequent mistake of each class", () => {
    const { each, total, rows, columns } = count(step(COUNTS), THREE);
    expect(each[0]).toMatchObject({ inputs: 6, right: 4, wrong: 2, worst: 1, worstCount: 2, precision: 1 });
    expect(each[0]?.recall).toBeCloseTo(4 / 6);
    expect(each[1]).toMatchObject({ inputs: 3, predictedInputs: 6, precision: 0.5, recall: 1, worst: null });
    expect(each[1]?.f1).toBeCloseTo(2 / 3);
    expect(each[2]).toMatchObject({ inputs: 1, predictedInputs: 0, precision: 0, recall: 0, f1: 0 });
    expect([total, [...rows], [...columns]]).toEqual([10, [6, 3, 1], [4, 6, 0]]);
  });
  it("takes measures from weights, and numbers of inputs from counts", () => {
    const { each, total } = count(step(COUNTS, true), THREE);
    expect(each[0]).toMatchObject({ inputs: 6, support: 3, right: 2, wrong: 2, worstCount: 2 });
    expect(total).toBe(5);
  });
  it("counts each of several labels in a matrix of its own", () => {
    const { each, total, rows } = count(step(LABEL_COUNTS), LABELS);
    expect(each[0]).toMatchObject({ inputs: 4, predictedInputs: 4, right: 3, wrong: 2, precision: 0.75 });
    expect(each[1]).toMatchObject({ inputs: 0, wrong: 0, recall: 0 });
    expect([total, [...rows]]).toEqual([9, [5, 4, 9, 0]]);
  });
});

describe("the order of classes", () => {
  const { each } = count(step(COUNTS), THREE);
  it.each([
    ["given", [0, 1, 2]],
    ["cluster", [1, 0, 2]],
    ["support", [0, 1, 2]],
    ["recall", [2, 0, 1]],
  ] as const)("is by %s", (order, expected) => {
    expect(ordered(each, order, [1, 0, 2])).toEqual(expected);
  });
  it("has classes without inputs last by recall", () => {
    expect(ordered(count(step({ 4: 3 }), THREE).each, "recall", null)).toEqual([1, 0, 2]);
  });
  it("starts with the focus, then what it is confused with, either way", () => {
    const counted = count(step(COUNTS), THREE);
    expect(around(1, counted, THREE, [])).toEqual([1, 0, 2]);
    expect(around(2, counted, THREE, [])).toEqual([2, 1]);
    expect(around(2, counted, THREE, [2, 0])).toEqual([2, 0, 1]);
  });
});

describe("blocks", () => {
  const entry = (row: number, column: number, value: number): Entry => ({
    code: 1000 * row + column,
    row,
    column,
    value,
  });
  it("are single cells where there is room", () => {
    const { z, from, block, most } = blocksOf([entry(0, 1, 2), entry(1, 1, 5)], 2, null);
    expect([block, most]).toEqual([1, 5]);
    expect(z.map((row) => [...row])).toEqual([
      [Number.NaN, 2],
      [Number.NaN, 5],
    ]);
    expect(from.map((row) => [...row])).toEqual([
      [-1, 1],
      [-1, 1001],
    ]);
  });
  it("show the largest of their cells", () => {
    const { z, from, block } = blocksOf([entry(0, 0, 1), entry(1, 1, 7), entry(1, 0, 3)], 800, null);
    expect([block, z.length, z[0]?.[0], from[0]?.[0]]).toEqual([2, 400, 7, 1001]);
  });
  it("cover what is zoomed into, and leave out the rest", () => {
    const entries = [entry(0, 0, 9), entry(2, 3, 4), entry(-1, 2, 9)];
    const found = blocksOf(entries, 10, { x: [1.5, 3.5], y: [2.5, 0.5] });
    expect([found.left, found.top, found.z.length, found.z[0]?.length]).toEqual([2, 1, 2, 2]);
    expect(found.z[1]?.[1]).toBe(4);
  });
});

describe("the state of the page", () => {
  it("starts at the last step, and computes shares of the true class", () => {
    const page = matrix();
    expect(page.countAt([0, 1])).toBe(2);
    expect(page.value([0, 1], page.sumAt([0, 1]))).toBeCloseTo(2 / 6);
    expect(page.value([0, 1], 2, "predicted")).toBeCloseTo(2 / 6);
    expect(page.value([0, 1], 2, "all")).toBeCloseTo(0.2);
    expect(page.value([0, 1], 2, "none")).toBe(2);
    expect(page.countAt([2, 2])).toBe(0);
  });
  it("follows the step", () => {
    const page = matrix();
    page.state.step = 0;
    expect([page.countAt([0, 0]), page.countAt([0, 1])]).toEqual([1, 0]);
  });
  it("leaves out what is right where only errors are wanted", () => {
    const page = matrix();
    page.state.onlyWrong = true;
    expect(page.blocks(page.shown).z.flatMap((row) => [...row].filter((each) => each > 0)).length).toBe(2);
  });
  it("finds the mistakes behind a cell", () => {
    expect(matrix().mistakes([2, 1])).toMatchObject([{ name: "b" }]);
    expect(matrix().mistakes([1, 1])).toEqual([]);
  });
  it("chooses a class with its most frequent mistake, and its row of many classes", () => {
    const page = matrix();
    page.chooseClass(0);
    expect([page.state.cell, page.state.focus]).toEqual([[0, 1], null]);
    const names = Array.from({ length: 40 }, (_, at) => `class ${at}`);
    const large = matrix({ names, cluster: null }, { 3: 2 });
    large.chooseClass(0);
    expect([large.state.cell, large.shown]).toEqual([
      [0, 3],
      [0, 3],
    ]);
  });
  it("starts with the label of the lowest F1", () => {
    const labels = matrix({ names: ["fog", "sun"], multi: true, cluster: null }, LABEL_COUNTS);
    expect(labels.state.label).toBe(1);
    labels.chooseClass(0);
    expect(labels.state.cell).toEqual([1, 0]);
    expect(labels.countAt([1, 1])).toBe(3);
    expect(labels.value([1, 1], 3)).toBe(0.75);
  });
});

it("chooses the more frequent mistake with a label", () => {
  const labels = matrix({ names: ["fog", "sun"], multi: true, cluster: null }, { 0: 4, 1: 3, 2: 1, 4: 8 });
  labels.chooseClass(0);
  expect(labels.state.cell).toEqual([0, 1]);
});

it("has as many names as there is room for", () => {
  expect(ticks(4, [-0.5, 3.5], 400)).toEqual([0, 1, 2, 3]);
  expect(ticks(100, [-0.5, 99.5], 300)).toEqual([
    0, 5, 10, 15, 20, 25, 30, 35, 40, 45, 50, 55, 60, 65, 70, 75, 80, 85, 90, 95,
  ]);
  expect(ticks(100, [20.5, 10.5], 300)).toEqual([11, 12, 13, 14, 15, 16, 17, 18, 19, 20]);
});

it("says which inputs of a cell are shown", () => {
  expect([keptNote(0, 3, "inputs"), keptNote(2, 3, "inputs"), keptNote(3, 3, "inputs")]).toEqual([
    "no examples are kept for this cell",
    "2 of them, the most confident first",
    "the most confident first",
  ]);
  expect(keptNote(2, 300, "pixels")).toBe("the inputs with the largest share of such pixels");
});
