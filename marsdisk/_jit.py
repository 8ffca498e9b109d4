"""The one place that compiles: every kernel of the project is made by :func:`kernel`.

Policies, with their reasons:

* ``nogil=True`` always: a kernel that holds the interpreter lock stops a Dask worker's heartbeat for its whole length.
* Never ``parallel=True`` nor ``fastmath=True``: sums would depend on the number of threads or the compiler's mood, and a run
  must give the same bits everywhere.
* ``error_model="numpy"``: a division by zero gives infinity, which the step control sees and the run reports.
* The compiler may join equal operations on neighbouring numbers into one instruction (SLP, which Numba leaves out but every C compiler
  does): it changes no bits. Numba has a setting for that, which is of the whole process: it is made
  while a kernel is compiled, and taken back.
* Compiled code is kept on disk, in a folder named by a digest of all sources that kernels are made of
  and of the compiler's versions: Numba looks only at the file a kernel stands in and would go on
  using an old compiled callee after an edit.
* That folder belongs to this user, and nobody else may write into it: what Numba reads is run.
"""

import atexit
import functools
import hashlib
import logging
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, TypeVar, cast

import filelock
import llvmlite
import numba
import numpy as np
from numba.core.compiler_lock import global_compiler_lock

from .errors import MarsDiskError
from .private_folders import FOR_THE_OWNER_ONLY, SharedFolderError, close_to_others, make_private

logger = logging.getLogger(__name__)

LONGEST_COMPILATION = 600.0  # s
#: a process's fresh folder, for the processes that it starts
HANDED_DOWN = "MARSDISK_FRESH_KERNELS"

_settings: Any = numba.config

_Function = TypeVar("_Function", bound=Callable[..., Any])


@functools.cache
def source_digest(*parts: str) -> str:
    """Digest (16 hex digits) of the Python sources and tables in the named folders and files of the package."""
    package = Path(__file__).parent
    digest = hashlib.sha256()
    for path in sorted(
        path for part in parts for path in [package / part, *(package / part).rglob("*")]
    ):
        if path.suffix in {".py", ".csv"}:
            digest.update(f"{path.relative_to(package).as_posix()}\0".encode())
            digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


def _roots() -> Iterator[Path]:
    """Where compiled kernels may be kept, the best first, without links in the paths."""
    handed_down = os.environ.get(HANDED_DOWN)
    if handed_down:
        yield Path(os.path.realpath(handed_down))
    given = os.environ.get("NUMBA_CACHE_DIR")
    home = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    if given:
        yield Path(os.path.realpath(given))
    elif os.path.isabs(home):  # a user without a home has none
        ours = Path(os.path.realpath(Path(home, "marsdisk")))
        close_to_others(ours)
        yield ours
    user = os.getuid() if hasattr(os, "getuid") else "user"
    ours = Path(os.path.realpath(tempfile.gettempdir()), f"marsdisk-{user}")
    close_to_others(ours)
    yield ours  # as it is: where this is a link, somebody else has made it


def _fresh_folder(name: str) -> Path:
    """Make a folder below one that nobody else knows of, which is gone when this process ends."""
    root = Path(os.path.realpath(tempfile.mkdtemp(prefix="marsdisk-")))
    maker = os.getpid()

    def remove() -> None:
        if os.getpid() == maker:  # a forked child ends first
            shutil.rmtree(root, ignore_errors=True)

    atexit.register(remove)
    os.environ[HANDED_DOWN] = str(root)
    folder = root / name
    folder.mkdir(mode=FOR_THE_OWNER_ONLY)
    return folder


@functools.cache
def compiled_folder() -> Path:
    """Return the folder of the compiled kernels, which are code that this process will run.

    It is under ``NUMBA_CACHE_DIR`` or in the user's cache folder, else in the temporary folder: the
    first that can be written, that this user owns, and that nobody else may write. Where all of
    them may hold somebody else's files, it is a fresh one for this process and those that it
    starts.

    Raises
    ------
    OSError
        There is none.
    """
    sources = source_digest("_jit.py", "physics", "solver")
    versions = f"{sources} {numba.__version__} {llvmlite.__version__} {np.__version__}"
    name = hashlib.sha256(versions.encode()).hexdigest()[:16]
    shared = []
    unwritable = []
    for root in _roots():
        try:
            folder = make_private(root, name)
            with tempfile.TemporaryFile(dir=folder):
                break
        except SharedFolderError as error:
            shared.append(str(error))
        except OSError:
            unwritable.append(str(root))
    else:
        if not shared:
            places = " and ".join(unwritable)
            cure = "set NUMBA_CACHE_DIR to a writable folder"
            raise OSError(f"no place to keep compiled kernels: {places} cannot be written; {cure}")
        folder = _fresh_folder(name)
    for reason in shared:
        logger.warning("%s; compiled kernels are kept in %s instead", reason, folder.parent)
    return folder


@contextmanager
def compiling() -> Iterator[None]:
    """Around the first call of all kernels: of the processes that find none on disk one compiles, and the others wait for it.

    Without a lock, where a disk has none or its holder takes too long, each would compile for
    itself, which harms nobody.
    """
    folder = compiled_folder()
    complete = folder / "complete"
    lock = filelock.FileLock(folder / "lock")
    if not complete.exists():
        with suppress(OSError, NotImplementedError):
            lock.acquire(timeout=LONGEST_COMPILATION)
    if complete.exists():
        lock.release()
    try:
        yield
        with suppress(OSError):  # the folder may just be wiped by another process
            complete.touch()
    finally:
        lock.release()


def kernel(function: _Function, *, inlined: bool = False, borrows: bool = False) -> _Function:
    """Compile ``function`` with the project's options, its machine code kept in :func:`compiled_folder`.

    ``borrows`` says that it makes and returns no array: then no references are counted, which costs
    as much as the arithmetic where arrays are small. ``inlined``, which implies that, puts it into
    every kernel that calls it: a call copies all arguments, structures with their arrays too.
    """
    before = _settings.CACHE_DIR
    # read when the dispatcher is made; restored so that other packages keep theirs
    _settings.CACHE_DIR = str(compiled_folder())
    try:
        njit: Any = numba.njit  # whose stubs leave out _nrt
        compiled = njit(
            nogil=True,
            cache=True,
            error_model="numpy",
            forceinline=inlined,
            _nrt=not (inlined or borrows),
        )(function)
    finally:
        _settings.CACHE_DIR = before
    compiled.compile = _joining_operations(compiled.compile)
    return cast(_Function, compiled)


def _joining_operations(compile_signature: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """Return a dispatcher's way to compile itself, called when arguments of new types come, with the setting for SLP.

    The lock is the one that Numba compiles under, so that nobody else's functions are compiled with
    our setting.
    """

    @functools.wraps(compile_signature)
    def compile_joining(signature: Any) -> Any:
        with global_compiler_lock:
            before = _settings.SLP_VECTORIZE
            _settings.SLP_VECTORIZE = 1
            try:
                return compile_signature(signature)
            finally:
                _settings.SLP_VECTORIZE = before

    return compile_joining


borrowing_kernel = functools.partial(kernel, borrows=True)
inlined_kernel = functools.partial(kernel, inlined=True)


def interpreted(compiled: _Function) -> _Function:
    """The Python function a kernel was made of: for a single call that is not worth a second of the compiler's start-up."""
    return cast(_Function, cast(Any, compiled).py_func)


def call_repairing(call: Callable[[], Any]) -> Any:
    """``call()``; when a damaged compiled file makes it fail, wipe the folder of compiled kernels and call once more.

    Numba raises whatever unpickling a cut or empty file gives, at every later start, and never
    repairs it.
    """
    try:
        return call()
    except (numba.core.errors.NumbaError, MarsDiskError):  # no file's fault
        raise
    except Exception:
        # whatever it is, the second call raises it again if the files were not its cause
        folder = compiled_folder()
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(mode=FOR_THE_OWNER_ONLY, exist_ok=True)
        return call()
