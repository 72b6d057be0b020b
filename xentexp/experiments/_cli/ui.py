"""`xentexp ui`: serve the MLflow dashboard and open it at the latest run."""

from __future__ import annotations

import argparse
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
import webbrowser

from xentexp.errors import InputError
from xentexp.experiments._cli.board import incomplete_lines
from xentexp.experiments._cli.signals import STOPPING
from xentexp.experiments._cli.terminal import say, store_option
from xentexp.experiments._tracking.connect import (
    browser_address,
    open_client,
    store_errors,
    store_uri,
)
from xentexp.experiments._tracking.read_back import latest_page


def ui(options: argparse.Namespace) -> int:
    """Serve the dashboard until the command is interrupted; return the exit code."""
    uri = store_uri(options.store)
    client = open_client(uri, create=False)
    with store_errors(uri):
        latest = latest_page(client, options.experiment)
    page = latest.page
    for line in incomplete_lines(latest.shown, latest.incomplete, store_option(uri)):
        say(line)
    if uri.startswith(("http://", "https://")):
        _show(f"{browser_address(uri)}{page}", browser=not options.no_browser)
        return 0
    check_port(options.host, options.port)
    address = f"http://{options.host}:{options.port}"
    command = [sys.executable, "-m", "mlflow", "server"]
    command += ["--host", options.host, "--port", str(options.port), "--workers", "1"]
    environment = {
        **os.environ,
        "MLFLOW_BACKEND_STORE_URI": uri,  # not an argument: those are in the list of processes
        "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
    }

    def stop(number: int, _: object) -> None:
        raise SystemExit(128 + number)

    # A signal that ends this command also ends the server.
    for number in STOPPING:
        signal.signal(number, stop)
    log = tempfile.TemporaryFile()  # noqa: SIM115  (the server writes to it until the end)
    server = subprocess.Popen(command, env=environment, stdout=log, stderr=subprocess.STDOUT)
    try:
        if not answers(server, options.host, options.port):
            log.seek(0)
            last = (log.read().decode(errors="replace").split("\n") or [""])[-2:][0]
            raise InputError(f"the MLflow server did not start: {last.strip()}")
        _show(f"{address}{page}", browser=not options.no_browser)
        print("Press Ctrl-C to stop the server.", flush=True)
        while server.poll() is None:
            time.sleep(0.2)  # a signal would not interrupt wait() if system calls are restarted
        return server.returncode
    finally:
        server.terminate()
        server.wait()


def check_port(host: str, port: int) -> None:
    if not 0 < port < 65536:
        raise InputError(f"--port must be between 1 and 65535; got {port}")
    try:
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((host, port))
    except OSError as error:
        reason = error.strerror or error
        raise InputError(
            f"{host}:{port} cannot be used ({reason}); choose another port with --port"
        ) from error


def answers(server: subprocess.Popen[bytes], host: str, port: int) -> bool:
    """Whether the server accepts connections within a minute."""
    for _ in range(600):
        if server.poll() is not None:
            return False
        try:
            socket.create_connection((host, port), timeout=1.0).close()
        except OSError:
            time.sleep(0.1)
        else:
            return True
    return False


def _show(address: str, *, browser: bool) -> None:
    say(f"MLflow dashboard: {address}")
    sys.stdout.flush()
    if browser:
        webbrowser.open(address)
