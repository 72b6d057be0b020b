"""Start an MLflow server for a team on this computer, for development.

PostgreSQL stores runs and users. It listens on a Unix socket only. The operating system identifies
who connects to it, so the database needs no password. MLflow serves artifacts, and asks for a user
name and a password. All data are in one folder. With that folder the same server starts again.
Passwords are read from the environment, and neither shown nor stored:

  MLFLOW_AUTH_ADMIN_PASSWORD      password of the user "admin"
  XENTEXP_MEMBER_PASSWORD         password of the user that --add-user adds or changes
"""

from __future__ import annotations

import argparse
import base64
import fcntl
import getpass
import os
import pwd
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from xentexp._safe_text import printable
from xentexp.errors import InputError
from xentexp.experiments._cli.signals import terminable
from xentexp.experiments._cli.ui import answers, check_port

ADMIN = "admin"
SHORTEST = 12  # characters of a password, which MLflow requires
SERVER_USER = "postgres"  # system user of Debian's package
DEBIAN = Path("/usr/lib/postgresql")
PATIENCE = 120.0  # seconds

# Peer authentication: PostgreSQL asks the operating system who connects to the socket.
ACCESS = """local  all                 postgres  peer  map=team
local  mlflow,mlflow_auth  mlflow    peer  map=team
"""
DATABASES = """
SELECT 'CREATE ROLE mlflow LOGIN'
WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'mlflow') \\gexec
SELECT format('CREATE DATABASE %I OWNER mlflow', name)
FROM unnest(ARRAY['mlflow', 'mlflow_auth']) name
WHERE NOT EXISTS (SELECT FROM pg_database WHERE datname = name) \\gexec
"""
# Without the cache each request costs the check of a hashed password, tens of milliseconds.
AUTH = """[mlflow]
default_permission = EDIT
database_uri = {uri}
admin_username = {admin}
auth_cache_ttl_seconds = 60
"""


def main(words: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="team-server", description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument(
        "--folder",
        type=Path,
        default=Path(".team-server"),
        help="folder of all data (default: %(default)s)",
    )
    parser.add_argument("--port", type=int, default=0, help="port (default: a free one)")
    parser.add_argument("--workers", type=int, default=2, help="processes of MLflow (default: 2)")
    parser.add_argument(
        "--add-user",
        metavar="NAME",
        help="add a user to the running server MLFLOW_TRACKING_URI, or change the password;\n"
        "as the user MLFLOW_TRACKING_USERNAME with MLFLOW_TRACKING_PASSWORD",
    )
    options = parser.parse_args(words)
    try:
        with terminable():
            if options.add_user is not None:
                add_user(options.add_user)
            else:
                serve(options.folder.absolute(), options.port, options.workers)
    except InputError as error:
        print(f"team-server: error: {printable(str(error), one_line=True)}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 128 + signal.SIGINT
    return 0


def add_user(name: str) -> None:
    """Add a user, or change the password of one that exists."""
    from xentexp.experiments._tracking.connect import open_client, store_errors, store_uri

    password = password_of("XENTEXP_MEMBER_PASSWORD")
    # Basic auth separates name and password by the first colon.
    if not name.strip() or ":" in name or not name.isprintable():
        raise InputError(
            f"--add-user must have the name of a user, without colons and control characters; got "
            f"{name!r}; choose another one"
        )
    uri = store_uri()
    if not uri.startswith(("http://", "https://")):
        raise InputError(
            f"MLFLOW_TRACKING_URI must be the address of an MLflow server with users; got {uri}"
        )
    from mlflow.utils.credentials import get_default_host_creds
    from mlflow.utils.rest_utils import http_request, verify_rest_response

    open_client(uri, create=False)
    host, user = get_default_host_creds(uri), {"username": name, "password": password}
    with store_errors(uri):
        path = "/api/2.0/mlflow/users"
        answer = http_request(host, f"{path}/create", "POST", json=user)
        added = "RESOURCE_ALREADY_EXISTS" not in answer.text
        if not added:
            answer = http_request(host, f"{path}/update-password", "PATCH", json=user)
        verify_rest_response(answer, path)
    print(f"user {name}: {'added' if added else 'has a new password'}")


def password_of(variable: str) -> str:
    password = os.environ.get(variable, "")
    if len(password) < SHORTEST:
        got = f"one of {len(password)} characters" if password else "none"
        raise InputError(
            f"the environment variable {variable} must have a password of at least {SHORTEST} "
            f"characters; got {got}; set it without writing it on a command line: "
            f"read -rs {variable} && export {variable}"
        )
    return password


def serve(folder: Path, port: int, workers: int) -> None:
    """Serve until a signal ends it."""
    password = password_of("MLFLOW_AUTH_ADMIN_PASSWORD")
    if workers < 1:
        raise InputError(f"--workers must be at least 1; got {workers}")
    port = port or free_port()
    check_port("127.0.0.1", port)
    make(folder)
    with (
        locked(folder),
        database(folder) as sockets,
        mlflow_server(folder, sockets, port, workers) as server,
    ):
        check_password(port, password)
        print(f"MLflow server: http://127.0.0.1:{port}")
        print(f"User: {ADMIN}; --add-user adds others. Press Ctrl-C to stop.", flush=True)
        while server.poll() is None:
            time.sleep(0.2)
        raise InputError(f"the MLflow server ended; see {folder / 'mlflow.log'}")


def make(folder: Path) -> None:
    """Make the folder of all data; the permissions of one that exists are left as they are."""
    try:
        if not folder.is_dir():
            folder.mkdir(parents=True)
            if os.geteuid() == 0:
                folder.chmod(0o711)  # the database's user must reach its folder
        (folder / "lock").touch()
    except OSError as error:
        raise InputError(
            f"--folder must be a folder that can be written to, or a new one; got "
            f"{folder} ({error.strerror}); choose another one"
        ) from error


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Refuse a folder that another process serves."""
    with (folder / "lock").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise InputError(
                f"--folder must be a folder that no other server uses; {folder} is used by one; "
                f"stop it, or choose another folder"
            ) from None
        yield


@contextmanager
def database(folder: Path) -> Iterator[Path]:
    """PostgreSQL on the data of a folder; yields the folder of its socket."""
    user = SERVER_USER if os.geteuid() == 0 else getpass.getuser()
    data = folder / "postgresql"
    programs = postgresql_programs(data)
    with tempfile.TemporaryDirectory(prefix="xentexp-team-") as temporary:  # a short path
        sockets, log = Path(temporary), folder / "postgresql.log"
        as_user: dict[str, Any] = {}
        if os.geteuid() == 0:
            as_user = {"user": user, "group": pwd.getpwnam(user).pw_gid, "extra_groups": []}
        own(sockets, user)
        initialize(data, programs, user, as_user)
        with log.open("wb") as output:
            server = subprocess.Popen(
                [programs / "postgres", "-D", data, "-k", sockets, "-c", "listen_addresses="],
                stdout=output,
                stderr=subprocess.STDOUT,
                stdin=subprocess.DEVNULL,
                env=plain_environment(),
                cwd="/",
                start_new_session=True,  # Ctrl-C must not end it before MLflow
                **as_user,
            )
        try:
            psql = [programs / "psql", "-qX", "-h", sockets, "-U", "postgres", "-d", "postgres"]
            command = [*psql, "-v", "ON_ERROR_STOP=1"]
            wait_until_ready(server, [*psql, "-c", "SELECT 1"], as_user, log)
            run(command, as_user, text=DATABASES)
            yield sockets
        finally:
            server.send_signal(signal.SIGINT)  # its fast shutdown
            server.wait()


def postgresql_programs(data: Path) -> Path:
    """Folder of PostgreSQL's programs: of the version that wrote the data, else the newest."""
    wanted = data / "PG_VERSION"
    version = wanted.read_text().strip() if wanted.is_file() else ""
    folders = sorted(DEBIAN.glob("*/bin"), key=lambda path: float(path.parent.name))
    found = [path for path in folders if (path / "postgres").is_file()]
    found = [path for path in found if version in ("", path.parent.name)]
    if not found:
        name, package = "PostgreSQL", "postgresql"
        if version:
            name, package = f"{name} {version}", f"{package}-{version}"
        raise InputError(
            f"{name} must be installed in {DEBIAN}; it is missing; run apt-get install {package}"
        )
    return found[-1]


def initialize(data: Path, programs: Path, user: str, as_user: dict[str, Any]) -> None:
    """Make the files of a new database; nothing if they exist."""
    if (data / "PG_VERSION").is_file():
        return
    with tempfile.TemporaryDirectory(dir=data.parent, prefix="new-") as temporary:
        partial = Path(temporary)
        own(partial, user)
        probe = subprocess.run(["test", "-w", partial], cwd="/", **as_user)
        if probe.returncode:
            raise InputError(
                f"--folder must be a folder that the user {user} can reach, because PostgreSQL "
                f"refuses to run as root; got {data.parent}; choose another one"
            )
        options = ["--username=postgres", "--auth=peer", "--encoding=UTF8", "--locale=C.UTF-8"]
        new = partial / "data"
        run([programs / "initdb", "-D", new, *options], as_user)
        (new / "pg_hba.conf").write_text(ACCESS)
        (new / "pg_ident.conf").write_text(
            f"team {user} postgres\nteam {getpass.getuser()} mlflow\n"
        )
        new.rename(data)


def own(folder: Path, user: str) -> None:
    """Give a folder to a user, so that only it and root can read it."""
    folder.chmod(0o700)
    if os.geteuid() == 0:
        shutil.chown(folder, user)


def plain_environment() -> dict[str, str]:
    """Environment without passwords and without the settings of another database."""
    kept = ("PATH", "LANG", "LC_ALL", "TZ", "TMPDIR")
    return {name: os.environ[name] for name in kept if name in os.environ}


def run(command: list[Any], as_user: dict[str, Any], text: str = "") -> None:
    done = subprocess.run(
        command,
        input=text,
        capture_output=True,
        text=True,
        env=plain_environment(),
        cwd="/",
        **as_user,
    )
    if done.returncode:
        reason = (done.stderr.strip() or done.stdout.strip()).split("\n")[0]
        raise InputError(f"PostgreSQL failed: {Path(str(command[0])).name}: {reason}")


def wait_until_ready(
    server: subprocess.Popen[bytes], probe: list[Any], as_user: dict[str, Any], log: Path
) -> None:
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end and server.poll() is None:
        done = subprocess.run(
            probe, capture_output=True, env=plain_environment(), cwd="/", **as_user
        )
        if not done.returncode:
            return
        time.sleep(0.1)
    lines = [line for line in log.read_text().splitlines() if "FATAL" in line or "HINT" in line]
    reason = " ".join(lines[:2]) or f"it does not respond; see {log}"
    raise InputError(f"PostgreSQL did not start: {reason}")


@contextmanager
def mlflow_server(
    folder: Path, sockets: Path, port: int, workers: int
) -> Iterator[subprocess.Popen[bytes]]:
    """MLflow with users, artifacts in the folder, and a key that outlives a restart."""
    uri = f"postgresql+psycopg2://mlflow@/{{}}?host={sockets}"
    settings, key = folder / "basic_auth.ini", folder / "secret_key"
    settings.write_text(AUTH.format(uri=uri.format("mlflow_auth"), admin=ADMIN))
    if not key.is_file():
        key.write_text(secrets.token_hex(32))
    # The variables of a client, such as the address of another server, are not for this server.
    kept = {name: os.environ[name] for name in os.environ if not name.startswith("MLFLOW_TRACKING")}
    environment = {
        **kept,
        "MLFLOW_BACKEND_STORE_URI": uri.format("mlflow"),
        "MLFLOW_AUTH_CONFIG_PATH": str(settings),
        "MLFLOW_FLASK_SERVER_SECRET_KEY": key.read_text(),
        "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
    }
    command = [sys.executable, "-m", "mlflow", "server", "--app-name", "basic-auth"]
    command += ["--host", "127.0.0.1", "--port", str(port), "--workers", str(workers)]
    command += ["--serve-artifacts", "--artifacts-destination", str(folder / "artifacts")]
    log = folder / "mlflow.log"
    with log.open("wb") as output:
        server = subprocess.Popen(
            command,
            env=environment,
            stdout=output,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            start_new_session=True,  # ended below, before PostgreSQL
        )
    try:
        if not answers(server, "127.0.0.1", port):
            last = (log.read_text(errors="replace").strip().split("\n") or [""])[-1]
            raise InputError(f"the MLflow server did not start: {last}; see {log}")
        yield server
    finally:
        server.terminate()
        server.wait()


def check_password(port: int, password: str) -> None:
    """Raise an InputError if the password is not that of the administrator in the database."""
    request = urllib.request.Request(f"http://127.0.0.1:{port}/api/2.0/mlflow/users/current")
    token = base64.b64encode(f"{ADMIN}:{password}".encode()).decode()
    request.add_header("Authorization", f"Basic {token}")
    try:
        urllib.request.urlopen(request, timeout=PATIENCE).close()
    except urllib.error.HTTPError as error:
        if error.code != 401:
            raise
        raise InputError(
            f"MLFLOW_AUTH_ADMIN_PASSWORD must be the password of the first start, or the one that "
            f"--add-user {ADMIN} has set since; got another one"
        ) from None


if __name__ == "__main__":
    os.umask(0o077)  # all files are private
    sys.exit(main())
