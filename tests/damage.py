"""Ways in which a file on disk comes to harm."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

Damage = Callable[[Path], None]


def flip(file: Path, position: float, mask: int = 0b100) -> None:
    """Change one bit, at this share of the length."""
    content = bytearray(file.read_bytes())
    content[int(position * (len(content) - 1))] ^= mask
    file.write_bytes(content)


def cut(file: Path, share: float) -> None:
    """Keep only the beginning, and less than all of it."""
    content = file.read_bytes()
    file.write_bytes(content[: min(int(share * len(content)), len(content) - 1)])


def zero(file: Path) -> None:
    """Keep only the length."""
    file.write_bytes(bytes(file.stat().st_size))


def to_folder(file: Path) -> None:
    """Put a folder in its place."""
    file.unlink()
    file.mkdir()


DAMAGES: dict[str, Damage] = {
    "a bit flipped at the start": lambda file: flip(file, 0),
    "a bit flipped in the middle": lambda file: flip(file, 0.5),
    "a bit flipped at the end": lambda file: flip(file, 1),
    "a byte short": lambda file: cut(file, 1),
    "cut in half": lambda file: cut(file, 0.5),
    "empty": lambda file: cut(file, 0),
    "zeros": zero,
    "missing": Path.unlink,
    "a folder": to_folder,
}


@contextmanager
def damaged(file: Path, damage: str) -> Iterator[None]:
    """Inside, the file is damaged; afterwards it is as it was."""
    content = file.read_bytes()
    DAMAGES[damage](file)
    try:
        yield
    finally:
        if file.is_dir():
            file.rmdir()
        file.write_bytes(content)
