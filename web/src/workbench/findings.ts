/** Sentences that hold for all inputs at the chosen epoch; each shows the inputs that it is about. */

import { find, make, makeButton } from "../common/dom";
import type { Finding } from "./data";
import type { Workbench } from "./workbench";

/** The findings of the method of a set that has most. */
export function findingsOf(bench: Workbench): Finding[] {
  const all = bench.methods.map((method) => bench.step(method).findings);
  return all.reduce((most, each) => (each.length > most.length ? each : most), []);
}

export function showFindings(bench: Workbench): void {
  const findings = findingsOf(bench);
  find("findings").hidden = !findings.length;
  find("findings").replaceChildren(
    ...findings.map((finding) => {
      const line = make("li");
      if (!Object.keys(finding.about).length) {
        line.textContent = finding.text;
        return line;
      }
      const isShown = bench.state.filter?.text === finding.text;
      const button = makeButton(finding.text, () => bench.show(finding), "link");
      button.setAttribute("aria-pressed", String(isShown));
      line.append(button);
      return line;
    }),
  );
}
