"""Frames of the log queue's pipe: records are decoded complete and in order, wherever a reader begins."""

import os
import random
import select
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.project import Bake, Project
from tests.support.scripts import run_script


@pytest.fixture(scope="module")
def frames(bake: Bake) -> Iterator[SimpleNamespace]:
    with bake().imported() as load:
        yield SimpleNamespace(**vars(load("queue.frames")))


# Bytes that look like the beginnings of frames, and lengths at and around every limit.
DATA = st.one_of(
    st.binary(min_size=1, max_size=1500),
    st.builds(
        lambda byte, size: byte * size,
        st.sampled_from([b"\0", b"\1", b"\2", b"\x81", b"\x88", b"\xff"]),
        st.integers(1, 65_536),
    ),
    st.sampled_from([510, 511, 512, 513, 1022, 1023, 4067, 4068, 4069, 4087, 4088, 4089, 4096, 65_536]).map(os.urandom),
)


def same(found: object, sent: bytes) -> bool:
    """Return True if a decoded record is the one sent, apart from zeros after its end."""
    return bytes(found).startswith(sent) and not bytes(found)[len(sent) :].strip(b"\0")  # type: ignore[call-overload]


class TestDecoder:
    """Frames and their parts."""

    @given(st.lists(DATA, max_size=12), st.integers(1, 9))
    def test_records_are_decoded_for_any_size_of_reads(
        self, frames: SimpleNamespace, sent: list[bytes], at_once: int
    ) -> None:
        stream = b"".join(write for data in sent for write in frames.split(data))
        decoder, size = frames.FrameDecoder(), at_once * frames.FRAME
        found = [data for at in range(0, len(stream), size) for data in decoder.records(stream[at : at + size])]
        assert len(found) == len(sent)
        assert all(map(same, found, sent))

    @given(st.lists(DATA, min_size=1, max_size=8), st.data())
    def test_reader_starting_anywhere_gets_whole_records(
        self, frames: SimpleNamespace, sent: list[bytes], data: st.DataObject
    ) -> None:
        writes = [frames.split(each) for each in sent]
        stream = b"".join(map(b"".join, writes))
        begin = data.draw(st.integers(0, len(stream) // frames.FRAME)) * frames.FRAME
        found = frames.FrameDecoder().records(stream[begin:])
        after, place = [], 0
        for each, parts in zip(sent, writes, strict=True):
            if place >= begin:
                after.append(each)
            place += sum(map(len, parts))
        assert len(found) == len(after)
        assert all(map(same, found, after))

    @given(st.lists(DATA, min_size=2, max_size=5), st.randoms(use_true_random=False))
    def test_parts_of_several_senders_can_interleave(
        self, frames: SimpleNamespace, sent: list[bytes], chance: random.Random
    ) -> None:
        senders = [frames.split(each) for each in sent]
        stream = b""
        while waiting := [writes for writes in senders if writes]:
            stream += chance.choice(waiting).pop(0)
        found = frames.FrameDecoder().records(stream)
        assert len(found) == len(sent)
        assert all(any(same(record, each) for record in found) for each in sent)

    def test_repeated_part_is_ignored(self, frames: SimpleNamespace) -> None:
        sent = os.urandom(15_000)
        first, *more = frames.split(sent)
        found = frames.FrameDecoder().records(first + b"".join(part * 2 for part in more))
        assert len(found) == 1
        assert same(found[0], sent)

    def test_partially_read_records_are_counted(
        self, frames: SimpleNamespace, capsys: pytest.CaptureFixture[str]
    ) -> None:
        frames.reports.report_held()
        frames.reports._next.clear()  # noqa: SLF001 - as in a process that has just started
        capsys.readouterr()
        for _ in range(2):
            assert frames.FrameDecoder().records(b"".join(frames.split(b"x" * 10_000)[1:])) == []
        frames.reports.report_held()
        assert capsys.readouterr().err.count("1 long records dropped: partially read by the previous listener") == 2

    @pytest.mark.parametrize("count", [0x01, 0x02, 0x08, 0x82, 0x88])
    def test_forged_head_costs_one_record_at_most(self, frames: SimpleNamespace, count: int) -> None:
        """A process that writes a part of a write takes no more of the others' than the record behind it."""
        sent = [b"record %d" % number for number in range(20)]
        forged = bytes((count,)) + b"\xff\xfe\xfd\xfc" + bytes(95)
        written = b"".join([frames.framed(sent[0]), forged, *map(frames.framed, sent[1:])])
        decoder = frames.FrameDecoder()
        found = [each for at in range(0, len(written), 4096) for each in decoder.records(written[at : at + 4096])]
        assert [each for each in sent if not any(same(one, each) for one in found)] in ([], [sent[1]])

    def test_partial_records_of_killed_senders_are_dropped(self, frames: SimpleNamespace) -> None:
        decoder = frames.FrameDecoder()
        for _ in range(1100):
            assert decoder.records(frames.split(b"x" * 5000)[0]) == []
        assert len(decoder._unfinished) <= 1000  # noqa: SLF001 - what is kept shows nowhere else
        [found] = decoder.records(b"".join(frames.split(b"y" * 5000)))
        assert same(found, b"y" * 5000)


SMALL = """
import fcntl
usual = fcntl.fcntl
def refuse(descriptor, command, *more):
    if command == fcntl.F_SETPIPE_SZ:
        usual(descriptor, command, {size})
        raise PermissionError("this user has too many large pipes")
    return usual(descriptor, command, *more)
fcntl.fcntl = refuse

def work(queue):
    setup_proc_logging(queue)
    for number in range(2000):
        logger.info("number %d %s", number, "x" * (number % 100 * 70))

if __name__ == "__main__":
    with setup_main_logging() as logs:
        assert usual(logs.queue.reader.fileno(), fcntl.F_GETPIPE_SZ) == {size}
        worker = multiprocessing.get_context("fork").Process(target=work, args=(logs.queue,))
        worker.start()
        worker.join()
"""


class TestPipe:
    """The pipe and its size."""

    def test_writes_are_atomic(self, frames: SimpleNamespace) -> None:
        assert frames.AT_ONCE == select.PIPE_BUF
        assert max(map(len, frames.split(b"x" * 65_536))) == frames.AT_ONCE
        assert len(frames.framed(b"x" * frames.SHORT)) == frames.FRAME

    @pytest.mark.parametrize("size", [65_536, 4096])  # sizes for a user with many large pipes, and with too many
    def test_small_pipe_loses_nothing(self, project: Project, tmp_path: Path, size: int) -> None:
        lines = run_script(project, tmp_path, SMALL.format(size=size), LOG_CONSOLE_LEVEL="60")
        numbers = [int(line.split(" number ")[1].split()[0]) for line in lines if " number " in line]
        assert numbers == list(range(2000))

    def test_pipe_holds_a_megabyte_where_allowed(self, project: Project, tmp_path: Path) -> None:
        most = int(Path("/proc/sys/fs/pipe-max-size").read_text())
        body = f"""
import fcntl
with setup_main_logging() as logs:
    assert fcntl.fcntl(logs.queue.reader.fileno(), fcntl.F_GETPIPE_SZ) == min({most}, 1 << 20)
"""
        run_script(project, tmp_path, body)
