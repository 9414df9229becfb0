"""`serve` in containers: its answers while the machine changes, and how it and the main command end."""

import json
import random
import signal
import time
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPConnection

from box import BINARY, HEALTHY, Box, until
from verdicts import FAILURES, check, settles, takes_nodes_away, wrong

PROBES = ("/livez", "/readyz", "/startupz")
PORT = 9476
QUICK = ("--interval", "200ms", "--timeout", "2s")


def server(docker, *arguments, **others):
    command = [BINARY, "serve", "--listen", f"0.0.0.0:{PORT}", "--level", "driver", *arguments]
    return Box(docker, *command, network="bridge", **others)


def ask(box, path, method="GET"):
    """Status, text and seconds; the status is None if there is no answer."""
    start = time.monotonic()
    connection = HTTPConnection(box.address, PORT, timeout=5)
    try:
        connection.request(method, path)
        response = connection.getresponse()
        return response.status, response.read().decode(), time.monotonic() - start
    except OSError as error:
        return None, str(error), time.monotonic() - start
    finally:
        connection.close()


def says(box, path, status, word, seconds=10):
    """Waits until this endpoint gives this answer."""
    def asked():
        seen, text, _ = ask(box, path)
        return seen == status and text.startswith(f"{word}: ") and text.count("\n") <= 1
    if not until(asked, seconds):
        yield f"{path} is not {status} {word}: {ask(box, path)}"


def metric(box, name):
    for line in ask(box, "/metrics")[1].splitlines():
        if line.startswith(name + " "):
            return float(line.split()[1])
    raise AssertionError(f"no metric {name}")


def verified(box):
    return metric(box, 'cudacheck_checks_total{verdict="verified"}')


def serve(docker, rights):
    check("one failure after the other", check_failures, docker)
    check("the container loses access to the device nodes", check_denial, docker)
    check("before the first check", check_starting, docker)
    check("while a check hangs", check_stale, docker)
    check("a first check at a deeper level", check_startup_level, docker)
    check("requests cause no checks", check_load, docker)
    check("all restrictions", check_options, docker, rights)
    check("an init process", check_options, docker, ["--init"])
    check("the probe is killed at any moment", check_kills, docker)
    check("loopback only by default", check_loopback, docker)


def check_failures(docker):
    with server(docker, *QUICK) as box:
        for path in PROBES:
            yield from says(box, path, 200, "healthy")
        for failure in FAILURES:
            if failure.driver:
                box.put(failure.script)
                yield from (f"{failure.name}: {fault}" for fault in said_of(box, failure))
                box.put(HEALTHY)
                yield from (f"after {failure.name}: {fault}" for fault in says(box, "/readyz", 200, "healthy"))
        yield from settles(box)


def said_of(box, failure):
    yield from says(box, "/readyz", 503, "unhealthy")
    yield from says(box, "/livez", 200, "alive")
    text = ask(box, "/readyz")[1]
    if failure.words not in text:
        yield f"'{failure.words}' is missing: {text}"
    status, text, _ = ask(box, "/report")
    grave = [each["id"] for each in json.loads(text)["findings"] if each["severity"] in ("error", "unknown")]
    if status != 200 or grave[:1] != [failure.driver]:
        yield f"{grave[:1]} instead of {failure.driver}"
    for probe, passing in ("liveness", 1), ("readiness", 0):
        if metric(box, f'cudacheck_probe_passing{{probe="{probe}"}}') != passing:
            yield f"cudacheck_probe_passing of {probe} is not {passing}"


def check_denial(docker):
    """Recreating the container helps, so that liveness fails."""
    with server(docker, *QUICK) as box:
        yield from says(box, "/livez", 200, "healthy")
        if not takes_nodes_away(box):
            return
        for path in "/livez", "/readyz":
            yield from says(box, path, 503, "unhealthy")


def check_starting(docker):
    with server(docker, *QUICK, script="cuInit = sleep:1500") as box:
        # Liveness must not kill a server that is still starting.
        for path, status in ("/livez", 200), ("/readyz", 503), ("/startupz", 503):
            yield from says(box, path, status, "starting", 1)
        if ask(box, "/report")[0] != 503:
            yield f"/report: {ask(box, '/report')}"
        for path in PROBES:
            yield from says(box, path, 200, "healthy")


def check_stale(docker):
    with server(docker, "--interval", "200ms", "--max-age", "1s", "--timeout", "4s") as box:
        yield from says(box, "/readyz", 200, "healthy")
        box.put("cuInit = hang")
        if not until(lambda: metric(box, "cudacheck_check_running_seconds") > 1.2):
            yield "no check hangs"
        for path in PROBES:
            yield from says(box, path, 503, "stale", 0.5)
        times = []
        while metric(box, "cudacheck_check_running_seconds") > 0 and len(times) < 300:
            times += [ask(box, path)[2] for path in (*PROBES, "/metrics", "/report")]
        # Other load on the machine may delay some answers, but none for long.
        times.sort()
        most = times[len(times) * 9 // 10] if times else 0
        if len(times) < 20 or most > 0.1 or times[-1] > 1:
            yield f"{len(times)} answers, p90 {most:.3f} s, slowest {times[-1:]}"
        yield from says(box, "/readyz", 503, "unhealthy")
        box.put(HEALTHY)
        for path in PROBES:
            yield from says(box, path, 200, "healthy")
        yield from settles(box)


def check_startup_level(docker):
    """The first check uses a deeper level, and is repeated until it passes."""
    with server(docker, *QUICK, "--startup-level", "gemm", script="cuModuleLoadDataEx = 222") as box:
        failed = 'cudacheck_checks_total{verdict="failed"}'
        yield from says(box, "/startupz", 503, "unhealthy")
        if not until(lambda: metric(box, failed) > 1):
            yield "the first check is not repeated"
        yield from says(box, "/startupz", 503, "unhealthy")
        box.put(HEALTHY)
        yield from says(box, "/startupz", 200, "healthy", 30)
        # Later checks do not reach this call.
        box.put("cuModuleLoadDataEx = 222")
        seen = verified(box)
        if not until(lambda: verified(box) > seen + 2):
            yield "later checks use the startup level, too"
        yield from says(box, "/readyz", 200, "healthy")


def check_load(docker):
    with server(docker, "--interval", "60s") as box:
        yield from says(box, "/readyz", 200, "healthy")
        with ThreadPoolExecutor(8) as pool:
            answers = set(pool.map(lambda number: ask(box, PROBES[number % 3])[0], range(500)))
        if answers != {200}:
            yield f"statuses {answers}"
        if verified(box) != 1:
            yield "requests caused checks"
        for method, path, status in ("GET", "/", 404), ("POST", "/livez", 405), ("HEAD", "/livez", 200):
            if (seen := ask(box, path, method)[0]) != status:
                yield f"{method} {path}: {seen} instead of {status}"
        yield from settles(box)


def check_options(docker, options):
    with server(docker, *QUICK, options=options) as box:
        yield from says(box, "/readyz", 200, "healthy")
        box.put("cuInit = 803")
        yield from says(box, "/readyz", 503, "unhealthy")
        # Here the server is process 1, which inherits orphans.
        box.put("cuInit = fork")
        yield from says(box, "/readyz", 200, "healthy")
        box.put(HEALTHY)
        seen = verified(box)
        until(lambda: verified(box) > seen + 1)
        yield from wrong(box.health(), healthy=True)
        yield from settles(box)


def check_kills(docker):
    moments = random.Random(6)
    hit = 0
    with server(docker, "--interval", "20ms", "--timeout", "2s", script="cuInit = sleep:50") as box:
        yield from says(box, "/readyz", 200, "healthy")
        for _ in range(20):
            time.sleep(moments.uniform(0, 0.1))
            victims = box.probes()
            for each in victims:
                each.end(signal.SIGKILL)
            hit += bool(victims)
            if ask(box, "/livez")[0] not in (200, 503):
                yield f"no answer: {ask(box, '/livez')}"
        if hit < 5:
            yield f"only {hit} were killed"
        yield from says(box, "/readyz", 200, "healthy")
        yield from settles(box)


def check_loopback(docker):
    with Box(docker, BINARY, "serve", network="bridge") as box:
        request = f"exec 3<>/dev/tcp/127.0.0.1/{PORT} && printf 'GET /readyz HTTP/1.0\\r\\n\\r\\n' >&3 && cat <&3"
        if not until(lambda: " 200 " in box.exec("bash", "-c", request).line):
            yield f"inside: {box.exec('bash', '-c', request)}"
        if not box.address:
            yield "the container has no address"
        if ask(box, "/readyz")[0] is not None:
            yield "reachable from outside"


# --- the end of a container ----------------------------------------------------------------------------------------


HANGS = "cuInit = hang"
VERIFICATION = (BINARY, "--level", "driver", "--timeout", "60s")
SERVER = (BINARY, "serve", "--listen", f"0.0.0.0:{PORT}", "--level", "driver", "--interval", "200ms")


def ends(docker):
    for options in [], ["--init"]:
        kind = ", an init process" if options else ""
        check(f"stop ends a hanging check{kind}", check_end, docker, VERIFICATION, HANGS, 143, options)
        check(f"stop ends a server{kind}", check_end, docker, SERVER, HEALTHY, 0, options)
        check(f"stop ends a server with a hanging check{kind}", check_end, docker, SERVER, HANGS, 0, options)
    check("SIGINT ends a check", check_end, docker, VERIFICATION, HANGS, 130, ["--stop-signal", "SIGINT"])
    check("SIGINT ends a server", check_end, docker, SERVER, HANGS, 0, ["--stop-signal", "SIGINT"])
    check("stop ends a server with open connections", check_end_connected, docker)


def check_end(engine, command, script, status, options=(), network="none", before=lambda box: None):
    with Box(engine, *command, options=options, script=script, network=network) as box:
        if script == HANGS and not until(lambda: [each for each in box.probes() if "driver-in" in each.name]):
            yield f"no probe hangs: {', '.join(map(str, box.processes()))}"
        if script == HEALTHY and not until(lambda: not box.probes() and box.exec(BINARY, "health").status == 0):
            yield "it does not become healthy"
        held = before(box)
        answer = engine("stop", "-t", "8", box.name)
        state = box.inspect()["State"]
        if answer.status or answer.seconds > 2 or state["ExitCode"] != status:
            yield f"status {state['ExitCode']} instead of {status} after {answer.seconds:.1f} s: {answer.error}"
        if left := box.processes():
            yield f"left behind: {', '.join(map(str, left))}"
        del held


def check_end_connected(docker):
    def connect(box):
        """Connections that are idle after a request, before one, and in the middle of one."""
        asked, silent, slow = held = [HTTPConnection(box.address, PORT, timeout=5) for _ in range(3)]
        for connection in held:
            connection.connect()
        asked.request("GET", "/readyz")
        asked.getresponse().read()
        slow.send(b"GET /readyz HT")
        return held
    yield from check_end(docker, SERVER, HEALTHY, 0, network="bridge", before=connect)
