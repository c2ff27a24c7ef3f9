/** What shared.ts provides once for all scripts of a page, as these keep state. */

import type { Panel } from "./panels";

interface Shared {
  data: unknown;
  panels: Map<string, Panel>;
  registerPanel(kind: string, panel: Panel): void;
  onThemeChange(act: () => void): void;
  isDark(): boolean;
}

export const shared = globalThis as unknown as Shared;
