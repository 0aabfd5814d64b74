"""The log queue as a trust boundary: data of other processes is checked. FAILURES.md, cases 52, 61, 62 and 97."""

import json
import marshal
import os
import struct
from pathlib import Path

import pytest

from tests.support.project import DEADLINE, Project
from tests.support.scripts import APPS, HEAD, listeners, run_script

FRAMES = int(os.environ.get("FUZZ_FRAMES", "1200000"))  # FUZZ_FRAMES=100000000 for a long run


class TestDecoder:
    def test_decoder_survives_a_million_bad_frames(self, project: Project, tmp_path: Path) -> None:
        seed = int.from_bytes(os.urandom(4), "little")
        with project.start(str(APPS / "fuzz.py"), str(FRAMES), str(seed), cwd=tmp_path) as process:
            output, errors = process.communicate(timeout=270 + FRAMES / 2_000)
        assert process.returncode == 0, f"seed {seed}: status {process.returncode}\n{errors[-2000:]}"
        found = json.loads(output)
        assert found["frames"] >= FRAMES
        assert found["delivered"] == found["once"] == found["sent"], f"seed {seed}: {found}"
        assert found["grown_kb"] < 32 * 1024, f"seed {seed}: {found}"


# Bytes that once ended, stalled or crashed the listener, or made it allocate gigabytes.
GARBAGE = {
    "0x80": b"\x80",
    "0x7f": b"\x7f" * 512,
    "no frame": b"some text of a library that writes to a closed descriptor's number",
    "twelve bytes of marshal": b"\x01\xff\xfe\xfd\xfc" + bytes.fromhex("db00000000a9007300000000").ljust(507, b"\0"),
    "lengths of 256 MB": b"\x01\xff\xfe\xfd\xfc"
    + struct.pack("<BdHIIB", 1, 0.0, 9, 1 << 28, 1 << 28, 0).ljust(507, b"\0"),
    "marshal": marshal.dumps(("a", 1.0)).ljust(512, b"\0"),
    "65,535 parts": b"\x81\xff\xfe\xfd\xfc" + struct.pack("<QQHH", 1, 1, 0, 65_535).ljust(507, b"\0"),
}


class TestListener:
    @pytest.mark.parametrize("name", GARBAGE)
    def test_listener_skips_bytes_that_are_not_a_record(self, project: Project, tmp_path: Path, name: str) -> None:
        body = f"""
with setup_main_logging() as logs:
    logger.info("number 0")
    logs.flush()
    for number in range(1, 40):
        os.write(logs.queue._writer.fileno(), {GARBAGE[name]!r})
        logger.info("number %d", number)
"""
        lines = run_script(project, tmp_path, body)
        assert [line.split(" number ")[1] for line in lines if " number " in line] == [str(n) for n in range(40)]
        assert any(" queue: " in line and ("skipped" in line or "dropped" in line) for line in lines)
        assert not any("restarted" in line or "new one" in line for line in lines)

    @pytest.mark.parametrize("forged", ["marshal.dumps(1000)", "b'\\2' + bytes(16)"], ids=["number", "token"])
    def test_flush_is_not_deceived_by_a_forged_marker(self, project: Project, tmp_path: Path, forged: str) -> None:
        """Case 62: flush() was True while the listener was stopped."""
        body = f"""
import marshal
with setup_main_logging() as logs:
    logs.queue.put({forged}, 1.0)
    logger.info("behind it")
    end = time.monotonic() + {DEADLINE}
    while "behind it" not in (os.path.exists("app.log") and open("app.log").read() or ""):
        assert time.monotonic() < end
        time.sleep(0.01)
    os.kill(logs._process.pid, signal.SIGSTOP)
    logger.info("last")
    stopped = logs.flush(0.5)
    os.kill(logs._process.pid, signal.SIGCONT)
    assert not stopped
    assert logs.flush()
"""
        lines = run_script(project, tmp_path, body)
        assert sum(line.endswith((" behind it", " last")) for line in lines) == 2


class TestSettingsOfWorkers:
    def test_queue_passes_no_secret_to_workers(self, project: Project, tmp_path: Path) -> None:
        body = """
import pickle
with setup_main_logging() as logs:
    passed = pickle.dumps(logs.queue.settings)
    assert b"more_keys" in passed
    assert b"s3cr3t" not in passed
"""
        variables = {
            "LOG_EMAIL_HOST": "127.0.0.1",
            "LOG_EMAIL_TO": "ops@example.com",
            "LOG_EMAIL_USER": "me",
            "LOG_EMAIL_PASSWORD": "s3cr3t",
            "LOG_REDACT_KEYS": "more_keys",
        }
        run_script(project, tmp_path, body, **variables)


class TestLevelNumbers:
    @listeners
    @pytest.mark.parametrize("level", ["decimal.Decimal(40)", "None", "numpy", "'x'"])
    def test_odd_level_does_not_affect_its_batch(
        self, project: Project, tmp_path: Path, listener: str, level: str
    ) -> None:
        """Case 52: six of ten records read together with it were lost, or the listener ended."""
        body = f"""
import decimal
class Numpy:
    def __index__(self): return 40
    __int__ = __index__
    def __ge__(self, other): return 40 >= other
    def __hash__(self): return 40
level = Numpy() if {level!r} == "numpy" else {level if level != "numpy" else "0"}
with setup_main_logging() as logs:
    root = logging.getLogger()
    for number in range(5):
        logger.info("number %d", number)
    odd = logging.LogRecord("odd", 40, __file__, 1, "an odd one", (), None)
    odd.levelno = level
    for handler in root.handlers:
        handler.handle(odd)
    for number in range(5, 10):
        logger.info("number %d", number)
"""
        lines = run_script(project, tmp_path, body, LOG_LISTENER=listener)
        assert [line.split(" number ")[1] for line in lines if " number " in line] == [str(n) for n in range(10)]
        assert sum(" an odd one" in line for line in lines) == 1


LONG = {
    "dashes": "'-' * 1_000_000 + ' token'",
    "key": "'password=' * 120_000",
    "spaces": "'token' + ' ' * 1_000_000",
    "100 MB": "'x' * 100_000_000",
}


class TestLongTexts:
    @pytest.mark.parametrize("name", LONG)
    def test_long_text_is_cut_before_it_is_masked(self, project: Project, tmp_path: Path, name: str) -> None:
        """Case 54: the log call took 5 s, and 18 s. The deadline is generous: it takes some milliseconds."""
        body = f"""
with setup_main_logging() as logs:
    logger.info("compile the patterns first, password=%s", "x1y2z3a4")
    text = {LONG[name]}
    before = time.monotonic()
    logger.info(text)
    logger.info("short", extra={{"text": text}})
    try:
        raise ValueError(text)
    except ValueError:
        logger.exception("failed")
    took = time.monotonic() - before
    assert took < 3, took
"""
        lines = run_script(project, tmp_path, body, LOG_CONSOLE_LEVEL="60")
        assert sum("[cut, " in line for line in lines) >= 3
        assert max(map(len, lines)) < 80_000


class TestFlush:
    def test_restart_does_not_wait_for_a_flush(self, project: Project, tmp_path: Path) -> None:
        """Case 97: with a full queue a flush held the lock that the supervisor needs."""
        body = """
with setup_main_logging() as logs:
    assert logs.flush()
    os.kill(logs._process.pid, signal.SIGSTOP)
    while logs.queue._write(b"\\0" * 512):
        pass
    flushed = []
    thread = threading.Thread(target=lambda: flushed.append(logs.flush(40.0)))
    thread.start()
    while not logs._flushing:
        time.sleep(0.01)
    first = logs._process
    before = time.monotonic()
    os.kill(first.pid, signal.SIGKILL)
    thread.join()
    print(time.monotonic() - before)
    assert flushed == [True]
"""
        file = tmp_path / "app.py"
        file.write_text(HEAD + body, "utf-8")
        run = project.run(str(file), cwd=tmp_path, LOG_FILE="app.log", LOG_CONSOLE_LEVEL="60")
        assert run.returncode == 0, run.stderr
        assert float(run.stdout.split()[-1]) < 20

    def test_sigterm_does_not_wait_for_a_flush(self, project: Project, tmp_path: Path) -> None:
        """Case 97: the process ended after 12 s."""
        body = """
logs = setup_main_logging()
logs.flush()
os.kill(logs._process.pid, signal.SIGSTOP)
while logs.queue._write(b"\\0" * 512):
    pass
threading.Thread(target=logs.flush, args=(40.0,), daemon=True).start()
while not logs._flushing:
    time.sleep(0.01)
listener = logs._process.pid
threading.Timer(25, os._exit, (9,)).start()
print(listener, flush=True)
os.kill(os.getpid(), signal.SIGTERM)
"""
        file = tmp_path / "app.py"
        file.write_text(HEAD + body, "utf-8")
        with project.start(str(file), cwd=tmp_path, LOG_FILE="app.log", LOG_CONSOLE_LEVEL="60") as process:
            assert process.stdout
            listener = int(process.stdout.readline())
            try:
                assert process.wait(timeout=60) == -15
            finally:
                os.kill(listener, 9)
