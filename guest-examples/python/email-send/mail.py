"""Templates and addresses."""

from flowmonkey import Fatal


def render(template: str, variables: dict[str, str]) -> str:
    """Puts the value of each ``{{name}}`` in its place. Values are not searched for
    placeholders."""
    text, rest = "", template
    while "{{" in rest:
        before, _, tail = rest.partition("{{")
        name, closed, rest = tail.partition("}}")
        if not closed:
            raise Fatal("BAD_TEMPLATE", "a placeholder is not closed")
        if (name := name.strip()) not in variables:
            message = f"the placeholder {name!r} has no value"
            raise Fatal("MISSING_VARIABLE", message)
        text += before + variables[name]
    return text + rest


def is_address(text: str) -> bool:
    """Catches slips, not every address that cannot exist: only the mail service knows
    those."""
    user, _, domain = text.partition("@")
    return bool(user) and "." in domain and not _is_odd(user) and not _is_odd(domain)


def _is_odd(text: str) -> bool:
    return any(
        c.isspace() or c == "@" or ord(c) < 32 or 127 <= ord(c) < 160 for c in text
    )
