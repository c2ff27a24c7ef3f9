import { describe, expect, it } from "vitest";
import { epochsOf, meets, ordered, stepAt, tableOf } from "../src/workbench/table";
import { page } from "./data";

const data = page();
const [gradcam, saliency] = data.methods as [(typeof data.methods)[0], (typeof data.methods)[0]];

describe("steps", () => {
  it("are the last at or before an epoch", () => {
    expect([0, 1, 3, 4, 9].map((epoch) => stepAt(gradcam, epoch).step)).toEqual([1, 1, 1, 4, 4]);
  });
  it("of a method with one step are always shown", () => {
    expect(stepAt(saliency, -1).step).toBe(0);
  });
  it("make epochs only if a method has several", () => {
    expect(epochsOf(data.methods)).toEqual([1, 4]);
    expect(epochsOf([saliency])).toEqual([]);
  });
});

describe("the table", () => {
  it("has the prediction of the chosen epoch for every input", () => {
    const at = (epoch: number) => tableOf(data, 0, epoch).inputs.map((input) => input.predictedName);
    expect(at(1)).toEqual(["dog", "dog", "dog", "dog", "dog"]);
    expect(at(4)).toEqual(["cat", "dog", "dog", "cat", "dog"]);
  });
  it("calls wrong what differs from a known label", () => {
    const wrong = tableOf(data, 0, 4).inputs.filter((input) => input.wrong);
    expect(wrong.map((input) => input.name)).toEqual(["c", "d"]);
  });
  it("knows large images and thumbnails", () => {
    const table = tableOf(data, 0, 4);
    expect(table.get(3)).toMatchObject({ picture: 0, thumbnail: 3 });
    expect(table.get(2)).toMatchObject({ picture: null, thumbnail: 2 });
  });
  it("takes names and predictions of rows where there is no overview", () => {
    const only = { ...data, sets: [{ ...data.sets[0], overview: null }] } as typeof data;
    const table = tableOf({ ...only, methods: [saliency] }, 0, undefined);
    expect(table.inputs.map((input) => [input.name, input.predictedName, input.wrong])).toEqual([
      ["d", "cat", true],
    ]);
  });
});

describe("conditions", () => {
  const { inputs } = tableOf(data, 0, 4);
  const names = (about: object) => inputs.filter((input) => meets(input, about)).map((input) => input.name);
  it("must all hold", () => {
    expect(names({})).toEqual(["a", "b", "c", "d", "e"]);
    expect(names({ label: 1 })).toEqual(["b", "d"]);
    expect(names({ label: 1, predicted: 0 })).toEqual(["d"]);
    expect(names({ wrong: true, at_least: 0.9 })).toEqual(["d"]);
    expect(names({ indices: [4, 0] })).toEqual(["a", "e"]);
    expect(names({ input: 2 })).toEqual(["c"]);
  });
});

describe("orders", () => {
  const { inputs } = tableOf(data, 0, 4);
  const names = (order: Parameters<typeof ordered>[1]) => ordered(inputs, order).map((input) => input.name);
  it("sort errors by confidence, the highest first", () => {
    expect(names("errors first")).toEqual(["d", "c", "a", "b", "e"]);
  });
  it("sort the least confident first", () => {
    expect(names("least confident")).toEqual(["e", "c", "b", "a", "d"]);
  });
});
