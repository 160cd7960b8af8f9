"""Records what chat templates render, with transformers' own set-up of jinja2.

    build-venv/bin/python tools/make_template_goldens.py tests/golden/chat

writes snippets.json (tools/template_snippets*.py) and, for every folder FAMILY that has a conversations.json beside its chat_template.jinja,
FAMILY/expected.json. The clock stands at NOW."""
import datetime
import json
import pathlib
import sys

import jinja2
import transformers
from transformers import PreTrainedTokenizerFast
from transformers.utils import chat_template_utils

import template_snippets_compiled
from template_snippets import GROUPS, SHARED

NOW = "2025-03-09T07:05:03"


class Clock(datetime.datetime):
    @classmethod
    def now(cls, tz=None):
        return datetime.datetime.fromisoformat(NOW)


def message_of(error):
    message = error.message if isinstance(error, jinja2.TemplateSyntaxError) else str(error)
    return f"{type(error).__name__}: {message}"


def snippet(text, variables):
    row = {"template": text}
    if variables:
        row["kwargs"] = variables
    try:
        compiled = chat_template_utils._cached_compile_jinja_template(text)
        row["rendered"] = compiled.render(messages=[{"role": "user", "content": "Hi"}], tools=None, documents=None, add_generation_prompt=False,
                                          **json.loads(json.dumps({**SHARED, **variables})))
    except (jinja2.TemplateSyntaxError, SyntaxError) as error:
        row["syntax_error"] = message_of(error)
        row["line"] = error.lineno
    except Exception as error:
        row["error"] = message_of(error)
    return row


def record_snippets(folder):
    rows = []
    for group, snippets in {**GROUPS, **template_snippets_compiled.GROUPS}.items():
        for one in snippets:
            text, variables = one if isinstance(one, tuple) else (one, {})
            rows.append({"group": group, **snippet(text, variables)})
    with open(folder / "snippets.json", "w") as out:
        json.dump({"format": 1, "oracle": f"transformers {transformers.__version__}, jinja2 {jinja2.__version__}", "now": NOW, "kwargs": SHARED, "cases": rows}, out,
                  ensure_ascii=False, indent=0)
    print(f"snippets.json: {len(rows)}, of which {sum('error' in r for r in rows)} errors and {sum('syntax_error' in r for r in rows)} syntax errors")


def render(template, tokens, case):
    tokenizer = PreTrainedTokenizerFast.__new__(PreTrainedTokenizerFast)      # only its apply_chat_template is wanted: no vocabulary
    tokenizer.__dict__.update(chat_template=template, _special_tokens_map=dict.fromkeys(tokenizer.SPECIAL_TOKENS_ATTRIBUTES), _extra_special_tokens=[])
    tokenizer._special_tokens_map.update(tokens)
    return tokenizer.apply_chat_template(case["messages"], tools=case.get("tools"), documents=case.get("documents"), tokenize=False,
                                         add_generation_prompt=case.get("add_generation_prompt", False),
                                         continue_final_message=case.get("continue_final_message", False), **case.get("kwargs", {}))


def record_family(folder, shared):
    given = json.loads((folder / "conversations.json").read_text())
    template, tokens = (folder / "chat_template.jinja").read_text(), given["special_tokens"]
    cases = [{**case, "kwargs": {**case.get("kwargs", {}), **given.get("kwargs", {})}} for case in shared + given.get("cases", [])]
    for case in cases:
        case["rendered"], case["error"] = None, None
        try:
            case["rendered"] = render(template, tokens, case)
        except Exception as error:
            case["error"] = message_of(error)
    with open(folder / "expected.json", "w") as out:
        json.dump({"format": 1, "kind": "chat_template", "name": folder.name, "oracle": f"transformers {transformers.__version__} apply_chat_template(tokenize=False), jinja2 {jinja2.__version__}",
                   "special_tokens": tokens, "now": NOW, "template": template, "cases": cases}, out, ensure_ascii=False, indent=0)
    print(f"{folder.name}: {len(cases)} cases, {sum(c['error'] is not None for c in cases)} errors")
    for case in cases:
        if case["error"]:
            print("   ", case["error"][:150])


def main():
    folder = pathlib.Path(sys.argv[1])
    chat_template_utils.datetime = Clock
    record_snippets(folder)
    shared = json.loads((folder / "conversations.json").read_text())
    for sub in sorted(folder.iterdir()):
        if (sub / "conversations.json").exists():
            record_family(sub, shared)


if __name__ == "__main__":
    main()
