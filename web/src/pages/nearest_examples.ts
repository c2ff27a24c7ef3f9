/** The page of nearest examples: inputs, and the neighbours of the chosen one. */

import { find, make, makeImage, onArrowKeys } from "../common/dom";
import { roundPercent } from "../common/format";
import { shared } from "../common/globals";
import { onInput } from "../common/pages";

interface Neighbour {
  name: string;
  label: string | null;
  /** Whether its label is that of the input; null if one is not known. */
  same: boolean | null;
  predicted: string | null;
  similarity: number;
  picture: string | null;
}

interface Input {
  name: string;
  label: string | null;
  predicted: string | null;
  suggested: string | null;
  agreement: number | null;
  picture: string | null;
  neighbours: Neighbour[];
}

const inputs = shared.data as Input[];
const SMALL = 20; // pixels up to which an image is enlarged pixel by pixel
let listed = inputs.map((_, at) => at);
let chosen = 0;

function picture(source: string | null): HTMLElement[] {
  if (!source) return [];
  const image = makeImage(source, "");
  image.addEventListener("load", () => image.classList.toggle("small", image.naturalWidth <= SMALL));
  return [image];
}

/** A line of text with a name from data, isolated so that its writing direction does not reorder it. */
function line(text: string, name: string, className = ""): HTMLElement {
  const made = make("div", text, className);
  made.append(make("bdi", name));
  return made;
}

function facts({ label, predicted, suggested, agreement }: Input): HTMLElement[] {
  const isWrong = label !== null && predicted !== null && predicted !== label;
  return [
    ...(label === null ? [] : [line("label ", label)]),
    ...(predicted === null ? [] : [line("predicted ", predicted, isWrong ? "wrong" : "")]),
    ...(agreement === null ? [] : [make("div", `${roundPercent(agreement)} of neighbours agree`, "faint")]),
    ...(suggested === null || suggested === label
      ? []
      : [line("neighbours are mostly ", suggested, "wrong")]),
  ];
}

function neighbour({ name, label, same, predicted, similarity, picture: source }: Neighbour): HTMLElement {
  const figure = make("figure", "", same === false ? "differs" : "");
  figure.append(...picture(source), make("div", similarity.toFixed(3), "faint"));
  if (label !== null) figure.append(line("label ", label, same === false ? "wrong" : ""));
  if (predicted !== null && predicted !== label) figure.append(line("predicted ", predicted, "faint"));
  figure.append(line("", name, "faint"));
  figure.title = `${name}: similarity ${similarity}`;
  return figure;
}

function choose(at: number): void {
  const input = inputs[at];
  if (!input) return;
  chosen = at;
  find("name").textContent = input.name;
  find("own").replaceChildren(...picture(input.picture), ...facts(input));
  find("neighbours").replaceChildren(...input.neighbours.map(neighbour));
  for (const button of document.querySelectorAll<HTMLElement>("#inputs button"))
    button.setAttribute("aria-current", String(Number(button.dataset.at) === at));
}

function showList(): void {
  const wanted = (document.getElementById("class") as HTMLSelectElement | null)?.value ?? "";
  listed = inputs.flatMap(({ label }, at) => (!wanted || label === wanted ? [at] : []));
  const buttons = listed.map((at) => {
    const input = inputs[at] as Input;
    const button = make("button");
    button.type = "button";
    button.dataset.at = String(at);
    button.append(...picture(input.picture), make("bdi", input.name));
    if (input.label !== null) button.append(line("label ", input.label));
    if (input.agreement !== null)
      button.append(make("span", `${roundPercent(input.agreement)} agree`, "faint"));
    button.addEventListener("click", () => choose(at));
    return button;
  });
  find("inputs").replaceChildren(...buttons);
  choose(listed.includes(chosen) ? chosen : (listed[0] ?? 0));
}

onInput<HTMLSelectElement>("class", showList);
onArrowKeys(document, (right, down) => {
  const next = listed[listed.indexOf(chosen) + right + down];
  if (next === undefined) return false;
  choose(next);
  return true;
});
showList();
