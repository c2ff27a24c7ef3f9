/** The page of a confusion matrix. */

import { find, make, onArrowKeys } from "../../common/dom";
import { amount, clamp } from "../../common/format";
import { shared } from "../../common/globals";
import { hoverCard, onInput, suggest } from "../../common/pages";
import type { PlotElement } from "../plotly";
import type { Normalize, Order, PageData } from "./data";
import { showCell, showPairs } from "./details";
import { FEW, Matrix, type Pair } from "./matrix";
import { blockAt, cellAt, type Drawn, draw, isInView } from "./plot";
import { ClassTable } from "./table";
import { cellLines, cellTitle, line, nameOf, type Parts } from "./text";

const matrix = new Matrix(shared.data as PageData);
const { data, state } = matrix;
const table = new ClassTable(matrix, chooseClass);
const card = hoverCard();
let drawn: Drawn;

function redraw(): void {
  drawn = draw(matrix);
  find("all").hidden = state.focus === null && !state.zoom;
  find("shown").replaceChildren(...shownNote());
}

function shownNote(): Parts {
  const size = drawn.shown.length;
  if (state.focus !== null)
    return [nameOf(matrix, state.focus), ` and the ${size - 1} classes it is most confused with`];
  return size > FEW && !state.zoom ? [`${amount(size)} classes: drag to zoom in, or find one`] : [];
}

function showStep(): void {
  const [headline, measures] = matrix.step.headline;
  find("headline").textContent = headline;
  find("measures").textContent = measures;
  const output = find("at");
  if (output) output.textContent = String(matrix.step.step);
  redraw();
  showPairs(matrix, { choose, chooseClass });
  table.show();
  showCell(matrix);
}

function showChoice(): void {
  redraw();
  showCell(matrix);
  table.mark();
}

function choose(cell: Pair): void {
  state.cell = cell;
  if (!data.multi && !isInView(cell, matrix, drawn)) matrix.show(cell[0]);
  showChoice();
}

function chooseClass(one: number): void {
  matrix.chooseClass(one);
  showChoice();
}

function showAll(): void {
  Object.assign(state, { focus: null, zoom: null });
  find<HTMLInputElement>("find").value = "";
  redraw();
}

function hover(cell: Pair): void {
  const title = make("b");
  title.append(...cellTitle(matrix, cell));
  find("card").replaceChildren(title, ...cellLines(matrix, cell).map((parts) => line(parts)));
  card.show();
}

function walk(across: number, down: number): boolean {
  const { shown } = drawn;
  const at = (one: number | undefined) => Math.max(0, shown.indexOf(one ?? -1));
  const to = (place: number, by: number) =>
    shown[clamp(place + (state.cell ? by : 0), 0, shown.length - 1)] as number;
  choose([to(at(state.cell?.[0]), down), to(at(state.cell?.[1]), across)]);
  return true;
}

function zoomed(change: Record<string, number>): void {
  if (!Object.keys(change).some((key) => key.includes("axis.range["))) return;
  const end = drawn.shown.length - 0.5;
  const range = (axis: "x" | "y", otherwise: Pair): Pair => {
    const [from, to] = [change[`${axis}axis.range[0]`], change[`${axis}axis.range[1]`]];
    return from === undefined || to === undefined ? (state.zoom?.[axis] ?? otherwise) : [from, to];
  };
  state.zoom = { x: range("x", [-0.5, end]), y: range("y", [end, -0.5]) };
  redraw();
}

function listenToPlot(): void {
  const plot = find<PlotElement>("plot");
  plot.on("plotly_hover", ({ points }) => hover(cellAt(points[0].pointIndex, matrix, drawn)));
  plot.on("plotly_unhover", card.hide);
  plot.on("plotly_click", ({ event }) => choose(cellAt(blockAt(event, matrix, drawn), matrix, drawn)));
  // Two quick clicks on different cells are a double click too; with nothing to undo, the second must count.
  plot.on("plotly_doubleclick", () => {
    if (state.focus !== null || state.zoom) showAll();
  });
  plot.on("plotly_relayout", zoomed);
  onArrowKeys(plot, walk);
  plot.addEventListener("blur", card.hide);
}

function listenToControls(): void {
  find("all").addEventListener("click", showAll);
  onInput<HTMLSelectElement>("normalize", ({ value }) => {
    state.normalize = value as Normalize;
    redraw();
  });
  onInput("step", ({ value }) => {
    state.step = Number(value);
    showStep();
  });
  onInput<HTMLSelectElement>("order", ({ value }) => {
    Object.assign(state, { order: value as Order, zoom: null, focus: null });
    redraw();
  });
  onInput("wrong", ({ checked }) => {
    state.onlyWrong = checked;
    redraw();
  });
  onInput("find", ({ value }) => {
    const one = data.names.indexOf(value);
    if (one >= 0) chooseClass(one);
    else if (!value && state.focus !== null) showAll();
  });
}

find<HTMLSelectElement>("normalize").value = state.normalize;
if (!data.multi) find<HTMLSelectElement>("order").value = state.order;
suggest(find("names"), data.names);
showStep();
listenToPlot();
listenToControls();
addEventListener("resize", redraw);
shared.onThemeChange(redraw);
