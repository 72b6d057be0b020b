"""`xentexp ui`: MLflow's dashboard, on the right store and the right page."""

from __future__ import annotations

import argparse
import os
import socket
import subprocess
import sys
import time
import webbrowser

from xentexp import tracking
from xentexp.errors import InputError


def ui(options: argparse.Namespace) -> int:
    """Serve the dashboard until it is interrupted.

    Parameters
    ----------
    options : Namespace
        Of the command.

    Returns
    -------
    int
        Exit code.
    """
    uri = tracking.store_uri(options.store)
    client = tracking.open_client(uri, create=False)
    with tracking.told_plainly(uri):
        page = tracking.latest_page(client, options.experiment)
    if uri.startswith(("http://", "https://")):
        _show(f"{uri.rstrip('/')}{page}", browser=not options.no_browser)
        return 0
    _check_port(options.host, options.port)
    address = f"http://{options.host}:{options.port}"
    command = [sys.executable, "-m", "mlflow", "server", "--backend-store-uri", uri]
    command += ["--host", options.host, "--port", str(options.port), "--workers", "1"]
    environment = {**os.environ, "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}
    server = subprocess.Popen(command, env=environment, stderr=subprocess.DEVNULL)
    try:
        _wait(server, options.host, options.port)
        _show(f"{address}{page}", browser=not options.no_browser)
        print("Ctrl-C stops the server.", flush=True)
        return server.wait()
    finally:
        server.terminate()
        server.wait()


def _check_port(host: str, port: int) -> None:
    if not 0 < port < 65536:
        raise InputError(f"--port must lie between 1 and 65535; got {port}")
    try:
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((host, port))
    except OSError as error:
        reason = error.strerror or error
        raise InputError(
            f"{host}:{port} cannot be used ({reason}); choose another --port"
        ) from error


def _wait(server: subprocess.Popen[bytes], host: str, port: int) -> None:
    """Return when the server answers."""
    for _ in range(600):
        if server.poll() is not None:
            raise InputError(f"MLflow's server stopped at once, with exit code {server.returncode}")
        try:
            socket.create_connection((host, port), timeout=1.0).close()
        except OSError:
            time.sleep(0.1)
        else:
            return
    raise InputError("MLflow's server did not answer within a minute")


def _show(address: str, *, browser: bool) -> None:
    print(f"MLflow's dashboard: {address}", flush=True)
    if browser:
        webbrowser.open(address)
