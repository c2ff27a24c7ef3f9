"""What all figures and pages share: colours, layout, tiles, charts, the frame of a page."""
