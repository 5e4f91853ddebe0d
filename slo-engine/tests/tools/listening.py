#!/usr/bin/env python3
"""Waits until process PID listens on a TCP port and answers PATH with 200, then prints its URL: listening.py PID PATH

The port is read from the kernel's tables, so a server may be started on port 0, and the answer of another server on the
same port is never mistaken for its own. A launcher's children count as itself. Exit 1 when the process ends first or after
120 s. Standard library only.
"""
import glob
import http.client
import os
import sys
import time
import urllib.request

LISTEN = "0A"
LOOPBACK = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def alive(pid):
    try:
        with open("/proc/%d/stat" % pid) as stat:
            return stat.read().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def family(pid):
    """The process and what it started."""
    pids = [str(pid)]
    for table in glob.glob("/proc/%d/task/*/children" % pid):
        try:
            with open(table) as children:
                pids += children.read().split()
        except OSError:
            continue
    return [int(pid) for pid in pids]


def ports(pid):
    """TCP ports over IPv4 on which the process listens."""
    sockets = set()
    try:
        for fd in os.scandir("/proc/%d/fd" % pid):
            sockets.add(os.readlink(fd.path))
        with open("/proc/%d/net/tcp" % pid) as table:
            rows = [line.split() for line in table.readlines()[1:]]
    except OSError:
        return []
    return [int(row[1].partition(":")[2], 16) for row in rows if row[3] == LISTEN and "socket:[%s]" % row[9] in sockets]


def answers(url):
    try:
        with LOOPBACK.open(url, timeout=2) as reply:
            return reply.status == 200
    except (OSError, http.client.HTTPException):
        return False


def main():
    if len(sys.argv) != 3:
        sys.exit("usage: listening.py PID PATH")
    pid, path = int(sys.argv[1]), sys.argv[2]
    end = time.monotonic() + 120
    while alive(pid) and time.monotonic() < end:
        for port in [port for member in family(pid) for port in ports(member)]:
            url = "http://127.0.0.1:%d" % port
            if answers(url + path):
                print(url)
                return
        time.sleep(0.05)
    sys.exit(1)


if __name__ == "__main__":
    main()
