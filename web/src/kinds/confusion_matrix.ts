/** The confusion matrix: a click on a cell shows its inputs. */

import { colour, make, makeButton } from "../common/dom";
import { amount, roundPercent, shorten } from "../common/format";
import { shared } from "../common/globals";
import type { Face, Page } from "../common/panels";
import { type Cell, mostConfused } from "./pairs";

interface Matrix {
  /** The class indices that occur. */
  classes: number[];
  names: string[];
  /** The number of inputs of each true class. */
  support: number[];
  /** [true, predicted, count], as positions in `classes`. */
  cells: Cell[];
  /** The number of cells that are left out. */
  more: number;
}

const MOST_NAMED = 20; // classes whose cells are buttons with names along the axes
const MOST_PAIRS = 8;

class MatrixFace implements Face<Matrix> {
  readonly element = make("div", "", "matrix");
  private readonly grid = make("div", "", "plotholder");
  private readonly pairs = make("div", "", "pairs");

  constructor(
    private matrix: Matrix,
    private readonly page: Page,
  ) {
    this.element.append(this.grid, this.pairs);
  }

  update(matrix: Matrix): void {
    this.matrix = matrix;
    this.grid.replaceChildren(matrix.names.length <= MOST_NAMED ? this.table() : this.canvas());
    this.showPairs();
  }

  private show(label: number, predicted: number): void {
    const { classes, names } = this.matrix;
    this.page.filter(
      { label: classes[label], predicted: classes[predicted] },
      label === predicted
        ? `${names[label]}, predicted correctly`
        : `${names[label]} predicted as ${names[predicted]}`,
    );
  }

  /** The row and column of the chosen input; -1 where not known. */
  private chosen(): [number, number] {
    const input = this.page.get(this.page.chosen() ?? -1);
    const { classes } = this.matrix;
    return [classes.indexOf(input?.label ?? Number.NaN), classes.indexOf(input?.predicted ?? Number.NaN)];
  }

  private table(): HTMLElement {
    const { names, cells, support } = this.matrix;
    const counts = new Map(cells.map(([label, predicted, count]) => [`${label} ${predicted}`, count]));
    const [row, column] = this.chosen();
    const table = make("table", "", "cells");
    const caption = make("caption", "Rows: true class. Columns: predicted class.");
    const head = make("tr");
    head.append(
      make("td"),
      ...names.map((name, at) => {
        const cell = make("th", "", at === column ? "current" : "");
        cell.scope = "col";
        cell.title = name;
        cell.append(make("span", shorten(name, 14)));
        return cell;
      }),
    );
    const body = names.map((name, label) => {
      const line = make("tr");
      const cell = make("th", shorten(name, 16), label === row ? "current" : "");
      cell.scope = "row";
      cell.title = `${name}: ${amount(support[label] as number)}`;
      line.append(
        cell,
        ...names.map((_, predicted) =>
          this.cell(label, predicted, counts.get(`${label} ${predicted}`) ?? 0, row, column),
        ),
      );
      return line;
    });
    table.style.setProperty("--count", String(names.length));
    table.append(caption, head, ...body);
    return table;
  }

  private cell(label: number, predicted: number, count: number, row: number, column: number): HTMLElement {
    const { names, support } = this.matrix;
    const cell = make("td");
    if (!count) return cell;
    const share = count / (support[label] || 1);
    const button = makeButton(amount(count), () => this.show(label, predicted));
    const text = `${names[label]} predicted as ${names[predicted]}: ${amount(count)} of ${amount(support[label] as number)} (${roundPercent(share)})`;
    button.title = text;
    button.setAttribute("aria-label", text);
    button.style.setProperty("--share", String(0.12 + 0.88 * Math.sqrt(share)));
    button.className = label === predicted ? "hit" : "miss";
    button.classList.toggle("strong", share > 0.3);
    if (label === row && predicted === column) button.setAttribute("aria-current", "true");
    cell.append(button);
    return cell;
  }

  /** Many classes: pixels, without names. */
  private canvas(): HTMLElement {
    const canvas = make("canvas");
    const { matrix } = this;
    const count = matrix.names.length;
    canvas.setAttribute("role", "img");
    canvas.setAttribute(
      "aria-label",
      `Confusion matrix of ${count} classes; the most confused pairs are listed below`,
    );
    const at = (event: MouseEvent): [number, number] => {
      const box = canvas.getBoundingClientRect();
      const cell = (position: number, length: number) =>
        Math.min(count - 1, Math.max(0, Math.floor((position / length) * count)));
      return [cell(event.clientY - box.top, box.height), cell(event.clientX - box.left, box.width)];
    };
    canvas.addEventListener("click", (event) => this.show(...at(event)));
    canvas.addEventListener("pointermove", (event) => {
      const [label, predicted] = at(event);
      const cell = matrix.cells.find(([a, b]) => a === label && b === predicted);
      const times = cell ? amount(cell[2]) : matrix.more ? "few or none" : "0";
      canvas.title = `${matrix.names[label]} predicted as ${matrix.names[predicted]}: ${times}`;
    });
    queueMicrotask(() => this.paint(canvas));
    return canvas;
  }

  private paint(canvas: HTMLCanvasElement): void {
    const { cells, support, names } = this.matrix;
    const side = canvas.clientWidth * (window.devicePixelRatio || 1);
    canvas.width = canvas.height = Math.max(1, Math.round(side));
    const pen = canvas.getContext("2d") as CanvasRenderingContext2D;
    const cell = side / names.length;
    const colours = [colour("--mark"), colour("--wrong")] as const;
    for (const [label, predicted, count] of cells) {
      pen.globalAlpha = 0.12 + 0.88 * Math.sqrt(count / (support[label] || 1));
      pen.fillStyle = colours[label === predicted ? 0 : 1];
      pen.fillRect(predicted * cell, label * cell, Math.max(1, cell), Math.max(1, cell));
    }
    pen.globalAlpha = 1;
    const [row, column] = this.chosen();
    if (row < 0) return;
    pen.strokeStyle = colour("--ink");
    pen.strokeRect(0, row * cell, side, Math.max(3, cell));
    if (column >= 0) pen.strokeRect(column * cell, 0, Math.max(3, cell), side);
  }

  private showPairs(): void {
    const { names, support } = this.matrix;
    const pairs = mostConfused(this.matrix.cells, MOST_PAIRS);
    this.pairs.hidden = !pairs.length;
    this.pairs.replaceChildren(
      make("span", "Most confused:", "faint"),
      ...pairs.map(([label, predicted, count]) =>
        makeButton(
          `${shorten(names[label] as string, 20)} → ${shorten(names[predicted] as string, 20)} ${amount(count)}/${amount(support[label] as number)}`,
          () => this.show(label, predicted),
          "small",
        ),
      ),
    );
  }
}

shared.registerPanel("confusion_matrix", {
  title: "Confusion matrix",
  face: (matrix: Matrix, page) => new MatrixFace(matrix, page),
});
