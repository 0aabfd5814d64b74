"""Generate docs/*.svg from real runs: the questions, the service, the doctor. `make pictures`

A test repeats the runs, and compares their text with that of the pictures.
"""

import html
import io
import os
import pty
import re
import subprocess
import sys
import tempfile
from pathlib import Path

from rich.console import Console
from rich.text import Text

DOCS = Path(__file__).parent
TEMPLATE = DOCS.parent
WIDTH = 118  # columns in which the questions are asked
_TEXT = re.compile(r'<text class="[^"]*-r\d+" x="[^"]*" y="([^"]*)"[^>]*>(.*?)</text>', re.DOTALL)


def questions(folder: Path) -> str:
    """Run cookiecutter on a pseudo-terminal, and answer every question with the Enter key."""
    terminal, end = pty.openpty()
    command = ("-m", "cookiecutter", "--default-config", "--output-dir", str(folder), str(TEMPLATE))
    environ = {**os.environ, "COLUMNS": str(WIDTH), "TERM": "xterm-256color"}
    with subprocess.Popen([sys.executable, *command], stdin=end, stdout=end, stderr=end, env=environ):
        os.close(end)
        output = b""
        try:
            while part := os.read(terminal, 4096):
                output += part
                if output.endswith(b": "):  # a prompt
                    os.write(terminal, b"\n")
        except OSError:  # EIO: the other end is closed
            pass
        os.close(terminal)
    text = output.decode().replace("\r\n", "\n").replace(str(folder), "/home/you")
    return f"$ uvx cookiecutter gh:org/logging-template\n{text}"


def run(folder: Path, prompt: str, *command: str, **variables: str) -> str:
    """Run a command in the generated project, and return its output, coloured as on a terminal."""
    project = folder / "my-service"
    environ = {key: value for key, value in os.environ.items() if not key.startswith("LOG_")}
    environ |= {"PYTHONPATH": str(project / "src"), "PYTHONDONTWRITEBYTECODE": "1", "FORCE_COLOR": "1", **variables}
    output = subprocess.run(
        [sys.executable, "-m", *command],
        cwd=project,
        env=environ,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        timeout=60,
        check=False,
    ).stdout
    return f"$ {prompt}\n{output.replace(str(folder), '/home/you')}"


def terminals() -> dict[str, str]:
    """Return the text of each picture, with the escape sequences of its colours."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        asked = questions(folder)
        return {
            "questions": asked,
            "run": run(folder, "uv run my-service", "my_service"),
            "doctor": run(
                folder,
                "LOG_EMAIL_HOST=localhost LOG_EMAIL_TO=ops@example.com uv run python -m my_service.logging_setup",
                "my_service.logging_setup",
                LOG_EMAIL_HOST="localhost",
                LOG_EMAIL_TO="ops@example.com",
            ),
        }


def picture(name: str, output: str) -> str:
    """Render terminal output as SVG."""
    text = Text.from_ansi(output)
    width = max(map(len, text.plain.splitlines()))
    console = Console(record=True, width=width, file=io.StringIO(), force_terminal=True, color_system="truecolor")
    console.print(text)
    return console.export_svg(title="my-service", unique_id=name) + "\n"


def words(svg: str) -> list[str]:
    """Return the lines of a picture as text."""
    lines: dict[str, str] = {}
    for height, text in _TEXT.findall(svg):
        lines[height] = lines.get(height, "") + html.unescape(text).replace("\xa0", " ")
    return [line.rstrip() for line in lines.values()]


def main() -> None:
    """Write every picture."""
    for name, output in terminals().items():
        (DOCS / f"{name}.svg").write_text(picture(name, output), "utf-8")


if __name__ == "__main__":
    main()
