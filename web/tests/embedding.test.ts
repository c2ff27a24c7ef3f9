import { expect, it } from "vitest";
import type { PageData } from "../src/pages/embedding/data";
import { Points } from "../src/pages/embedding/points";

const packed = (numbers: Int32Array | Float32Array) =>
  btoa(String.fromCharCode(...new Uint8Array(numbers.buffer)));

/** Four inputs of the classes 3 and 5, one without a label; input 1 is wrongly predicted at the second step. */
function points(changes: Partial<PageData> = {}): Points {
  const step = (number: number, predicted: number[]) => ({
    step: number,
    inputs: 0,
    points: [packed(Float32Array.from([0, 1, 2, 3, 4, 5, 6, 7]))],
    predicted: packed(Int32Array.from(predicted)),
    probabilities: packed(Float32Array.from([1, 1, 1, 1])),
    values: null,
    lines: null,
    measures: [{ knn_agreement: 0.5 }],
  });
  return new Points({
    title: "UMAP",
    layers: ["last"],
    components: 2,
    size: null,
    legend: true,
    classes: [3, 5, 8, -1].map((index) => ({
      index,
      name: `class ${index}`,
      short: `${index}`,
      colour: "#000",
    })),
    predictedNames: {},
    values: null,
    inputs: [
      {
        names: ["a", "b", "c", "d"],
        labels: packed(Int32Array.from([3, 5, 5, -1])),
        indices: packed(Int32Array.from([0, 1, 2, 3])),
        sprite: null,
      },
    ],
    steps: [step(2, [3, 5, 5, 5]), step(7, [3, 3, 5, 5])],
    ...changes,
  });
}

it("has a group for each class that occurs", () => {
  expect(points().groups.map(({ index }) => index)).toEqual([3, 5, -1]);
});

it("has one group where there are too many classes for a legend", () => {
  const classes = Array.from({ length: 100 }, (_, index) => ({ index, name: "", short: "", colour: "" }));
  const labels = Int32Array.from(classes.map(({ index }) => index));
  const names = classes.map(({ index }) => `input ${index}`);
  const inputs = [{ names, labels: packed(labels), indices: packed(labels), sprite: null }];
  const many = points({ classes, inputs });
  expect(many.groups).toEqual([{ name: "inputs" }]);
  expect(many.rowsOf({ name: "inputs" }).length).toBe(100);
});

it("starts at the last step, where an input without a label is not wrong", () => {
  const found = points();
  expect(found.step.step).toBe(7);
  expect(found.rows.filter((row) => found.isWrong(row))).toEqual([1]);
  expect(found.summary).toBe("knn agreement 0.5 · 1 of 4 wrongly predicted");
  found.at = 0;
  expect(found.summary).toBe("knn agreement 0.5 · 0 of 4 wrongly predicted");
});

it("filters by class and by mistake", () => {
  const found = points();
  const five = found.groups[1] as { name: string; index: number };
  expect(found.rowsOf(five)).toEqual([1, 2]);
  found.onlyWrong = true;
  expect(found.rowsOf(five)).toEqual([1]);
  found.wanted = 3;
  expect(found.rowsOf(five)).toEqual([]);
});

it("has the coordinates of each point, and a row for each class where there is one component", () => {
  expect([points().coordinate(1, 0), points().coordinate(1, 1)]).toEqual([2, 3]);
  const flat = points({ components: 1 });
  expect(flat.coordinate(1, 0)).toBe(1);
  // The second class that occurs, jittered by less than half the distance of two rows.
  expect(Math.abs(flat.coordinate(1, 1) + 1)).toBeLessThan(0.36);
  expect(flat.coordinate(1, 1)).toBe(flat.coordinate(1, 1));
});
