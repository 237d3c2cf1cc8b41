"""Reads the tables of HTML files as pandas.read_html does, before it names the
columns and types the cells. Prints JSON: the version of pandas, and for each
file its tables, or the error."""

import json
import os
import sys

import pandas
import pandas.io.html


class Grid:
    """Stands in for the parser of pandas to which read_html hands its cells."""

    def __init__(self, rows, header=None, **_):
        self.lines = [[str(cell) for cell in row] for row in rows]
        heads = header if isinstance(header, list) else [] if header is None else [header]
        self.heads = len(heads)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass

    def read(self):
        return self


def tables(path):
    try:
        grids = pandas.read_html(path, flavor="lxml")
    except (ValueError, TypeError) as error:
        return {"tables": [], "error": str(error)}
    return {"tables": [{"heads": g.heads, "lines": g.lines} for g in grids], "error": ""}


pandas.io.html.TextParser = Grid
files = {os.path.basename(path): tables(path) for path in sys.argv[1:]}
json.dump({"version": pandas.__version__, "files": files}, sys.stdout)
