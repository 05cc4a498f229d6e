"""Makes every use of the network fail, in this process and, by PYTHONPATH, in its children.

An audit hook sees what any Python code does with sockets. Local ones (AF_UNIX) are no network.
"""

import os
import socket
import sys

FORBIDDEN: list[str] = []
"""What was tried while forbidden."""

_EVENTS = frozenset(
    {
        "socket.connect",
        "socket.bind",
        "socket.sendto",
        "socket.sendmsg",
        "socket.getaddrinfo",
        "socket.gethostbyname",
        "socket.gethostbyaddr",
    }
)
_forbidding = False


def forbid(active: bool) -> None:
    global _forbidding
    _forbidding = active


def _hook(event: str, args: tuple[object, ...]) -> None:
    if not _forbidding or event not in _EVENTS:
        return
    if isinstance(args[0], socket.socket) and args[0].family not in (
        socket.AF_INET,
        socket.AF_INET6,
    ):
        return
    what = f"{event}{args[1:] if isinstance(args[0], socket.socket) else args}"
    FORBIDDEN.append(what)
    raise RuntimeError(f"the network was used: {what}")


sys.addaudithook(_hook)
if os.environ.get("SFUMATO_NO_NETWORK"):
    forbid(True)
