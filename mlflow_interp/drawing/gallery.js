const rows = JSON.parse(document.getElementById("data").textContent);
const find = (id) => document.getElementById(id);
const make = (tag, text, name) => Object.assign(document.createElement(tag), { textContent: text ?? "", className: name ?? "" });
let current = 0;

function tile([label, source], row) {
  const figure = make("figure");
  figure.append(Object.assign(new Image(), { src: source, alt: `${label} of ${row.name}` }), make("figcaption", label));
  return figure;
}

function prediction([name, chance]) {
  const line = make("tr"), bar = make("div", "", "bar"), cell = make("td");
  bar.style.width = `${Math.max(0, Math.min(1, chance)) * 120}px`;
  cell.append(bar);
  line.append(make("td", name), make("td", chance >= 0 && chance <= 1 ? `${(100 * chance).toFixed(1)}%` : chance, "number"), cell);
  return line;
}

function show(index) {
  current = (index + rows.length) % rows.length;
  const row = rows[current];
  find("name").textContent = row.name;
  find("tiles").replaceChildren(...row.tiles.map((each) => tile(each, row)));
  find("explained").replaceChildren(...(row.target ? [make("span", `Explains ${row.target}`)] : []));
  for (const note of row.notes ?? []) find("explained").append(make("div", note));
  if (row.label) find("explained").append(make("span", ` · label ${row.label}`, row.right ? "right" : "wrong"));
  find("predictions").replaceChildren(...(row.predictions ?? []).map(prediction));
  [...find("strip").children].forEach((button, at) => button.setAttribute("aria-current", at === current));
}

find("strip").append(...rows.map((row, index) => {
  const button = make("button");
  button.title = row.name;
  button.setAttribute("aria-label", row.name);
  button.append(Object.assign(new Image(), { src: row.tiles[0][1], alt: "" }));
  button.addEventListener("click", () => show(index));
  return button;
}));
document.addEventListener("keydown", (event) => {
  const step = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
  if (step) { event.preventDefault(); show(current + step); }
});
show(0);
