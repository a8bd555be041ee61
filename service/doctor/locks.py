"""Who holds a lock file, without taking it."""

import os
import shlex
from pathlib import Path
from typing import Final

LOCKS: Final = Path("/proc/locks")


def is_held(file: Path) -> bool:
    """Whether a process has it locked; asked by a shared lock that is given back at once."""
    try:
        import fcntl
    except ImportError:  # Windows
        return False
    try:
        descriptor = os.open(file, os.O_RDONLY)
    except OSError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False


def holders(file: Path, table: Path = LOCKS) -> list[str]:
    """The processes that hold it, as `pid 12: python -m index build`; empty where the system does not tell."""
    try:
        inode, lines = file.stat().st_ino, table.read_text().splitlines()
    except OSError:
        return []
    # 1: FLOCK  ADVISORY  WRITE 3119 00:2a:1183 0 EOF; a second line of a waiting process has an arrow in it
    rows = [line.split() for line in lines if "->" not in line]
    pids = {int(row[4]) for row in rows if len(row) > 5 and row[5].rpartition(":")[2] == str(inode)}
    return [f"pid {pid}{_command(pid)}" for pid in sorted(pids) if pid > 0]


def _command(pid: int) -> str:
    try:
        words = Path(f"/proc/{pid}/cmdline").read_bytes().rstrip(b"\0").split(b"\0")
    except OSError:
        return ""
    return f": {shlex.join(os.fsdecode(word) for word in words)}" if words != [b""] else ""
