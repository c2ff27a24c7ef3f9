"""Turn results into files: figure, page, tables, arrays, manifest, and the page of the run."""
