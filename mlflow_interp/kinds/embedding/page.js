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
  function colour(name) {
    return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  }

  // web/src/common/globals.ts
  var shared = globalThis;

  // web/src/common/format.ts
  function clamp(value, lowest, highest) {
    return Math.max(lowest, Math.min(highest, value));
  }
  function plain(text) {
    return text.replace(/&/g, "&amp;").replace(/</g, "&lt;").replace(/>/g, "&gt;").replace(/\$/g, "&#36;");
  }
  function percent(value, otherwise = "") {
    return typeof value === "number" && value >= 0 && value <= 1 ? `${(100 * value).toFixed(1)}%` : otherwise;
  }
  function bytes(text) {
    return Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
  }
  function unpack(text, ArrayType) {
    return new ArrayType(bytes(text).buffer);
  }

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

  // web/src/pages/embedding/card.ts
  var SIDE = 96;
  function describe(points2, row) {
    const { names, indices } = points2.inputs;
    find("name").textContent = names[row] ?? "";
    find("facts").replaceChildren(
      ...[["", `input ${indices[row]}`], ...linesOf(points2, row)].map(([name, ...parts]) => {
        const line = make("div", "", name);
        line.append(...parts);
        return line;
      })
    );
    showThumbnail(points2.inputs, row);
  }
  function linesOf(points2, row) {
    const { step, data } = points2;
    if (step.lines) return (step.lines[row] ?? []).map(([name, text]) => ["", make("bdi", name), ` ${text}`]);
    const label = points2.labelOf(row);
    const probability = percent(step.probabilities[row]);
    const predicted = [
      points2.isWrong(row) ? "wrong" : label >= 0 ? "right" : "",
      "predicted ",
      make("bdi", data.predictedNames[String(step.predicted[row])]),
      probability ? ` ${probability}` : ""
    ];
    return label >= 0 ? [["", "label ", make("bdi", points2.classOf.get(label)?.name)], predicted] : [predicted];
  }
  function showThumbnail({ sprite }, row) {
    const picture = find("picture");
    picture.hidden = !sprite;
    if (!sprite) return;
    const { source, columns } = sprite;
    picture.style.backgroundImage = `url(${source})`;
    picture.style.backgroundSize = `${columns * SIDE}px auto`;
    picture.style.backgroundPosition = `${-(row % columns) * SIDE}px ${-Math.floor(row / columns) * SIDE}px`;
  }

  // web/src/common/palette.ts
  var LEAST = 0.12;
  function luminance(hex) {
    const [red, green, blue] = channels(hex).map((value) => {
      const share = value / 255;
      return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
    });
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
  }
  function lightened(hex) {
    let mixed = hex;
    for (let share = 0.1; luminance(mixed) < LEAST; share += 0.1)
      mixed = `#${channels(hex).map(
        (value) => Math.round(value + (255 - value) * share).toString(16).padStart(2, "0")
      ).join("")}`;
    return mixed;
  }
  function onGround(hex) {
    return shared.isDark() ? lightened(hex) : hex;
  }
  function channels(hex) {
    return [1, 3, 5].map((at) => Number.parseInt(hex.slice(at, at + 2), 16));
  }

  // web/src/pages/plotly.ts
  function drawPlot(plot2, traces2, layout2, config) {
    Plotly.react(plot2, traces2, layout2, config);
  }

  // web/src/pages/embedding/plot.ts
  var SMOOTH_SVG = 1500;
  var MOST_RINGED = 3e3;
  var NARROW = 520;
  var BUTTONS_2D = ["toImage", "zoom2d", "pan2d", "zoomIn2d", "zoomOut2d", "resetScale2d"];
  var BUTTONS_3D = ["toImage", "zoom3d", "pan3d", "orbitRotation", "resetCameraDefault3d"];
  function draw(points2) {
    const deep = points2.data.components === 3;
    drawPlot(
      "plot",
      points2.groups.flatMap((group) => traces(points2, group)),
      layout(points2),
      {
        scrollZoom: true,
        displaylogo: false,
        modeBarButtons: [deep ? BUTTONS_3D : BUTTONS_2D],
        responsive: true
      }
    );
  }
  function traces(points2, group) {
    const { data } = points2;
    const count = points2.inputs.names.length;
    const deep = data.components === 3;
    const size = dotSize(points2);
    const trace = (rows2, marker, more) => ({
      type: deep ? "scatter3d" : count > SMOOTH_SVG ? "scattergl" : "scatter",
      mode: "markers",
      name: plain(group.name),
      legendgroup: points2.groups.indexOf(group),
      customdata: rows2,
      marker,
      ...more,
      x: rows2.map((row) => points2.coordinate(row, 0)),
      y: rows2.map((row) => points2.coordinate(row, 1)),
      ...deep ? { z: rows2.map((row) => points2.coordinate(row, 2)) } : {}
    });
    const rows = points2.rowsOf(group);
    const dots = { ...colouring(points2, group, rows), size, opacity: 0.85 };
    const ink = colour("--ink");
    const rings = {
      color: ink,
      size: deep ? 1.6 * size + 1 : size + 3,
      symbol: "circle-open",
      line: { width: 1.2, color: ink }
    };
    const ringed = points2.onlyWrong || count > MOST_RINGED ? [] : rows.filter((row) => points2.isWrong(row));
    return [
      trace(rows, dots, { hoverinfo: "none" }),
      // Of the same legend group, so that they go with their class.
      trace(ringed, rings, {
        // In three dimensions a ring may lie in front of its point, and must answer for it.
        hoverinfo: deep ? "none" : "skip",
        showlegend: false
      })
    ];
  }
  function dotSize({ data, inputs }) {
    const deep = data.components === 3;
    const crowd = Math.sqrt(inputs.names.length);
    if (data.size) return Math.sqrt(data.size) / (deep ? 3 : 1);
    return deep ? clamp(60 / crowd, 1.5, 3.5) : clamp(260 / crowd, 4, 9);
  }
  function colouring(points2, group, rows) {
    const { data, step } = points2;
    if (!data.values) {
      const shown = (hex2 = colour("--faint")) => onGround(hex2);
      const { colour: hex } = group;
      return {
        color: hex ? shown(hex) : rows.map((row) => shown(points2.classOf.get(points2.labelOf(row))?.colour))
      };
    }
    const { title, low, high, scale } = data.values;
    return {
      color: rows.map((row) => step.values?.[row]),
      colorscale: scale,
      cmin: low,
      cmax: high,
      showscale: data.legend,
      colorbar: { title: { text: plain(title), side: "right" }, thickness: 12, outlinewidth: 0 }
    };
  }
  function layout({ data, groups, layer }) {
    const deep = data.components === 3;
    const hidden = { showgrid: false, zeroline: false, showticklabels: false, title: { text: "" } };
    const square = { ...hidden, scaleanchor: data.components > 1 ? "x" : void 0 };
    const named = (number) => ({
      showticklabels: false,
      showspikes: false,
      ticks: "",
      title: { text: `${plain(data.title)} ${number}`, font: { size: 11, color: colour("--faint") } },
      gridcolor: colour("--line"),
      zerolinecolor: colour("--line"),
      showline: true,
      linecolor: colour("--faint")
    });
    return {
      margin: { l: 8, r: 8, t: 34, b: 8 },
      hovermode: "closest",
      dragmode: deep ? "orbit" : "pan",
      paper_bgcolor: colour("--ground"),
      plot_bgcolor: colour("--ground"),
      font: { color: colour("--ink") },
      showlegend: data.legend && groups.length > 1 && innerWidth > NARROW,
      legend: { itemsizing: "constant", tracegroupgap: 0, title: { text: "" } },
      xaxis: hidden,
      yaxis: square,
      scene: { xaxis: named(1), yaxis: named(2), zaxis: named(3), aspectmode: "data" },
      // Keeps zoom and what the legend hides while layers and steps go by.
      uirevision: `${layer}`
    };
  }

  // web/src/pages/embedding/data.ts
  function unpackSteps(data) {
    const sets = data.inputs.map((each) => ({
      ...each,
      labels: unpack(each.labels, Int32Array),
      indices: unpack(each.indices, Int32Array)
    }));
    return data.steps.map((each) => ({
      ...each,
      inputs: sets[each.inputs],
      points: each.points.map((text) => unpack(text, Float32Array)),
      predicted: unpack(each.predicted, Int32Array),
      probabilities: unpack(each.probabilities, Float32Array),
      values: each.values === null ? null : unpack(each.values, Float32Array)
    }));
  }

  // web/src/pages/embedding/points.ts
  var MOST_GROUPS = 60;
  var Points = class {
    constructor(data) {
      this.data = data;
      this.steps = unpackSteps(data);
      this.at = this.steps.length - 1;
      this.classOf = new Map(data.classes.map((each) => [each.index, each]));
      const labels = new Set(this.steps.flatMap(({ inputs }) => [...new Set(inputs.labels)]));
      this.occurring = data.classes.filter(({ index }) => labels.has(index));
      this.hasLabels = data.classes.some(({ index }) => index >= 0);
      this.groups = this.occurring.length > MOST_GROUPS ? [{ name: "inputs" }] : this.occurring.map(({ short, colour: colour2, index }) => ({ name: short, colour: colour2, index }));
      this.rank = new Map(this.occurring.map(({ index }, at) => [index, at]));
    }
    data;
    steps;
    classOf;
    /** The classes that are the label of some input. */
    occurring;
    groups;
    hasLabels;
    rank;
    layer = 0;
    /** A position in `steps`. */
    at;
    onlyWrong = false;
    /** The index of the only class that is shown. */
    wanted = null;
    get step() {
      return this.steps[this.at];
    }
    /** Those of the step that is shown: other steps may have other inputs. */
    get inputs() {
      return this.step.inputs;
    }
    get rows() {
      return Array.from(this.inputs.labels.keys());
    }
    labelOf(row) {
      return this.inputs.labels[row];
    }
    isWrong(row) {
      return this.labelOf(row) >= 0 && this.step.predicted[row] !== this.labelOf(row);
    }
    isShown(row) {
      return (!this.onlyWrong || this.isWrong(row)) && (this.wanted === null || this.labelOf(row) === this.wanted);
    }
    /** The rows of a group that pass the filters. */
    rowsOf({ index }) {
      return this.rows.filter(
        (row) => (index === void 0 || this.labelOf(row) === index) && this.isShown(row)
      );
    }
    /** A coordinate of a point; one component needs a second axis: a row for each class. */
    coordinate(row, axis) {
      const { components } = this.data;
      if (axis >= components) return -(this.rank.get(this.labelOf(row)) ?? 0) + jitter(row);
      return this.step.points[this.layer][row * components + axis];
    }
    /** Numbers about the layer and the step that are shown. */
    get summary() {
      const measures = Object.entries(this.step.measures[this.layer] ?? {}).map(
        ([name, value]) => `${name.replace(/_/g, " ")} ${value}`
      );
      const wrong = this.rows.filter((row) => this.isWrong(row)).length;
      if (this.hasLabels) measures.push(`${wrong} of ${this.rows.length} wrongly predicted`);
      return measures.join(" \xB7 ");
    }
  };
  function jitter(row) {
    return (row * 0.61803398875 % 1 - 0.5) * 0.7;
  }

  // web/src/pages/embedding/main.ts
  var points = new Points(shared.data);
  var card = hoverCard();
  function show() {
    draw(points);
    find("measures").textContent = points.summary;
    const output = find("at");
    if (output) output.textContent = String(points.step.step);
    card.hide();
  }
  show();
  var plot = find("plot");
  plot.on("plotly_hover", (event) => {
    describe(points, event.points[0].customdata);
    card.show();
  });
  plot.on("plotly_unhover", card.hide);
  onInput("layer", ({ value }) => {
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
    points.occurring.map(({ name }) => name)
  );
  onInput("find", ({ value }) => {
    points.wanted = points.occurring.find(({ name }) => name === value)?.index ?? null;
    show();
  });
  shared.onThemeChange(show);
})();
