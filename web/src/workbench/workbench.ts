/** The state of the page: which input, epoch and filter are chosen. Everything on the page follows it. */

import { clamp } from "../common/format";
import type { About, Input } from "../common/panels";
import type { InputSet, Method, PageData, Step } from "./data";
import { looksOf, shows } from "./looks";
import { epochsOf, meets, type Order, ordered, stepAt, Table, type TableInput } from "./table";

export interface Filter {
  about: About;
  text: string;
}

export interface State {
  set: number;
  /** The index of the chosen input. */
  index: number | null;
  /** A position in `epochs`. */
  epoch: number;
  wrong: boolean;
  label: number | null;
  filter: Filter | null;
  order: Order;
  /** The key of the look that is drawn large, see looks.ts; "" for the image itself. */
  look: string | null;
  opacity: number | null;
}

export class Workbench {
  readonly epochs: number[];
  readonly state: State;
  private readonly listeners: (() => void)[] = [];
  private readonly tables = new Map<string, Table>();

  constructor(readonly data: PageData) {
    this.epochs = epochsOf(data.methods);
    this.state = {
      set: bestSet(data),
      index: null,
      epoch: this.epochs.length - 1,
      wrong: false,
      label: null,
      filter: null,
      order: "position",
      look: null,
      opacity: null,
    };
    this.state.index = this.first();
  }

  get set(): InputSet {
    return this.data.sets[this.state.set] as InputSet;
  }

  get epoch(): number | undefined {
    return this.epochs[this.state.epoch];
  }

  get methods(): Method[] {
    return this.data.methods.filter((method) => method.set === this.state.set);
  }

  get table(): Table {
    const key = `${this.state.set} ${this.state.epoch}`;
    let table = this.tables.get(key);
    if (!table) {
      table = new Table(
        this.set,
        this.methods.map((method) => this.step(method)),
      );
      this.tables.set(key, table);
    }
    return table;
  }

  step(method: Method): Step {
    return stepAt(method, this.epoch);
  }

  /** The inputs that pass the filter, in order. */
  get visible(): TableInput[] {
    return ordered(
      this.table.inputs.filter((input) => this.passes(input)),
      this.state.order,
    );
  }

  passes(input: Input): boolean {
    const { wrong, label, filter } = this.state;
    return (
      (!wrong || input.wrong) &&
      (label === null || input.label === label) &&
      (!filter || meets(input, filter.about))
    );
  }

  get chosen(): TableInput | undefined {
    return this.state.index === null ? undefined : this.table.get(this.state.index);
  }

  /** Call a function after every change. */
  onChange(act: () => void): void {
    this.listeners.push(act);
  }

  change(changes: Partial<State>): void {
    Object.assign(this.state, changes);
    for (const act of this.listeners) act();
  }

  /** Change what is filtered, and stay with the chosen input if the filter leaves it. */
  narrow(changes: Partial<State>): void {
    Object.assign(this.state, changes);
    const { visible } = this;
    if (!visible.some((input) => input.index === this.state.index) && visible.length)
      this.state.index = (visible[0] as TableInput).index;
    this.change({});
  }

  choose(index: number): void {
    this.change({ index });
  }

  chooseSet(set: number): void {
    Object.assign(this.state, { set, wrong: false, label: null, filter: null });
    this.change({ index: this.first() });
  }

  /** Show what a finding or a panel is about. */
  show(filter: Filter): void {
    const { input } = filter.about;
    if (input === undefined) this.narrow({ filter, wrong: false, label: null });
    else this.change({ index: input, filter: null, wrong: false, label: null });
  }

  walk(steps: number): void {
    const { visible } = this;
    if (!visible.length) return;
    const at = visible.findIndex((input) => input.index === this.state.index);
    this.choose((visible[at < 0 ? 0 : (at + steps + visible.length) % visible.length] as TableInput).index);
  }

  goTo(epoch: number): void {
    this.change({ epoch: clamp(epoch, 0, this.epochs.length - 1) });
  }

  /** The input of which most is shown; of several, the most confident error, else the first. */
  private first(): number | null {
    const { inputs } = this.table;
    const shown = new Map(inputs.map(({ index }) => [index, this.amount(index)]));
    const most = Math.max(...shown.values());
    const candidates = inputs.filter((input) => shown.get(input.index) === most);
    return ordered(candidates, "errors first")[0]?.index ?? null;
  }

  /** How much is shown of an input: looks, and all its predictions. */
  private amount(index: number): number {
    const looks = looksOf(this.methods, (method) => this.step(method), index);
    return looks.length + (this.table.row(index) ? 1 : 0);
  }
}

/** The set of inputs of which most methods show something, such as heat; of several, the first with inputs. */
function bestSet({ sets, methods }: PageData): number {
  const scores = sets.map((set, at) => {
    if (!set.inputs.length && !set.overview) return -1;
    return methods.filter((method) => method.set === at && method.steps.some(shows)).length;
  });
  return Math.max(0, scores.indexOf(Math.max(...scores)));
}
