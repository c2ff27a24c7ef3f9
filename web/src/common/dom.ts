/** Elements of a page. */

export function find<T extends HTMLElement = HTMLElement>(id: string): T {
  return document.getElementById(id) as T;
}

export function make<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  text = "",
  className = "",
): HTMLElementTagNameMap[K] {
  return Object.assign(document.createElement(tag), { textContent: text, className });
}

export function makeButton(text: string, act: () => void, className = ""): HTMLButtonElement {
  const button = make("button", text, className);
  button.type = "button";
  button.addEventListener("click", act);
  return button;
}

export function makeImage(source: string, alt: string): HTMLImageElement {
  return Object.assign(new Image(), { src: source, alt });
}

/** A colour of the page's style, such as "--ink". */
export function colour(name: string): string {
  return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
}

/** Calls `act(across, down)` with -1, 0 or 1 each; it returns false if the key has no effect. */
export function onArrowKeys(target: EventTarget, act: (across: number, down: number) => boolean): void {
  const ways: Record<string, [number, number]> = {
    ArrowRight: [1, 0],
    ArrowLeft: [-1, 0],
    ArrowDown: [0, 1],
    ArrowUp: [0, -1],
  };
  target.addEventListener("keydown", (received) => {
    const event = received as KeyboardEvent;
    const way = ways[event.key];
    if (!way || event.ctrlKey || event.metaKey || event.altKey) return;
    // In these, arrow keys have a use of their own.
    if ((event.target as Element).matches?.("input, select, textarea, [role=tab]")) return;
    if (act(...way) !== false) event.preventDefault();
  });
}
