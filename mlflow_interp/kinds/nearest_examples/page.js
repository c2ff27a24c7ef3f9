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

  // web/src/common/format.ts
  function roundPercent(share) {
    if (share <= 0) return "0%";
    if (share < 5e-3) return "<1%";
    return share >= 1 ? "100%" : `${Math.min(99, Math.round(100 * share))}%`;
  }

  // web/src/common/globals.ts
  var shared = globalThis;

  // web/src/common/pages.ts
  function onInput(id, act) {
    const control = find(id);
    control?.addEventListener("input", () => act(control));
  }

  // web/src/pages/nearest_examples.ts
  var inputs = shared.data;
  var SMALL = 20;
  var listed = inputs.map((_, at) => at);
  var chosen = 0;
  function picture(source) {
    if (!source) return [];
    const image = makeImage(source, "");
    image.addEventListener("load", () => image.classList.toggle("small", image.naturalWidth <= SMALL));
    return [image];
  }
  function line(text, name, className = "") {
    const made = make("div", text, className);
    made.append(make("bdi", name));
    return made;
  }
  function facts({ label, predicted, suggested, agreement }) {
    const isWrong = label !== null && predicted !== null && predicted !== label;
    return [
      ...label === null ? [] : [line("label ", label)],
      ...predicted === null ? [] : [line("predicted ", predicted, isWrong ? "wrong" : "")],
      ...agreement === null ? [] : [make("div", `${roundPercent(agreement)} of neighbours agree`, "faint")],
      ...suggested === null || suggested === label ? [] : [line("neighbours are mostly ", suggested, "wrong")]
    ];
  }
  function neighbour({ name, label, same, predicted, similarity, picture: source }) {
    const figure = make("figure", "", same === false ? "differs" : "");
    figure.append(...picture(source), make("div", similarity.toFixed(3), "faint"));
    if (label !== null) figure.append(line("label ", label, same === false ? "wrong" : ""));
    if (predicted !== null && predicted !== label) figure.append(line("predicted ", predicted, "faint"));
    figure.append(line("", name, "faint"));
    figure.title = `${name}: similarity ${similarity}`;
    return figure;
  }
  function choose(at) {
    const input = inputs[at];
    if (!input) return;
    chosen = at;
    find("name").textContent = input.name;
    find("own").replaceChildren(...picture(input.picture), ...facts(input));
    find("neighbours").replaceChildren(...input.neighbours.map(neighbour));
    for (const button of document.querySelectorAll("#inputs button"))
      button.setAttribute("aria-current", String(Number(button.dataset.at) === at));
  }
  function showList() {
    const wanted = document.getElementById("class")?.value ?? "";
    listed = inputs.flatMap(({ label }, at) => !wanted || label === wanted ? [at] : []);
    const buttons = listed.map((at) => {
      const input = inputs[at];
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
    choose(listed.includes(chosen) ? chosen : listed[0] ?? 0);
  }
  onInput("class", showList);
  onArrowKeys(document, (right, down) => {
    const next = listed[listed.indexOf(chosen) + right + down];
    if (next === void 0) return false;
    choose(next);
    return true;
  });
  showList();
})();
