"""Run as a program: reads every file of FOLDER as import does, and prints the errors and watched actions as JSON.

An audit hook sees what Python does on the way: imports, compiled code, opened files, processes, sockets. With `--load`
the files are really unpickled instead: the control that the hook sees an attack that works.
"""

from __future__ import annotations

import codecs
import copyreg
import json
import pickle
import sys
from pathlib import Path
from typing import Any

from model_tools.errors import ModelImportError, UnsafePickleError
from model_tools.importing.foreign import find

WATCHED = (
    "exec",
    "compile",
    "import",
    "open",
    "os.",
    "subprocess.",
    "socket.",
    "shutil.",
    "ctypes.",
    "pickle.",
    "code.",
)
seen: list[str] = []
is_on = False


def hook(event: str, about: tuple[Any, ...]) -> None:
    if is_on and event.startswith(WATCHED):
        seen.append(f"{event} of {about[0]}" if event in {"import", "open"} else event)


def attempt(content: bytes, *, load: bool) -> dict[str, object]:
    global is_on
    seen.clear()
    is_on, said = True, "nothing"
    try:
        if load:
            pickle.loads(content)
        else:
            find(content)
    except UnsafePickleError as error:
        said = f"unsafe: {error}"
    except ModelImportError as error:
        said = str(error)
    finally:
        is_on = False
    return {"said": said, "seen": list(seen)}


def main(folder: Path, *, load: bool) -> None:
    files = {path.name: path.read_bytes() for path in sorted(folder.iterdir())}
    copyreg.add_extension("os", "system", 1)  # what EXT1 would find
    for codec in ("unicode_escape", "raw_unicode_escape", "latin1"):
        codecs.lookup(codec)  # Python imports its own codecs when they are first used; that is no attack
    sys.addaudithook(hook)
    print(json.dumps({name: attempt(content, load=load) for name, content in files.items()}))


if __name__ == "__main__":
    main(Path(sys.argv[1]), load="--load" in sys.argv)
