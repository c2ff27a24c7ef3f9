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

  // web/src/pages/table.ts
  function worth(row, column) {
    const cell = row.cells[column];
    return cell.dataset.worth === void 0 ? cell.textContent ?? "" : Number(cell.dataset.worth);
  }
  function compare(one, other) {
    if (typeof one === "number" && typeof other === "number") return one - other;
    return String(one).localeCompare(String(other), "en", { numeric: true });
  }
  function sort(table2, column) {
    const heads = Array.from(table2.tHead?.rows[0]?.cells ?? []);
    const head = heads[column];
    const body = table2.tBodies[0];
    const first = head.classList.contains("number") ? "descending" : "ascending";
    const second = first === "ascending" ? "descending" : "ascending";
    const order = head.getAttribute("aria-sort") === first ? second : first;
    const direction = order === "ascending" ? 1 : -1;
    const rows = Array.from(body.rows).map((row) => ({ row, worth: worth(row, column) }));
    rows.sort((one, other) => direction * compare(one.worth, other.worth));
    body.append(...rows.map(({ row }) => row));
    for (const each of heads) each.removeAttribute("aria-sort");
    head.setAttribute("aria-sort", order);
  }
  var table = find("classes");
  if (table)
    for (const [column, head] of Array.from(table.tHead?.rows[0]?.cells ?? []).entries())
      head.replaceChildren(makeButton(head.textContent ?? "", () => sort(table, column)));
})();
