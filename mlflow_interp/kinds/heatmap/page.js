const rows = JSON.parse(document.getElementById("data").textContent);
const find = (id) => document.getElementById(id);
const make = (tag, text, name) => Object.assign(document.createElement(tag), { textContent: text ?? "", className: name ?? "" });
let current = 0;

function show(index) {
  current = (index + rows.length) % rows.length;
  const row = rows[current];
  find("picture").src = row.picture ?? row.heat;
  find("picture").alt = row.name;
  find("heat").src = row.heat;
  find("heat").hidden = row.picture === null;
  find("heat").alt = `where the model looks for ${row.target}`;
  find("name").textContent = row.name;
  find("explained").replaceChildren(make("span", `Explains ${row.target}`));
  if (row.label !== null) find("explained").append(make("span", ` · label ${row.label}`, row.right ? "right" : "wrong"));
  find("predictions").replaceChildren(...row.predictions.map(([name, chance]) => {
    const line = make("tr"), bar = make("div", "", "bar"), cell = make("td");
    bar.style.width = `${Math.max(0, Math.min(1, chance)) * 120}px`;
    cell.append(bar);
    line.append(make("td", name), make("td", chance >= 0 && chance <= 1 ? `${(100 * chance).toFixed(1)}%` : chance, "number"), cell);
    return line;
  }));
  [...find("strip").children].forEach((button, at) => button.setAttribute("aria-current", at === current));
}

function thumbnail(row, index) {
  const button = make("button");
  button.title = row.name;
  button.setAttribute("aria-label", `${row.name}: ${row.target}`);
  for (const source of [row.picture, row.heat]) {
    if (source) button.append(Object.assign(new Image(), { src: source, alt: "" }));
  }
  button.addEventListener("click", () => show(index));
  return button;
}

function fade() {
  for (const heat of document.querySelectorAll("#heat, .strip img + img")) heat.style.opacity = find("opacity").value / 100;
}

find("strip").append(...rows.map(thumbnail));
find("opacity").addEventListener("input", fade);
document.addEventListener("keydown", (event) => {
  if (event.target.id === "opacity") return;
  const step = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
  if (step) { event.preventDefault(); show(current + step); }
});
show(0);
fade();
