const rows = JSON.parse(document.getElementById("data").textContent);
const find = (id) => document.getElementById(id);

function show() {
  const row = rows[Number(find("step").value)];
  find("at").textContent = row.step;
  find("figure").src = row.figure;
  find("metrics").replaceChildren(...row.metrics.map(([name, value]) => {
    const line = document.createElement("tr");
    line.append(Object.assign(document.createElement("td"), { textContent: name }), Object.assign(document.createElement("td"), { textContent: value, className: "number" }));
    return line;
  }));
}

find("step").addEventListener("input", show);
document.addEventListener("keydown", (event) => {
  const change = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
  if (!change || event.target === find("step")) return;
  find("step").value = Number(find("step").value) + change;
  show();
});
show();
