/** The page of training dynamics: lists of inputs, and the history of the chosen one. */

import { find, make, makeImage, onArrowKeys } from "../common/dom";
import { shared } from "../common/globals";
import { onInput } from "../common/pages";
import { onGround } from "../common/palette";

interface Input {
  name: string;
  label: string;
  predicted: string;
  mean: number;
  variability: number;
  forgotten: number;
  since: number | null;
  right: number;
  seen: number;
  times: number;
  values: (number | null)[];
  predictions: number[];
  picture: string | null;
}

interface Line {
  name: string;
  /** Null for a class that is not named in the legend. */
  colour: string | null;
  values: (number | null)[];
}

interface PageData {
  epochs: number[];
  classes: Line[];
  predictedNames: Record<string, string>;
  lists: Record<string, number[]>;
  inputs: Input[];
  /** Deviation, mean, whether right, position in `inputs` or -1. */
  points: [number, number, number, number][];
}

const data = shared.data as PageData;
const WIDTH = 420;
const HEIGHT = 240;
const LEFT = 34;
const BOTTOM = 30;
const SMALL = 20; // pixels up to which an image is enlarged pixel by pixel

let listed: number[] = [];
let chosen = data.lists["least learnt"]?.[0] ?? 0;
let marked: string | null = null;

function element(tag: string, attributes: Record<string, string | number>, text = ""): SVGElement {
  const made = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, String(value));
  made.textContent = text;
  return made;
}

function drawing(width: number, height: number, label: string): SVGElement {
  return element("svg", { viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": label });
}

function across(share: number): number {
  return LEFT + share * (WIDTH - LEFT - 8);
}

function upwards(share: number): number {
  return HEIGHT - BOTTOM - share * (HEIGHT - BOTTOM - 8);
}

/** Axes with shares from 0 to 1 upwards. */
function axes(svg: SVGElement, ticks: [number, string][], title: string): void {
  for (const share of [0, 0.5, 1]) {
    const y = upwards(share);
    svg.append(element("line", { class: "axis", x1: LEFT, x2: WIDTH - 8, y1: y, y2: y }));
    svg.append(element("text", { x: LEFT - 6, y: y + 4, "text-anchor": "end" }, String(share)));
  }
  for (const [share, text] of ticks)
    svg.append(element("text", { x: across(share), y: HEIGHT - 15, "text-anchor": "middle" }, text));
  svg.append(element("text", { x: across(0.5), y: HEIGHT - 1, "text-anchor": "middle" }, title));
}

function epochTicks(): [number, string][] {
  const last = data.epochs.length - 1;
  const count = Math.min(6, data.epochs.length);
  const at = Array.from({ length: count }, (_, step) => Math.round((step * last) / Math.max(1, count - 1)));
  return at.map((index) => [place(index), String(data.epochs[index])]);
}

/** Where an epoch is, as a share of the width. */
function place(index: number): number {
  return data.epochs.length > 1 ? index / (data.epochs.length - 1) : 0.5;
}

/** A path through values, interrupted where one is missing. */
function path(values: (number | null)[], x: (index: number) => number, y: (value: number) => number): string {
  let pen = "M";
  const parts: string[] = [];
  values.forEach((value, index) => {
    if (value === null) {
      pen = "M";
      return;
    }
    parts.push(`${pen}${x(index).toFixed(1)} ${y(value).toFixed(1)}`);
    pen = "L";
  });
  // A single value is drawn as a short line.
  return parts.length === 1 ? `${parts[0]}h4` : parts.join("");
}

function drawAccuracy(): void {
  const svg = drawing(WIDTH, HEIGHT, "Accuracy of each class after each epoch");
  axes(svg, epochTicks(), "epoch");
  const inFront = [...data.classes].sort(
    (one, other) => Number(one.colour !== null) - Number(other.colour !== null),
  );
  for (const { name, colour, values } of inFront) {
    const line = element("path", {
      class: `line ${colour ? "" : "other"} ${marked && marked !== name ? "dim" : ""} ${marked === name ? "wide" : ""}`,
      d: path(values, (index) => across(place(index)), upwards),
    });
    if (colour) line.style.stroke = onGround(colour);
    line.append(element("title", {}, `${name}: ${values.at(-1) ?? "no input"}`));
    line.addEventListener("pointerenter", () => mark(name));
    line.addEventListener("pointerleave", () => mark(null));
    svg.append(line);
  }
  find("accuracy").replaceChildren(svg);
}

function drawLegend(): void {
  const shown = data.classes.filter(({ colour }) => colour);
  const buttons = shown.map(({ name, colour, values }) => {
    const button = make("button");
    button.type = "button";
    const swatch = make("i");
    swatch.style.background = onGround(colour ?? "");
    button.append(swatch, `${name} `, make("span", String(values.at(-1) ?? ""), "faint"));
    button.addEventListener("pointerenter", () => mark(name));
    button.addEventListener("pointerleave", () => mark(null));
    return button;
  });
  const more = data.classes.length - shown.length;
  const rest = more ? [make("span", `grey: ${more} other classes, all more accurate`, "faint")] : [];
  find("legend").replaceChildren(...buttons, ...rest);
}

function mark(name: string | null): void {
  if (marked === name) return;
  marked = name;
  for (const line of document.querySelectorAll<SVGElement>("#accuracy .line")) {
    const own = line.querySelector("title")?.textContent?.startsWith(`${name}: `) ?? false;
    line.classList.toggle("dim", name !== null && !own);
    line.classList.toggle("wide", name !== null && own);
  }
}

function drawMap(): void {
  const svg = drawing(WIDTH, HEIGHT, "Mean probability of the label by its standard deviation");
  const most = Math.max(0.1, ...data.points.map(([deviation]) => deviation)) * 1.05;
  const ticks = [0, 0.5, 1].map((share): [number, string] => [share, (share * most).toFixed(2)]);
  axes(svg, ticks, "standard deviation over the epochs");
  for (const [deviation, mean, right, at] of data.points) {
    const point = element("circle", {
      class: `point ${right ? "is-right" : "is-wrong"} ${at < 0 ? "" : "listed"}`,
      cx: across(deviation / most),
      cy: upwards(mean),
      r: at < 0 ? 2 : 3,
      "data-at": at,
    });
    const input = data.inputs[at];
    if (input) {
      point.append(element("title", {}, `${input.name}: ${input.label}`));
      point.addEventListener("click", () => choose(at));
    }
    svg.append(point);
  }
  find("map").replaceChildren(svg);
}

function picture(input: Input): HTMLImageElement[] {
  if (!input.picture) return [];
  const image = makeImage(input.picture, "");
  image.addEventListener("load", () => image.classList.toggle("small", image.naturalWidth <= SMALL));
  return [image];
}

function verdict({ label, predicted }: Input): HTMLElement {
  const right = label === predicted;
  const line = make("div", "", right ? "right" : "wrong");
  line.append(make("bdi", right ? label : `${label} → ${predicted}`));
  return line;
}

function trajectory(input: Input): SVGElement {
  const svg = drawing(120, 34, `Probability of the label by epoch: ${input.values.join(", ")}`);
  for (const y of [2, 32]) svg.append(element("line", { class: "axis", x1: 0, x2: 120, y1: y, y2: y }));
  const line = element("path", {
    class: "line",
    d: path(
      input.values,
      (index) => 120 * place(index),
      (value) => 32 - 30 * value,
    ),
  });
  line.style.stroke = "var(--mark)";
  svg.append(line);
  return svg;
}

function showChosen(): void {
  const input = data.inputs[chosen];
  if (!input) return;
  const svg = drawing(WIDTH, HEIGHT, "Probability of the label of the chosen input after each epoch");
  axes(svg, epochTicks(), "probability of the label by epoch");
  const line = element("path", {
    class: "line",
    d: path(input.values, (index) => across(place(index)), upwards),
  });
  line.style.stroke = "var(--mark)";
  svg.append(line);
  input.values.forEach((value, index) => {
    if (value === null) return;
    const predicted = data.predictedNames[String(input.predictions[index])] ?? "";
    const point = element("circle", {
      class: predicted === input.label ? "is-right" : "is-wrong",
      cx: across(place(index)),
      cy: upwards(value),
      r: data.epochs.length > 40 ? 2 : 4,
    });
    point.append(element("title", {}, `epoch ${data.epochs[index]}: predicted ${predicted}, label ${value}`));
    svg.append(point);
  });
  const facts = make("div");
  facts.append(
    verdict(input),
    make("div", `mean probability of the label ${input.mean} ± ${input.variability}`),
    make("div", `right after ${input.right} of ${input.seen} epochs`),
    make("div", input.since === null ? "wrong after the last epoch" : `right since epoch ${input.since}`),
    ...(input.forgotten ? [make("div", `forgotten ${input.forgotten}×`)] : []),
    ...(input.times > 1 ? [make("div", `${input.times} equal inputs`)] : []),
  );
  const both = make("div", "", "both");
  both.append(...picture(input), facts);
  find("chosen").replaceChildren(make("h2", input.name), both, svg);
  for (const point of document.querySelectorAll<SVGElement>("#map .point"))
    point.classList.toggle("chosen", Number(point.getAttribute("data-at")) === chosen);
  for (const button of document.querySelectorAll<HTMLElement>("#inputs button"))
    button.setAttribute("aria-current", String(Number(button.dataset.at) === chosen));
}

function choose(at: number): void {
  chosen = at;
  showChosen();
}

function why(input: Input, list: string): string {
  if (list === "forgotten") return `forgotten ${input.forgotten}×`;
  return list === "learnt last" ? `right since epoch ${input.since}` : `mean ${input.mean}`;
}

function showList(): void {
  const list = find<HTMLSelectElement>("list").value;
  const wanted = (document.getElementById("class") as HTMLSelectElement | null)?.value ?? "";
  listed = (data.lists[list] ?? []).filter((at) => !wanted || data.inputs[at]?.label === wanted);
  const buttons = listed.map((at) => {
    const input = data.inputs[at] as Input;
    const button = make("button");
    button.type = "button";
    button.dataset.at = String(at);
    button.append(
      ...picture(input),
      make("bdi", input.name),
      verdict(input),
      trajectory(input),
      make("span", why(input, list), "faint"),
    );
    button.addEventListener("click", () => choose(at));
    return button;
  });
  find("inputs").replaceChildren(...buttons);
  find("count").textContent = listed.length ? `${listed.length} inputs` : "no input";
  showChosen();
}

function draw(): void {
  drawAccuracy();
  drawLegend();
  drawMap();
  showList();
}

onInput<HTMLSelectElement>("list", showList);
onInput<HTMLSelectElement>("class", showList);
onArrowKeys(document, (right, down) => {
  const at = listed.indexOf(chosen) + right + down;
  if (listed[at] === undefined) return false;
  choose(listed[at]);
  return true;
});
shared.onThemeChange(draw);
draw();
