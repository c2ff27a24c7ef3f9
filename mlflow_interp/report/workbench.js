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

  // web/src/common/globals.ts
  var shared = globalThis;

  // web/src/workbench/charts.ts
  function numbers(text) {
    return (text ?? "").split(",").map(Number);
  }
  function mark(chart, step) {
    if (step === void 0) return;
    const at = numbers(chart.dataset.steps).findLastIndex((each) => each <= step);
    if (at < 0) return;
    const [across, down] = ((chart.dataset.places ?? "").split(" ")[at] ?? "0,0").split(",");
    const dot = chart.querySelector("circle");
    dot?.setAttribute("cx", across ?? "0");
    dot?.setAttribute("cy", down ?? "0");
    const output = chart.querySelector("output");
    if (output)
      output.textContent = String(Number(numbers(chart.dataset.values)[at].toPrecision(4)));
  }
  function markCharts(bench2) {
    for (const chart of document.querySelectorAll(".chart[data-over=epoch]"))
      mark(chart, bench2.epoch);
  }
  function listenToCharts(bench2) {
    for (const chart of document.querySelectorAll(".chart")) {
      const svg = chart.querySelector("svg");
      if (!svg) continue;
      const steps = numbers(chart.dataset.steps);
      const overEpochs = chart.dataset.over === "epoch" && bench2.epochs.length > 0;
      const nearest = (event) => {
        const box = svg.getBoundingClientRect();
        const share = (event.clientX - box.left) / box.width * 200;
        const distances = (chart.dataset.places ?? "").split(" ").map((place) => Math.abs(Number(place.split(",")[0]) - share));
        return steps[distances.indexOf(Math.min(...distances))];
      };
      svg.addEventListener("pointermove", (event) => mark(chart, nearest(event)));
      svg.addEventListener("pointerleave", () => mark(chart, overEpochs ? bench2.epoch : steps.at(-1)));
      if (overEpochs)
        svg.addEventListener("click", (event) => {
          const at = bench2.epochs.findLastIndex((each) => each <= nearest(event));
          if (at >= 0) bench2.goTo(at);
        });
    }
  }

  // web/src/workbench/findings.ts
  function findingsOf(bench2) {
    const steps = bench2.methods.map((method) => bench2.step(method));
    const ofInputs = steps.filter(({ overview }) => overview).map(({ findings }) => findings);
    const ofMethods = steps.filter(({ overview }) => !overview).flatMap(({ findings }) => findings);
    const most = ofInputs.reduce((most2, each) => each.length > most2.length ? each : most2, []);
    return [...new Map([...most, ...ofMethods].map((finding) => [finding.text, finding])).values()];
  }
  function showFindings(bench2) {
    const findings = findingsOf(bench2);
    find("findings").hidden = !findings.length;
    find("findings").replaceChildren(
      ...findings.map((finding) => {
        const line = make("li");
        if (!Object.keys(finding.about).length) {
          line.textContent = finding.text;
          return line;
        }
        const isShown = bench2.state.filter?.text === finding.text;
        const button = makeButton(finding.text, () => bench2.show(finding), "link");
        button.setAttribute("aria-pressed", String(isShown));
        line.append(button);
        return line;
      })
    );
  }

  // web/src/common/format.ts
  function clamp(value, lowest, highest) {
    return Math.max(lowest, Math.min(highest, value));
  }
  function percent(value, otherwise = "") {
    return typeof value === "number" && value >= 0 && value <= 1 ? `${(100 * value).toFixed(1)}%` : otherwise;
  }
  function amount(value) {
    return Number.isInteger(value) ? value.toLocaleString("en") : String(Number(value.toPrecision(4)));
  }
  function bytes(text) {
    return Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
  }

  // web/src/workbench/heat.ts
  function mapAt(heat, { rank, position }) {
    const [height, width] = heat.size;
    const size = height * width;
    const { others } = heat;
    const text = rank && others ? others.maps : heat.maps;
    const at = rank && others ? (rank - 1) * others.indices.length + position : position;
    const raw = bytes(text).subarray(at * size, (at + 1) * size);
    const values = Float32Array.from(raw, (value) => heat.signed ? (value - 128) / 127 : value / 255);
    return { values, height, width };
  }
  function resample(map, height, width) {
    const rows = weights(map.height, height);
    const columns = weights(map.width, width);
    const result = new Float32Array(height * width);
    for (let y = 0; y < height; y++) {
      const [top, bottom, down] = rows[y];
      for (let x = 0; x < width; x++) {
        const [left, right, across] = columns[x];
        const at = (row, column) => map.values[row * map.width + column];
        const above = at(top, left) * (1 - across) + at(top, right) * across;
        const below = at(bottom, left) * (1 - across) + at(bottom, right) * across;
        result[y * width + x] = above * (1 - down) + below * down;
      }
    }
    return result;
  }
  function weights(from, to) {
    return Array.from({ length: to }, (_, at) => {
      const position = Math.max(0, Math.min(from - 1, (at + 0.5) * from / to - 0.5));
      const first = Math.floor(position);
      return [first, Math.min(from - 1, first + 1), position - first];
    });
  }
  function colourise(heat, values, opacity) {
    const colours = bytes(heat.colours);
    const pixels = new Uint8ClampedArray(4 * values.length);
    values.forEach((value, at) => {
      const share = heat.signed ? (value + 1) / 2 : value;
      const entry = 3 * Math.max(0, Math.min(255, Math.round(255 * share)));
      pixels.set(colours.subarray(entry, entry + 3), 4 * at);
      pixels[4 * at + 3] = 255 * Math.min(1, Math.abs(value) * opacity);
    });
    return pixels;
  }
  function drawHeat(canvas, area, heat, place, opacity) {
    const { left, top, width, height } = area;
    const values = resample(mapAt(heat, place), height, width);
    const layer = new OffscreenCanvas(width, height);
    const pen = layer.getContext("2d");
    pen.putImageData(new ImageData(colourise(heat, values, opacity), width, height), 0, 0);
    canvas.getContext("2d").drawImage(layer, left, top);
  }

  // web/src/workbench/looks.ts
  var positions = /* @__PURE__ */ new WeakMap();
  function positionOf(indices, index) {
    let known = positions.get(indices);
    if (!known) {
      known = new Map(indices.map((each, at) => [each, at]));
      positions.set(indices, known);
    }
    return known.get(index);
  }
  function targetsOf({ heat, key }, index) {
    if (!heat) return [];
    const { others, indices, targets } = heat.heat;
    const base = key.replace(/#\d+$/, "");
    const first = positionOf(indices, index);
    const at = others ? positionOf(others.indices, index) : void 0;
    return [
      ...first === void 0 ? [] : [{ key: base, target: targets[first] ?? "" }],
      ...others && at !== void 0 ? others.targets.map((names, rank) => ({ key: `${base}#${rank + 1}`, target: names[at] ?? "" })) : []
    ];
  }
  function withTarget(look, key, index) {
    const rank = Number(key.match(/#(\d+)$/)?.[1] ?? 0);
    const others = look.heat?.heat.others;
    const position = others && rank ? positionOf(others.indices, index) : void 0;
    if (!look.heat || position === void 0) return look;
    const target = others?.targets[rank - 1]?.[position] ?? "";
    return { ...look, key, target, heat: { heat: look.heat.heat, place: { rank, position } } };
  }
  function looksOf(methods, stepOf, index) {
    return methods.flatMap((method) => {
      const step = stepOf(method);
      const row = step.rows[index];
      const looks = (row?.tiles ?? []).map(([caption, tile]) => ({
        key: `${method.place}/${caption}`,
        method,
        // A single tile has the name of its method.
        caption: method.title.startsWith(caption) ? method.title : `${method.title}: ${caption}`,
        target: row?.target ?? "",
        tile
      }));
      const position = step.heat ? positionOf(step.heat.indices, index) : void 0;
      if (step.heat && position !== void 0)
        looks.unshift({
          key: method.place,
          method,
          caption: method.title,
          target: step.heat.targets[position] ?? "",
          heat: { heat: step.heat, place: { rank: 0, position } }
        });
      return looks;
    });
  }
  function shows({ heat, rows }) {
    return Boolean(heat) || Object.values(rows).some((row) => row.tiles.length);
  }
  function whyMissing(methods, looks, index) {
    const places = (chosen) => chosen.map(({ place }) => place).join(", ");
    const hasLast = (method) => looksOf([method], ({ steps }) => steps.at(-1), index).length > 0;
    const missing = methods.filter(
      (method) => method.steps.some(shows) && !looks.some((look) => look.method === method)
    );
    const later = missing.filter(hasLast);
    const never = missing.filter((method) => !hasLast(method));
    const selective = never.filter((method) => !method.steps.at(-1)?.overview);
    const full = never.filter((method) => !selective.includes(method));
    return [
      ...later.length ? [`At this epoch, nothing of ${places(later)} is kept for this input, to keep the page small.`] : [],
      ...full.length ? [
        `Nothing of ${places(full)} is kept for this input, to keep the page small; its arrays have all inputs.`
      ] : [],
      ...selective.length ? [
        `Not explained by ${places(selective)}: a method that takes many passes explains a selection of the inputs (max_explained).`
      ] : []
    ].join(" ");
  }

  // web/src/workbench/pictures.ts
  var FEW = 64;
  var loaded = /* @__PURE__ */ new Map();
  function load(source) {
    let image = loaded.get(source);
    if (!image) {
      const element = new Image();
      element.src = source;
      image = element.decode().then(() => element);
      loaded.set(source, image);
    }
    return image;
  }
  var FRAME = ["#1b1f24", "white"];
  function cropIn(width, height, { box }) {
    const [top, left, tall, wide] = box;
    const at = { left: Math.round(left * width), top: Math.round(top * height) };
    return {
      ...at,
      width: Math.max(1, Math.round((left + wide) * width) - at.left),
      height: Math.max(1, Math.round((top + tall) * height) - at.top)
    };
  }
  function drawFrame(pen, { left, top, width, height }) {
    const line = Math.max(1, Math.round(Math.max(pen.canvas.width, pen.canvas.height) / 200));
    pen.lineWidth = line;
    FRAME.forEach((colour, at) => {
      const inset = (at + 0.5) * line;
      pen.strokeStyle = colour;
      pen.strokeRect(left + inset, top + inset, width - 2 * inset, height - 2 * inset);
    });
  }
  var Thumbnails = class {
    /**
     * @param set the set of inputs.
     * @param source the image with all thumbnails, as a data: URI.
     * @param name a class name for elements that show one; the image is in one rule of the page's style.
     * @param ready called once the image can be drawn.
     */
    constructor(set, source, name, ready) {
      this.name = name;
      const { side, columns } = set.overview?.thumbnails ?? { side: 1, columns: 1 };
      this.side = side;
      this.columns = columns;
      this.rows = Math.ceil((set.overview?.indices.length ?? 1) / columns);
      const style = make("style", `.${name} { background-image: url(${source}); }`);
      document.head.append(style);
      load(source).then((sheet) => {
        this.sheet = sheet;
        ready();
      });
    }
    name;
    side;
    columns;
    rows;
    sheet = null;
    /** Show a thumbnail as the background of an element. */
    put(element, position, side) {
      const [column, row] = this.cell(position);
      element.classList.add(this.name);
      if (this.side <= FEW / 2) element.classList.add("few");
      element.style.backgroundSize = `${this.columns * side}px ${this.rows * side}px`;
      element.style.backgroundPosition = `-${column * side}px -${row * side}px`;
    }
    /** Draw a thumbnail into a canvas; false if it is not loaded yet. */
    draw(pen, position, x, y, side) {
      if (!this.sheet) return false;
      const [column, row] = this.cell(position);
      pen.imageSmoothingEnabled = this.side > FEW / 2;
      pen.drawImage(this.sheet, column * this.side, row * this.side, this.side, this.side, x, y, side, side);
      return true;
    }
    cell(position) {
      return [position % this.columns, Math.floor(position / this.columns)];
    }
  };

  // web/src/workbench/stage.ts
  var LARGE = 448;
  var SMALL = 96;
  var Stage = class {
    constructor(bench2, thumbnails2, page2) {
      this.bench = bench2;
      this.thumbnails = thumbnails2;
      this.page = page2;
      find("opacity").addEventListener(
        "input",
        (event) => bench2.change({ opacity: Number(event.target.value) / 100 })
      );
    }
    bench;
    thumbnails;
    page;
    update() {
      const input = this.bench.chosen;
      find("stage").hidden = !input;
      if (!input) return;
      const looks = looksOf(this.bench.methods, (method) => this.bench.step(method), input.index);
      const { look: key } = this.bench.state;
      const base = key?.replace(/#\d+$/, "");
      const found = base === "" ? void 0 : looks.find((each) => each.key === base) ?? looks[0];
      const look = found && withTarget(found, key ?? "", input.index);
      this.showFacts(input, look);
      this.showLarge(input, look);
      this.showLooks(input, looks, look);
      this.showViews(input);
    }
    showFacts(input, look) {
      const row = this.bench.table.row(input.index);
      find("name").textContent = input.name;
      const verdict = find("verdict");
      const isKnown = input.label !== null && input.predicted !== null;
      verdict.className = `verdict ${isKnown ? input.wrong ? "wrong" : "right" : ""}`;
      verdict.textContent = verdictOf(input);
      this.showTargets(input, look);
      find("predictions").replaceChildren(...predictionsOf(input, row).map(predictionLine));
      find("notes").replaceChildren(
        ...this.bench.methods.flatMap(
          (method) => (this.bench.step(method).rows[input.index]?.notes ?? []).map((note) => make("div", note))
        )
      );
    }
    /** Which class is explained, and the others whose maps are kept. */
    showTargets(input, look) {
      const targets = look ? targetsOf(look, input.index) : [];
      const lead = look?.target ? [make("span", "Explains ")] : [];
      if (targets.length < 2) {
        find("target").replaceChildren(...lead, look?.target ?? "");
        return;
      }
      const buttons = targets.map(({ key, target }) => {
        const button = makeButton(target, () => this.bench.change({ look: key }), "small");
        button.setAttribute("aria-pressed", String(key === look?.key));
        return button;
      });
      find("target").replaceChildren(...lead, ...buttons);
    }
    showLarge(input, look) {
      const opacity = this.opacity(look);
      find("heatcontrol").hidden = !look?.heat;
      find("opacity").value = String(Math.round(100 * opacity));
      const canvas = find("large");
      const text = look ? `${look.caption} of ${input.name}` : `The input ${input.name}`;
      canvas.setAttribute("aria-label", look?.target ? `${text}, explaining ${look.target}` : text);
      const isFramed = input.whole && input.picture !== null && look?.tile === void 0;
      const frame = isFramed ? ". The frame marks the part of the image that the model sees." : "";
      find("caption").textContent = captionOf(look, this.bench) + frame;
      this.draw(canvas, LARGE, input, look, opacity);
    }
    opacity(look) {
      return this.bench.state.opacity ?? look?.heat?.heat.opacity ?? 0;
    }
    /** Draw a look of an input into a canvas of about `side` pixels. */
    async draw(canvas, side, input, look, opacity) {
      const turn = String(Number(canvas.dataset.turn ?? 0) + 1);
      canvas.dataset.turn = turn;
      const source = look?.tile ?? (look && !look.heat ? null : input.picture);
      const whole = look?.tile === void 0 && source !== null ? input.whole : null;
      const [image, around] = await Promise.all(
        [source, whole?.source ?? null].map(
          (each) => each === null ? null : load(this.bench.data.images[each])
        )
      );
      if (canvas.dataset.turn !== turn) return;
      const sheet = this.thumbnails();
      const [rows, columns] = input.thumbnail < 0 && look?.heat?.heat.size || [1, 1];
      const shown = around ?? image;
      const [width, height] = shown ? [shown.naturalWidth, shown.naturalHeight] : [columns, rows];
      const scale = side / Math.max(width, height);
      canvas.width = Math.max(1, Math.round(width * scale));
      canvas.height = Math.max(1, Math.round(height * scale));
      const pen = canvas.getContext("2d");
      let area = { left: 0, top: 0, width: canvas.width, height: canvas.height };
      if (around && whole) {
        pen.drawImage(around, 0, 0, canvas.width, canvas.height);
        area = cropIn(canvas.width, canvas.height, whole);
      }
      if (image) {
        pen.imageSmoothingEnabled = Math.max(image.naturalWidth, image.naturalHeight) > FEW;
        pen.drawImage(image, area.left, area.top, area.width, area.height);
      } else if (input.thumbnail < 0 || !sheet?.draw(pen, input.thumbnail, 0, 0, side)) {
        pen.fillStyle = "#808080";
        pen.fillRect(0, 0, canvas.width, canvas.height);
      }
      if (look?.heat) drawHeat(canvas, area, look.heat.heat, look.heat.place, opacity);
      if (around) drawFrame(pen, area);
      canvas.dataset.drawn = `${input.index} ${look?.key ?? ""}`;
    }
    showLooks(input, looks, chosen) {
      const hasImage = input.picture !== null || input.thumbnail >= 0;
      const choices = hasImage ? [void 0, ...looks] : looks;
      find("looks").hidden = choices.length < 2;
      find("looks").replaceChildren(
        ...choices.map((look) => {
          const button = makeButton("", () => this.bench.change({ look: look?.key ?? "" }), "look");
          const base = chosen?.key.replace(/#\d+$/, "");
          button.setAttribute("aria-pressed", String(look?.key === base));
          if (look) button.dataset.place = look.method.place;
          const canvas = make("canvas");
          canvas.setAttribute("aria-hidden", "true");
          button.append(canvas, make("span", look ? look.caption : "image"));
          void this.draw(canvas, SMALL, input, look, this.opacity(look));
          return button;
        })
      );
      find("missing").textContent = whyMissing(this.bench.methods, looks, input.index);
    }
    /** The figures of panels that are drawn for each input. */
    showViews(input) {
      find("views").replaceChildren(
        ...this.bench.data.methods.flatMap((method) => {
          const { panel } = this.bench.step(method);
          const known = panel && shared.panels.get(panel.kind);
          if (!panel || !known?.draw || !(method.set === this.bench.state.set || known.ofAnyInput)) return [];
          const figures = attempt(method.place, () => known.draw?.(panel.data, input, this.page) ?? []) ?? [];
          if (!figures.length) return [];
          const view = make("div", "", "view");
          const tiles = make("div", "", "tiles");
          tiles.append(...figures);
          view.append(make("h3", method.title), tiles);
          view.dataset.place = method.place;
          return [view];
        })
      );
    }
  };
  function captionOf(look, bench2) {
    if (!look) return "image";
    const isEmpty = look.heat && mapAt(look.heat.heat, look.heat.place).values.every((value) => !value);
    const notes = isEmpty ? ": no heat, as no value is positive at this layer" : "";
    const { step } = bench2.step(look.method);
    const isOther = look.method.over === "epoch" && bench2.epoch !== void 0 && step !== bench2.epoch;
    return `${look.caption}${isOther ? ` at epoch ${step}` : ""}${notes}`;
  }
  function attempt(place, make2) {
    try {
      return make2();
    } catch (error) {
      console.warn(`The panel of ${place} can't be shown: ${error}`);
      return null;
    }
  }
  function verdictOf(input) {
    if (input.predicted === null) return "";
    const chance = percent(input.confidence);
    const predicted = `predicted ${input.predictedName}${chance && ` with ${chance}`}`;
    if (input.label === null) return predicted;
    return input.wrong ? `\u2715 ${predicted}, label ${input.labelName}` : `\u2713 ${predicted}`;
  }
  function predictionsOf(input, row) {
    if (row?.predictions.length) return row.predictions;
    if (input.values) return input.values;
    return input.predictedName === null ? [] : [[input.predictedName, input.confidence]];
  }
  function predictionLine([name, chance]) {
    const line = make("tr");
    const cell = make("td", name);
    const bar = make("div", "", "bar");
    bar.style.width = `${100 * clamp(Number(chance ?? 0), 0, 1)}%`;
    if (typeof chance === "number") cell.append(bar);
    const text = typeof chance === "string" ? chance : percent(chance, chance?.toPrecision(3) ?? "");
    line.append(cell, make("td", String(text), "number"));
    return line;
  }

  // web/src/workbench/gallery.ts
  var SIDE = 48;
  var Gallery = class {
    constructor(bench2, thumbnails2) {
      this.bench = bench2;
      this.thumbnails = thumbnails2;
    }
    bench;
    thumbnails;
    shown = "";
    buttons = /* @__PURE__ */ new Map();
    update() {
      const { visible, state } = this.bench;
      const key = `${state.set} ${state.epoch} ${visible.map((input) => input.index).join(" ")}`;
      if (key !== this.shown) {
        this.shown = key;
        this.buttons = new Map(visible.map((input) => [input.index, this.button(input)]));
        find("thumbs").replaceChildren(...this.buttons.values());
      }
      for (const [index, button] of this.buttons) {
        const isChosen = index === state.index;
        button.setAttribute("aria-current", String(isChosen));
        button.tabIndex = isChosen ? 0 : -1;
      }
      this.reveal();
    }
    reveal() {
      const strip = find("thumbs");
      const button = this.buttons.get(this.bench.state.index ?? -1);
      if (!button) return;
      const left = button.offsetLeft - strip.offsetLeft - strip.clientWidth / 2 + button.offsetWidth / 2;
      const top = button.offsetTop - strip.offsetTop - strip.clientHeight / 2 + button.offsetHeight / 2;
      strip.scrollTo({ left, top });
    }
    button(input) {
      const button = makeButton("", () => this.bench.choose(input.index), input.wrong ? "missed" : "");
      button.title = input.name;
      const verdict = verdictOf(input).replace(/^[✓✕] /, input.wrong ? "wrong: " : "");
      button.setAttribute("aria-label", [input.name, verdict].filter(Boolean).join(", "));
      this.fill(button, input);
      return button;
    }
    fill(button, input) {
      const sheet = this.thumbnails();
      if (sheet && input.thumbnail >= 0) sheet.put(button, input.thumbnail, SIDE);
      else if (input.picture !== null)
        button.append(makeImage(this.bench.data.images[input.picture], ""));
      else button.append(input.name);
    }
  };

  // web/src/workbench/map.ts
  var FaceMap = class {
    constructor(bench2, page2) {
      this.bench = bench2;
      this.page = page2;
    }
    bench;
    page;
    tabs = [];
    current = null;
    set = -1;
    update() {
      if (this.set !== this.bench.state.set) this.fill();
      const tab = this.current;
      if (!tab) return;
      const { panel } = this.bench.step(tab.method);
      if (!panel) return;
      const isShown = attempt(tab.method.place, () => {
        tab.face ??= shared.panels.get(tab.kind)?.face?.(panel.data, this.page) ?? null;
        if (tab.face && find("face").firstChild !== tab.face.element)
          find("face").replaceChildren(tab.face.element);
        tab.face?.update(panel.data);
        return true;
      });
      if (!isShown) this.remove(tab);
    }
    fill() {
      this.set = this.bench.state.set;
      this.tabs = this.bench.methods.flatMap((method) => {
        const { panel } = this.bench.step(method);
        const known = panel && shared.panels.get(panel.kind);
        if (!panel || !known?.face) return [];
        const tab = {
          method,
          kind: panel.kind,
          face: null,
          button: makeButton("", () => this.choose(tab))
        };
        tab.button.setAttribute("role", "tab");
        tab.button.id = `tab-${method.place}`;
        tab.button.textContent = known.title ?? method.place;
        return [tab];
      });
      const titles = this.tabs.map((tab) => tab.button.textContent);
      for (const tab of this.tabs)
        if (titles.filter((title) => title === tab.button.textContent).length > 1)
          tab.button.append(make("span", ` ${tab.method.place}`, "faint"));
      find("faces").replaceChildren(...this.tabs.map((tab) => tab.button));
      this.select(this.tabs[0] ?? null);
    }
    remove(tab) {
      tab.button.remove();
      this.tabs = this.tabs.filter((each) => each !== tab);
      this.select(this.tabs[0] ?? null);
      this.update();
    }
    choose(tab) {
      this.select(tab);
      this.update();
      tab.button.focus();
    }
    select(chosen) {
      this.current = chosen;
      find("map").hidden = !chosen;
      find("columns").classList.toggle("single", !chosen);
      if (chosen) find("face").setAttribute("aria-labelledby", chosen.button.id);
      for (const { button } of this.tabs) {
        button.setAttribute("aria-selected", String(button === chosen?.button));
        button.tabIndex = button === chosen?.button ? 0 : -1;
      }
    }
    /** Left and right arrow walk through the tabs. */
    listen() {
      find("faces").addEventListener("keydown", (event) => {
        const steps = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
        if (!steps || !this.current) return;
        const at = this.tabs.indexOf(this.current);
        const next = this.tabs[(at + steps + this.tabs.length) % this.tabs.length];
        if (next) this.choose(next);
        event.preventDefault();
      });
    }
  };

  // web/src/workbench/sections.ts
  async function copy(button) {
    const text = button.parentElement?.querySelector("pre, code");
    if (!text) return;
    const before = button.textContent;
    const range = document.createRange();
    range.selectNodeContents(text);
    getSelection()?.removeAllRanges();
    getSelection()?.addRange(range);
    let done = document.execCommand("copy");
    if (!done && origin !== "null")
      done = await navigator.clipboard.writeText(text.textContent ?? "").then(
        () => true,
        () => false
      );
    button.textContent = done ? "Copied" : "Selected: press Ctrl+C";
    setTimeout(() => {
      button.textContent = before;
    }, 2500);
  }
  function listenToSections() {
    for (const button of document.querySelectorAll("[data-copy]"))
      button.addEventListener("click", () => copy(button));
    for (const button of document.querySelectorAll("[data-section]"))
      button.addEventListener("click", () => {
        const section = find(`section-${button.dataset.section}`);
        section.open = true;
        section.scrollIntoView();
      });
    if (location.protocol === "file:" || location.protocol.startsWith("http"))
      for (const text of document.querySelectorAll("[data-page]"))
        text.replaceChildren(Object.assign(make("a", text.textContent ?? ""), { href: text.dataset.page }));
    addEventListener("beforeprint", () => {
      for (const each of document.querySelectorAll("details")) each.open = true;
    });
  }

  // web/src/workbench/toolbar.ts
  var Toolbar = class {
    constructor(bench2) {
      this.bench = bench2;
      const { epochs, data: data2 } = bench2;
      find("sets").hidden = data2.sets.length < 2;
      find("set").append(
        ...data2.sets.map(
          (set, at) => Object.assign(new Option(set.name, String(at)), { disabled: !set.inputs.length && !set.overview })
        )
      );
      find("epochs").hidden = epochs.length < 2;
      find("epoch").max = String(epochs.length - 1);
      this.listen();
    }
    bench;
    set = -1;
    update() {
      const { bench: bench2 } = this;
      const { state, epochs, visible } = bench2;
      if (this.set !== state.set) this.fillClasses();
      find("set").value = String(state.set);
      find("epoch").value = String(state.epoch);
      find("epoch").setAttribute("aria-valuetext", `epoch ${epochs[state.epoch]}`);
      find("at").textContent = String(epochs[state.epoch] ?? "");
      const { inputs } = bench2.table;
      const errors = inputs.filter((input) => input.wrong).length;
      const hasLabels = inputs.some((input) => input.label !== null);
      const of = bench2.set.count;
      find("all").textContent = inputs.length < of ? `All (${amount(inputs.length)} of ${amount(of)})` : `All (${amount(of)})`;
      find("wrong").hidden = !hasLabels;
      find("wrong").textContent = `Errors (${amount(errors)})`;
      find("wrong").disabled = !errors && !state.wrong;
      find("all").setAttribute("aria-pressed", String(!state.wrong && !state.filter && state.label === null));
      find("wrong").setAttribute("aria-pressed", String(state.wrong));
      find("class").value = state.label === null ? "" : String(state.label);
      find("order").value = state.order;
      find("filter").hidden = !state.filter;
      find("filtertext").textContent = state.filter?.text ?? "";
      const at = visible.findIndex((input) => input.index === state.index);
      find("place").textContent = visible.length ? `${at < 0 ? "\u2013" : amount(at + 1)} of ${amount(visible.length)}` : "none";
      find("none").hidden = visible.length > 0;
    }
    fillClasses() {
      this.set = this.bench.state.set;
      const names = /* @__PURE__ */ new Map();
      for (const { label, labelName } of this.bench.table.inputs)
        if (label !== null) names.set(label, labelName ?? String(label));
      find("classes").hidden = names.size < 2;
      find("class").replaceChildren(
        new Option("all", ""),
        ...[...names].sort((a, b) => a[1].localeCompare(b[1], "en", { numeric: true })).map(([label, name]) => new Option(name, String(label)))
      );
    }
    listen() {
      const { bench: bench2 } = this;
      const value = (event) => event.target.value;
      find("set").addEventListener("change", (event) => bench2.chooseSet(Number(value(event))));
      find("class").addEventListener(
        "change",
        (event) => bench2.narrow({ label: value(event) === "" ? null : Number(value(event)) })
      );
      find("order").addEventListener("change", (event) => bench2.change({ order: value(event) }));
      find("all").addEventListener("click", () => bench2.narrow({ wrong: false, filter: null, label: null }));
      find("wrong").addEventListener("click", () => bench2.narrow({ wrong: !bench2.state.wrong, filter: null }));
      find("unfilter").addEventListener("click", () => bench2.narrow({ filter: null }));
      find("expand").addEventListener("click", () => {
        const isGrid = find("thumbs").classList.toggle("grid");
        find("expand").setAttribute("aria-pressed", String(isGrid));
      });
      find("previous").addEventListener("click", () => bench2.walk(-1));
      find("next").addEventListener("click", () => bench2.walk(1));
      find("epoch").addEventListener("input", (event) => bench2.goTo(Number(value(event))));
    }
  };

  // web/src/workbench/table.ts
  function stepAt(method, epoch) {
    const before = method.steps.filter(
      (step) => method.steps.length === 1 || epoch === void 0 || step.step <= epoch
    );
    return before.at(-1) ?? method.steps[0];
  }
  function epochsOf(methods) {
    const epochs = methods.filter((method) => method.steps.length > 1).flatMap((method) => method.steps.map((step) => step.step));
    return [...new Set(epochs)].sort((a, b) => a - b);
  }
  var Table = class {
    /**
     * @param steps the step of each method of the set.
     * @param set the set.
     */
    constructor(set, steps) {
      this.steps = steps;
      const { overview } = set;
      overview?.indices.forEach((index, at) => {
        const label = overview.labels[at];
        this.add({
          index,
          name: overview.names[at],
          label: label < 0 ? null : label,
          labelName: label < 0 ? null : overview.classes[label] ?? String(label),
          predicted: null,
          predictedName: null,
          confidence: null,
          wrong: false,
          thumbnail: overview.thumbnails ? at : -1,
          picture: null,
          whole: null,
          values: overview.values?.[at] ?? null
        });
      });
      for (const each of set.inputs) {
        const known = this.byIndex.get(each.index);
        if (known) Object.assign(known, { picture: each.picture, whole: each.whole });
        else
          this.add({
            ...each,
            predicted: null,
            predictedName: null,
            confidence: null,
            wrong: false,
            thumbnail: -1,
            values: null
          });
      }
      this.predict(overview?.classes ?? {});
      this.inputs.sort((a, b) => a.index - b.index);
    }
    steps;
    inputs = [];
    byIndex = /* @__PURE__ */ new Map();
    get(index) {
      return this.byIndex.get(index);
    }
    /** The row that a method or, without one, any method of the set has of an input. */
    row(index) {
      return this.steps.map((step) => step.rows[index]).find((row) => row?.predictions.length);
    }
    add(input) {
      this.inputs.push(input);
      this.byIndex.set(input.index, input);
    }
    predict(classes) {
      for (const { overview } of this.steps)
        overview?.indices.forEach((index, at) => {
          const input = this.byIndex.get(index);
          const predicted = overview.predicted[at] ?? null;
          if (!input || predicted === null) return;
          input.predicted = predicted;
          input.predictedName = classes[predicted] ?? String(predicted);
          input.confidence = overview.confidence[at] ?? null;
        });
      for (const input of this.inputs) {
        const row = this.row(input.index);
        if (input.predicted === null && row && typeof row.predicted === "number") {
          input.predicted = row.predicted;
          input.predictedName = row.predictions[0]?.[0] ?? String(row.predicted);
          const chance = row.predictions[0]?.[1];
          input.confidence = typeof chance === "number" ? chance : null;
        }
        input.wrong = input.label !== null && input.predicted !== null && input.label !== input.predicted;
      }
    }
  };
  function meets(input, about) {
    return (about.input === void 0 || input.index === about.input) && (about.indices === void 0 || about.indices.includes(input.index)) && (!about.wrong || input.wrong) && (about.label === void 0 || input.label === about.label) && (about.predicted === void 0 || input.predicted === about.predicted) && (about.at_least === void 0 || (input.confidence ?? 0) >= about.at_least);
  }
  function ordered(inputs, order) {
    const confidence = (input) => input.confidence ?? 1;
    if (order === "least confident") return inputs.toSorted((a, b) => confidence(a) - confidence(b));
    if (order === "errors first")
      return inputs.toSorted(
        (a, b) => Number(b.wrong) - Number(a.wrong) || (a.wrong ? confidence(b) - confidence(a) : 0)
      );
    return inputs;
  }

  // web/src/workbench/workbench.ts
  var Workbench = class {
    constructor(data2) {
      this.data = data2;
      this.epochs = epochsOf(data2.methods);
      this.state = {
        set: bestSet(data2),
        index: null,
        epoch: this.epochs.length - 1,
        wrong: false,
        label: null,
        filter: null,
        order: "position",
        look: null,
        opacity: null
      };
      this.state.index = this.first();
    }
    data;
    epochs;
    state;
    listeners = [];
    tables = /* @__PURE__ */ new Map();
    get set() {
      return this.data.sets[this.state.set];
    }
    get epoch() {
      return this.epochs[this.state.epoch];
    }
    get methods() {
      return this.data.methods.filter((method) => method.set === this.state.set);
    }
    get table() {
      const key = `${this.state.set} ${this.state.epoch}`;
      let table = this.tables.get(key);
      if (!table) {
        table = new Table(
          this.set,
          this.methods.map((method) => this.step(method))
        );
        this.tables.set(key, table);
      }
      return table;
    }
    step(method) {
      return stepAt(method, this.epoch);
    }
    /** The inputs that pass the filter, in order. */
    get visible() {
      return ordered(
        this.table.inputs.filter((input) => this.passes(input)),
        this.state.order
      );
    }
    passes(input) {
      const { wrong, label, filter } = this.state;
      return (!wrong || input.wrong) && (label === null || input.label === label) && (!filter || meets(input, filter.about));
    }
    get chosen() {
      return this.state.index === null ? void 0 : this.table.get(this.state.index);
    }
    /** Call a function after every change. */
    onChange(act) {
      this.listeners.push(act);
    }
    change(changes) {
      Object.assign(this.state, changes);
      for (const act of this.listeners) act();
    }
    /** Change what is filtered, and stay with the chosen input if the filter leaves it. */
    narrow(changes) {
      Object.assign(this.state, changes);
      const { visible } = this;
      if (!visible.some((input) => input.index === this.state.index) && visible.length)
        this.state.index = visible[0].index;
      this.change({});
    }
    choose(index) {
      this.change({ index });
    }
    chooseSet(set) {
      Object.assign(this.state, { set, wrong: false, label: null, filter: null });
      this.change({ index: this.first() });
    }
    /** Show what a finding or a panel is about. */
    show(filter) {
      const { input } = filter.about;
      if (input === void 0) this.narrow({ filter, wrong: false, label: null });
      else this.change({ index: input, filter: null, wrong: false, label: null });
    }
    walk(steps) {
      const { visible } = this;
      if (!visible.length) return;
      const at = visible.findIndex((input) => input.index === this.state.index);
      this.choose(visible[at < 0 ? 0 : (at + steps + visible.length) % visible.length].index);
    }
    goTo(epoch) {
      this.change({ epoch: clamp(epoch, 0, this.epochs.length - 1) });
    }
    /** The input of which most is shown; of several, the most confident error, else the first. */
    first() {
      const { inputs } = this.table;
      const shown = new Map(inputs.map(({ index }) => [index, this.amount(index)]));
      const most = Math.max(...shown.values());
      const candidates = inputs.filter((input) => shown.get(input.index) === most);
      return ordered(candidates, "errors first")[0]?.index ?? null;
    }
    /** How much is shown of an input: looks, and all its predictions. */
    amount(index) {
      const looks = looksOf(this.methods, (method) => this.step(method), index);
      return looks.length + (this.table.row(index) ? 1 : 0);
    }
  };
  function bestSet({ sets, methods }) {
    const scores = sets.map((set, at) => {
      if (!set.inputs.length && !set.overview) return -1;
      return methods.filter((method) => method.set === at && method.steps.some(shows)).length;
    });
    return Math.max(0, scores.indexOf(Math.max(...scores)));
  }

  // web/src/workbench/main.ts
  var data = shared.data;
  var bench = new Workbench(data);
  Object.assign(globalThis, { workbench: bench });
  var sheets = /* @__PURE__ */ new Map();
  function thumbnails() {
    const place = bench.state.set;
    const source = bench.set.overview?.thumbnails?.source;
    if (source === void 0) return null;
    let sheet = sheets.get(place);
    if (!sheet) {
      sheet = new Thumbnails(
        bench.set,
        data.images[source],
        `thumbs-${place}`,
        () => bench.change({})
      );
      sheets.set(place, sheet);
    }
    return sheet;
  }
  var page = {
    inputs: () => bench.table.inputs,
    get: (index) => bench.table.get(index),
    chosen: () => bench.state.index,
    choose: (index) => bench.choose(index),
    filter: (about, text) => bench.show({ about, text }),
    passes(index) {
      const input = bench.table.get(index);
      return input === void 0 || bench.passes(input);
    },
    predictedOf: (index) => bench.table.get(index)?.predicted,
    neighboursOf(index) {
      for (const method of bench.methods) {
        const near = bench.step(method).neighbours;
        const indices = near?.of[index];
        if (near && indices) return { by: near.by, indices };
      }
      return null;
    },
    thumbnail(index, side) {
      const position = bench.table.get(index)?.thumbnail ?? -1;
      const sheet = thumbnails();
      if (position < 0 || !sheet) return null;
      const element = document.createElement("span");
      element.style.width = element.style.height = `${side}px`;
      sheet.put(element, position, side);
      return element;
    },
    drawThumbnail(pen, index, x, y, side) {
      const position = bench.table.get(index)?.thumbnail ?? -1;
      return position >= 0 && (thumbnails()?.draw(pen, position, x, y, side) ?? false);
    }
  };
  function start() {
    find("workbench").hidden = false;
    const toolbar = new Toolbar(bench);
    const stage = new Stage(bench, thumbnails, page);
    const gallery = new Gallery(bench, thumbnails);
    const map = new FaceMap(bench, page);
    const update = () => {
      toolbar.update();
      showFindings(bench);
      gallery.update();
      map.update();
      stage.update();
      markCharts(bench);
    };
    bench.onChange(update);
    shared.onThemeChange(update);
    addEventListener("resize", update);
    map.listen();
    update();
    onArrowKeys(document, (across, down) => {
      if (across) bench.walk(across);
      else if (bench.epochs.length > 1) bench.goTo(bench.state.epoch + down);
      else return false;
      return true;
    });
    document.addEventListener("keydown", (event) => {
      if (event.key === "Escape") bench.narrow({ filter: null, wrong: false, label: null });
    });
  }
  if (data.sets.some((set) => set.inputs.length || set.overview)) start();
  listenToCharts(bench);
  listenToSections();
})();
