/**
 * What the scripts of all pages can use, as global names: those of the kinds of this package, and panels of
 * other packages. It comes before each of them, in the same block.
 */

import * as dom from "./common/dom";
import * as format from "./common/format";
import * as pages from "./common/pages";
import * as panels from "./common/panels";
import { isDark, onThemeChange, startTheme } from "./common/theme";

function unpack<T>(text: string, ArrayType: new (buffer: ArrayBufferLike) => T): T {
  return new ArrayType(format.bytes(text).buffer);
}

Object.assign(globalThis, dom, format, pages, panels, { unpack, isDark, onThemeChange });
Object.assign(globalThis, { data: JSON.parse(dom.find("data").textContent ?? "null") });
startTheme();
