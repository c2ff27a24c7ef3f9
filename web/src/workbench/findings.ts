/** Sentences that hold for all inputs at the chosen epoch; each shows the inputs that it is about. */

import { find, make, makeButton } from "../common/dom";
import type { Finding } from "./data";
import type { Workbench } from "./workbench";

/** What stands out in the predictions, by the method that has most to say, and what methods say of themselves. */
export function findingsOf(bench: Workbench): Finding[] {
  const steps = bench.methods.map((method) => bench.step(method));
  // A method without an overview has not seen all inputs: what it says is about itself.
  const ofInputs = steps.filter(({ overview }) => overview).map(({ findings }) => findings);
  const ofMethods = steps.filter(({ overview }) => !overview).flatMap(({ findings }) => findings);
  const most = ofInputs.reduce((most, each) => (each.length > most.length ? each : most), []);
  return [...new Map([...most, ...ofMethods].map((finding) => [finding.text, finding])).values()];
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
