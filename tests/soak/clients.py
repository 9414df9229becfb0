"""Clients of `serve`, each in its own process: steady clients, and one that misbehaves.

Clients only check the form of each answer; serve.py checks whether it matches the state of the machine.
"""

import collections
import http.client
import json
import re
import select
import socket
import struct
import time

PROBES = ("/livez", "/readyz", "/startupz")
PATHS = (*PROBES, "/metrics", *PROBES, "/report", *PROBES, "/nothing", *PROBES, "/metrics")
WORDS = {200: ("healthy", "alive", "starting"), 503: ("unhealthy", "stale", "starting")}
SAMPLE = re.compile(r'[a-z_]+(\{([a-z]+="[^"\n]*"(,|(?=\})))*\})? \S+$')
OPEN_METRICS = "application/openmetrics-text; version=1.0.0"
# Seconds that a request may take to arrive, and until the server must have closed a bad connection.
ARRIVAL, CUT = 5.0, 7.0


# --- steady clients ----------------------------------------------------------------------------------

def ask(connection, path, method="GET", **headers):
    connection.request(method, path, headers=headers)
    answer = connection.getresponse()
    return answer, answer.read().decode()


def steady(port, until, rate, keep):
    """Requests all paths in turn; returns latencies in seconds, and what was wrong."""
    connection, latencies, wrong, number = None, [], [], 0
    began = time.monotonic()
    while (now := time.monotonic()) < until:
        path, number = PATHS[number % len(PATHS)], number + 1
        start_, answer = time.perf_counter(), None
        try:
            if connection is None:
                connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
            headers = {"Accept": OPEN_METRICS} if number % 2 else {}
            answer, body = ask(connection, path, "HEAD" if number % 7 == 0 else "GET", **headers)
            latencies.append(time.perf_counter() - start_)
            complaint = malformed(path, answer, body, number % 7 == 0)
        except (OSError, http.client.HTTPException, ValueError) as error:
            complaint = f"{path}: {error!r} after {time.perf_counter() - start_:.3f} s"
        if complaint:
            wrong.append(f"at {now - began:.1f} s, {complaint}")
        if answer is None or not keep or answer.will_close:
            connection.close()
            connection = None
        time.sleep(max(0.0, began + number / rate - time.monotonic()))
    return latencies, wrong


def malformed(path, answer, body, bare):
    said = f"{path}: {answer.status} '{body[:100]}'"
    if bare and body:
        return f"HEAD has a body: {said}"
    if path == "/nothing":
        return "" if answer.status == 404 else said
    if answer.status not in WORDS:
        return said
    if bare:
        return ""
    if path in PROBES:
        right = body.partition(":")[0] in WORDS[answer.status] and len(body.splitlines()) == 1
        return "" if right else said
    if path == "/report":
        return "" if answer.status == 503 or "verdict" in json.loads(body) else said
    return malformed_metrics(answer, body)


def malformed_metrics(answer, body):
    lines, kind = body.splitlines(), answer.headers["Content-Type"]
    strange = [line for line in lines if not line.startswith("# ") and not SAMPLE.match(line)]
    if answer.status != 200 or strange:
        return f"/metrics: {answer.status} {strange[:1]}"
    if kind.startswith("application/openmetrics-text") != (lines[-1] == "# EOF"):
        return f"/metrics: {kind} ends with '{lines[-1]}'"
    verdicts = [float(line.split()[-1]) for line in lines if line.startswith("cudacheck_verdict{")]
    return "" if sum(verdicts) == 1 else f"/metrics: verdicts {verdicts}"


# --- the misbehaving client --------------------------------------------------------------------------

HEAD = b"GET /readyz HTTP/1.1\r\nHost: soak\r\n"
# What is sent at once, and the possible statuses of an answer; none: no answer is possible.
SENT = {
    "half-open": (b"", ()),
    "slow": (b"", (408,)),
    "half a head": (HEAD, (408,)),
    "garbage": (bytes(range(256)) * 4 + b"\r\n\r\n", (400, 405, 408, 501)),
    "a head of 64 KiB": (HEAD + b"X: " + b"x" * 65536 + b"\r\n\r\n", (400, 413, 431)),
    "a body": (b"POST /readyz HTTP/1.1\r\nHost: soak\r\nConnection: close\r\nContent-Length: 100000\r\n\r\n" + b"x" * 100000, (405, 413)),
    "an endless body": (b"POST /readyz HTTP/1.1\r\nHost: soak\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n", (405, 408, 411, 413)),
    "reset": (HEAD + b"\r\n", ()),
}


def misbehaving(port, until):
    """Opens one connection of each kind per second; returns how often each was closed in time, and what was wrong."""
    sockets, cut, wrong, number = [], collections.Counter(), [], 0
    began = time.monotonic()
    while sockets or time.monotonic() < until:
        now = time.monotonic()
        if now < until and now >= began + number / len(SENT):
            kind, number = tuple(SENT)[number % len(SENT)], number + 1
            try:
                sockets += filter(None, [misbehave(port, kind, now)])
            except OSError as error:
                wrong.append(f"{kind}: {error!r}")
        readable = select.select([one for one, *_ in sockets], [], [], 0.05)[0]
        for entry in list(sockets):
            complaint, over = attend(entry, entry[0] in readable, now)
            if complaint:
                wrong.append(f"at {now - began:.1f} s, {entry[1]}: {complaint}")
            if over:
                cut[entry[1]] += not complaint
                sockets.remove(entry)
                entry[0].close()
    return dict(cut), wrong


def misbehave(port, kind, now):
    """Opens a connection. Returns it with its kind, the time, and the number of bytes that were sent slowly."""
    one = socket.create_connection(("127.0.0.1", port), timeout=2)
    try:
        one.sendall(SENT[kind][0])
    except OSError:
        pass  # closed by the server while sending, which is fine
    if kind == "reset":
        one.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        one.close()
        return None
    one.setblocking(False)
    return [one, kind, now, 0]


def attend(entry, readable, now):
    """What is wrong with an answer, and whether the connection is over."""
    one, kind, opened, trickled = entry
    if kind == "slow" and now - opened > trickled * 0.5:
        entry[3] += 1
        try:
            one.send((HEAD * 9)[trickled:trickled + 1])
        except OSError:
            return "", True
    if readable:
        try:
            said = one.recv(4096)
        except BlockingIOError:
            return "", False
        except OSError:
            return "", True
        if not said:
            return "", True
        status = re.match(rb"HTTP/1\.[01] (\d{3}) ", said)
        if status and int(status[1]) not in SENT[kind][1]:
            return f"answered with {said[:60]}", True
    late = now - opened > CUT
    return f"not closed after {CUT} s" if late else "", late
