"""Documents → text through jinja2 templates: ours, or one of a team's own in a sandbox."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from costcalc.errors import CostcalcError, Place, Problem
from costcalc.report.tags import visible

if TYPE_CHECKING:
    from jinja2 import Environment

FOLDER = Path(__file__).parent / "templates"
Filters = Mapping[str, Callable[..., object]]


def shipped(name: str) -> str:
    """The text of a file that lies in ``templates/``."""
    return (FOLDER / name).read_text("utf-8")


def filled(
    template: str, source: str, given: Mapping[str, object], filters: Filters, autoescape: bool
) -> str:
    """The template with what it is given; :class:`CostcalcError` names ``source`` and the line at fault."""
    from jinja2 import TemplateSyntaxError

    environment = _environment(filters, autoescape)
    try:
        made = environment.from_string(template).render(given)
    except TemplateSyntaxError as error:
        raise _wrong(template, source, error.lineno, error.message or "") from error
    except CostcalcError:
        raise
    except Exception as error:  # whatever an expression of a template can raise
        raise _wrong(template, source, _line(error), f"{type(error).__name__}: {error}") from error
    return made if made.endswith("\n") else f"{made}\n"


def _environment(filters: Filters, autoescape: bool) -> Environment:
    from jinja2 import StrictUndefined
    from jinja2.sandbox import ImmutableSandboxedEnvironment
    from markupsafe import Markup

    def legal(value: object) -> object:
        return visible(value) if isinstance(value, str) and not isinstance(value, Markup) else value

    environment = ImmutableSandboxedEnvironment(
        autoescape=autoescape,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=legal if autoescape else None,
    )
    environment.filters |= filters
    return environment


def _wrong(template: str, source: str, line: int, message: str) -> CostcalcError:
    lines = template.splitlines()
    text = lines[line - 1] if line <= len(lines) else ""
    return CostcalcError(
        [Problem(f"this template cannot be filled: {message}", "", Place(source, line, 1, text))]
    )


def _line(error: BaseException) -> int:
    """The line of the template that was at work; jinja2 puts it into the traceback."""
    line, trace = 1, error.__traceback__
    while trace:
        if trace.tb_frame.f_code.co_filename == "<template>":
            line = trace.tb_lineno
        trace = trace.tb_next
    return line
