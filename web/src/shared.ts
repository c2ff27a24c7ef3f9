/**
 * What the scripts of all pages can use, as global names, also those of other packages. It comes before each
 * of them, in the same block. The scripts of this package import what keeps no state.
 */

import * as dom from "./common/dom";
import * as format from "./common/format";
import * as panels from "./common/panels";
import { isDark, onThemeChange, startTheme } from "./common/theme";

Object.assign(globalThis, dom, format, panels, { isDark, onThemeChange });
Object.assign(globalThis, { data: JSON.parse(dom.find("data").textContent ?? "null") });
startTheme();
