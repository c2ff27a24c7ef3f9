import { describe, expect, it } from "vitest";
import type { InputSet, Method, Row, Step } from "../src/workbench/data";
import { findingsOf } from "../src/workbench/findings";
import { looksOf, targetsOf, whyMissing, withTarget } from "../src/workbench/looks";
import { Workbench } from "../src/workbench/workbench";
import { page, step } from "./data";

const names = (bench: Workbench) => bench.visible.map((input) => input.name);

describe("the workbench", () => {
  it("starts at the last epoch, with the input of which most is shown", () => {
    const bench = new Workbench(page());
    expect(bench.epoch).toBe(4);
    expect(bench.chosen?.name).toBe("d");
  });
  it("walks in a circle through what the filter leaves", () => {
    const bench = new Workbench(page());
    bench.narrow({ wrong: true });
    expect(names(bench)).toEqual(["c", "d"]);
    bench.walk(1);
    expect(bench.chosen?.name).toBe("c");
    bench.walk(-1);
    expect(bench.chosen?.name).toBe("d");
  });
  it("moves to an input that the filter leaves, and stays with one that it does", () => {
    const bench = new Workbench(page());
    bench.narrow({ label: 0 });
    expect(bench.chosen?.name).toBe("a");
    bench.narrow({ label: null });
    expect(bench.chosen?.name).toBe("a");
  });
  it("follows the epoch: predictions, errors and findings", () => {
    const bench = new Workbench(page());
    bench.goTo(0);
    bench.narrow({ wrong: true });
    expect(names(bench)).toEqual(["a", "c"]);
    expect(findingsOf(bench)).toEqual([]);
    bench.goTo(99);
    expect(bench.epoch).toBe(4);
    expect(findingsOf(bench)).toHaveLength(1);
  });
  it("shows what a finding is about, and drops other filters", () => {
    const bench = new Workbench(page());
    bench.narrow({ label: 0 });
    bench.show(findingsOf(bench)[0] as { text: string; about: object });
    expect(names(bench)).toEqual(["d"]);
    bench.show({ text: "", about: { input: 1 } });
    expect(bench.chosen?.name).toBe("b");
    expect(names(bench)).toHaveLength(5);
  });
  it("tells of every change, once", () => {
    const bench = new Workbench(page());
    let count = 0;
    bench.onChange(() => {
      count += 1;
    });
    bench.choose(1);
    bench.narrow({ wrong: true });
    expect(count).toBe(2);
  });
});

it("what methods say of themselves stands below what stands out in the predictions", () => {
  const data = page();
  const [gradcam, saliency] = data.methods as [Method, Method];
  const about = { text: "Heatmaps of Grad-CAM are stable.", about: {} };
  const quality = { ...saliency, place: "quality", steps: [step({ findings: [about, about] })] };
  const bench = new Workbench({ ...data, methods: [quality, gradcam] });
  expect(findingsOf(bench).map(({ text }) => text)).toEqual([
    "dog is predicted as cat in 1 of 2 cases.",
    about.text,
  ]);
});

describe("looks", () => {
  const { methods } = page();
  const last = (method: (typeof methods)[0]) => method.steps.at(-1) as (typeof methods)[0]["steps"][0];
  it("are heat and tiles of all methods", () => {
    expect(looksOf(methods, last, 3).map((look) => [look.key, look.target])).toEqual([
      ["gradcam", "dog"],
      ["saliency/gradients", ""],
    ]);
    expect(looksOf(methods, last, 0).map((look) => look.heat?.place.position)).toEqual([0]);
  });
  it("are not named twice if the only tile has the name of its method", () => {
    const [gradcam] = page().methods;
    if (!gradcam) throw new Error();
    const method = { ...gradcam, title: "Grad-CAM at conv" };
    const row: Row = { predicted: 0, predictions: [], tiles: [["Grad-CAM", 0]], notes: [] };
    const shown = step({ rows: { 3: row } });
    expect(looksOf([method], () => shown, 3).map((look) => look.caption)).toEqual(["Grad-CAM at conv"]);
  });
  it("of heat have the maps of other classes", () => {
    const [look] = looksOf(methods, last, 3);
    if (!look) throw new Error();
    expect(targetsOf(look, 3).map(({ key, target }) => [key, target])).toEqual([
      ["gradcam", "dog"],
      ["gradcam#1", "dog"],
      ["gradcam#2", "eel"],
    ]);
    expect(withTarget(look, "gradcam#2", 3)).toMatchObject({ target: "eel", heat: { place: { rank: 2 } } });
    // Where there is no such map, that of the explained class is shown.
    expect(withTarget(look, "gradcam#2", 0)).toBe(look);
  });
  it("come with the methods that show nothing of an input", () => {
    const missing = (index: number) => whyMissing(methods, looksOf(methods, last, index), index);
    expect(missing(3)).toBe("");
    expect(missing(0)).toMatch(/^Not explained by saliency: /);
    expect(missing(1)).toMatch(/^Nothing of gradcam is kept for this input.* Not explained by saliency: /);
  });
  it("are missing at an epoch of which less is kept, even where nothing is", () => {
    const [gradcam] = methods as [Method];
    const first = ({ steps }: Method) => steps[0] as Step;
    expect(looksOf([gradcam], first, 3)).toEqual([]);
    expect(whyMissing([gradcam], [], 3)).toMatch(/^At this epoch, nothing of gradcam is kept for this input/);
  });
});

it("the workbench starts with the inputs of which something is shown", () => {
  const data = page();
  const [gradcam, saliency] = data.methods as [Method, Method];
  const counted: Method = { ...gradcam, place: "confusion_matrix", steps: [step({})] };
  const other = { ...(data.sets[0] as InputSet), name: "the whole validation set" };
  const moved = [counted, { ...gradcam, set: 1 }, { ...saliency, set: 1 }];
  const bench = new Workbench({ ...data, methods: moved, sets: [other, ...data.sets] });
  expect([bench.state.set, bench.chosen?.name]).toEqual([1, "d"]);
});
