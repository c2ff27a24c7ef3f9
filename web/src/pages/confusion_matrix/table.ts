/** The table of all classes, which can be sorted by each of its columns. */

import { find, make, makeButton } from "../../common/dom";
import { amount, finePercent } from "../../common/format";
import type { ClassCounts } from "./counts";
import type { Matrix } from "./matrix";
import { nameOf } from "./text";

interface Column {
  title: string;
  /** What the rows are sorted by. */
  worth(each: ClassCounts, index: number): number;
  /** The cell's content; a number is right-aligned. */
  text?(each: ClassCounts): string;
}

export class ClassTable {
  private by = 0;
  private direction = 1;
  private readonly columns: Column[];

  constructor(
    private readonly matrix: Matrix,
    private readonly choose: (one: number) => void,
  ) {
    const { multi, unit } = matrix.data;
    this.columns = [
      { title: multi ? "label" : "class", worth: (_, index) => index },
      { title: unit, worth: ({ inputs }) => inputs, text: ({ inputs }) => amount(inputs) },
      {
        title: "predicted",
        worth: ({ predictedInputs }) => predictedInputs,
        text: ({ predictedInputs }) => amount(predictedInputs),
      },
      {
        title: "precision",
        worth: ({ precision }) => precision,
        text: ({ precision }) => finePercent(precision),
      },
      { title: "recall", worth: ({ recall }) => recall, text: ({ recall }) => finePercent(recall) },
      { title: "F1", worth: ({ f1 }) => f1, text: ({ f1 }) => f1.toFixed(3) },
      multi
        ? { title: "wrong", worth: ({ wrong }) => wrong, text: ({ wrong }) => amount(wrong) }
        : { title: "most often predicted as", worth: ({ worstCount }) => worstCount },
    ];
  }

  show(): void {
    const table = find("classes");
    table.querySelector("thead tr")?.replaceChildren(...this.columns.map((_, at) => this.head(at)));
    table.querySelector("tbody")?.replaceChildren(...this.order().map((one) => this.row(one)));
    this.mark();
  }

  /** Mark the row of the chosen class. */
  mark(): void {
    const { multi } = this.matrix.data;
    const { label, cell } = this.matrix.state;
    const chosen = multi ? label : cell?.[0];
    for (const row of find("classes").querySelectorAll<HTMLElement>("tbody tr"))
      row.setAttribute("aria-current", String(Number(row.dataset.at) === chosen));
  }

  private order(): number[] {
    const { each } = this.matrix.now;
    const worths = each.map((one, index) => (this.columns[this.by] as Column).worth(one, index));
    return Array.from(each.keys()).sort(
      (one, other) => this.direction * ((worths[one] as number) - (worths[other] as number)) || one - other,
    );
  }

  private head(at: number): HTMLElement {
    const { title, text } = this.columns[at] as Column;
    const head = make("th", "", text ? "number" : "");
    if (at === this.by) head.setAttribute("aria-sort", this.direction > 0 ? "ascending" : "descending");
    const sort = () => {
      this.direction = at === this.by ? -this.direction : 1;
      this.by = at;
      this.show();
    };
    head.append(makeButton(title, sort));
    return head;
  }

  private row(one: number): HTMLElement {
    const each = this.matrix.now.each[one] as ClassCounts;
    const row = make("tr");
    const name = make("td");
    const button = makeButton("", () => this.choose(one), "plain");
    button.append(nameOf(this.matrix, one));
    name.append(button);
    row.dataset.at = String(one);
    row.append(name, ...this.columns.flatMap(({ text }) => (text ? [make("td", text(each), "number")] : [])));
    if (!this.matrix.data.multi) row.append(this.worst(each));
    return row;
  }

  private worst({ worst, worstCount }: ClassCounts): HTMLElement {
    const cell = make("td");
    if (worst !== null) cell.append(nameOf(this.matrix, worst), ` (${amount(worstCount)})`);
    return cell;
  }
}
