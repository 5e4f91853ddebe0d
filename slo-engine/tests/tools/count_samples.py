#!/usr/bin/env python3
"""Does a server with the Prometheus API hold exactly the generated samples? count_samples.py URL OMDIR

Counts every sample of the generator's families, an hour at a time, and compares with OMDIR/truth.json. Exit 1 on a
difference. Standard library only.
"""
import json
import sys
import urllib.parse
import urllib.request

FAMILIES = ("http_requests_total", "http_request_duration_seconds_bucket", "http_request_duration_seconds_count",
            "http_request_duration_seconds_sum", "slo:sli_error:ratio_rate5m")
HOUR = 3600
LOOPBACK = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def query(url, text, at):
    """The value of a scalar-like answer; no series is 0."""
    body = urllib.parse.urlencode({"query": text, "time": "%.3f" % at}).encode()
    with LOOPBACK.open(url + "/api/v1/query", data=body, timeout=120) as answer:
        rows = json.load(answer)["data"]["result"]
    return int(rows[0]["value"][1]) if rows else 0


def range_without_shared_edge(url):
    """An hour as a range, so that neighbours share no sample.

    Prometheus 2 counts both edges of a range, Prometheus 3 and VictoriaMetrics only the right one."""
    both = query(url, "count_over_time(vector(1)[2s:1s])", 1_000_000_000) == 3
    return "%dms" % (HOUR * 1000 - both)


def count(url, begin, end):
    length = range_without_shared_edge(url)
    hours = range(int(end - begin) // HOUR + 1)
    return sum(query(url, "sum(count_over_time({__name__=\"%s\"}[%s]))" % (family, length), end - hour * HOUR)
               for family in FAMILIES for hour in hours)


def main():
    if len(sys.argv) != 3:
        sys.exit("usage: count_samples.py URL OMDIR")
    url, folder = sys.argv[1], sys.argv[2]
    with open(folder + "/truth.json") as file:
        truth = json.load(file)
    held = count(url, truth["end"] - truth["days"] * 86400 - HOUR, truth["end"] + HOUR)
    if held != truth["samples"]:
        sys.exit("%s holds %d samples, %s/truth.json says %d" % (url, held, folder, truth["samples"]))
    print(held, "samples, as generated")


if __name__ == "__main__":
    main()
