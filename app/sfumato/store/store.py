"""The user's chats on disk: one process, one writing thread, any number of readers.

    store = Store.open()
    chat = store.write(chats.create_chat)                   # returns when it is on disk
    store.submit(chats.save_draft, chat.id, "Why is th")    # a Future; done when it is on disk
    store.read(messages.load_conversation, chat.id)         # in the calling thread, any thread

What can be asked for are the functions of this package whose first argument is the database:
`chats`, `folders`, `messages`, `search`, `presets`, `settings`, `recordings`, `export`, `repair`.
"""

from __future__ import annotations

import logging
import sqlite3
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from types import TracebackType
from typing import Any, Concatenate, NamedTuple, ParamSpec, TypeVar

from sfumato import paths
from sfumato.errors import StoreError
from sfumato.sentence import Sentence
from sfumato.store import (
    backups,
    chats,
    database,
    messages,
    migrations,
    recordings,
    repair,
    search,
)
from sfumato.store.database import NotStoredError, StoreReadOnlyError
from sfumato.store.process_lock import ProcessLock
from sfumato.store.types import RepairReport

log = logging.getLogger(__name__)

P = ParamSpec("P")
T = TypeVar("T")


class _Call(NamedTuple):
    function: Callable[..., Any]
    args: tuple[Any, ...]
    kwargs: dict[str, Any]

    def on(self, db: sqlite3.Connection) -> Any:
        return self.function(db, *self.args, **self.kwargs)


# Their text exists nowhere else once the call has failed, and they may be repeated.
_KEPT_IN_MEMORY = (messages.append_block, messages.finish_answer, chats.save_draft)


class Store:
    """Made by `open`; `close` it, or use it as a context manager."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.path = folder / database.FILE_NAME
        self.backups_folder = folder / "backups"
        self.read_only = ""  # why nothing can be written, one sentence; "" if it can
        self.backup: Future[Path] | None = None  # the daily backup that this start began
        self._recordings_path = folder / recordings.FILE_NAME
        self._lock: ProcessLock | None = None
        self._writer = ThreadPoolExecutor(1, "store-writer")
        self._background = ThreadPoolExecutor(1, "store-backup")
        self._database: sqlite3.Connection | None = None
        self._readers: list[sqlite3.Connection] = []
        self._reader_of_thread = threading.local()
        self._unsaved: list[_Call] = []

    @classmethod
    def open(cls, folder: Path | None = None) -> Store:
        """Open or create the store in `folder` (paths.data_dir()); repair, back up, migrate.

        What was repaired is told by `repair.unseen_reports`. Raises StoreInUseError where another
        process has the store, StoreError where it can neither be opened nor repaired.
        """
        store = cls(folder or paths.data_dir())
        try:
            store._open()
        except OSError as error:
            store.close()
            raise StoreError(
                Sentence(
                    "Store",
                    "The chats in {folder} could not be opened ({error}); check the folder's "
                    "permissions and its disk.",
                ).filled(folder=str(store.folder), error=str(error))
            ) from error
        except BaseException:
            store.close()
            raise
        return store

    def read(
        self,
        function: Callable[Concatenate[sqlite3.Connection, P], T],
        /,
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> T:
        """Call `function` on one consistent state of the database, in this thread."""
        db = self._reader()
        try:
            db.execute("BEGIN")
            try:
                return function(db, *args, **kwargs)
            finally:
                db.execute("ROLLBACK")
        except sqlite3.Error as error:
            raise self._explain(error) from error

    def submit(
        self,
        function: Callable[Concatenate[sqlite3.Connection, P], T],
        /,
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> Future[T]:
        """Call `function` in a transaction of its own, in turn; done when it is on disk.

        The future raises NotStoredError where the disk is full or failing. Blocks, ends of
        answers and drafts are then kept in memory (`unsaved_count`), and stored before the next
        write that succeeds.
        """
        return self._writer.submit(self._transact, _Call(function, args, kwargs))

    def write(
        self,
        function: Callable[Concatenate[sqlite3.Connection, P], T],
        /,
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> T:
        """Like `submit`, and wait: when it returns, it is on disk."""
        return self.submit(function, *args, **kwargs).result()

    @property
    def unsaved_count(self) -> int:
        """Writes that are in memory only, because the disk is full or failing."""
        return len(self._unsaved)

    def retry_unsaved(self) -> None:
        """Raises NotStoredError where the disk still does not take them."""
        self.write(lambda db: None)

    def save_elsewhere(self, path: Path) -> None:
        """Write all chats, with what is in memory only, to a new database file at `path`.

        Raises StoreError where that fails too.
        """
        self._writer.submit(self._save_elsewhere, path).result()

    def close(self) -> None:
        """Finish what was submitted, try once more what waits in memory, let go of the files."""
        if self._unsaved:
            try:
                self.retry_unsaved()
            except StoreError as error:
                log.error("%d writes are lost: %s", self.unsaved_count, error)
        self._writer.shutdown(wait=True)
        self._background.shutdown(wait=True)
        for reader in self._readers:
            reader.close()
        self._readers.clear()
        if self._database is not None:
            try:
                self._database.execute("PRAGMA wal_checkpoint (TRUNCATE)")
            except sqlite3.Error as error:
                log.warning("the log of %s stays: %s", self.path, error)
            self._database.close()
            self._database = None
        if self._lock is not None:
            self._lock.release()
            self._lock = None

    def __enter__(self) -> Store:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    # Opening

    def _open(self) -> None:
        database.check_path(self.path)
        try:
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)  # chats are private
            self._lock = ProcessLock(self.folder / "chats.lock")
        except OSError as error:
            if not self.path.exists():
                raise StoreError(
                    Sentence(
                        "Store",
                        "The folder {folder} for the chats cannot be written ({reason}); check "
                        "its permissions.",
                    ).filled(folder=str(self.folder), reason=error.strerror or str(error))
                ) from error
            self._open_read_only(
                Sentence(
                    "Store",
                    "The folder {folder} is write-protected ({reason}): chats can be read, but "
                    "nothing is saved; check its permissions and start again.",
                ).filled(folder=str(self.folder), reason=error.strerror or str(error))
            )
            return
        repair.finish_interrupted(self.folder)
        if problem := repair.problem_with(self.folder):
            repair.repair(self.folder, problem)
        try:
            self._open_for_writing()
        except sqlite3.Error as error:
            if self._database is not None:
                self._database.close()
                self._database = None
            explained = database.explain(error, self.path)
            if not self.path.exists() or not self.path.stat().st_size:
                raise StoreError(*explained.args) from error
            self._open_read_only(
                Sentence(
                    "Store",
                    "{path} cannot be written ({error}): chats can be read, but nothing is "
                    "saved; check permissions and free space, then start again.",
                ).filled(path=str(self.path), error=str(error))
            )

    def _open_for_writing(self) -> None:
        is_new = not self.path.exists()
        self._database = db = database.connect(self.path)
        db.execute("BEGIN IMMEDIATE")  # finds out whether the file can be written
        db.execute("ROLLBACK")
        if newer := migrations.unknown(db):
            db.close()
            self._database = None
            self._open_read_only(
                Sentence(
                    "Store",
                    "{path} was made by a newer Sfumato ({version}): chats can be read, but "
                    "nothing is saved; install the newer version to go on.",
                ).filled(path=str(self.path), version=str(newer[-1]))
            )
            return
        self._migrate(db)
        recordings_report = self._attach_recordings(db)
        for housekeeping in (
            messages.mark_interrupted,
            chats.purge_deleted,
            recordings.remove_orphans,
        ):
            self._keep_house(_Call(housekeeping, (), {}))
        if recordings_report is not None:
            self._keep_house(_Call(repair.add_report, (recordings_report,), {}))
        if not is_new and backups.is_due(self.backups_folder):
            self.backup = self._background.submit(self._back_up)

    def _keep_house(self, call: _Call) -> None:
        try:
            self._commit(call)
        except NotStoredError as error:  # it can wait for the next start
            log.warning("%s was put off: %s", call.function.__name__, error)

    def _migrate(self, db: sqlite3.Connection) -> None:
        if not migrations.applied(db):
            migrations.migrate(db)
        elif migrations.pending(db):
            try:
                backups.make_backup(db, self.backups_folder, "migration")
                migrations.migrate(db)
            except (sqlite3.Error, StoreError) as error:
                raise StoreError(
                    Sentence(
                        "Store",
                        "{path} is of an older version and could not be brought to this one "
                        "({error}); nothing was changed, free some space and start again.",
                    ).filled(path=str(self.path), error=str(error))
                ) from error

    def _attach_recordings(self, db: sqlite3.Connection) -> RepairReport | None:
        report = None
        if problem := recordings.examine(self._recordings_path):
            report = repair.set_recordings_aside(self._recordings_path, problem)
        recordings.attach(db, self._recordings_path)
        return report

    def _open_read_only(self, reason: str) -> None:
        self.read_only = reason
        if self.read(migrations.pending):
            raise StoreError(
                Sentence(
                    "Store",
                    "{path} is of an older version and could not be brought to this one, "
                    "nothing was changed. {reason}.",
                ).filled(path=str(self.path), reason=reason)
            )

    def _back_up(self) -> Path:
        db = database.connect_reading(self.path)
        try:
            return backups.make_backup(db, self.backups_folder, "daily")
        except StoreError as error:
            log.warning("%s", error)
            raise
        finally:
            db.close()

    # The calling thread

    def _reader(self) -> sqlite3.Connection:
        db: sqlite3.Connection | None = getattr(self._reader_of_thread, "db", None)
        if db is None:
            try:
                db = database.connect_reading(self.path)
                recordings.attach_reading(db, self._recordings_path)
            except sqlite3.Error as error:
                raise self._explain(error) from error
            self._readers.append(db)
            self._reader_of_thread.db = db
        return db

    # The writing thread

    def _transact(self, call: _Call) -> Any:
        if self.read_only or self._database is None:
            closed = Sentence("Store", "{path} is closed.").filled(path=str(self.path))
            raise StoreReadOnlyError(self.read_only or closed)
        try:
            self._commit_unsaved()
            return self._commit(call)
        except NotStoredError:
            self._keep(call)
            raise

    def _commit_unsaved(self) -> None:
        while self._unsaved:
            try:
                self._commit(self._unsaved[0])
            except NotStoredError:
                raise
            except (StoreError, sqlite3.Error) as error:  # such as a message removed meanwhile
                log.error("%s cannot be stored any more: %s", self._unsaved[0], error)
            del self._unsaved[0]

    def _keep(self, call: _Call) -> None:
        if call.function not in _KEPT_IN_MEMORY:
            return
        if call.function is chats.save_draft:  # only the last draft of a chat counts
            self._unsaved = [
                kept
                for kept in self._unsaved
                if (kept.function, kept.args[:1]) != (call.function, call.args[:1])
            ]
        self._unsaved.append(call)

    def _commit(self, call: _Call) -> Any:
        try:
            return self._attempt(call)
        except sqlite3.Error as error:
            # The search index can be made again; damaged, it may look like a broken constraint.
            if database.is_damage(error) or isinstance(error, sqlite3.IntegrityError):
                try:
                    self._attempt(_Call(search.rebuild, (), {}))
                    return self._attempt(call)
                except sqlite3.Error:
                    log.exception("rebuilding the search index of %s did not help", self.path)
            raise self._explain(error) from error

    def _attempt(self, call: _Call) -> Any:
        db = self._database
        assert db is not None
        db.execute("BEGIN IMMEDIATE")
        try:
            result = call.on(db)
            db.execute("COMMIT")
            return result
        except BaseException:
            if db.in_transaction:
                db.execute("ROLLBACK")
            raise

    def _save_elsewhere(self, path: Path) -> None:
        try:
            source = database.connect_reading(self.path)
            try:
                backups.copy_database(source, path)
            finally:
                source.close()
            target = database.connect(path)
            try:
                target.execute("BEGIN")
                for call in self._unsaved:
                    call.on(target)
                target.execute("COMMIT")
            finally:
                target.close()
        except sqlite3.Error as error:
            raise database.explain(error, path) from error
        except OSError as error:
            raise StoreError(
                Sentence(
                    "Store",
                    "The chats could not be saved to {path} ({reason}); choose another place.",
                ).filled(path=str(path), reason=error.strerror or str(error))
            ) from error

    def _explain(self, error: sqlite3.Error) -> StoreError:
        if database.is_damage(error):
            repair.mark_damaged(self.folder, str(error))
        return database.explain(error, self.path)
