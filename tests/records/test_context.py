"""log_context: nested, per thread and per asyncio task, as a decorator, and over the queue."""

import asyncio
import logging
import threading
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tests.support.project import Bake, Project


@pytest.fixture(scope="module")
def package(bake: Bake) -> Iterator[SimpleNamespace]:
    """Return log_context, and a function `fields` that returns the context of a record made now."""
    with bake().imported() as load:
        records = load("records.serialize")

        def fields() -> dict[str, Any]:
            record = logging.getLogger("n").makeRecord("n", 20, __file__, 1, "m", (), None)
            return dict(records.restore(records.flatten(record)).fields)

        yield SimpleNamespace(log_context=load("records.context").log_context, fields=fields)


class TestContext:
    """Nested contexts, threads, tasks and workers."""

    def test_inner_context_extends_and_shadows_the_outer(self, package: SimpleNamespace) -> None:
        with package.log_context(a=1, b=1):
            with package.log_context(b=2, c=2):
                assert package.fields() == {"a": 1, "b": 2, "c": 2}
            assert package.fields() == {"a": 1, "b": 1}
        assert package.fields() == {}

    def test_context_ends_with_an_exception(self, package: SimpleNamespace) -> None:
        with pytest.raises(KeyError), package.log_context(a=1):
            raise KeyError
        assert package.fields() == {}

    def test_context_is_separate_for_each_thread(self, package: SimpleNamespace) -> None:
        seen: dict[int, Any] = {}
        all_in = threading.Barrier(4)

        def work(number: int) -> None:
            with package.log_context(number=number):
                all_in.wait(10)
                seen[number] = package.fields()
                all_in.wait(10)

        threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(10)
        assert seen == {number: {"number": number} for number in range(4)}

    def test_task_inherits_the_context_of_its_creator(self, package: SimpleNamespace) -> None:
        """A task has the context of the code that created it, and no other task has its own context."""

        async def work(number: int, all_in: asyncio.Barrier) -> Any:
            with package.log_context(number=number):
                await all_in.wait()
                return package.fields()

        async def main() -> Any:
            with package.log_context(request="r"):
                all_in = asyncio.Barrier(3)
                return await asyncio.gather(*(work(number, all_in) for number in range(3)))

        assert asyncio.run(main()) == [{"request": "r", "number": number} for number in range(3)]

    def test_context_is_sent_with_records_of_a_worker(self, project: Project, tmp_path: Path) -> None:
        app = tmp_path / "app.py"
        app.write_text(f"""
import asyncio, logging, multiprocessing
from {project.package}.logging_setup import log_context, setup_main_logging, setup_proc_logging
@log_context(task="t")
async def in_task(number):
    await asyncio.sleep(0)
    logging.info("task %d", number)
def work(queue):
    setup_proc_logging(queue)
    with log_context(worker="w"):
        asyncio.run(in_task(1))
if __name__ == "__main__":
    with setup_main_logging() as logs, log_context(main="m"):
        logging.info("begun")
        process = multiprocessing.get_context("spawn").Process(target=work, args=(logs.queue,))
        process.start()
        process.join()
""")
        run = project.run(str(app), cwd=tmp_path)
        assert "root begun main=m\n" in run.stdout
        assert "task 1 worker=w task=t\n" in run.stdout


class TestFunctions:
    """Decorated functions, and generators."""

    def test_decorator_lasts_for_the_call(self, package: SimpleNamespace) -> None:
        @package.log_context(job="nightly")
        def work(depth: int) -> Any:
            return work(depth - 1) if depth else package.fields()

        assert work(3) == {"job": "nightly"}
        assert package.fields() == {}

    def test_async_decorator_lasts_until_the_end(self, package: SimpleNamespace) -> None:
        @package.log_context(job="nightly")
        async def work() -> Any:
            await asyncio.sleep(0)
            return package.fields()

        async def main() -> Any:
            return await asyncio.gather(work(), work()), package.fields()

        assert asyncio.run(main()) == ([{"job": "nightly"}] * 2, {})

    def test_decorator_refuses_generators(self, package: SimpleNamespace) -> None:
        """A generator function is refused: its body runs after the call, without the context."""

        def generator() -> Iterator[int]:
            yield 1

        async def asynchronous() -> AsyncIterator[int]:
            yield 1

        for each in (generator, asynchronous):
            with pytest.raises(TypeError, match="generator"):
                package.log_context(a=1)(each)

    def test_generator_closed_in_another_context_is_safe(self, package: SimpleNamespace) -> None:
        def generator() -> Iterator[int]:
            with package.log_context(a=1):
                yield 1

        begun: list[Iterator[int]] = []

        def begin() -> None:
            begun.append(generator())
            next(begun[0])

        thread = threading.Thread(target=begin)
        thread.start()
        thread.join(10)
        begun[0].close()  # type: ignore[attr-defined]
        assert package.fields() == {}
