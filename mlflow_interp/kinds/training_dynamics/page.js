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

  // web/src/common/pages.ts
  function onInput(id, act) {
    const control = find(id);
    control?.addEventListener("input", () => act(control));
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

  // web/src/pages/training_dynamics.ts
  var data = shared.data;
  var WIDTH = 420;
  var HEIGHT = 240;
  var LEFT = 34;
  var BOTTOM = 30;
  var SMALL = 20;
  var listed = [];
  var chosen = data.lists["least learnt"]?.[0] ?? 0;
  var marked = null;
  function element(tag, attributes, text = "") {
    const made = document.createElementNS("http://www.w3.org/2000/svg", tag);
    for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, String(value));
    made.textContent = text;
    return made;
  }
  function drawing(width, height, label) {
    return element("svg", { viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": label });
  }
  function across(share) {
    return LEFT + share * (WIDTH - LEFT - 8);
  }
  function upwards(share) {
    return HEIGHT - BOTTOM - share * (HEIGHT - BOTTOM - 8);
  }
  function axes(svg, ticks, title) {
    for (const share of [0, 0.5, 1]) {
      const y = upwards(share);
      svg.append(element("line", { class: "axis", x1: LEFT, x2: WIDTH - 8, y1: y, y2: y }));
      svg.append(element("text", { x: LEFT - 6, y: y + 4, "text-anchor": "end" }, String(share)));
    }
    for (const [share, text] of ticks)
      svg.append(element("text", { x: across(share), y: HEIGHT - 15, "text-anchor": "middle" }, text));
    svg.append(element("text", { x: across(0.5), y: HEIGHT - 1, "text-anchor": "middle" }, title));
  }
  function epochTicks() {
    const last = data.epochs.length - 1;
    const count = Math.min(6, data.epochs.length);
    const at = Array.from({ length: count }, (_, step) => Math.round(step * last / Math.max(1, count - 1)));
    return at.map((index) => [place(index), String(data.epochs[index])]);
  }
  function place(index) {
    return data.epochs.length > 1 ? index / (data.epochs.length - 1) : 0.5;
  }
  function path(values, x, y) {
    let pen = "M";
    const parts = [];
    values.forEach((value, index) => {
      if (value === null) {
        pen = "M";
        return;
      }
      parts.push(`${pen}${x(index).toFixed(1)} ${y(value).toFixed(1)}`);
      pen = "L";
    });
    return parts.length === 1 ? `${parts[0]}h4` : parts.join("");
  }
  function drawAccuracy() {
    const svg = drawing(WIDTH, HEIGHT, "Accuracy of each class after each epoch");
    axes(svg, epochTicks(), "epoch");
    const inFront = [...data.classes].sort(
      (one, other) => Number(one.colour !== null) - Number(other.colour !== null)
    );
    for (const { name, colour, values } of inFront) {
      const line = element("path", {
        class: `line ${colour ? "" : "other"} ${marked && marked !== name ? "dim" : ""} ${marked === name ? "wide" : ""}`,
        d: path(values, (index) => across(place(index)), upwards)
      });
      if (colour) line.style.stroke = onGround(colour);
      line.append(element("title", {}, `${name}: ${values.at(-1) ?? "no input"}`));
      line.addEventListener("pointerenter", () => mark(name));
      line.addEventListener("pointerleave", () => mark(null));
      svg.append(line);
    }
    find("accuracy").replaceChildren(svg);
  }
  function drawLegend() {
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
  function mark(name) {
    if (marked === name) return;
    marked = name;
    for (const line of document.querySelectorAll("#accuracy .line")) {
      const own = line.querySelector("title")?.textContent?.startsWith(`${name}: `) ?? false;
      line.classList.toggle("dim", name !== null && !own);
      line.classList.toggle("wide", name !== null && own);
    }
  }
  function drawMap() {
    const svg = drawing(WIDTH, HEIGHT, "Mean probability of the label by its standard deviation");
    const most = Math.max(0.1, ...data.points.map(([deviation]) => deviation)) * 1.05;
    const ticks = [0, 0.5, 1].map((share) => [share, (share * most).toFixed(2)]);
    axes(svg, ticks, "standard deviation over the epochs");
    for (const [deviation, mean, right, at] of data.points) {
      const point = element("circle", {
        class: `point ${right ? "is-right" : "is-wrong"} ${at < 0 ? "" : "listed"}`,
        cx: across(deviation / most),
        cy: upwards(mean),
        r: at < 0 ? 2 : 3,
        "data-at": at
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
  function picture(input) {
    if (!input.picture) return [];
    const image = makeImage(input.picture, "");
    image.addEventListener("load", () => image.classList.toggle("small", image.naturalWidth <= SMALL));
    return [image];
  }
  function verdict({ label, predicted }) {
    const right = label === predicted;
    const line = make("div", "", right ? "right" : "wrong");
    line.append(make("bdi", right ? label : `${label} \u2192 ${predicted}`));
    return line;
  }
  function trajectory(input) {
    const svg = drawing(120, 34, `Probability of the label by epoch: ${input.values.join(", ")}`);
    for (const y of [2, 32]) svg.append(element("line", { class: "axis", x1: 0, x2: 120, y1: y, y2: y }));
    const line = element("path", {
      class: "line",
      d: path(
        input.values,
        (index) => 120 * place(index),
        (value) => 32 - 30 * value
      )
    });
    line.style.stroke = "var(--mark)";
    svg.append(line);
    return svg;
  }
  function showChosen() {
    const input = data.inputs[chosen];
    if (!input) return;
    const svg = drawing(WIDTH, HEIGHT, "Probability of the label of the chosen input after each epoch");
    axes(svg, epochTicks(), "probability of the label by epoch");
    const line = element("path", {
      class: "line",
      d: path(input.values, (index) => across(place(index)), upwards)
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
        r: data.epochs.length > 40 ? 2 : 4
      });
      point.append(element("title", {}, `epoch ${data.epochs[index]}: predicted ${predicted}, label ${value}`));
      svg.append(point);
    });
    const facts = make("div");
    facts.append(
      verdict(input),
      make("div", `mean probability of the label ${input.mean} \xB1 ${input.variability}`),
      make("div", `right after ${input.right} of ${input.seen} epochs`),
      make("div", input.since === null ? "wrong after the last epoch" : `right since epoch ${input.since}`),
      ...input.forgotten ? [make("div", `forgotten ${input.forgotten}\xD7`)] : [],
      ...input.times > 1 ? [make("div", `${input.times} equal inputs`)] : []
    );
    const both = make("div", "", "both");
    both.append(...picture(input), facts);
    find("chosen").replaceChildren(make("h2", input.name), both, svg);
    for (const point of document.querySelectorAll("#map .point"))
      point.classList.toggle("chosen", Number(point.getAttribute("data-at")) === chosen);
    for (const button of document.querySelectorAll("#inputs button"))
      button.setAttribute("aria-current", String(Number(button.dataset.at) === chosen));
  }
  function choose(at) {
    chosen = at;
    showChosen();
  }
  function why(input, list) {
    if (list === "forgotten") return `forgotten ${input.forgotten}\xD7`;
    return list === "learnt last" ? `right since epoch ${input.since}` : `mean ${input.mean}`;
  }
  function showList() {
    const list = find("list").value;
    const wanted = document.getElementById("class")?.value ?? "";
    listed = (data.lists[list] ?? []).filter((at) => !wanted || data.inputs[at]?.label === wanted);
    const buttons = listed.map((at) => {
      const input = data.inputs[at];
      const button = make("button");
      button.type = "button";
      button.dataset.at = String(at);
      button.append(
        ...picture(input),
        make("bdi", input.name),
        verdict(input),
        trajectory(input),
        make("span", why(input, list), "faint")
      );
      button.addEventListener("click", () => choose(at));
      return button;
    });
    find("inputs").replaceChildren(...buttons);
    find("count").textContent = listed.length ? `${listed.length} inputs` : "no input";
    showChosen();
  }
  function draw() {
    drawAccuracy();
    drawLegend();
    drawMap();
    showList();
  }
  onInput("list", showList);
  onInput("class", showList);
  onArrowKeys(document, (right, down) => {
    const at = listed.indexOf(chosen) + right + down;
    if (listed[at] === void 0) return false;
    choose(listed[at]);
    return true;
  });
  shared.onThemeChange(draw);
  draw();
})();
