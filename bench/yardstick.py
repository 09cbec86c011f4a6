"""The bare proxy of a run: nginx when this machine has it, else the one that ships with the bench."""

import shutil
import socket
import subprocess
import time
from pathlib import Path

from bench.machine import BrokenRun, first_line, on_cores, start_module, stop
from bench.plan import Target

NGINX_CONFIGURATION = """
daemon off;
worker_processes 1;
pid {home}/nginx.pid;
error_log {home}/nginx-error.log;
events {{ worker_connections 8192; }}
http {{
  access_log off;
  client_body_temp_path {home}/body; proxy_temp_path {home}/proxy; fastcgi_temp_path {home}/fastcgi;
  uwsgi_temp_path {home}/uwsgi; scgi_temp_path {home}/scgi;
  keepalive_requests 10000000;
  upstream mock {{ server 127.0.0.1:{upstream}; keepalive 1024; keepalive_requests 10000000; }}
  server {{
    listen 127.0.0.1:{port};
    location / {{
      proxy_pass http://mock; proxy_http_version 1.1; proxy_set_header Connection ""; proxy_buffering off;
    }}
  }}
}}
"""
START_PATIENCE_S = 10.0


class BareProxy:
    """A process that passes calls on to the mock provider, and does nothing else."""

    def __init__(self, home: Path, mock_port: int, cores: frozenset[int]) -> None:
        nginx = shutil.which("nginx")
        self.name = "nginx" if nginx else "Python proxy"
        self._process: subprocess.Popen[str] | subprocess.Popen[bytes]
        if nginx:
            self._process, port = _start_nginx(nginx, home, mock_port, cores)
        else:
            self._process = process = start_module("bench.bare_proxy", [str(mock_port)], cores)
            port = int(first_line(process))
        self.target = Target("proxy", "127.0.0.1", port)

    def stop(self) -> None:
        """End it."""
        stop(self._process)


def _start_nginx(
    program: str, home: Path, mock_port: int, cores: frozenset[int]
) -> tuple["subprocess.Popen[bytes]", int]:
    port = free_port()
    path = home / "nginx.conf"
    path.write_text(NGINX_CONFIGURATION.format(home=home, upstream=mock_port, port=port))
    with on_cores(cores):
        process = subprocess.Popen([program, "-p", str(home), "-c", str(path)], stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + START_PATIENCE_S
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError as error:
            if process.poll() is not None or time.monotonic() > deadline:
                stop(process)
                log = home / "nginx-error.log"
                raise BrokenRun(f"nginx does not start: {log.read_text() if log.exists() else error}") from error
            time.sleep(0.02)
        else:
            return process, port


def free_port() -> int:
    """A port of the loopback address that nobody uses now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
