"""Shared parts of figures and pages: colours, layout, tiles, charts, the page frame."""
