// Built from web/src by `npm run build`: do not edit.
"use strict";
(() => {
  // web/src/common/dom.ts
  function make(tag, text = "", className = "") {
    return Object.assign(document.createElement(tag), { textContent: text, className });
  }
  function makeButton(text, act, className = "") {
    const button = make("button", text, className);
    button.type = "button";
    button.addEventListener("click", act);
    return button;
  }
  function colour(name) {
    return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  }

  // web/src/common/format.ts
  function shorten(text, longest) {
    const ending = Math.floor((longest - 1) / 3);
    if (text.length <= longest) return text;
    return `${text.slice(0, longest - 1 - ending)}\u2026${text.slice(text.length - ending)}`;
  }
  function roundPercent(share) {
    if (share <= 0) return "0%";
    if (share < 5e-3) return "<1%";
    return share >= 1 ? "100%" : `${Math.min(99, Math.round(100 * share))}%`;
  }
  function amount(value) {
    return Number.isInteger(value) ? value.toLocaleString("en") : String(Number(value.toPrecision(4)));
  }

  // web/src/common/globals.ts
  var shared = globalThis;

  // web/src/kinds/pairs.ts
  function mostConfused(cells, most) {
    return cells.filter(([label, predicted]) => label !== predicted).sort((a, b) => b[2] - a[2]).slice(0, most);
  }

  // web/src/kinds/confusion_matrix.ts
  var MOST_NAMED = 20;
  var MOST_PAIRS = 8;
  var MatrixFace = class {
    constructor(matrix, page) {
      this.matrix = matrix;
      this.page = page;
      this.element.append(this.grid, this.pairs);
    }
    matrix;
    page;
    element = make("div", "", "matrix");
    grid = make("div", "", "plotholder");
    pairs = make("div", "", "pairs");
    update(matrix) {
      this.matrix = matrix;
      this.grid.replaceChildren(matrix.names.length <= MOST_NAMED ? this.table() : this.canvas());
      this.showPairs();
    }
    show(label, predicted) {
      const { classes, names } = this.matrix;
      this.page.filter(
        { label: classes[label], predicted: classes[predicted] },
        label === predicted ? `${names[label]}, predicted correctly` : `${names[label]} predicted as ${names[predicted]}`
      );
    }
    /** The row and column of the chosen input; -1 where not known. */
    chosen() {
      const input = this.page.get(this.page.chosen() ?? -1);
      const { classes } = this.matrix;
      return [classes.indexOf(input?.label ?? Number.NaN), classes.indexOf(input?.predicted ?? Number.NaN)];
    }
    table() {
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
        })
      );
      const body = names.map((name, label) => {
        const line = make("tr");
        const cell = make("th", shorten(name, 16), label === row ? "current" : "");
        cell.scope = "row";
        cell.title = `${name}: ${amount(support[label])}`;
        line.append(
          cell,
          ...names.map(
            (_, predicted) => this.cell(label, predicted, counts.get(`${label} ${predicted}`) ?? 0, row, column)
          )
        );
        return line;
      });
      table.style.setProperty("--count", String(names.length));
      table.append(caption, head, ...body);
      return table;
    }
    cell(label, predicted, count, row, column) {
      const { names, support } = this.matrix;
      const cell = make("td");
      if (!count) return cell;
      const share = count / (support[label] || 1);
      const button = makeButton(amount(count), () => this.show(label, predicted));
      const text = `${names[label]} predicted as ${names[predicted]}: ${amount(count)} of ${amount(support[label])} (${roundPercent(share)})`;
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
    canvas() {
      const canvas = make("canvas");
      const { matrix } = this;
      const count = matrix.names.length;
      canvas.setAttribute("role", "img");
      canvas.setAttribute(
        "aria-label",
        `Confusion matrix of ${count} classes; the most confused pairs are listed below`
      );
      const at = (event) => {
        const box = canvas.getBoundingClientRect();
        const cell = (position, length) => Math.min(count - 1, Math.max(0, Math.floor(position / length * count)));
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
    paint(canvas) {
      const { cells, support, names } = this.matrix;
      const side = canvas.clientWidth * (window.devicePixelRatio || 1);
      canvas.width = canvas.height = Math.max(1, Math.round(side));
      const pen = canvas.getContext("2d");
      const cell = side / names.length;
      const colours = [colour("--mark"), colour("--wrong")];
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
    showPairs() {
      const { names, support } = this.matrix;
      const pairs = mostConfused(this.matrix.cells, MOST_PAIRS);
      this.pairs.hidden = !pairs.length;
      this.pairs.replaceChildren(
        make("span", "Most confused:", "faint"),
        ...pairs.map(
          ([label, predicted, count]) => makeButton(
            `${shorten(names[label], 20)} \u2192 ${shorten(names[predicted], 20)} ${amount(count)}/${amount(support[label])}`,
            () => this.show(label, predicted),
            "small"
          )
        )
      );
    }
  };
  shared.registerPanel("confusion_matrix", {
    title: "Confusion matrix",
    face: (matrix, page) => new MatrixFace(matrix, page)
  });
})();
