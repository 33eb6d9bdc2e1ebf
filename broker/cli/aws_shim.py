"""An ``aws`` that goes before the real one and names the endpoint, as some commands ignore ``AWS_ENDPOINT_URL``.

``awscli`` version 1 picks its own host for a few services whenever ``--endpoint-url`` is not given
(``customizations/overridesslcommonname.py``). Given twice, the last one counts, so what a person names wins over ours.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

from broker.cli.output import ExitCode, fail
from broker.cli.own_files import write_own

NAME: Final = "aws"
_MARKER: Final = "# written by `ostiary session env`"
_MODE: Final = 0o755

_TEXT: Final = f"""\
#!/bin/sh
{_MARKER}: names the endpoint to the AWS command line,
# as some of its commands ignore AWS_ENDPOINT_URL.
here=$(CDPATH= cd -- "$(dirname -- "$0")" && pwd -P) || exit 127
next=
rest=$PATH:
while [ -n "$rest" ]; do
    folder=${{rest%%:*}}
    rest=${{rest#*:}}
    there=$(CDPATH= cd -- "${{folder:-.}}" 2>/dev/null && pwd -P) || continue
    if [ "$there" = "$here" ]; then
        next=
    elif [ -z "$next" ] && [ -f "$there/{NAME}" ] && [ -x "$there/{NAME}" ]; then
        next=$there/{NAME}
    fi
done
if [ -z "$next" ]; then
    echo "ostiary: there is no other {NAME} on PATH" >&2
    exit 127
fi
if [ -z "$AWS_ENDPOINT_URL" ]; then
    echo "ostiary: AWS_ENDPOINT_URL is not set; set it with: ostiary session env --aws" >&2
    exit 2
fi
exec "$next" --endpoint-url "$AWS_ENDPOINT_URL" "$@"
"""


def install(folder: Path) -> str:
    """Write the shim into a folder and return the folder's name for PATH; ends the command when it cannot be."""
    absolute = folder.absolute()
    if ":" in str(absolute):
        fail(f"`{folder}` cannot be on PATH, as it has a colon", ExitCode.USAGE)
    write_own(absolute / NAME, _TEXT, marker=_MARKER, mode=_MODE)
    return str(absolute)
