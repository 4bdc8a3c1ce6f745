"""A plugin's state outside the plugin: stored, restored, hashed, and put back when a hook raises."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from copy import deepcopy
from functools import cache
from types import UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import msgspec
import numpy as np

from core.errors import StateError


class _Array(msgspec.Struct, frozen=True):
    # Numbers, dates and texts: numpy's other notations have a grammar of their own.
    dtype: Annotated[str, msgspec.Meta(pattern=r"\A[<>|][biufcSUmM][1-9][0-9]{0,5}(\[[a-zA-Zμ0-9]+\])?\Z")]
    shape: tuple[Annotated[int, msgspec.Meta(ge=0)], ...]
    data: bytes


class _Stored(msgspec.Struct, frozen=True):
    version: int
    state: msgspec.Raw


def enc_hook(value: Any) -> Any:
    """A numpy array or number as msgspec can encode it. Raises NotImplementedError."""
    if isinstance(value, np.ndarray):
        return _Array(value.dtype.str, value.shape, np.ascontiguousarray(value).tobytes())
    if isinstance(value, np.generic):
        return value.item()
    raise NotImplementedError(f"a state may not hold {type(value).__name__}")


def array(value: Any) -> np.ndarray:
    """The array of what ``enc_hook`` made of one. Raises ValueError, ValidationError."""
    stored = msgspec.convert(value, _Array)
    return np.frombuffer(stored.data, np.dtype(stored.dtype)).reshape(stored.shape).copy()


def dec_hook(wanted: type, value: Any) -> Any:
    """The value of a type that msgspec does not know. Raises NotImplementedError."""
    if isinstance(value, np.ndarray):
        # One that `migrate` has made.
        return value
    if wanted is np.ndarray or getattr(wanted, "__origin__", None) is np.ndarray:
        return array(value)
    raise NotImplementedError(f"a state may not hold {wanted}")


_encoder = msgspec.msgpack.Encoder(enc_hook=enc_hook)


def encode(state: msgspec.Struct, version: int) -> bytes:
    """The state as bytes; maps keep their order, so a restart decides as before. Raises StateError."""
    try:
        return _encoder.encode(_Stored(version, msgspec.Raw(_encoder.encode(state))))
    except (NotImplementedError, TypeError, OverflowError) as error:
        raise _unstorable(state, error) from error


def _unstorable(state: msgspec.Struct, error: Exception) -> StateError:
    return StateError(
        f"{error}.", where=type(state).__name__, next="Keep numbers, texts, Structs, numpy arrays."
    )


def decode(
    data: bytes,
    struct: type[msgspec.Struct],
    version: int,
    migrate: Callable[[Mapping[str, Any], int], Mapping[str, Any]] | None = None,
) -> Any:
    """The state stored in ``data``, migrated where it is older. Raises StateError naming both versions."""
    try:
        stored = msgspec.msgpack.decode(data, type=_Stored)
        if stored.version > version:
            raise StateError(
                f"stored by version {stored.version} of the state, this plugin knows {version}.",
                where=struct.__name__,
                next="Install the newer plugin again.",
            )
        if stored.version == version:
            return msgspec.msgpack.decode(stored.state, type=struct, dec_hook=dec_hook)
        if migrate is None:
            raise StateError(
                f"stored by version {stored.version} of the state, and the plugin has no `migrate`.",
                where=struct.__name__,
                next=f"Write migrate(state, version) from {stored.version} to {version}.",
            )
        return msgspec.convert(
            migrate(msgspec.msgpack.decode(stored.state), stored.version), struct, dec_hook=dec_hook
        )
    except (msgspec.DecodeError, ValueError, TypeError, OverflowError, RecursionError) as error:
        raise StateError(
            f"cannot be restored: {error}.",
            where=struct.__name__,
            next="Fields that change need a higher state_version, and a migrate() from the one before.",
        ) from error


def digest(state: msgspec.Struct) -> bytes:
    """SHA-256 of a state: the same for equal ones, however their maps and sets grew. Raises StateError."""
    try:
        plain = msgspec.to_builtins(
            state, builtin_types=(bytes,), str_keys=True, enc_hook=enc_hook, order="deterministic"
        )
        return hashlib.sha256(_encoder.encode(plain)).digest()
    except (NotImplementedError, TypeError, OverflowError) as error:
        raise _unstorable(state, error) from error


_PLAIN = frozenset({bool, bytes, float, int, str, type(None)})


@cache
def unchanging(declared: Any) -> bool:
    """Whether nothing in a value of this type can be changed in place: a frozen Struct of plain values and the like."""
    if declared in _PLAIN or declared is Ellipsis:
        return True
    if isinstance(declared, type) and issubclass(declared, msgspec.Struct):
        try:
            fields = msgspec.structs.fields(declared) if declared.__struct_config__.frozen else None
            return fields is not None and all(unchanging(field.type) for field in fields)
        except RecursionError:
            # One that holds its own kind: copied as any other.
            return False
    origin, arguments = get_origin(declared), get_args(declared)
    if origin is Annotated:
        return unchanging(arguments[0])
    if origin is Literal:
        return True
    if isinstance(origin, type) and issubclass(origin, msgspec.Struct):
        return unchanging(origin)
    if origin in (tuple, frozenset, Union, UnionType):
        return all(unchanging(each) for each in arguments)
    return False


def copy(value: Any) -> Any:
    """A deep copy of a state, fast for Structs of arrays. Raises whatever a value raises that cannot be copied."""
    kind: Any = type(value)
    if kind in _PLAIN:
        return value
    if isinstance(value, np.ndarray):
        return value.copy()
    if isinstance(value, msgspec.Struct):
        if unchanging(kind):
            return value
        return type(value)(**{name: copy(getattr(value, name)) for name in value.__struct_fields__})
    if kind is dict:
        return {key: copy(item) for key, item in value.items()}
    if kind in (list, tuple, set):
        return kind(copy(item) for item in value)
    # Named tuples, dataclasses and the like: what is stored of them can be changed in place too.
    return deepcopy(value)
