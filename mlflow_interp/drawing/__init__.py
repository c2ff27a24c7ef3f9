"""Shared by all figures and pages: colours, layout, tiles, charts, the frame of a page."""
