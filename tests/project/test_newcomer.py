"""The e-mail section of the generated README, run command by command on a machine without a mail server."""

import re
import shlex
import socket
import subprocess
import sys
import time
from pathlib import Path

from tests.support.network import free_port
from tests.support.project import DEADLINE, Project


def test_readme_email_commands_send_an_alert(project: Project, tmp_path: Path) -> None:
    text = (project.path / "README.md").read_text("utf-8").partition("## E-mail alerts\n")[2]
    _, serve, probe = re.findall(r"^```sh\n(.*?)^```$", text.partition("\n## ")[0], re.MULTILINE | re.DOTALL)
    port, python = str(free_port()), shlex.quote(sys.executable)
    serve = serve.replace("uvx aiosmtpd", f"exec {python} -u -m aiosmtpd").replace("8025", port)
    probe = probe.replace("uv run python", python).replace("8025", port)
    mails = tmp_path / "server.txt"
    with (
        mails.open("wb") as output,
        subprocess.Popen(["sh", "-ec", serve], stdout=output, stderr=output) as server,
    ):
        try:
            wait_for(int(port))
            result = project.shell(probe, tmp_path)
        finally:
            server.terminate()
    assert result.returncode == 0, result.stdout + result.stderr
    assert re.search(r"email +reached", result.stdout)
    assert "To: me@localhost" in mails.read_text("utf-8")


def wait_for(port: int) -> None:
    deadline = time.monotonic() + DEADLINE
    while True:
        try:
            socket.create_connection(("localhost", port), timeout=DEADLINE).close()
        except ConnectionRefusedError:
            assert time.monotonic() < deadline
            time.sleep(0.05)
        else:
            return
