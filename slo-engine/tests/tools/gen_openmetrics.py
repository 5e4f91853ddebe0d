#!/usr/bin/env python3
"""Realistic SLO traffic as OpenMetrics text, with the true event counts beside it.

Writes OUT/seg-<k>.om, one file per time-aligned block range, so that each loads with
`promtool tsdb create-blocks-from openmetrics --max-block-duration=<range>` in one pass and the
blocks do not overlap; and OUT/truth.json: what really happened, including the events that no
scrape ever saw (between the last scrape and a restart, and in scrape gaps).

Every service has http_requests_total{service,method,route,code} in 10 series; the first --hist
services also http_request_duration_seconds (12 buckets, sum, count). --recorded N adds N series
slo:sli_error:ratio_rate5m, what a generator of recording rules would have left behind. Traffic has
a day and night curve, noise, incidents (more 500s), restarts (counter resets with a lost tail) and
scrape gaps (the counter goes on, samples are missing). Same seed and --end, same bytes.
Standard library only.
"""
import argparse
import json
import math
import os
import random
import shutil
import sys
import time
from itertools import accumulate
from multiprocessing import Pool

PAIRS = [("GET", "/api/items"), ("GET", "/api/search"), ("POST", "/api/cart"), ("POST", "/api/checkout")]
SERIES = (
    [(method, route, "200") for method, route in PAIRS]
    + [(method, route, "404") for method, route in PAIRS[:3]]
    + [(method, route, "500") for method, route in (PAIRS[0], PAIRS[2], PAIRS[3])]
)
SERIES_OF_CODE = {"200": 4, "404": 3, "500": 3}
# Upper bounds of the latency buckets, and the cumulated share of requests below each: on a usual
# minute and during an incident. The last share belongs to +Inf.
BUCKETS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10]
USUAL = [0.05, 0.15, 0.40, 0.65, 0.82, 0.93, 0.97, 0.990, 0.9965, 0.9990, 0.9998, 1.0]
SLOW = [0.01, 0.03, 0.10, 0.20, 0.35, 0.55, 0.70, 0.850, 0.9300, 0.9700, 0.9900, 1.0]
WINDOWS = {"1h": 3600, "6h": 21600, "1d": 86400, "3d": 259200, "7d": 604800, "28d": 2419200, "30d": 2592000}
FAMILIES = {
    "req": "# TYPE http_requests counter\n",
    "hist": "# TYPE http_request_duration_seconds histogram\n",
    "rec": "# TYPE slo:sli_error:ratio_rate5m gauge\n",
}


class Service:
    """One service's history. The order of the draws is part of the format: it fixes every number."""

    def __init__(self, options, index):
        self.options, self.index, self.name = options, index, "svc-%04d" % index
        self.rng = random.Random(options.seed * 100003 + index)
        self.length = int(options.days * 86400 // options.step)
        self.samples = 0
        phase = self.rng.randrange(options.step * 1000) / 1000.0
        self._draw_demand()
        self._draw_incidents()
        self._draw_restarts()
        self._draw_gaps()
        self._draw_times(phase)
        self.pool = [max(0.0, self.rng.gauss(1, 0.15)) for _ in range(8192)]
        self.truth = {window: {"good": 0, "bad": 0} for window in WINDOWS}
        self.requests = [0] * self.length

    def _draw_demand(self):
        step = self.options.step
        rate = math.exp(self.rng.uniform(math.log(0.05), math.log(200)))
        self.error = math.exp(self.rng.uniform(math.log(1e-4), math.log(5e-3)))
        per_day = 86400 // step
        day = [rate * step * (1 + 0.6 * math.sin(2 * math.pi * i / per_day)) for i in range(per_day)]
        self.demand = (day * (self.length // per_day + 2))[: self.length]

    def _draw_incidents(self):
        rng, length = self.rng, self.length
        self.errors, self.slow = [self.error] * length, bytearray(length)
        for _ in range(max(1, int(self.options.days / 10))):
            start = rng.randrange(length)
            steps = int(rng.uniform(300, 7200) // self.options.step) + 1
            share = rng.uniform(0.02, 0.5)
            for i in range(start, min(length, start + steps)):
                self.errors[i], self.slow[i] = share, 1

    def _draw_restarts(self):
        """Interval -> the share of it that lay before the restart: counted, never scraped."""
        rng = self.rng
        self.restarts = {}
        for _ in range(rng.randrange(1, max(2, int(self.options.days / 3)))):
            share = rng.random()
            self.restarts[rng.randrange(1, self.length)] = share

    def _draw_gaps(self):
        rng = self.rng
        self.gap = bytearray(self.length)
        for _ in range(rng.randrange(0, 4)):
            start = rng.randrange(self.length)
            steps = int(rng.uniform(180, 5400) // self.options.step) + 1
            self.gap[start : start + steps] = b"\1" * len(self.gap[start : start + steps])

    def _draw_times(self, phase):
        step, block, length = self.options.step, self.options.block, self.length
        begin = self.options.end - length * step
        self.times = [
            " %.3f\n" % (begin + i * step + phase + self.rng.randrange(10) / 1000.0) for i in range(length)
        ]
        blocks = [int((begin + i * step + phase) // block) for i in range(length)]
        cuts = [0] + [i for i in range(1, length) if blocks[i] != blocks[i - 1]] + [length]
        self.segments = [(blocks[a], a, b) for a, b in zip(cuts, cuts[1:])]

    def _noise(self):
        return self.rng.choices(self.pool, k=self.length)

    def _increments(self, code):
        """Whole events per interval; the fraction is settled by a draw, so that small rates survive."""
        noise, draw = self._noise(), self._noise()
        weight = self.rng.uniform(0.5, 1.5)
        series = SERIES_OF_CODE[code]
        if code == "200":
            rows = zip(self.demand, self.errors, noise, draw)
            return [int(x * (1 - e) * weight / series * z + (q * 7919) % 1) for x, e, z, q in rows]
        if code == "404":
            rows = zip(self.demand, noise, draw)
            return [int(x * 0.01 * weight / series * z + (q * 7919) % 1) for x, z, q in rows]
        rows = zip(self.demand, self.errors, noise, draw)
        return [int(x * e * weight / series * z + (q * 7919) % 1) for x, e, z, q in rows]

    def _count_truth(self, kind, increments):
        """Increment i happened after sample i-1, up to sample i; a window is (end - length, end]."""
        for window, seconds in WINDOWS.items():
            if seconds <= self.options.days * 86400:
                first = max(0, self.length - seconds // self.options.step)
                self.truth[window][kind] += sum(increments[first:])

    def _counter(self, increments):
        """The counter as scraped: it starts again at every restart, without the lost tail."""
        values, base = [], 0
        for mark in sorted(self.restarts) + [self.length]:
            part = list(accumulate(increments[base:mark]))
            if base in self.restarts and part:
                lost = int(increments[base] * self.restarts[base])
                part = [value - lost for value in part]
            values += part
            base = mark
        return values

    def _emit(self, out, prefix, increments, text=str):
        values = self._counter(increments)
        for block, a, b in self.segments:
            rows = [
                prefix + text(value) + at
                for value, at, missing in zip(values[a:b], self.times[a:b], self.gap[a:b])
                if not missing
            ]
            self.samples += len(rows)
            out.setdefault(block, []).append("".join(rows))

    def counters(self):
        out = {}
        for method, route, code in SERIES:
            increments = self._increments(code)
            self._count_truth("bad" if code == "500" else "good", increments)
            self.requests = [x + y for x, y in zip(self.requests, increments)]
            prefix = 'http_requests_total{service="%s",method="%s",route="%s",code="%s"} '
            self._emit(out, prefix % (self.name, method, route, code), increments)
        return out

    def histogram(self):
        out = {}
        if self.index >= self.options.hist:
            return out
        draw, family = self._noise(), "http_request_duration_seconds"
        for i, (usual, slow) in enumerate(zip(USUAL, SLOW)):
            last = i == len(BUCKETS)
            le = "+Inf" if last else str(BUCKETS[i])
            rows = zip(self.requests, self.slow, draw)
            increments = [int(x * (slow if y else usual) + (0 if last else (q * 7919) % 1)) for x, y, q in rows]
            self._emit(out, '%s_bucket{service="%s",le="%s"} ' % (family, self.name, le), increments)
        self._emit(out, '%s_count{service="%s"} ' % (family, self.name), self.requests)
        seconds = [x * (1.1 if y else 0.07) for x, y in zip(self.requests, self.slow)]
        self._emit(out, '%s_sum{service="%s"} ' % (family, self.name), seconds, lambda value: "%.3f" % value)
        return out

    def recorded(self):
        out = {}
        for i in range(self.index, self.options.recorded, self.options.services):
            slo = i // self.options.services
            prefix = 'slo:sli_error:ratio_rate5m{sloth_service="%s",sloth_slo="slo-%d",sloth_id="%s-slo-%d",sloth_window="5m"} '
            prefix %= (self.name, slo, self.name, slo)
            noise = self._noise()
            for block, a, b in self.segments:
                rows = zip(self.errors[a:b], noise[a:b], self.times[a:b])
                out.setdefault(block, []).append("".join([prefix + "%.12g" % (e * z) + at for e, z, at in rows]))
                self.samples += b - a
        return out


def part_path(options, block, family, index):
    return "%s/part-%d-%s-%d" % (options.out, block, family, index)


def write_service(job):
    options, index = job
    service = Service(options, index)
    families = {"req": service.counters(), "hist": service.histogram(), "rec": service.recorded()}
    for family, blocks in families.items():
        for block, texts in blocks.items():
            with open(part_path(options, block, family, index), "w") as part:
                part.writelines(texts)
    return service.name, service.truth, service.samples, len(service.restarts), sum(service.gap)


def join_parts(options):
    """OpenMetrics wants each family in one piece: all services of a family, then the next family."""
    blocks = sorted({int(name.split("-")[1]) for name in os.listdir(options.out) if name.startswith("part-")})
    for block in blocks:
        with open("%s/seg-%d.om" % (options.out, block), "wb") as segment:
            for family, head in FAMILIES.items():
                segment.write(head.encode())
                for index in range(options.services):
                    path = part_path(options, block, family, index)
                    if os.path.exists(path):
                        with open(path, "rb") as part:
                            shutil.copyfileobj(part, segment, 1 << 22)
                        os.remove(path)
            segment.write(b"# EOF\n")


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("out", help="folder for seg-*.om and truth.json")
    parser.add_argument("--services", type=int, default=200)
    parser.add_argument("--hist", type=int, default=40, help="how many services also have the latency histogram")
    parser.add_argument("--recorded", type=int, default=0, help="how many recorded error ratios")
    parser.add_argument("--days", type=float, default=31)
    parser.add_argument("--step", type=int, default=60, help="seconds between scrapes")
    parser.add_argument("--end", type=int, default=0, help="Unix seconds; default: the current minute")
    parser.add_argument("--block", type=int, default=162 * 3600, help="seconds per block; one of 2h*3^k")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--jobs", type=int, default=os.cpu_count())
    options = parser.parse_args()
    options.end = options.end or int(time.time()) // 60 * 60
    return options


def clear(folder):
    """An earlier run's segments would be loaded beside this one's."""
    os.makedirs(folder, exist_ok=True)
    for name in os.listdir(folder):
        if name.startswith(("seg-", "part-")) or name == "truth.json":
            os.remove(os.path.join(folder, name))


def main():
    options = arguments()
    clear(options.out)
    truth, samples, resets, gaps = {}, 0, 0, 0
    with Pool(options.jobs) as pool:
        jobs = [(options, index) for index in range(options.services)]
        for name, counted, written, restarts, missed in pool.imap_unordered(write_service, jobs):
            truth[name] = counted
            samples, resets, gaps = samples + written, resets + restarts, gaps + missed
    join_parts(options)
    facts = {"end": options.end, "step": options.step, "days": options.days, "block": options.block,
             "services": options.services, "samples": samples, "resets": resets, "gap_scrapes": gaps, "truth": truth}
    with open(options.out + "/truth.json", "w") as out:
        json.dump(facts, out)
    print("samples", samples, "resets", resets, "missed scrapes", gaps, "end", options.end, file=sys.stderr)


if __name__ == "__main__":
    main()
