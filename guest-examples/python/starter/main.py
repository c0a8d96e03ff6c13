"""Greets somebody by name."""

from dataclasses import dataclass

from flowmonkey import Context, Fatal, handler


@dataclass
class Person:
    name: str


@dataclass
class Reply:
    greeting: str


@handler
def run(ctx: Context, person: Person) -> Reply:
    if not person.name:
        raise Fatal("BAD_NAME", "the name is empty")
    ctx.log.info("greeting", name=person.name)
    return Reply(greeting=f"Hello, {person.name}!")
