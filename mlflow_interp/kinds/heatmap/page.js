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

  // web/src/common/format.ts
  function clamp(value, lowest, highest) {
    return Math.max(lowest, Math.min(highest, value));
  }
  function percent(value, otherwise = "") {
    return typeof value === "number" && value >= 0 && value <= 1 ? `${(100 * value).toFixed(1)}%` : otherwise;
  }

  // web/src/common/pages.ts
  function predictionRow([name, chance]) {
    const row = make("tr");
    const cell = make("td");
    const bar = make("div", "", "bar");
    bar.style.width = `${120 * clamp(Number(chance), 0, 1)}px`;
    if (typeof chance === "number") cell.append(bar);
    row.append(make("td", name), make("td", String(percent(chance, chance)), "number"), cell);
    return row;
  }
  function explanation({ target, notes = [], label = null, right }) {
    return [
      ...target ? [withName("Explains ", target)] : [],
      ...notes.map((note) => make("div", note)),
      ...label === null ? [] : [withName(" \xB7 label ", label, right ? "right" : "wrong")]
    ];
  }
  function withName(text, name, className = "") {
    const span = make("span", text, className);
    span.append(make("bdi", name));
    return span;
  }
  function walkThrough(inputs, thumbnail2, show2) {
    let current = 0;
    const buttons = inputs.map((input, index) => {
      const button = make("button");
      const { label, sources } = thumbnail2(input);
      button.title = input.name;
      button.setAttribute("aria-label", label);
      button.append(...sources.map((source) => makeImage(source, "")));
      button.addEventListener("click", () => choose(index));
      return button;
    });
    function choose(index) {
      current = (index + inputs.length) % inputs.length;
      show2(inputs[current]);
      buttons.forEach((button, at) => {
        button.setAttribute("aria-current", String(at === current));
      });
    }
    find("strip").append(...buttons);
    onArrowKeys(document, (across, down) => {
      choose(current + across + down);
      return true;
    });
    choose(0);
  }

  // web/src/pages/heatmap.ts
  function show(input) {
    const picture = find("picture");
    const heat = find("heat");
    picture.src = input.picture ?? input.heat;
    picture.alt = input.name;
    heat.src = input.heat;
    heat.hidden = input.picture === null;
    heat.alt = input.target ? `where the model looks for ${input.target}` : "heat";
    find("name").textContent = input.name;
    find("explained").replaceChildren(...explanation(input));
    find("predictions").replaceChildren(...input.predictions.map(predictionRow));
  }
  function thumbnail({ name, target, picture, heat }) {
    return { label: target ? `${name}: ${target}` : name, sources: picture ? [picture, heat] : [heat] };
  }
  function fade() {
    const opacity = String(Number(find("opacity").value) / 100);
    for (const heat of document.querySelectorAll("#heat, .strip img + img"))
      heat.style.opacity = opacity;
  }
  walkThrough(shared.data, thumbnail, show);
  find("opacity").addEventListener("input", fade);
  fade();
})();
