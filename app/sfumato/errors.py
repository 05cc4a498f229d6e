"""Every error that a person may meet.

    KnownError            the world's fault: shown as a sentence (`str(error)`) and a way out
    ├── ModelFileError    a file that is no model we can run
    ├── ModelLoadError    a model that cannot be loaded here: memory, device
    ├── GenerationError   a conversation that cannot go on: context full, engine gone
    ├── StoreError        the database: damaged, newer, disk full
    └── DownloadError     a transfer that stopped for good

Anything else that escapes is ours: it is logged with its traceback and shown as a bug report.
"""


class KnownError(Exception):
    """The message is one sentence: the thing, the fact, the way out."""


class ModelFileError(KnownError):
    pass


class ModelLoadError(KnownError):
    pass


class GenerationError(KnownError):
    pass


class StoreError(KnownError):
    pass


class DownloadError(KnownError):
    pass
