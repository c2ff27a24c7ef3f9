/** The left side: faces of the map, such as embedding and confusion matrix, one of which is shown. */

import { find, make, makeButton } from "../common/dom";
import { shared } from "../common/globals";
import type { Face, Page } from "../common/panels";
import type { Method } from "./data";
import { attempt } from "./stage";
import type { Workbench } from "./workbench";

interface Tab {
  method: Method;
  kind: string;
  button: HTMLButtonElement;
  face: Face<unknown> | null;
}

export class FaceMap {
  private tabs: Tab[] = [];
  private current: Tab | null = null;
  private set = -1;

  constructor(
    private readonly bench: Workbench,
    private readonly page: Page,
  ) {}

  update(): void {
    if (this.set !== this.bench.state.set) this.fill();
    const tab = this.current;
    if (!tab) return;
    const { panel } = this.bench.step(tab.method);
    if (!panel) return;
    const isShown = attempt(tab.method.place, () => {
      tab.face ??= shared.panels.get(tab.kind)?.face?.(panel.data, this.page) ?? null;
      // Before it is drawn, as it is drawn in the size that it has on the page.
      if (tab.face && find("face").firstChild !== tab.face.element)
        find("face").replaceChildren(tab.face.element);
      tab.face?.update(panel.data);
      return true;
    });
    if (!isShown) this.remove(tab);
  }

  private fill(): void {
    this.set = this.bench.state.set;
    this.tabs = this.bench.methods.flatMap((method) => {
      const { panel } = this.bench.step(method);
      const known = panel && shared.panels.get(panel.kind);
      if (!panel || !known?.face) return [];
      const tab: Tab = {
        method,
        kind: panel.kind,
        face: null,
        button: makeButton("", () => this.choose(tab)),
      };
      tab.button.setAttribute("role", "tab");
      tab.button.id = `tab-${method.place}`;
      tab.button.textContent = known.title ?? method.place;
      return [tab];
    });
    const titles = this.tabs.map((tab) => tab.button.textContent);
    for (const tab of this.tabs)
      if (titles.filter((title) => title === tab.button.textContent).length > 1)
        tab.button.append(make("span", ` ${tab.method.place}`, "faint"));
    find("faces").replaceChildren(...this.tabs.map((tab) => tab.button));
    this.select(this.tabs[0] ?? null);
  }

  private remove(tab: Tab): void {
    tab.button.remove();
    this.tabs = this.tabs.filter((each) => each !== tab);
    this.select(this.tabs[0] ?? null);
    this.update();
  }

  private choose(tab: Tab): void {
    this.select(tab);
    this.update();
    tab.button.focus();
  }

  private select(chosen: Tab | null): void {
    this.current = chosen;
    find("map").hidden = !chosen;
    find("columns").classList.toggle("single", !chosen);
    if (chosen) find("face").setAttribute("aria-labelledby", chosen.button.id);
    for (const { button } of this.tabs) {
      button.setAttribute("aria-selected", String(button === chosen?.button));
      button.tabIndex = button === chosen?.button ? 0 : -1;
    }
  }

  /** Left and right arrow walk through the tabs. */
  listen(): void {
    find("faces").addEventListener("keydown", (event) => {
      const steps = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
      if (!steps || !this.current) return;
      const at = this.tabs.indexOf(this.current);
      const next = this.tabs[(at + steps + this.tabs.length) % this.tabs.length];
      if (next) this.choose(next);
      event.preventDefault();
    });
  }
}
