#!/usr/bin/env python3
"""Sends OMDIR/seg-*.om to the import route of a VictoriaMetrics: import_samples.py URL OMDIR.

OpenMetrics writes timestamps in seconds. They go out as whole milliseconds, because the server would
turn 1.001 s into a float product and cut it, which moves some samples by a millisecond.
Standard library only.
"""
import glob
import http.client
import re
import sys
from urllib.parse import urlsplit

SECONDS = re.compile(rb"\.(\d{3})$", re.MULTILINE)
COMMENTS = re.compile(rb"^#.*\n", re.MULTILINE)


def chunks(path, size=1 << 22):
    """Whole lines only, so that no timestamp is cut in two."""
    with open(path, "rb") as segment:
        while lines := segment.readlines(size):
            if text := SECONDS.sub(rb"\1", COMMENTS.sub(b"", b"".join(lines))):
                yield text


def ask(url, method, path, body=None):
    connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=120)
    connection.request(method, path, body=body, encode_chunked=body is not None,
                       headers={"Transfer-Encoding": "chunked"} if body is not None else {})
    answer = connection.getresponse()
    text = answer.read()
    connection.close()
    if answer.status // 100 != 2:
        sys.exit("%s %s answered %d: %s" % (method, path, answer.status, text.decode(errors="replace")[:500]))


def main():
    if len(sys.argv) != 3:
        sys.exit("usage: import_samples.py URL OMDIR")
    url, folder = sys.argv[1], sys.argv[2]
    for path in sorted(glob.glob(folder + "/seg-*.om")):
        ask(url, "POST", "/api/v1/import/prometheus", chunks(path))
    # Written samples become visible, and answers cached before the import are forgotten.
    ask(url, "GET", "/internal/force_flush")
    ask(url, "GET", "/internal/resetRollupResultCache")


if __name__ == "__main__":
    main()
