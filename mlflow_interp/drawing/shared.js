// Built from web/src by `npm run build`: do not edit.
"use strict";
(() => {
  var __defProp = Object.defineProperty;
  var __export = (target, all) => {
    for (var name in all)
      __defProp(target, name, { get: all[name], enumerable: true });
  };

  // web/src/common/dom.ts
  var dom_exports = {};
  __export(dom_exports, {
    colour: () => colour,
    find: () => find,
    make: () => make,
    makeButton: () => makeButton,
    makeImage: () => makeImage,
    onArrowKeys: () => onArrowKeys
  });
  function find(id) {
    return document.getElementById(id);
  }
  function make(tag, text = "", className = "") {
    return Object.assign(document.createElement(tag), { textContent: text, className });
  }
  function makeButton(text, act, className = "") {
    const button = make("button", text, className);
    button.type = "button";
    button.addEventListener("click", act);
    return button;
  }
  function makeImage(source, alt) {
    return Object.assign(new Image(), { src: source, alt });
  }
  function colour(name) {
    return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  }
  function onArrowKeys(target, act) {
    const ways = {
      ArrowRight: [1, 0],
      ArrowLeft: [-1, 0],
      ArrowDown: [0, 1],
      ArrowUp: [0, -1]
    };
    target.addEventListener("keydown", (received) => {
      const event = received;
      const way = ways[event.key];
      if (!way || event.ctrlKey || event.metaKey || event.altKey) return;
      if (event.target.matches?.("input, select, textarea, [role=tab]")) return;
      if (act(...way) !== false) event.preventDefault();
    });
  }

  // web/src/common/format.ts
  var format_exports = {};
  __export(format_exports, {
    amount: () => amount,
    bytes: () => bytes,
    clamp: () => clamp,
    compactAmount: () => compactAmount,
    finePercent: () => finePercent,
    percent: () => percent,
    plain: () => plain,
    roundPercent: () => roundPercent,
    shorten: () => shorten,
    unpack: () => unpack
  });
  function clamp(value, lowest, highest) {
    return Math.max(lowest, Math.min(highest, value));
  }
  function plain(text) {
    return text.replace(/&/g, "&amp;").replace(/</g, "&lt;").replace(/>/g, "&gt;").replace(/\$/g, "&#36;");
  }
  function shorten(text, longest) {
    const ending = Math.floor((longest - 1) / 3);
    if (text.length <= longest) return text;
    return `${text.slice(0, longest - 1 - ending)}\u2026${text.slice(text.length - ending)}`;
  }
  function percent(value, otherwise = "") {
    return typeof value === "number" && value >= 0 && value <= 1 ? `${(100 * value).toFixed(1)}%` : otherwise;
  }
  function finePercent(share) {
    return share > 0 && share < 5e-4 ? "<0.1%" : `${(100 * share).toFixed(1)}%`;
  }
  function roundPercent(share) {
    if (share <= 0) return "0%";
    if (share < 5e-3) return "<1%";
    return share >= 1 ? "100%" : `${Math.min(99, Math.round(100 * share))}%`;
  }
  function amount(value) {
    return Number.isInteger(value) ? value.toLocaleString("en") : String(Number(value.toPrecision(4)));
  }
  function compactAmount(value) {
    const rounded = (each) => String(Number(each.toPrecision(3)));
    if (!Number.isInteger(value)) return rounded(value);
    if (value >= 1e10) return `${rounded(value / 1e9)}G`;
    if (value >= 1e7) return `${rounded(value / 1e6)}M`;
    return value >= 1e4 ? `${rounded(value / 1e3)}k` : value.toLocaleString("en");
  }
  function bytes(text) {
    return Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
  }
  function unpack(text, ArrayType) {
    return new ArrayType(bytes(text).buffer);
  }

  // web/src/common/panels.ts
  var panels_exports = {};
  __export(panels_exports, {
    panels: () => panels,
    plot: () => plot,
    registerPanel: () => registerPanel
  });
  var panels = /* @__PURE__ */ new Map();
  function registerPanel(kind, panel) {
    panels.set(kind, panel);
  }
  function plot(caption, label, draw, act) {
    const figure = make("figure", "", "tile plot");
    const canvas = make("canvas");
    canvas.setAttribute("role", "img");
    canvas.setAttribute("aria-label", label);
    figure.append(canvas, caption);
    queueMicrotask(() => {
      const side = canvas.clientWidth;
      const scale = window.devicePixelRatio || 1;
      canvas.width = canvas.height = Math.max(1, Math.round(side * scale));
      const pen = canvas.getContext("2d");
      pen.scale(scale, scale);
      draw(pen, side);
    });
    const at = (event) => {
      const box = canvas.getBoundingClientRect();
      return [event.clientX - box.left, event.clientY - box.top, canvas.clientWidth];
    };
    canvas.addEventListener("click", (event) => act(...at(event)));
    return { figure, canvas, at };
  }

  // web/src/common/theme.ts
  var system = matchMedia("(prefers-color-scheme: dark)");
  var paper = matchMedia("print");
  var listeners = [];
  function stored() {
    try {
      const theme = localStorage.getItem("mlflow-interp-theme");
      return theme === "light" || theme === "dark" ? theme : null;
    } catch {
      return null;
    }
  }
  function chosenTheme() {
    const chosen = document.documentElement.dataset.theme;
    return chosen ?? (system.matches ? "dark" : "light");
  }
  function isDark() {
    return !paper.matches && chosenTheme() === "dark";
  }
  function onThemeChange(act) {
    listeners.push(act);
  }
  function announce() {
    for (const act of listeners) act();
  }
  function choose(theme) {
    document.documentElement.dataset.theme = theme;
    try {
      localStorage.setItem("mlflow-interp-theme", theme);
    } catch {
    }
    announce();
  }
  function startTheme() {
    const button = find("theme");
    const before = stored();
    if (before) document.documentElement.dataset.theme = before;
    const label = () => {
      const other = chosenTheme() === "dark" ? "light" : "dark";
      button.textContent = other === "dark" ? "\u263E Dark" : "\u2600 Light";
      button.setAttribute("aria-label", `Use ${other} colours`);
    };
    button.hidden = false;
    button.addEventListener("click", () => choose(chosenTheme() === "dark" ? "light" : "dark"));
    onThemeChange(label);
    system.addEventListener("change", announce);
    paper.addEventListener("change", announce);
    label();
  }

  // web/src/shared.ts
  Object.assign(globalThis, dom_exports, format_exports, panels_exports, { isDark, onThemeChange });
  Object.assign(globalThis, { data: JSON.parse(find("data").textContent ?? "null") });
  startTheme();
})();
