"""Programs that others wrote talk to our servers, and our clients to servers that others wrote:
programs_test.py CASE ECHO HTTP_HELLO CLIENT. The last three are examples/echo.cpp,
examples/http_hello.cpp and programs_client.cpp, built. A case whose program is not here is skipped.

No port is chosen by hand, and nothing is left running."""

import contextlib
import pathlib
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time

SKIPPED = 77
TIMEOUT = 30
case, echo, http_hello, client = sys.argv[1:]


def need(program, *elsewhere):
    found = shutil.which(program) or next((path for path in elsewhere if shutil.which(path)), None)
    if not found:
        print(f"skipped: there is no {program}")
        sys.exit(SKIPPED)
    return found


def output(*command, stdin="", good=(0,)):
    run = subprocess.run(command, input=stdin, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                         text=True, timeout=TIMEOUT)
    if run.returncode not in good:
        sys.exit(f"{' '.join(command)}: ended with status {run.returncode}\n{run.stdout}")
    return run.stdout


def check(found, wanted):
    if found != wanted:
        sys.exit(f"wanted:\n{wanted}\nfound:\n{found}")


@contextlib.contextmanager
def running(*command, **options):
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                               **options)
    try:
        yield process
        if process.poll() is not None:
            sys.exit(f"{command[0]} ended with status {process.returncode}\n{process.stdout.read()}")
    finally:
        process.kill()
        process.wait()


@contextlib.contextmanager
def our_server(program):
    """Its port."""
    with running(program, "0") as server:
        yield int(re.search(r":(\d+)", server.stdout.readline())[1])


def wait_for_socket(path):
    for _ in range(TIMEOUT * 20):
        with socket.socket(socket.AF_UNIX) as attempt, contextlib.suppress(OSError):
            attempt.connect(str(path))
            return
        time.sleep(0.05)
    sys.exit(f"nobody listens on {path}")


def curl():
    need("curl")
    with our_server(http_hello) as port:
        url = f"http://127.0.0.1:{port}/"
        shown = "%{stderr}%{http_code} %{num_connects}\n"
        check(output("curl", "-sS", "-w", shown, "-o", "/dev/null", url, "-o", "/dev/null", url + "2"),
              "200 1\n200 0\n")  # the second time on the same connection
        check(output("curl", "-sS", url), "Hello, world!")
        check(output("curl", "-sS", "--http1.0", url), "Hello, world!")
        check(output("curl", "-sS", "-o", "/dev/null", "-w", "%{http_code}", "-X", "DELETE", url), "405")


def wrk():
    need("wrk")
    with our_server(http_hello) as port:
        text = output("wrk", "-t1", "-c50", "-d1", f"http://127.0.0.1:{port}/")
        if not re.search(r"^ *[1-9]\d* requests in", text, re.M) or "errors" in text or "Non-2xx" in text:
            sys.exit(text)


def nc():
    need("nc")
    with our_server(echo) as port:
        lines = "".join(f"line {i}\n" for i in range(10_000))
        check(output("nc", "-N", "127.0.0.1", str(port), stdin=lines), lines.upper())


def openssl():
    need("openssl")
    need("curl")
    with our_server(http_hello) as port:
        # It hears no answer that it understands, and goes: the server minds nobody else.
        with running("openssl", "s_client", "-connect", f"127.0.0.1:{port}",
                     stdin=subprocess.PIPE) as lost:
            check(output("curl", "-sS", f"http://127.0.0.1:{port}/"), "Hello, world!")
            lost.stdin.write("GET / HTTP/1.1\r\n\r\n")
        check(output("curl", "-sS", f"http://127.0.0.1:{port}/"), "Hello, world!")


def python():
    with tempfile.TemporaryDirectory() as folder:
        pathlib.Path(folder, "file").write_text("from a file")
        with running(sys.executable, "-u", "-m", "http.server", "0", "--bind", "127.0.0.1",
                     "--directory", folder) as server:
            port = re.search(r"port (\d+)", server.stdout.readline())[1]
            check(output(client, "http", port, "/file"), "200 from a file\n")


def nginx():
    program = need("nginx", "/usr/sbin/nginx")
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        folder.chmod(0o755)
        large = "x" * 1_000_000
        (folder / "small").write_text("from a file")
        (folder / "large").write_text(large)
        (folder / "conf").write_text(f"""
            daemon off; master_process off; pid {folder}/pid; error_log {folder}/log;
            events {{}}
            http {{
                access_log off;
                client_body_temp_path {folder}/1; proxy_temp_path {folder}/2;
                fastcgi_temp_path {folder}/3; uwsgi_temp_path {folder}/4; scgi_temp_path {folder}/5;
                server {{ listen unix:{folder}/socket; root {folder}; }}
            }}""")
        with running(program, "-c", str(folder / "conf"), "-e", str(folder / "log")):
            wait_for_socket(folder / "socket")
            check(output(client, "http", str(folder / "socket"), "/small", "/large", "/small"),
                  f"200 from a file\n200 {large}\n200 from a file\n")


def redis():
    need("redis-server")
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder, "socket")
        with running("redis-server", "--port", "0", "--unixsocket", str(path), "--dir", folder,
                     "--save", "", "--appendonly", "no"):
            wait_for_socket(path)
            check(output(client, "redis", str(path)),
                  "PONG\nOK\nhello\n(nil)\nOK\nas large as it was\n1000\n")


{"curl": curl, "wrk": wrk, "nc": nc, "openssl": openssl, "python": python, "nginx": nginx,
 "redis": redis}[case]()
