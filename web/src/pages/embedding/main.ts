/** The page of an embedding. */

import { find } from "../../common/dom";
import { shared } from "../../common/globals";
import { hoverCard, onInput, suggest } from "../../common/pages";
import type { PlotElement } from "../plotly";
import { describe } from "./card";
import type { PageData } from "./data";
import { draw } from "./plot";
import { Points } from "./points";

const points = new Points(shared.data as PageData);
const card = hoverCard();

function show(): void {
  draw(points);
  find("measures").textContent = points.summary;
  const output = find("at");
  if (output) output.textContent = String(points.step.step);
  card.hide();
}

show();
const plot = find<PlotElement>("plot");
plot.on("plotly_hover", (event) => {
  describe(points, event.points[0].customdata);
  card.show();
});
plot.on("plotly_unhover", card.hide);
onInput<HTMLSelectElement>("layer", ({ value }) => {
  points.layer = Number(value);
  show();
});
onInput("step", ({ value }) => {
  points.at = Number(value);
  show();
});
onInput("wrong", ({ checked }) => {
  points.onlyWrong = checked;
  show();
});
suggest(
  find("classes"),
  points.occurring.map(({ name }) => name),
);
onInput("find", ({ value }) => {
  points.wanted = points.occurring.find(({ name }) => name === value)?.index ?? null;
  show();
});
shared.onThemeChange(show);
