"""From a result to files: figure, page, tables, arrays, manifest, and the page of the run."""
