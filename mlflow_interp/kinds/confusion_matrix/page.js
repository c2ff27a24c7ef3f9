// Built from web/src by `npm run build`: do not edit.
"use strict";
(() => {
  // web/src/common/dom.ts
  function find(id) {
    return document.getElementById(id);
  }
  function make(tag, text = "", className = "") {
    return Object.assign(document.createElement(tag), { textContent: text, className });
  }
  function makeButton(text, act, className = "") {
    const button = make("button", text, className);
    button.type = "button";
    button.addEventListener("click", act);
    return button;
  }
  function makeImage(source, alt) {
    return Object.assign(new Image(), { src: source, alt });
  }
  function colour(name) {
    return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  }
  function onArrowKeys(target, act) {
    const ways = {
      ArrowRight: [1, 0],
      ArrowLeft: [-1, 0],
      ArrowDown: [0, 1],
      ArrowUp: [0, -1]
    };
    target.addEventListener("keydown", (received) => {
      const event = received;
      const way = ways[event.key];
      if (!way || event.ctrlKey || event.metaKey || event.altKey) return;
      if (event.target.matches?.("input, select, textarea, [role=tab]")) return;
      if (act(...way) !== false) event.preventDefault();
    });
  }

  // web/src/common/format.ts
  function clamp(value, lowest, highest) {
    return Math.max(lowest, Math.min(highest, value));
  }
  function plain(text) {
    return text.replace(/&/g, "&amp;").replace(/</g, "&lt;").replace(/>/g, "&gt;").replace(/\$/g, "&#36;");
  }
  function shorten(text, longest) {
    const ending = Math.floor((longest - 1) / 3);
    if (text.length <= longest) return text;
    return `${text.slice(0, longest - 1 - ending)}\u2026${text.slice(text.length - ending)}`;
  }
  function finePercent(share2) {
    return share2 > 0 && share2 < 5e-4 ? "<0.1%" : `${(100 * share2).toFixed(1)}%`;
  }
  function roundPercent(share2) {
    if (share2 <= 0) return "0%";
    if (share2 < 5e-3) return "<1%";
    return share2 >= 1 ? "100%" : `${Math.min(99, Math.round(100 * share2))}%`;
  }
  function amount(value) {
    return Number.isInteger(value) ? value.toLocaleString("en") : String(Number(value.toPrecision(4)));
  }
  function compactAmount(value) {
    const rounded = (each) => String(Number(each.toPrecision(3)));
    if (!Number.isInteger(value)) return rounded(value);
    if (value >= 1e10) return `${rounded(value / 1e9)}G`;
    if (value >= 1e7) return `${rounded(value / 1e6)}M`;
    return value >= 1e4 ? `${rounded(value / 1e3)}k` : value.toLocaleString("en");
  }
  function bytes(text) {
    return Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
  }
  function unpack(text, ArrayType) {
    return new ArrayType(bytes(text).buffer);
  }

  // web/src/common/globals.ts
  var shared = globalThis;

  // web/src/common/pages.ts
  function suggest(list, names) {
    list?.append(...names.map((name) => new Option("", name)));
  }
  function onInput(id, act) {
    const control = find(id);
    control?.addEventListener("input", () => act(control));
  }
  function hoverCard() {
    const card2 = find("card");
    const gap = 14;
    const margin = 4;
    let pointer = { clientX: 0, clientY: 0 };
    addEventListener("pointermove", (event) => {
      pointer = event;
    });
    return {
      show() {
        card2.classList.add("shown");
        const right = pointer.clientX + gap;
        const below = pointer.clientY + gap;
        const left = right + card2.offsetWidth > innerWidth ? pointer.clientX - gap - card2.offsetWidth : right;
        card2.style.left = `${Math.max(margin, left)}px`;
        card2.style.top = `${Math.max(margin, Math.min(below, innerHeight - card2.offsetHeight - margin))}px`;
      },
      hide() {
        card2.classList.remove("shown");
      }
    };
  }

  // web/src/kinds/pairs.ts
  function mostConfused(cells, most) {
    return cells.filter(([label, predicted]) => label !== predicted).sort((a, b) => b[2] - a[2]).slice(0, most);
  }

  // web/src/pages/confusion_matrix/counts.ts
  function sideOf({ classes, multi }) {
    return multi ? 2 : classes;
  }
  function codeOf({ label, row, column }, shape) {
    const side = sideOf(shape);
    return (label * side + row) * side + column;
  }
  function cellOf(code, shape) {
    const side = sideOf(shape);
    const line2 = Math.floor(code / side);
    return shape.multi ? { label: line2 >> 1, row: line2 & 1, column: code & 1 } : { label: 0, row: line2, column: code % side };
  }
  function count(step, shape) {
    const codes = unpack(step.cells, Uint32Array);
    const counts = unpack(step.counts, step.wide ? Float64Array : Uint32Array);
    const sums = step.sums === null ? counts : unpack(step.sums, Float32Array);
    const { multi, classes } = shape;
    const side = sideOf(shape);
    const each = Array.from({ length: classes }, nothing);
    const rows = new Float64Array(multi ? 2 * classes : classes);
    const columns = rows.slice();
    const at = /* @__PURE__ */ new Map();
    let total = 0;
    codes.forEach((code, place) => {
      const { label, row, column } = cellOf(code, shape);
      const times = counts[place];
      const sum = sums[place];
      at.set(code, place);
      rows[side * label + row] = rows[side * label + row] + sum;
      columns[side * label + column] = columns[side * label + column] + sum;
      total += sum;
      const owner = each[multi ? label : row];
      const found = each[multi ? label : column];
      if (!multi || row === 1) {
        owner.support += sum;
        owner.inputs += times;
        if (row === column) owner.right += sum;
      }
      if (!multi || column === 1) {
        found.predicted += sum;
        found.predictedInputs += times;
      }
      if (row === column) return;
      owner.wrong += times;
      if (!multi && times > owner.worstCount) Object.assign(owner, { worst: column, worstCount: times });
    });
    for (const one of each) {
      one.precision = share(one.right, one.predicted);
      one.recall = share(one.right, one.support);
      one.f1 = share(2 * one.right, one.support + one.predicted);
    }
    return { codes, counts, sums, at, each, rows, columns, total: multi ? total / classes : total };
  }
  function nothing() {
    return {
      right: 0,
      support: 0,
      predicted: 0,
      inputs: 0,
      predictedInputs: 0,
      wrong: 0,
      worst: null,
      worstCount: 0,
      precision: 0,
      recall: 0,
      f1: 0
    };
  }
  function share(part, whole) {
    return whole > 0 ? part / whole : 0;
  }

  // web/src/pages/confusion_matrix/text.ts
  function nameOf({ data: data2 }, index) {
    return make("bdi", data2.names[index]);
  }
  function rowName({ data: data2 }, row) {
    return (data2.multi ? ["absent", "present"] : data2.names)[row];
  }
  function columnName({ data: data2 }, column) {
    return (data2.multi ? ["not predicted", "predicted"] : data2.names)[column];
  }
  function cellTitle(matrix2, [row, column]) {
    if (matrix2.data.multi)
      return [nameOf(matrix2, matrix2.state.label), `: ${rowName(matrix2, row)}, ${columnName(matrix2, column)}`];
    return row === column ? [nameOf(matrix2, row), ", predicted correctly"] : [nameOf(matrix2, row), " predicted as ", nameOf(matrix2, column)];
  }
  function cellLines(matrix2, cell) {
    const { unit, weighted, multi } = matrix2.data;
    const [row, column] = cell;
    const times = matrix2.countAt(cell);
    const sum = matrix2.sumAt(cell);
    const part = (how) => finePercent(matrix2.value(cell, sum, how));
    const counted = `${amount(times)} ${times === 1 ? unit.slice(0, -1) : unit}${weighted ? `, weight ${amount(sum)}` : ""}`;
    if (multi)
      return [
        [counted],
        [`${part("true")} of those where it is ${rowName(matrix2, row)}`],
        [`${part("predicted")} of those where it is ${columnName(matrix2, column)}`]
      ];
    return [
      [counted],
      [`${part("true")} of true `, nameOf(matrix2, row)],
      [`${part("predicted")} of predicted `, nameOf(matrix2, column)],
      [`${part("all")} of all`]
    ];
  }
  function line(parts, className = "") {
    const element = make("div", "", className);
    element.append(...parts);
    return element;
  }
  function keptNote(kept, times, unit) {
    if (!kept) return "no examples are kept for this cell";
    if (unit !== "inputs") return `the inputs with the largest share of such ${unit}`;
    return kept < times ? `${kept} of them, the most confident first` : "the most confident first";
  }

  // web/src/pages/confusion_matrix/details.ts
  var MOST_PAIRS = 10;
  var SHARP = 48;
  function showCell(matrix2) {
    const { cell } = matrix2.state;
    if (!cell) return;
    const times = matrix2.countAt(cell);
    const kept = matrix2.mistakes(cell);
    const isMistake = cell[0] !== cell[1] && times > 0;
    const notes = isMistake ? [[keptNote(kept.length, times, matrix2.data.unit)]] : [];
    find("cell").replaceChildren(...cellTitle(matrix2, cell));
    find("facts").replaceChildren(...[...cellLines(matrix2, cell), ...notes].map((parts) => line(parts)));
    find("mistakes").replaceChildren(...kept.map((mistake) => mistakeCard(matrix2, mistake)));
  }
  function mistakeCard(matrix2, mistake) {
    const { data: data2 } = matrix2;
    const figure = make("figure");
    if (mistake.picture !== null) {
      const image = makeImage(data2.pictures[mistake.picture], mistake.name);
      image.addEventListener("load", () => image.classList.toggle("small", image.naturalWidth < SHARP));
      figure.append(image);
    }
    figure.append(make("div", mistake.name, "faint"));
    if (mistake.share !== null) {
      figure.append(shareLine(make("span", `of its ${data2.unit}`), mistake.share));
      return figure;
    }
    const [label, predicted] = mistake.cell;
    for (const [one, probability] of mistake.predictions.slice(0, 3)) {
      const verdict = data2.multi ? "" : one === predicted ? "wrong" : one === label ? "right" : "";
      const name = make("span", "", verdict);
      name.append(nameOf(matrix2, one));
      figure.append(shareLine(name, probability));
    }
    return figure;
  }
  function shareLine(name, share2) {
    return line([name, make("span", finePercent(share2), "number")], "prediction");
  }
  function showPairs(matrix2, { choose: choose2, chooseClass: chooseClass2 }) {
    const found = matrix2.data.multi ? worstLabels(matrix2, chooseClass2) : worstPairs(matrix2, choose2);
    find("worst").hidden = !found.length;
    find("pairs").replaceChildren(
      ...found.flatMap(({ name, times, act }) => {
        const button = makeButton("", act, "plain");
        button.append(...name);
        return [button, make("span", amount(times), "number faint")];
      })
    );
  }
  function worstLabels(matrix2, choose2) {
    return matrix2.now.each.map(({ wrong }, one) => ({ name: [nameOf(matrix2, one)], times: wrong, act: () => choose2(one) })).filter(({ times }) => times > 0).sort((one, other) => other.times - one.times).slice(0, MOST_PAIRS);
  }
  function worstPairs(matrix2, choose2) {
    const { codes, counts } = matrix2.now;
    const cells = Array.from(codes, (code, at) => {
      const { row, column } = cellOf(code, matrix2.shape);
      return [row, column, counts[at]];
    });
    return mostConfused(cells, MOST_PAIRS).map(([row, column, times]) => ({
      name: [nameOf(matrix2, row), " \u2192 ", nameOf(matrix2, column)],
      times,
      act: () => choose2([row, column])
    }));
  }

  // web/src/pages/confusion_matrix/blocks.ts
  var MOST_BLOCKS = 400;
  function blocksOf(entries, count2, zoom) {
    const [left, right] = within(zoom?.x, count2);
    const [top, bottom] = within(zoom?.y, count2);
    const block = Math.max(1, Math.ceil(Math.max(right - left, bottom - top) / MOST_BLOCKS));
    const wide = Math.ceil((right - left) / block);
    const high = Math.ceil((bottom - top) / block);
    const z = Array.from({ length: high }, () => new Float32Array(wide).fill(Number.NaN));
    const from = Array.from({ length: high }, () => new Int32Array(wide).fill(-1));
    let most = 0;
    for (const { code, row, column, value } of entries) {
      if (row < 0 || column < 0) continue;
      most = Math.max(most, value);
      const y = Math.floor((row - top) / block);
      const x = Math.floor((column - left) / block);
      const values = z[y];
      const codes = from[y];
      if (!values || !codes || x < 0 || x >= wide || values[x] >= value) continue;
      values[x] = value;
      codes[x] = code;
    }
    return { z, from, left, top, block, most };
  }
  function within(range, count2) {
    const [from, to] = range ?? [-0.5, count2 - 0.5];
    return [
      Math.max(0, Math.floor(Math.min(from, to) + 0.5)),
      Math.min(count2, Math.ceil(Math.max(from, to) + 0.5))
    ];
  }

  // web/src/pages/confusion_matrix/order.ts
  var MOST_FOCUSED = 20;
  function ordered(each, order, cluster) {
    const everyone = Array.from(each.keys());
    const rank = {
      given: null,
      cluster: null,
      support: ({ support }) => -support,
      // What never occurs comes last.
      recall: ({ support, recall }) => support > 0 ? recall : 2
    }[order];
    if (order === "cluster" && cluster) return cluster;
    if (!rank) return everyone;
    const ranks = each.map(rank);
    return everyone.sort((one, other) => ranks[one] - ranks[other] || one - other);
  }
  function around(focus, counted, shape, keep) {
    const times = new Float64Array(shape.classes);
    const add = (index, more) => {
      times[index] = times[index] + more;
    };
    counted.codes.forEach((code, place) => {
      const { row, column } = cellOf(code, shape);
      if (row === focus) add(column, counted.counts[place]);
      if (column === focus) add(row, counted.counts[place]);
    });
    for (const one of keep) times[one] = Number.MAX_VALUE;
    times[focus] = Number.POSITIVE_INFINITY;
    return Array.from(times.keys()).filter((one) => times[one] > 0).sort((one, other) => times[other] - times[one] || one - other).slice(0, MOST_FOCUSED);
  }

  // web/src/pages/confusion_matrix/matrix.ts
  var FEW = 30;
  var Matrix = class {
    constructor(data2) {
      this.data = data2;
      this.shape = { classes: data2.names.length, multi: data2.multi };
      this.state = {
        step: data2.steps.length - 1,
        normalize: data2.normalize,
        order: data2.order,
        onlyWrong: false,
        focus: null,
        label: 0,
        cell: null,
        zoom: null
      };
      if (data2.multi) {
        const scores = this.now.each.map(({ f1 }) => f1);
        this.state.label = scores.indexOf(Math.min(...scores));
      }
    }
    data;
    shape;
    state;
    counted = /* @__PURE__ */ new Map();
    get step() {
      return this.data.steps[this.state.step];
    }
    /** What the cells add up to, computed when a step is first shown. */
    get now() {
      const known = this.counted.get(this.state.step) ?? count(this.step, this.shape);
      this.counted.set(this.state.step, known);
      return known;
    }
    countAt(cell) {
      return this.at(cell, this.now.counts);
    }
    sumAt(cell) {
      return this.at(cell, this.now.sums);
    }
    at([row, column], numbers) {
      const place = this.now.at.get(codeOf({ label: this.label, row, column }, this.shape));
      return place === void 0 ? 0 : numbers[place];
    }
    get label() {
      return this.data.multi ? this.state.label : 0;
    }
    /** A sum of a cell as a share, or as it is. */
    value([row, column], sum, how = this.state.normalize) {
      const { rows, columns, total } = this.now;
      const first = sideOf(this.shape) * this.label;
      const wholes = { none: 1, true: rows[first + row], predicted: columns[first + column], all: total };
      return sum / (wholes[how] || 1);
    }
    /** The rows and columns that are shown, in order. */
    get shown() {
      const { focus, cell, order } = this.state;
      if (this.data.multi) return [0, 1];
      if (focus === null) return ordered(this.now.each, order, this.data.cluster);
      return around(focus, this.now, this.shape, cell?.includes(focus) ? cell : []);
    }
    blocks(shown) {
      return blocksOf(this.entries(shown), shown.length, this.state.zoom);
    }
    *entries(shown) {
      const place = new Int32Array(sideOf(this.shape)).fill(-1);
      shown.forEach((one, position) => {
        place[one] = position;
      });
      const { codes, sums } = this.now;
      for (const [at, code] of codes.entries()) {
        const { label, row, column } = cellOf(code, this.shape);
        if (label !== this.label || this.state.onlyWrong && row === column) continue;
        const value = this.value([row, column], sums[at]);
        yield { code, row: place[row], column: place[column], value };
      }
    }
    /** The mistakes behind a cell that are kept. */
    mistakes([row, column]) {
      if (row === column) return [];
      const first = this.data.multi ? this.state.label : row;
      return this.step.mistakes.filter(({ cell }) => cell[0] === first && cell[1] === column);
    }
    /** Choose a class: its row, and of many classes only those that it is confused with. */
    chooseClass(one) {
      if (this.data.multi) {
        this.state.label = one;
        if (!this.state.cell || !this.countAt(this.state.cell)) this.state.cell = this.worstOfLabel();
        return;
      }
      const worst = this.now.each[one]?.worst ?? one;
      this.show(one);
      this.state.cell = [one, worst];
    }
    /** The more frequent of the two mistakes with a label. */
    worstOfLabel() {
      return this.countAt([0, 1]) > this.countAt([1, 0]) ? [0, 1] : [1, 0];
    }
    /** Bring a row into view. */
    show(row) {
      Object.assign(this.state, { focus: this.shape.classes > FEW ? row : null, zoom: null });
    }
  };

  // web/src/pages/plotly.ts
  function drawPlot(plot, traces, layout, config) {
    Plotly.react(plot, traces, layout, config);
  }

  // web/src/pages/confusion_matrix/plot.ts
  var WITH_NUMBERS = 20;
  var WITH_GAPS = 60;
  var LONGEST = 22;
  var TILTED = 1.5;
  var SIDE = 64;
  function draw(matrix2) {
    const { data: data2, state: state2 } = matrix2;
    const { shown } = matrix2;
    const blocks = matrix2.blocks(shown);
    const size = shown.length;
    const width = find("plot").clientWidth;
    const longest = Math.max(...shown.map((one) => Math.min(LONGEST, rowName(matrix2, one).length)));
    const flat = longest * 7.5 * size < 0.55 * width;
    const margin = {
      l: Math.min(48 + 6.6 * longest, 0.36 * width),
      t: 6,
      r: SIDE,
      b: flat ? 64 : 54 + 4.9 * longest
    };
    const inner = Math.max(120, Math.min(width - margin.l - margin.r, 160 + 90 * size));
    const high = Math.min(inner, Math.max(280, size * 40, innerHeight - 220));
    const ranges = state2.zoom ?? { x: [-0.5, size - 0.5], y: [size - 0.5, -0.5] };
    const columns = shown.map((one) => columnName(matrix2, one));
    const rows = shown.map((one) => rowName(matrix2, one));
    drawPlot(
      "plot",
      [heatmap(matrix2, blocks, size, inner / size)],
      {
        margin,
        height: high + margin.t + margin.b,
        width: inner + margin.l + margin.r,
        xaxis: {
          ...axis(
            columns,
            ranges.x,
            flat ? inner : inner / TILTED,
            data2.multi ? "prediction" : "predicted class"
          ),
          tickangle: flat ? 0 : -45
        },
        yaxis: axis(rows, ranges.y, high, data2.multi ? "truth" : "true class"),
        dragmode: size > WITH_NUMBERS ? "zoom" : false,
        hovermode: "closest",
        shapes: frame(state2.cell, shown, inner),
        paper_bgcolor: colour("--ground"),
        plot_bgcolor: size > WITH_GAPS ? colour("--ground") : colour("--panel"),
        font: { color: colour("--ink"), family: "system-ui, sans-serif" }
      },
      { displayModeBar: false, doubleClick: false, showTips: false }
    );
    return { shown, blocks };
  }
  function heatmap(matrix2, { z, left, top, block, most }, size, cell) {
    const { normalize, onlyWrong } = matrix2.state;
    const many = size > WITH_NUMBERS;
    const counted = normalize === "none";
    const ceiling = onlyWrong || counted || normalize === "all" ? most || 1 : 1;
    const written = (each) => counted ? compactAmount(each) : roundPercent(each);
    const numbers = many || cell <= 24 ? {} : {
      texttemplate: "%{text}",
      text: z.map((row) => Array.from(row, (each) => Number.isNaN(each) ? "" : written(each)))
    };
    return {
      type: "heatmap",
      // Of many classes most shares are small: their roots differ more.
      z: many ? z.map((row) => row.map(Math.sqrt)) : z,
      x0: left + (block - 1) / 2,
      dx: block,
      y0: top + (block - 1) / 2,
      dy: block,
      zmin: 0,
      zmax: many ? Math.sqrt(ceiling) : ceiling,
      colorscale: scale(matrix2.data.shades, many),
      xgap: size <= WITH_GAPS ? 1 : 0,
      ygap: size <= WITH_GAPS ? 1 : 0,
      hoverinfo: "none",
      hoverongaps: true,
      colorbar: bar(ceiling, { many, counted }),
      textfont: { size: cell < 36 ? 9 : size > 10 ? 10 : 12 },
      ...numbers
    };
  }
  function scale(shades, many) {
    const lightness = (hex) => [1, 3, 5].reduce((sum, at) => sum + Number.parseInt(hex.slice(at, at + 2), 16), 0);
    const startsLight = lightness(shades[0]) > lightness(shades.at(-1));
    const ordered2 = shared.isDark() && startsLight ? [...shades].reverse() : shades;
    const kept = many ? ordered2.slice(5) : ordered2;
    return kept.map((shade, at) => [at / (kept.length - 1), shade]);
  }
  function bar(most, { many, counted }) {
    const round = (each) => counted && most >= 5 ? Math.round(each) : each;
    const shares = many ? [0, 0.01, 0.05, 0.15, 0.3, 0.6, 1] : [0, 0.25, 0.5, 0.75, 1];
    const marks = [...new Set(shares.map((part) => round(part * most)))];
    return {
      thickness: 12,
      outlinewidth: 0,
      len: 0.7,
      y: 1,
      yanchor: "top",
      tickfont: { size: 11 },
      tickvals: marks.map((each) => many ? Math.sqrt(each) : each),
      ticktext: marks.map(
        (each) => counted ? compactAmount(each) : each > 0 && each < 0.1 ? finePercent(each) : roundPercent(each)
      )
    };
  }
  function axis(names, range, room, title) {
    const tickvals = ticks(names.length, range, room);
    return {
      range,
      tickvals,
      tickmode: "array",
      ticktext: tickvals.map((at) => plain(shorten(names[at], LONGEST))),
      showgrid: false,
      zeroline: false,
      ticks: "",
      automargin: false,
      tickfont: { size: tickvals.length * 15 > room ? 9 : 11 },
      ticklabelstandoff: 4,
      title: { text: title, font: { size: 12, color: colour("--faint") }, standoff: 6 },
      fixedrange: names.length <= WITH_NUMBERS
    };
  }
  function ticks(count2, range, pixels) {
    const from = Math.max(0, Math.ceil(Math.min(...range)));
    const to = Math.min(count2 - 1, Math.floor(Math.max(...range)));
    const seen = to - from + 1;
    const room = seen <= WITH_GAPS ? 11 : 15;
    const step = Math.max(1, Math.ceil(seen * room / pixels));
    const found = [];
    for (let at = Math.ceil(from / step) * step; at <= to; at += step) found.push(at);
    return found;
  }
  function frame(cell, shown, pixels) {
    const [y, x] = cell ? cell.map((one) => shown.indexOf(one)) : [-1, -1];
    if (x === void 0 || y === void 0 || x < 0 || y < 0) return [];
    const line2 = { color: colour("--wrong"), width: 2 };
    const thin = { color: colour("--wrong"), width: 1, dash: "dot" };
    const half = 0.5 - Math.min(0.05, shown.length / pixels);
    const around2 = { type: "rect", x0: x - half, x1: x + half, y0: y - half, y1: y + half, line: line2 };
    if (shown.length <= WITH_NUMBERS) return [around2];
    return [
      around2,
      { type: "line", x0: -0.5, x1: x - 0.5, y0: y, y1: y, line: thin },
      { type: "line", x0: x, x1: x, y0: y + 0.5, y1: shown.length - 0.5, line: thin }
    ];
  }
  function blockAt(event, { state: state2 }, { shown, blocks }) {
    const box = find("plot").querySelector(".nsewdrag").getBoundingClientRect();
    const last = shown.length - 1;
    const along = ([from, to], share2) => clamp(Math.round(from + share2 * (to - from)), 0, last);
    const { x, y } = state2.zoom ?? { x: [-0.5, last + 0.5], y: [last + 0.5, -0.5] };
    const column = along(x, (event.clientX - box.left) / box.width);
    const row = along(y, (box.bottom - event.clientY) / box.height);
    return [Math.floor((row - blocks.top) / blocks.block), Math.floor((column - blocks.left) / blocks.block)];
  }
  function cellAt([y, x], { shape }, { shown, blocks }) {
    const code = blocks.from[y]?.[x] ?? -1;
    if (code >= 0) {
      const { row, column } = cellOf(code, shape);
      return [row, column];
    }
    const known = (at) => shown[Math.min(at, shown.length - 1)];
    return [known(blocks.top + y * blocks.block), known(blocks.left + x * blocks.block)];
  }
  function isInView([row, column], { state: state2 }, { shown }) {
    const isWithin = (one, range) => {
      const place = shown.indexOf(one);
      return place >= 0 && (!range || place >= Math.min(...range) && place <= Math.max(...range));
    };
    return isWithin(row, state2.zoom?.y) && isWithin(column, state2.zoom?.x);
  }

  // web/src/pages/confusion_matrix/table.ts
  var ClassTable = class {
    constructor(matrix2, choose2) {
      this.matrix = matrix2;
      this.choose = choose2;
      const { multi, unit } = matrix2.data;
      this.columns = [
        { title: multi ? "label" : "class", worth: (_, index) => index },
        { title: unit, worth: ({ inputs }) => inputs, text: ({ inputs }) => amount(inputs) },
        {
          title: "predicted",
          worth: ({ predictedInputs }) => predictedInputs,
          text: ({ predictedInputs }) => amount(predictedInputs)
        },
        {
          title: "precision",
          worth: ({ precision }) => precision,
          text: ({ precision }) => finePercent(precision)
        },
        { title: "recall", worth: ({ recall }) => recall, text: ({ recall }) => finePercent(recall) },
        { title: "F1", worth: ({ f1 }) => f1, text: ({ f1 }) => f1.toFixed(3) },
        multi ? { title: "wrong", worth: ({ wrong }) => wrong, text: ({ wrong }) => amount(wrong) } : { title: "most often predicted as", worth: ({ worstCount }) => worstCount }
      ];
    }
    matrix;
    choose;
    by = 0;
    direction = 1;
    columns;
    show() {
      const table2 = find("classes");
      table2.querySelector("thead tr")?.replaceChildren(...this.columns.map((_, at) => this.head(at)));
      table2.querySelector("tbody")?.replaceChildren(...this.order().map((one) => this.row(one)));
      this.mark();
    }
    /** Mark the row of the chosen class. */
    mark() {
      const { multi } = this.matrix.data;
      const { label, cell } = this.matrix.state;
      const chosen = multi ? label : cell?.[0];
      for (const row of find("classes").querySelectorAll("tbody tr"))
        row.setAttribute("aria-current", String(Number(row.dataset.at) === chosen));
    }
    order() {
      const { each } = this.matrix.now;
      const worths = each.map((one, index) => this.columns[this.by].worth(one, index));
      return Array.from(each.keys()).sort(
        (one, other) => this.direction * (worths[one] - worths[other]) || one - other
      );
    }
    head(at) {
      const { title, text } = this.columns[at];
      const head = make("th", "", text ? "number" : "");
      if (at === this.by) head.setAttribute("aria-sort", this.direction > 0 ? "ascending" : "descending");
      const sort = () => {
        this.direction = at === this.by ? -this.direction : 1;
        this.by = at;
        this.show();
      };
      head.append(makeButton(title, sort));
      return head;
    }
    row(one) {
      const each = this.matrix.now.each[one];
      const row = make("tr");
      const name = make("td");
      const button = makeButton("", () => this.choose(one), "plain");
      button.append(nameOf(this.matrix, one));
      name.append(button);
      row.dataset.at = String(one);
      row.append(name, ...this.columns.flatMap(({ text }) => text ? [make("td", text(each), "number")] : []));
      if (!this.matrix.data.multi) row.append(this.worst(each));
      return row;
    }
    worst({ worst, worstCount }) {
      const cell = make("td");
      if (worst !== null) cell.append(nameOf(this.matrix, worst), ` (${amount(worstCount)})`);
      return cell;
    }
  };

  // web/src/pages/confusion_matrix/main.ts
  var matrix = new Matrix(shared.data);
  var { data, state } = matrix;
  var table = new ClassTable(matrix, chooseClass);
  var card = hoverCard();
  var drawn;
  function redraw() {
    drawn = draw(matrix);
    find("all").hidden = state.focus === null && !state.zoom;
    find("shown").replaceChildren(...shownNote());
  }
  function shownNote() {
    const size = drawn.shown.length;
    if (state.focus !== null)
      return [nameOf(matrix, state.focus), ` and the ${size - 1} classes it is most confused with`];
    return size > FEW && !state.zoom ? [`${amount(size)} classes: drag to zoom in, or find one`] : [];
  }
  function showStep() {
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
  function showChoice() {
    redraw();
    showCell(matrix);
    table.mark();
  }
  function choose(cell) {
    state.cell = cell;
    if (!data.multi && !isInView(cell, matrix, drawn)) matrix.show(cell[0]);
    showChoice();
  }
  function chooseClass(one) {
    matrix.chooseClass(one);
    showChoice();
  }
  function showAll() {
    Object.assign(state, { focus: null, zoom: null });
    find("find").value = "";
    redraw();
  }
  function hover(cell) {
    const title = make("b");
    title.append(...cellTitle(matrix, cell));
    find("card").replaceChildren(title, ...cellLines(matrix, cell).map((parts) => line(parts)));
    card.show();
  }
  function walk(across, down) {
    const { shown } = drawn;
    const at = (one) => Math.max(0, shown.indexOf(one ?? -1));
    const to = (place, by) => shown[clamp(place + (state.cell ? by : 0), 0, shown.length - 1)];
    choose([to(at(state.cell?.[0]), down), to(at(state.cell?.[1]), across)]);
    return true;
  }
  function zoomed(change) {
    if (!Object.keys(change).some((key) => key.includes("axis.range["))) return;
    const end = drawn.shown.length - 0.5;
    const range = (axis2, otherwise) => {
      const [from, to] = [change[`${axis2}axis.range[0]`], change[`${axis2}axis.range[1]`]];
      return from === void 0 || to === void 0 ? state.zoom?.[axis2] ?? otherwise : [from, to];
    };
    state.zoom = { x: range("x", [-0.5, end]), y: range("y", [end, -0.5]) };
    redraw();
  }
  function listenToPlot() {
    const plot = find("plot");
    plot.on("plotly_hover", ({ points }) => hover(cellAt(points[0].pointIndex, matrix, drawn)));
    plot.on("plotly_unhover", card.hide);
    plot.on("plotly_click", ({ event }) => choose(cellAt(blockAt(event, matrix, drawn), matrix, drawn)));
    plot.on("plotly_doubleclick", () => {
      if (state.focus !== null || state.zoom) showAll();
    });
    plot.on("plotly_relayout", zoomed);
    onArrowKeys(plot, walk);
    plot.addEventListener("blur", card.hide);
  }
  function listenToControls() {
    find("all").addEventListener("click", showAll);
    onInput("normalize", ({ value }) => {
      state.normalize = value;
      redraw();
    });
    onInput("step", ({ value }) => {
      state.step = Number(value);
      showStep();
    });
    onInput("order", ({ value }) => {
      Object.assign(state, { order: value, zoom: null, focus: null });
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
  find("normalize").value = state.normalize;
  if (!data.multi) find("order").value = state.order;
  suggest(find("names"), data.names);
  showStep();
  listenToPlot();
  listenToControls();
  addEventListener("resize", redraw);
  shared.onThemeChange(redraw);
})();
