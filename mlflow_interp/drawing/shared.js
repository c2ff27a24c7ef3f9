// What the pages' scripts have in common. It stands before each of them, in the same block.
// biome-ignore-all lint/correctness/noUnusedVariables: the pages' scripts use them, as a test makes sure of

const data = JSON.parse(document.getElementById("data").textContent);
// On paper a page is light, whatever the screen is.
const darkScheme = matchMedia("screen and (prefers-color-scheme: dark)");

function find(id) {
  return document.getElementById(id);
}

function make(tag, text = "", className = "") {
  return Object.assign(document.createElement(tag), { textContent: text, className });
}

function makeImage(source, alt) {
  return Object.assign(new Image(), { src: source, alt });
}

// A colour of the page's style, such as "--ink".
function colour(name) {
  return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
}

function clamp(value, lowest, highest) {
  return Math.max(lowest, Math.min(highest, value));
}

// Numbers that were written as base64 of their bytes.
function unpack(text, ArrayType) {
  return new ArrayType(Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0)).buffer);
}

// Plotly reads some HTML in text, and mathematics between "$"; what came from data is text and nothing else.
function plain(text) {
  return text.replace(/&/g, "&amp;").replace(/</g, "&lt;").replace(/>/g, "&gt;").replace(/\$/g, "&#36;");
}

// Two thirds of what is kept are of the beginning: names often differ only at their end.
function shorten(text, longest) {
  const ending = Math.floor((longest - 1) / 3);
  if (text.length <= longest) return text;
  return `${text.slice(0, longest - 1 - ending)}…${text.slice(text.length - ending)}`;
}

// A probability; `otherwise` stands for what is none, as a logit or null.
function percent(chance, otherwise = "") {
  return typeof chance === "number" && chance >= 0 && chance <= 1
    ? `${(100 * chance).toFixed(1)}%`
    : otherwise;
}

// Not 0.0% of what is there, however little of it.
function finePercent(share) {
  return share > 0 && share < 0.0005 ? "<0.1%" : `${(100 * share).toFixed(1)}%`;
}

// Neither 0% of what is there nor 100% of what is not complete.
function roundPercent(share) {
  if (share <= 0) return "0%";
  if (share < 0.005) return "<1%";
  return share >= 1 ? "100%" : `${Math.min(99, Math.round(100 * share))}%`;
}

function amount(number) {
  return Number.isInteger(number) ? number.toLocaleString("en") : String(Number(number.toPrecision(4)));
}

// An amount in six characters at most.
function compactAmount(number) {
  const rounded = (value) => String(Number(value.toPrecision(3)));
  if (!Number.isInteger(number)) return rounded(number);
  if (number >= 1e10) return `${rounded(number / 1e9)}G`;
  if (number >= 1e7) return `${rounded(number / 1e6)}M`;
  return number >= 1e4 ? `${rounded(number / 1e3)}k` : number.toLocaleString("en");
}

// What the list of an input offers for its text.
function suggest(list, names) {
  list?.append(...names.map((name) => new Option("", name)));
}

// Calls `act(across, down)` with -1, 0 or 1 each; false says that the key was of no use here.
function onArrowKeys(target, act) {
  const ways = { ArrowRight: [1, 0], ArrowLeft: [-1, 0], ArrowDown: [0, 1], ArrowUp: [0, -1] };
  target.addEventListener("keydown", (event) => {
    const way = ways[event.key];
    if (!way || event.ctrlKey || event.metaKey || event.altKey) return;
    // These have a use of their own for the keys.
    if (event.target.matches?.("input, select, textarea")) return;
    if (act(...way) !== false) event.preventDefault();
  });
}

// The card beside the pointer, which is followed here, as the points that Plotly tells of come late.
function hoverCard() {
  const card = find("card");
  const gap = 14;
  const margin = 4;
  let pointer = { clientX: 0, clientY: 0 };
  addEventListener("pointermove", (event) => {
    pointer = event;
  });
  return {
    show() {
      card.classList.add("shown");
      const right = pointer.clientX + gap;
      const below = pointer.clientY + gap;
      const left = right + card.offsetWidth > innerWidth ? pointer.clientX - gap - card.offsetWidth : right;
      card.style.left = `${Math.max(margin, left)}px`;
      card.style.top = `${Math.max(margin, Math.min(below, innerHeight - card.offsetHeight - margin))}px`;
    },
    hide() {
      card.classList.remove("shown");
    },
  };
}

// A row of the table of predictions: class, probability, and that as a bar.
function predictionRow([name, chance]) {
  const row = make("tr");
  const cell = make("td");
  const bar = make("div", "", "bar");
  bar.style.width = `${120 * clamp(Number(chance), 0, 1)}px`;
  // The value of a regression comes as text.
  if (typeof chance === "number") cell.append(bar);
  row.append(make("td", name), make("td", percent(chance, chance), "number"), cell);
  return row;
}

// Which class is explained, and the label in the colour of right or wrong.
function explanation({ target, notes = [], label = null, right }) {
  return [
    ...(target ? [make("span", `Explains ${target}`)] : []),
    ...notes.map((note) => make("div", note)),
    ...(label === null ? [] : [make("span", ` · label ${label}`, right ? "right" : "wrong")]),
  ];
}

// Fills the strip with a thumbnail an input, and shows the one that is clicked or walked to by arrow keys.
function walkThrough(inputs, thumbnail, show) {
  let current = 0;
  const buttons = inputs.map((input, index) => {
    const button = make("button");
    const { label, sources } = thumbnail(input);
    button.title = input.name;
    button.setAttribute("aria-label", label);
    button.append(...sources.map((source) => makeImage(source, "")));
    button.addEventListener("click", () => choose(index));
    return button;
  });
  function choose(index) {
    current = (index + inputs.length) % inputs.length;
    show(inputs[current]);
    buttons.forEach((button, at) => {
      button.setAttribute("aria-current", at === current);
    });
  }
  find("strip").append(...buttons);
  onArrowKeys(document, (across, down) => choose(current + across + down));
  choose(0);
}
