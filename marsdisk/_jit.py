"""The one place that compiles: every kernel of the project is made by :func:`kernel`.

Policies, with their reasons:

* ``nogil=True`` always: a kernel that holds the interpreter lock stops a Dask worker's heartbeat
  until it returns.
* Never ``parallel=True`` nor ``fastmath=True``: sums would depend on the number of threads or on
  the compiler's choices, and a run must give the same bits everywhere.
* ``error_model="numpy"``: a division by zero gives infinity, which the step control sees and the
  run reports.
* The compiler may join equal operations on neighbouring numbers into one instruction (SLP, which
  Numba leaves out but every C compiler does): it changes no bits. Numba's setting for that holds
  for the whole process, so it is set while a kernel is compiled, and restored afterwards.
* Compiled code is kept on disk, in a folder named by a digest of all sources that kernels are made
  of and of the compiler's versions: Numba checks only the file in which a kernel is defined, and
  would keep using an old compiled callee after an edit.
* That folder belongs to this user, and nobody else may write into it: Numba executes what it reads.
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
from numba.extending import register_jitable

from .common.errors import MarsDiskError
from .common.private_folders import (
    FOR_THE_OWNER_ONLY,
    SharedFolderError,
    close_to_others,
    make_private,
)

logger = logging.getLogger(__name__)

MAX_COMPILATION_SECONDS = 600.0
#: Files and folders of the package that kernels are made of.
KERNEL_SOURCES = ("_jit.py", "physics", "solver")
#: Variable that tells a process's children its fresh folder.
HANDED_DOWN = "MARSDISK_FRESH_KERNELS"

_settings: Any = numba.config

_Function = TypeVar("_Function", bound=Callable[..., Any])


@functools.cache
def source_digest(*parts: str) -> str:
    """Return a digest (16 hex digits) of Python sources and tables of the package.

    Parameters
    ----------
    *parts : str
        Folders and files of the package to take into account.
    """
    package = Path(__file__).parent
    digest = hashlib.sha256()
    paths = []
    for part in parts:
        paths += [package / part, *(package / part).rglob("*")]
    for path in sorted(paths):
        if path.suffix in {".py", ".csv"}:
            digest.update(f"{path.relative_to(package).as_posix()}\0".encode())
            digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


def _roots() -> Iterator[Path]:
    """Yield the folders in which compiled kernels may be kept, best first, with links resolved."""
    handed_down = os.environ.get(HANDED_DOWN)
    if handed_down:
        yield Path(os.path.realpath(handed_down))
    chosen = os.environ.get("NUMBA_CACHE_DIR")
    home = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    if chosen:
        yield Path(os.path.realpath(chosen))
    elif os.path.isabs(home):  # not so for a user without a home folder
        cache = Path(os.path.realpath(Path(home, "marsdisk")))
        close_to_others(cache)
        yield cache
    user = os.getuid() if hasattr(os, "getuid") else "user"
    temporary = Path(os.path.realpath(tempfile.gettempdir()), f"marsdisk-{user}")
    close_to_others(temporary)
    # not resolved: if this is a link, somebody else has made it
    yield temporary


def _fresh_folder(name: str) -> Path:
    """Make a folder inside a private temporary one, which is deleted when this process ends."""
    root = Path(os.path.realpath(tempfile.mkdtemp(prefix="marsdisk-")))
    owner = os.getpid()

    def remove() -> None:
        # a forked child, which runs this too, may end first
        if os.getpid() == owner:
            shutil.rmtree(root, ignore_errors=True)

    atexit.register(remove)
    os.environ[HANDED_DOWN] = str(root)
    folder = root / name
    folder.mkdir(mode=FOR_THE_OWNER_ONLY)
    return folder


@functools.cache
def compiled_folder() -> Path:
    """Return the folder of the compiled kernels, which are code that this process will run.

    It is in ``NUMBA_CACHE_DIR`` or the user's cache folder, else in the temporary folder: the first
    that is writable, belongs to this user, and is closed to writing by anybody else. Where all of
    them may hold somebody else's files, it is a fresh one for this process and its children.

    Raises
    ------
    OSError
        No folder is writable.
    """
    sources = source_digest(*KERNEL_SOURCES)
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
            roots = " and ".join(unwritable)
            advice = "set NUMBA_CACHE_DIR to a writable folder"
            raise OSError(f"no place to keep compiled kernels: {roots} cannot be written; {advice}")
        folder = _fresh_folder(name)
    for reason in shared:
        logger.warning("%s; compiled kernels are kept in %s instead", reason, folder.parent)
    return folder


def is_compiled() -> bool:
    """Tell whether another process has compiled all kernels of these sources."""
    return _complete(compiled_folder()).exists()


def _complete(folder: Path) -> Path:
    """Return the file that says that a folder has all kernels."""
    return folder / "complete"


@contextmanager
def compiling() -> Iterator[None]:
    """Let only one process compile while others wait for it: put it around the first kernel calls.

    Without a lock, where the disk supports none or its holder takes too long, each process compiles
    for itself, which does no harm.
    """
    folder = compiled_folder()
    complete = _complete(folder)
    lock = filelock.FileLock(folder / "lock")
    if not complete.exists():
        with suppress(OSError, NotImplementedError):
            lock.acquire(timeout=MAX_COMPILATION_SECONDS)
    if complete.exists():
        lock.release()
    try:
        yield
        # another process may have deleted the folder meanwhile
        with suppress(OSError):
            complete.touch()
    finally:
        lock.release()


def kernel(function: _Function, *, inlined: bool = False, borrows: bool = False) -> _Function:
    """Compile ``function`` with the project's options; its code is kept in :func:`compiled_folder`.

    Parameters
    ----------
    function : callable
        What to compile, when it is first called.
    inlined : bool, optional
        Put it into every kernel that calls it, as a call copies all arguments, including structures
        with all their arrays. Implies ``borrows``.
    borrows : bool, optional
        It makes and returns no array, so that references need not be counted, which costs as much
        as the arithmetic where arrays are small.

    Returns
    -------
    callable
        The kernel.
    """
    before = _settings.CACHE_DIR
    # Numba reads it when the dispatcher is made; restored so that other packages keep theirs
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
    """Wrap a dispatcher's method that compiles for new argument types, to run with SLP switched on.

    It holds the lock under which Numba compiles, so that nobody else's functions are compiled with
    this setting.
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


def inlined_helper(function: _Function) -> _Function:
    """Let kernels call ``function``, as if inlined, while it stays a Python function.

    Unlike an inlined kernel, it needs no compiler when a kernel that calls it is
    :func:`interpreted`. It must neither make nor return an array.
    """
    make: Any = register_jitable
    helper = make(nogil=True, error_model="numpy", forceinline=True, _nrt=False)(function)
    return cast(_Function, helper)


def interpreted(compiled: _Function) -> _Function:
    """Return the Python function of a kernel.

    For a single call that is not worth a second of the compiler's start-up.
    """
    return cast(_Function, cast(Any, compiled).py_func)


def call_repairing(call: Callable[[], Any]) -> Any:
    """Return ``call()``; if a damaged compiled file makes it fail, delete all of them and retry.

    Numba raises whatever error unpickling a truncated or empty file gives, at every later start,
    and never repairs the file.
    """
    try:
        return call()
    except (numba.core.errors.NumbaError, MarsDiskError):
        # these are not caused by a file
        raise
    except Exception:
        # if the files were not its cause, the second call raises it again
        folder = compiled_folder()
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(mode=FOR_THE_OWNER_ONLY, exist_ok=True)
        return call()
