/** The page of a table: its classes can be sorted by each column. */

import { find, makeButton } from "../common/dom";

type Sorted = "ascending" | "descending";

/** What a row is sorted by in a column: a number, or the text of its cell. */
function worth(row: HTMLTableRowElement, column: number): number | string {
  const cell = row.cells[column] as HTMLTableCellElement;
  return cell.dataset.worth === undefined ? (cell.textContent ?? "") : Number(cell.dataset.worth);
}

function compare(one: number | string, other: number | string): number {
  if (typeof one === "number" && typeof other === "number") return one - other;
  return String(one).localeCompare(String(other), "en", { numeric: true });
}

function sort(table: HTMLTableElement, column: number): void {
  const heads = Array.from(table.tHead?.rows[0]?.cells ?? []);
  const head = heads[column] as HTMLTableCellElement;
  const body = table.tBodies[0] as HTMLTableSectionElement;
  // Names start with the first, numbers with the largest.
  const first: Sorted = head.classList.contains("number") ? "descending" : "ascending";
  const second: Sorted = first === "ascending" ? "descending" : "ascending";
  const order = head.getAttribute("aria-sort") === first ? second : first;
  const direction = order === "ascending" ? 1 : -1;
  const rows = Array.from(body.rows).map((row) => ({ row, worth: worth(row, column) }));
  rows.sort((one, other) => direction * compare(one.worth, other.worth));
  body.append(...rows.map(({ row }) => row));
  for (const each of heads) each.removeAttribute("aria-sort");
  head.setAttribute("aria-sort", order);
}

const table = find<HTMLTableElement>("classes") as HTMLTableElement | null;
if (table)
  for (const [column, head] of Array.from(table.tHead?.rows[0]?.cells ?? []).entries())
    head.replaceChildren(makeButton(head.textContent ?? "", () => sort(table, column)));
