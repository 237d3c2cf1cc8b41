"""Reads the tables of HTML files as pandas.read_html does, before it names the
columns and types the cells. The arguments are a name and a path for each. Prints
JSON: the version of pandas, and by name the tables of each, or the error."""

import json
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
files = {name: tables(path) for name, path in zip(sys.argv[1::2], sys.argv[2::2])}
json.dump({"version": pandas.__version__, "files": files}, sys.stdout)
