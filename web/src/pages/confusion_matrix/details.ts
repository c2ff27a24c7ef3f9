/** What is beside the matrix: the inputs behind the chosen cell, and the pairs that are most confused. */

import { find, make, makeButton, makeImage } from "../../common/dom";
import { amount, finePercent } from "../../common/format";
import { mostConfused } from "../../kinds/pairs";
import { cellOf } from "./counts";
import type { Mistake } from "./data";
import type { Matrix, Pair } from "./matrix";
import { cellLines, cellTitle, keptNote, line, nameOf, type Parts } from "./text";

const MOST_PAIRS = 10;
const SHARP = 48; // pixels below which an image is enlarged with sharp edges

export function showCell(matrix: Matrix): void {
  const { cell } = matrix.state;
  if (!cell) return;
  const times = matrix.countAt(cell);
  const kept = matrix.mistakes(cell);
  const isMistake = cell[0] !== cell[1] && times > 0;
  const notes: Parts[] = isMistake ? [[keptNote(kept.length, times, matrix.data.unit)]] : [];
  find("cell").replaceChildren(...cellTitle(matrix, cell));
  find("facts").replaceChildren(...[...cellLines(matrix, cell), ...notes].map((parts) => line(parts)));
  find("mistakes").replaceChildren(...kept.map((mistake) => mistakeCard(matrix, mistake)));
}

function mistakeCard(matrix: Matrix, mistake: Mistake): HTMLElement {
  const { data } = matrix;
  const figure = make("figure");
  if (mistake.picture !== null) {
    const image = makeImage(data.pictures[mistake.picture] as string, mistake.name);
    image.addEventListener("load", () => image.classList.toggle("small", image.naturalWidth < SHARP));
    figure.append(image);
  }
  figure.append(make("div", mistake.name, "faint"));
  if (mistake.share !== null) {
    figure.append(shareLine(make("span", `of its ${data.unit}`), mistake.share));
    return figure;
  }
  const [label, predicted] = mistake.cell;
  for (const [one, probability] of mistake.predictions.slice(0, 3)) {
    const verdict = data.multi ? "" : one === predicted ? "wrong" : one === label ? "right" : "";
    const name = make("span", "", verdict);
    name.append(nameOf(matrix, one));
    figure.append(shareLine(name, probability));
  }
  return figure;
}

function shareLine(name: HTMLElement, share: number): HTMLElement {
  return line([name, make("span", finePercent(share), "number")], "prediction");
}

interface Choices {
  choose(cell: Pair): void;
  chooseClass(one: number): void;
}

export function showPairs(matrix: Matrix, { choose, chooseClass }: Choices): void {
  const found = matrix.data.multi ? worstLabels(matrix, chooseClass) : worstPairs(matrix, choose);
  find("worst").hidden = !found.length;
  find("pairs").replaceChildren(
    ...found.flatMap(({ name, times, act }) => {
      const button = makeButton("", act, "plain");
      button.append(...name);
      return [button, make("span", amount(times), "number faint")];
    }),
  );
}

interface Worst {
  name: Parts;
  times: number;
  act(): void;
}

function worstLabels(matrix: Matrix, choose: (one: number) => void): Worst[] {
  return matrix.now.each
    .map(({ wrong }, one) => ({ name: [nameOf(matrix, one)], times: wrong, act: () => choose(one) }))
    .filter(({ times }) => times > 0)
    .sort((one, other) => other.times - one.times)
    .slice(0, MOST_PAIRS);
}

function worstPairs(matrix: Matrix, choose: (cell: Pair) => void): Worst[] {
  const { codes, counts } = matrix.now;
  const cells = Array.from(codes, (code, at): [number, number, number] => {
    const { row, column } = cellOf(code, matrix.shape);
    return [row, column, counts[at] as number];
  });
  return mostConfused(cells, MOST_PAIRS).map(([row, column, times]) => ({
    name: [nameOf(matrix, row), " → ", nameOf(matrix, column)],
    times,
    act: () => choose([row, column]),
  }));
}
