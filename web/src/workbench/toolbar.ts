/** The controls: filters, order, and the epoch that drives everything on the page. */

import { find } from "../common/dom";
import { amount } from "../common/format";
import type { Order } from "./table";
import type { Workbench } from "./workbench";

export class Toolbar {
  private set = -1;

  constructor(private readonly bench: Workbench) {
    const { epochs, data } = bench;
    find("sets").hidden = data.sets.length < 2;
    find("set").append(
      ...data.sets.map((set, at) =>
        Object.assign(new Option(set.name, String(at)), { disabled: !set.inputs.length && !set.overview }),
      ),
    );
    find("epochs").hidden = epochs.length < 2;
    find<HTMLInputElement>("epoch").max = String(epochs.length - 1);
    this.listen();
  }

  update(): void {
    const { bench } = this;
    const { state, epochs, visible } = bench;
    if (this.set !== state.set) this.fillClasses();
    find<HTMLSelectElement>("set").value = String(state.set);
    find<HTMLInputElement>("epoch").value = String(state.epoch);
    find("epoch").setAttribute("aria-valuetext", `epoch ${epochs[state.epoch]}`);
    find("at").textContent = String(epochs[state.epoch] ?? "");
    const { inputs } = bench.table;
    const errors = inputs.filter((input) => input.wrong).length;
    const hasLabels = inputs.some((input) => input.label !== null);
    const of = bench.set.count;
    find("all").textContent =
      inputs.length < of ? `All (${amount(inputs.length)} of ${amount(of)})` : `All (${amount(of)})`;
    find("wrong").hidden = !hasLabels;
    find("wrong").textContent = `Errors (${amount(errors)})`;
    find<HTMLButtonElement>("wrong").disabled = !errors && !state.wrong;
    find("all").setAttribute("aria-pressed", String(!state.wrong && !state.filter && state.label === null));
    find("wrong").setAttribute("aria-pressed", String(state.wrong));
    find<HTMLSelectElement>("class").value = state.label === null ? "" : String(state.label);
    find<HTMLSelectElement>("order").value = state.order;
    find("filter").hidden = !state.filter;
    find("filtertext").textContent = state.filter?.text ?? "";
    const at = visible.findIndex((input) => input.index === state.index);
    find("place").textContent = visible.length
      ? `${at < 0 ? "–" : amount(at + 1)} of ${amount(visible.length)}`
      : "none";
    find("none").hidden = visible.length > 0;
  }

  private fillClasses(): void {
    this.set = this.bench.state.set;
    const names = new Map<number, string>();
    for (const { label, labelName } of this.bench.table.inputs)
      if (label !== null) names.set(label, labelName ?? String(label));
    find("classes").hidden = names.size < 2;
    find("class").replaceChildren(
      new Option("all", ""),
      ...[...names]
        .sort((a, b) => a[1].localeCompare(b[1], "en", { numeric: true }))
        .map(([label, name]) => new Option(name, String(label))),
    );
  }

  private listen(): void {
    const { bench } = this;
    const value = (event: Event) => (event.target as HTMLInputElement).value;
    find("set").addEventListener("change", (event) => bench.chooseSet(Number(value(event))));
    find("class").addEventListener("change", (event) =>
      bench.narrow({ label: value(event) === "" ? null : Number(value(event)) }),
    );
    find("order").addEventListener("change", (event) => bench.change({ order: value(event) as Order }));
    find("all").addEventListener("click", () => bench.narrow({ wrong: false, filter: null, label: null }));
    find("wrong").addEventListener("click", () => bench.narrow({ wrong: !bench.state.wrong, filter: null }));
    find("unfilter").addEventListener("click", () => bench.narrow({ filter: null }));
    find("expand").addEventListener("click", () => {
      const isGrid = find("thumbs").classList.toggle("grid");
      find("expand").setAttribute("aria-pressed", String(isGrid));
    });
    find("previous").addEventListener("click", () => bench.walk(-1));
    find("next").addEventListener("click", () => bench.walk(1));
    find("epoch").addEventListener("input", (event) => bench.goTo(Number(value(event))));
  }
}
