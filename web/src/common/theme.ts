/** Light or dark: as the operating system, unless the reader has chosen. */

import { find } from "./dom";

type Theme = "light" | "dark";

const system = matchMedia("(prefers-color-scheme: dark)");
const paper = matchMedia("print");
const listeners: (() => void)[] = [];

// MLflow's own switch is out of reach: its frame gives a page neither its style nor a storage.
function stored(): Theme | null {
  try {
    const theme = localStorage.getItem("mlflow-interp-theme");
    return theme === "light" || theme === "dark" ? theme : null;
  } catch {
    return null;
  }
}

export function chosenTheme(): Theme {
  const chosen = document.documentElement.dataset.theme as Theme | undefined;
  return chosen ?? (system.matches ? "dark" : "light");
}

/** Whether the page is dark; on paper it never is. */
export function isDark(): boolean {
  return !paper.matches && chosenTheme() === "dark";
}

/** Call a function whenever the colours of the page change. */
export function onThemeChange(act: () => void): void {
  listeners.push(act);
}

function announce(): void {
  for (const act of listeners) act();
}

function choose(theme: Theme): void {
  document.documentElement.dataset.theme = theme;
  try {
    localStorage.setItem("mlflow-interp-theme", theme);
  } catch {
    // Chosen for this visit only.
  }
  announce();
}

/** Connect the switch of the page. */
export function startTheme(): void {
  const button = find<HTMLButtonElement>("theme");
  const before = stored();
  if (before) document.documentElement.dataset.theme = before;
  const label = () => {
    const other = chosenTheme() === "dark" ? "light" : "dark";
    button.textContent = other === "dark" ? "☾ Dark" : "☀ Light";
    button.setAttribute("aria-label", `Use ${other} colours`);
  };
  button.hidden = false;
  button.addEventListener("click", () => choose(chosenTheme() === "dark" ? "light" : "dark"));
  onThemeChange(label);
  system.addEventListener("change", announce);
  paper.addEventListener("change", announce);
  label();
}
