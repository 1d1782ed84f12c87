"""What the witnesses share: the simulator's controls, and a list of checks.

A witness is an official, unmodified SDK that is pointed straight at the simulator. Its program is called with the
simulator's address and a filter. It prints one line of JSON for each check: its title, and what was wrong with it.
"""

import json
import sys
import traceback
import urllib.error
import urllib.request

BASE = sys.argv[1]
FILTER = sys.argv[2] if len(sys.argv) > 2 else ""

# Characters of one to four bytes, so that a split in the middle of one would show.
TEXT = "One déjà 你好 🙂 two three."
WORDS = 6
PROMPT = "hello there"

CITY = {
    "type": "object",
    "properties": {"city": {"type": "string"}},
    "required": ["city"],
    "additionalProperties": False,
}
# A picture of one pixel.
PNG = (
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)

CHECKS = []


def check(title):
    """Registers a check under its title."""

    def register(function):
        CHECKS.append((title, function))
        return function

    return register


def control(method, verb, body=None):
    data = body.encode() if body is not None else None
    request = urllib.request.Request(f"{BASE}/_sim/{verb}", data=data, method=method)
    try:
        with urllib.request.urlopen(request, timeout=10) as response:
            return json.loads(response.read())
    except urllib.error.HTTPError as error:
        raise AssertionError(f"the simulator refused: {error.read().decode()}") from None


def script(toml="", text=TEXT):
    """Gives the simulator a script that says this text (or makes one up), and empties its record."""
    says = f'text = "{text}"\n' if text is not None else ""
    control("POST", "script", says + toml)
    control("POST", "reset", "")


def rule(toml):
    script(f"[[rule]]\n{toml}")


def received():
    """The calls the simulator received since the last script."""
    return control("GET", "received")["received"]


def same(got, wanted, what):
    assert got == wanted, f"{what}: got {got!r}, wanted {wanted!r}"


def raises(kind, call, what):
    """The exception of this kind that the call ends with."""
    try:
        made = call()
    except kind as error:
        return error
    raise AssertionError(f"{what}: no {kind.__name__}, but {made!r}")


def run():
    for title, function in CHECKS:
        if FILTER not in f"witness {title}":
            continue
        wrong = []
        try:
            function()
        except AssertionError as error:
            wrong.append(str(error))
        except BaseException:  # whatever an SDK raises unasked is a result here
            wrong.append(traceback.format_exc().strip()[-2000:])
        print(json.dumps({"title": f"witness {title}", "wrong": wrong}), flush=True)
