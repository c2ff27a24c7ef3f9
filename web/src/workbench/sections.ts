/** The sections below the workbench: copying calls, links to other pages, printing. */

import { find, make } from "../common/dom";

/** Copy the text beside a button. MLflow's sandboxed frame may refuse the clipboard: the text is selected then. */
async function copy(button: HTMLElement): Promise<void> {
  const text = button.parentElement?.querySelector("pre, code");
  if (!text) return;
  const before = button.textContent;
  const range = document.createRange();
  range.selectNodeContents(text);
  getSelection()?.removeAllRanges();
  getSelection()?.addRange(range);
  let done = document.execCommand("copy");
  if (!done && origin !== "null")
    done = await navigator.clipboard.writeText(text.textContent ?? "").then(
      () => true,
      () => false,
    );
  button.textContent = done ? "Copied" : "Selected: press Ctrl+C";
  setTimeout(() => {
    button.textContent = before;
  }, 2500);
}

export function listenToSections(): void {
  for (const button of document.querySelectorAll<HTMLElement>("[data-copy]"))
    button.addEventListener("click", () => copy(button));
  for (const button of document.querySelectorAll<HTMLElement>("[data-section]"))
    button.addEventListener("click", () => {
      const section = find<HTMLDetailsElement>(`section-${button.dataset.section}`);
      section.open = true;
      section.scrollIntoView();
    });
  // Beside its folders a page can link to them; inside MLflow's frame, whose address is a blob, it can't.
  if (location.protocol === "file:" || location.protocol.startsWith("http"))
    for (const text of document.querySelectorAll<HTMLElement>("[data-page]"))
      text.replaceChildren(Object.assign(make("a", text.textContent ?? ""), { href: text.dataset.page }));
  addEventListener("beforeprint", () => {
    for (const each of document.querySelectorAll("details")) each.open = true;
  });
}
