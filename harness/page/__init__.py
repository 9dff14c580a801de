"""The report as one HTML file: a run, a comparison, a sweep or a study, for a reader with a browser and no network."""
