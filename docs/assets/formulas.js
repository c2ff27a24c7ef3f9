// Typesets the formulas of a page. KaTeX comes with the site, see docs/hooks.py; without it, TeX is shown.
for (const element of document.querySelectorAll(".arithmatex")) {
  const tex = element.textContent.trim();
  if (window.katex && /^\\[[(]/.test(tex)) {
    katex.render(tex.slice(2, -2), element, { displayMode: tex.startsWith("\\["), throwOnError: false });
  }
}
