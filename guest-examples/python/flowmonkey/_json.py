"""JSON to typed values and back."""

import enum
import json
import types
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import MISSING, dataclass, fields, is_dataclass
from typing import (
    Any,
    Literal,
    TypeVar,
    Union,
    get_args,
    get_origin,
    get_type_hints,
    overload,
)

T = TypeVar("T")
Reader = Callable[[Any, str], Any]
"""Makes a typed value of parsed JSON; the text is the path that messages name."""


class Mismatch(ValueError):
    """JSON that does not fit the type it is read as. The message names the field."""


def camel_case(cls: type[T]) -> type[T]:
    """Gives the fields of a dataclass camelCase names in JSON, read and written.

    @camel_case
    @dataclass
    class Mail:
        message_id: str  # {"messageId": "welcome-17"}
    """
    cls.__json_case__ = _camel  # type: ignore[attr-defined]
    return cls


def to_json(value: Any) -> str:
    """The JSON of a value: of what `json.dumps` takes, dataclasses and enums.

    Raises `TypeError` for anything else, and `ValueError` for NaN and infinities.
    """
    text = json.dumps(
        value,
        ensure_ascii=False,
        allow_nan=False,
        separators=(",", ":"),
        default=_plain,
    )
    text.encode()  # A lone surrogate has no UTF-8, and would end the attempt in a trap.
    return text


@overload
def from_json(text: str, as_type: type[T], name: str = "value") -> T: ...
@overload
def from_json(text: str, as_type: Any = Any, name: str = "value") -> Any: ...
def from_json(text: str, as_type: Any = Any, name: str = "value") -> Any:
    """The value of JSON text as the given type. The name is what messages call it.

    Types are `Any`, None, str, bool, int, float, list, tuple, dict, unions, literals,
    enums and dataclasses of these. Members that a dataclass does not have are ignored.

    Raises `Mismatch` for what is no JSON or does not fit.
    """
    read = reader(as_type)
    try:
        value = json.loads(text)
    except ValueError as error:
        raise Mismatch(f"{name} is not JSON: {error}") from None
    return read(value, name)


def reader(as_type: Any) -> Reader:
    """How JSON is read as a type. Raises `TypeError` for a type that it cannot be read
    as."""
    if as_type not in _READERS:
        _READERS[as_type] = _make_reader(as_type)
    return _READERS[as_type]


def _make_reader(as_type: Any) -> Reader:
    if isinstance(as_type, type) and is_dataclass(as_type):
        return _record(as_type)
    if isinstance(as_type, type) and issubclass(as_type, enum.Enum):
        return _choice({member.value: member for member in as_type})
    args = get_args(as_type)
    match get_origin(as_type) or as_type:
        case origin if origin in (Union, types.UnionType):
            return _union(args)
        case origin if origin is Literal:
            return _choice({value: value for value in args})
        case origin if origin in (list, Sequence, Iterable):
            return _list(*args or (Any,))
        case origin if origin in (dict, Mapping):
            return _dict(*args or (str, Any))
        case origin if origin is tuple and len(args) == 2 and args[1] is ...:
            items = _list(args[0])
            return lambda value, path: tuple(items(value, path))
    raise TypeError(f"{as_type!r} cannot be read from JSON; use a dataclass, or Any")


def _scalar(kind: type | None, name: str) -> Reader:
    def read(value: Any, path: str) -> Any:
        if kind is float and type(value) is int:
            return float(value)
        # Not isinstance: True is no number, though bool derives from int.
        if type(value) is not kind:
            raise _mismatch(path, name, value)
        return value

    return read


def _list(item: Any) -> Reader:
    read_item = reader(item)

    def read(value: Any, path: str) -> list[Any]:
        if type(value) is not list:
            raise _mismatch(path, "a list", value)
        return [read_item(item, f"{path}[{i}]") for i, item in enumerate(value)]

    return read


def _dict(key: Any, item: Any) -> Reader:
    if key not in (str, Any):
        raise TypeError(f"the keys of JSON objects are str, not {key!r}")
    read_item = reader(item)

    def read(value: Any, path: str) -> dict[str, Any]:
        if type(value) is not dict:
            raise _mismatch(path, "an object", value)
        return {key: read_item(item, f"{path}.{key}") for key, item in value.items()}

    return read


def _union(args: tuple[Any, ...]) -> Reader:
    readers = [reader(arg) for arg in args]

    def read(value: Any, path: str) -> Any:
        errors = []
        for read_one in readers:
            try:
                return read_one(value, path)
            except Mismatch as error:
                errors.append(str(error))
        # Of `T | None` the interesting part is why it is no T.
        raise Mismatch(errors[0] if type(None) in args else "; or ".join(errors))

    return read


def _choice(members: dict[Any, Any]) -> Reader:
    def read(value: Any, path: str) -> Any:
        for json_value, member in members.items():
            if type(value) is type(json_value) and value == json_value:
                return member
        names = ", ".join(json.dumps(json_value) for json_value in members)
        raise Mismatch(f"{path} must be one of {names}")

    return read


@dataclass
class _Member:
    name: str
    json_name: str
    read: Reader
    required: bool


def _record(cls: type) -> Reader:
    members: list[_Member] = []

    def read(value: Any, path: str) -> Any:
        if type(value) is not dict:
            raise _mismatch(path, "an object", value)
        arguments = {}
        for member in members:
            if member.json_name in value:
                inner = f"{path}.{member.json_name}"
                arguments[member.name] = member.read(value[member.json_name], inner)
            elif member.required:
                raise Mismatch(f"{path}.{member.json_name} is missing")
        try:
            return cls(**arguments)
        except ValueError as error:  # From the class's own __post_init__.
            raise Mismatch(f"{path}: {error}") from error

    # Known before its members are, which may be of this class themselves.
    _READERS[cls] = read
    hints = get_type_hints(cls)
    for field in fields(cls):
        if field.init:
            read_field = reader(hints[field.name])
            required = field.default is field.default_factory is MISSING
            json_name = _json_name(cls, field.name)
            members.append(_Member(field.name, json_name, read_field, required))
    return read


def _plain(value: Any) -> Any:
    if is_dataclass(value) and not isinstance(value, type):
        cls = type(value)
        return {_json_name(cls, f.name): getattr(value, f.name) for f in fields(cls)}
    if isinstance(value, enum.Enum):
        return value.value
    raise TypeError(f"a value of type {type(value).__name__} has no JSON")


def _json_name(cls: type, name: str) -> str:
    return getattr(cls, "__json_case__", str)(name)


def _camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(word.capitalize() for word in rest)


def _mismatch(path: str, wanted: str, value: Any) -> Mismatch:
    # The kind and not the value, which may be a secret.
    kinds = {
        str: "a string",
        bool: "a boolean",
        int: "an integer",
        float: "a float",
        list: "a list",
        dict: "an object",
    }
    return Mismatch(f"{path} must be {wanted}, not {kinds.get(type(value), 'null')}")


_READERS: dict[Any, Reader] = {
    Any: lambda value, path: value,
    object: lambda value, path: value,
    str: _scalar(str, "a string"),
    bool: _scalar(bool, "a boolean"),
    int: _scalar(int, "an integer"),
    float: _scalar(float, "a number"),
    type(None): _scalar(type(None), "null"),
    None: _scalar(type(None), "null"),
}
