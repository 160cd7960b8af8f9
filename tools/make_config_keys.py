"""Writes src/families/reference_keys.c: which keys of config.json the classes of Hugging Face
transformers know, which of them their code reads, and what a missing one stands for.

    build-venv/bin/python tools/make_config_keys.py SOURCES [src/families/reference_keys.c]

SOURCES holds one folder a version, each with the unpacked wheel of that version. Nothing is
installed or imported: the sources are read as syntax trees.

    for v in VERSIONS (config_key_rules.py); do build-venv/bin/python -m pip download --no-deps -d wheels transformers==$v; unzip -q -d SOURCES/$v wheels/transformers-$v-*.whl; done

What the table says of a model_type is the union over all versions that have it:
- known keys: arguments and fields of the configuration class and of the classes that it is built
  on, what it takes out of **kwargs, the names of attribute_map, and every key that is read.
- read keys: X in config.X, self.config.X, getattr(config, "X", ...) and the like, in the modelling
  file of the class, in whatever it is built on or calls within transformers (other models' classes,
  masks, ropes, caches, attention functions, the base class of models), and in what the
  configuration class derives from its arguments. generation/ is left out: its settings are those of
  generation_config.json. Keys of a rope's description ("rope_parameters.factor") are those that
  rope code reads from it.
- of the read ones, those of UNUSED (config_key_rules.py) change no result; each has its reason there.
- fallback: the default in the newest version that has one.

A new model_type is one line of CLASSES in tools/config_key_rules.py.
"""
import ast
import fnmatch
import glob
import json
import os
import sys

from config_key_rules import (BASE_NAMES, BASE_READ, CLASSES, ELSEWHERE, FOLLOWED, NOT_KEYS,
                              OTHER_CONFIGS, ROPE_DICTS, ROPE_GROUPS, SHARED, SHARED_DROPPED,
                              SUB_CONFIGS, UNUSED, VERSIONS)


class Module:
    """A source file: its top-level definitions, and from where it takes other names."""

    def __init__(self, path):
        self.path = path
        with open(path, encoding="utf-8") as f:
            tree = ast.parse(f.read())
        self.defs, self.imports, self.reads = {}, {}, {}
        for node in self.statements(tree.body):
            if isinstance(node, (ast.ClassDef, ast.FunctionDef)):
                self.defs[node.name] = node
            elif isinstance(node, (ast.Assign, ast.AnnAssign)):
                for target in node.targets if isinstance(node, ast.Assign) else [node.target]:
                    if isinstance(target, ast.Name):
                        self.defs[target.id] = node
        for node in ast.walk(tree):
            if isinstance(node, ast.ImportFrom) and node.level:
                for name in node.names:
                    self.imports[name.asname or name.name] = (node.level, node.module or "", name.name)

    def statements(self, body):
        for node in body:
            yield node
            for inner in ("body", "orelse"):
                if isinstance(node, (ast.If, ast.Try)):
                    yield from self.statements(getattr(node, inner))


class Version:
    def __init__(self, root):
        self.root = os.path.join(root, "transformers")
        self.modules = {}
        self.config_of = {}
        for folder in sorted(os.listdir(os.path.join(self.root, "models"))):
            inside = os.path.join(self.root, "models", folder)
            for name in sorted(os.listdir(inside)) if os.path.isdir(inside) else ():
                if name.startswith("configuration_") and name.endswith(".py"):
                    self.find_configs(os.path.join(inside, name))

    def module(self, path):
        if path not in self.modules:
            self.modules[path] = Module(path) if os.path.isfile(path) else None
        return self.modules[path]

    def find_configs(self, path):
        with open(path, encoding="utf-8") as f:
            if "model_type" not in f.read():
                return
        for node in self.module(path).defs.values():
            if isinstance(node, ast.ClassDef):
                for name, value in class_values(node).items():
                    if name == "model_type" and isinstance(value, ast.Constant) and value.value:
                        self.config_of.setdefault(value.value, (path, node.name))

    def resolve(self, module, name):
        """Where a name used in a module is defined: (module, name), or None outside of what is followed."""
        for _ in range(4):
            if name in module.defs:
                return module, name
            if name not in module.imports:
                return None
            level, dotted, name = module.imports[name]
            folder = os.path.dirname(module.path)
            for _ in range(level - 1):
                folder = os.path.dirname(folder)
            path = os.path.join(folder, *dotted.split(".")) if dotted else folder
            for candidate in (path + ".py", os.path.join(path, name + ".py"), os.path.join(path, "__init__.py")):
                if os.path.isfile(candidate):
                    break
            else:
                return None
            inside = os.path.relpath(candidate, self.root)
            if not inside.startswith(FOLLOWED) or inside.startswith(("modeling_tf", "modeling_flax")):
                return None
            module = self.module(candidate)
        return None

    def bases(self, module, node):
        """The classes a class is built on, itself first."""
        out, todo = [], [(module, node)]
        while todo:
            module, node = todo.pop(0)
            if any(n is node for _, n in out):
                continue
            out.append((module, node))
            for base in node.bases:
                found = self.resolve(module, base.id) if isinstance(base, ast.Name) else None
                if found and isinstance(found[0].defs[found[1]], ast.ClassDef):
                    todo.append((found[0], found[0].defs[found[1]]))
        return out


def class_values(node):
    out = {}
    for item in node.body:
        if isinstance(item, ast.Assign):
            for target in item.targets:
                if isinstance(target, ast.Name):
                    out[target.id] = item.value
        elif isinstance(item, ast.AnnAssign) and isinstance(item.target, ast.Name):
            out[item.target.id] = item.value
    return out


def sub_classes(module, node):
    """(key, class) of the parts of a configuration that have classes of their own and no model."""
    values = class_values(node)
    for key, value in zip(*[getattr(values.get("sub_configs"), name, []) for name in ("keys", "values")]):
        if isinstance(key, ast.Constant) and key.value in SUB_CONFIGS and isinstance(value, ast.Name) and value.id in module.defs:
            yield key.value, module.defs[value.id]


def literal(node):
    """A default as JSON text; None where it is not a plain value."""
    if isinstance(node, ast.Call):
        given = {k.arg: k.value for k in node.keywords}
        if "default" in given:
            return literal(given["default"])
        if isinstance(given.get("default_factory"), ast.Name) and given["default_factory"].id in ("list", "dict"):
            return {"list": "[]", "dict": "{}"}[given["default_factory"].id]
        return None
    try:    # of literals alone, sums and products of them included
        return json.dumps(eval(compile(ast.Expression(node), "", "eval"), {"__builtins__": {}}))
    except (NameError, ValueError, TypeError):
        return None


class Reads(ast.NodeVisitor):
    """The keys that a piece of code reads, and the names that it uses."""

    def __init__(self, own_config=False):
        self.keys, self.ropes, self.names, self.layered, self.defaults = set(), set(), set(), False, {}
        self.own_config = own_config    # the piece is a configuration class: self is a configuration

    def prefix(self, node):
        """"" where an expression is a configuration, "attn_config." where it is that part of one; None where it is neither."""
        name = node.id if isinstance(node, ast.Name) else node.attr if isinstance(node, ast.Attribute) else None
        if name == "self":
            return "" if self.own_config else None
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "get_text_config":
            return ""
        if name in ("cfg", "conf"):
            return ""
        if not name or not name.endswith("config") or name in OTHER_CONFIGS or name.startswith("_"):
            return None
        return name + "." if name in SUB_CONFIGS else ""

    def rope(self, node):
        """Whether an expression is a rope's description, or (2) one that lies a layer's type deeper."""
        if isinstance(node, ast.Name):
            return node.id in ROPE_DICTS
        if isinstance(node, ast.Attribute):
            return node.attr in ("rope_parameters", "rope_scaling")
        if isinstance(node, ast.Subscript) and self.rope(node.value) and not isinstance(node.slice, ast.Constant):
            self.layered = True
            return True
        return False

    def add(self, owner, key, fallback=None):
        prefix = self.prefix(owner)
        if prefix is not None:
            self.keys.add(prefix + key)
            if fallback:
                self.defaults[prefix + key] = fallback
        elif self.rope(owner):
            self.ropes.add(key)

    def visit_Attribute(self, node):
        if isinstance(node.ctx, ast.Load):
            self.add(node.value, node.attr) if not self.rope(node.value) else None
        self.generic_visit(node)

    def visit_Subscript(self, node):
        if isinstance(node.slice, ast.Constant) and isinstance(node.slice.value, str):
            self.add(node.value, node.slice.value)
        self.rope(node)
        self.generic_visit(node)

    def visit_Compare(self, node):
        if isinstance(node.left, ast.Constant) and isinstance(node.left.value, str) and isinstance(node.ops[0], (ast.In, ast.NotIn)):
            self.add(node.comparators[0], node.left.value)
        self.generic_visit(node)

    def visit_Call(self, node):
        text = [a.value if isinstance(a, ast.Constant) and isinstance(a.value, str) else None for a in node.args]
        if isinstance(node.func, ast.Name) and node.func.id in ("getattr", "hasattr") and len(text) > 1 and text[1]:
            self.add(node.args[0], text[1], literal(node.args[2]) if len(node.args) > 2 else None)
        if isinstance(node.func, ast.Attribute) and node.func.attr in ("get", "pop", "setdefault") and text and text[0]:
            self.add(node.func.value, text[0])
        self.generic_visit(node)

    def visit_Name(self, node):
        if isinstance(node.ctx, ast.Load):
            self.names.add(node.id)


def reads_of(module, name):
    """The reads of one definition, looked through once."""
    if name not in module.reads:
        module.reads[name] = Reads()
        module.reads[name].visit(module.defs[name])
    return module.reads[name]


def walk(version, start, inside):
    """The reads of some definitions and of all that they use below one folder: start is a list of (module, name)."""
    out, seen, todo = Reads(), set(), list(start)
    while todo:
        module, name = todo.pop()
        if (module.path, name) in seen or isinstance(module.defs[name], ast.ClassDef) and name.endswith("Config"):
            continue
        seen.add((module.path, name))
        one = reads_of(module, name)
        out.keys |= one.keys
        out.ropes |= one.ropes
        out.layered |= one.layered
        out.defaults.update(one.defaults)
        for used in one.names:
            found = version.resolve(module, used)
            if found and os.path.relpath(found[0].path, version.root).startswith(inside):
                todo.append(found)
    return out


def derived(init):
    """The arguments of an old __init__ from which it makes more than an attribute of the same name."""
    plain = set()
    for node in ast.walk(init):
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Name) and isinstance(node.targets[0], ast.Attribute) and node.targets[0].attr == node.value.id:
            plain.add(id(node.value))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "__init__":
            plain |= {id(k.value) for k in node.keywords if isinstance(k.value, ast.Name) and k.value.id == k.arg}
    args = {a.arg for a in init.args.args + init.args.kwonlyargs}
    return {n.id for n in ast.walk(init) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Load) and n.id in args and id(n) not in plain} - {"self", "kwargs"}


class Known:
    """What one configuration class of one version says: known keys with defaults, and what it derives."""

    def __init__(self):
        self.defaults, self.read, self.ropes, self.aliases, self.refused = {}, set(), set(), {}, set()

    def add_class(self, node, is_base):
        values = class_values(node)
        annotated = {i.target.id for i in node.body if isinstance(i, ast.AnnAssign) and isinstance(i.target, ast.Name) and "ClassVar" not in ast.dump(i.annotation)}
        for key in annotated:
            self.defaults.setdefault(key, literal(values[key]) if values[key] is not None else None)
        if isinstance(values.get("attribute_map"), ast.Dict):
            self.aliases.update(ast.literal_eval(values["attribute_map"]))
        if "default_theta" in values:
            theta = ast.literal_eval(values["default_theta"])
            self.defaults.setdefault("rope_theta", json.dumps(theta["global"] if isinstance(theta, dict) else theta))
        for item in node.body:
            if isinstance(item, ast.FunctionDef):
                self.add_method(item, is_base)

    def add_method(self, item, is_base):
        if item.name == "__init__":
            args = item.args.args
            for arg, value in zip(args[len(args) - len(item.args.defaults):], item.args.defaults):
                self.defaults.setdefault(arg.arg, literal(value))
            for arg in args[1:len(args) - len(item.args.defaults)]:
                self.defaults.setdefault(arg.arg, None)
            self.read |= derived(item)
        decorators = {d.attr if isinstance(d, ast.Attribute) else getattr(d, "id", "") for d in item.decorator_list}
        if "property" in decorators and not is_base:
            self.refused.add(item.name)
        if "setter" in decorators:
            self.refused.discard(item.name)
            self.defaults.setdefault(item.name, None)
        taken = item.name in ("__init__", "__post_init__", "convert_rope_params_to_dict")
        for node in ast.walk(item) if taken else ():
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in ("pop", "get") and getattr(node.func.value, "id", "") == "kwargs" \
                    and node.args and isinstance(node.args[0], ast.Constant):
                self.defaults.setdefault(node.args[0].value, literal(node.args[1]) if len(node.args) > 1 else None)
                if not is_base:
                    self.read.add(node.args[0].value)
        # What is only checked shapes no result; what the base class does with keys that a class may
        # have is in BASE_READ.
        if is_base or item.name.startswith(("validate", "_validate")) or item.name.endswith("_validation"):
            return
        reads = Reads(own_config=True)
        reads.visit(item)
        self.read |= {k for k in reads.keys}
        self.ropes |= reads.ropes


class Table:
    """known: key -> default as JSON text or None; read: keys; gathered from the oldest version to the newest."""

    def __init__(self):
        self.known, self.read, self.ropes, self.layered = {}, set(), set(), False

    def add(self, defaults, read):
        for key in set(defaults) | read:
            self.known[key] = defaults[key] if defaults.get(key) is not None else self.known.get(key)
        self.read |= read

    def rows(self, model_type):
        """(key, fallback, read), sorted."""
        keys = [k for k in self.known if not any(fnmatch.fnmatchcase(k, p) for p in NOT_KEYS) and k.replace(".", "").replace("_", "").isalnum()]
        return [(k, self.known[k], k in self.read and not unused(model_type, k)) for k in sorted(keys)]


def shared_table(versions):
    """What every class has: the base class of configurations, and the code that all models share."""
    out = Table()
    for version in versions:
        base = version.module(os.path.join(version.root, "configuration_utils.py"))
        known, reads = Known(), Reads()
        known.add_class(next(base.defs[n] for n in BASE_NAMES if isinstance(base.defs.get(n), ast.ClassDef)), True)
        for pattern in SHARED:
            for path in sorted(glob.glob(os.path.join(version.root, pattern + "*.py"))):
                module = version.module(path)
                for one in (reads_of(module, n) for n in module.defs if not any(fnmatch.fnmatchcase(n, p) for p in ELSEWHERE)):
                    reads.keys |= one.keys
                    reads.defaults.update(one.defaults)
        out.add({**reads.defaults, **{k: v for k, v in known.defaults.items() if v is not None or k not in reads.defaults}}, reads.keys | BASE_READ)
    for key in SHARED_DROPPED:
        out.known.pop(key, None)
    return out


def rope_tables(versions):
    """What the rope functions read: keys of a rope's description, and of the configuration around it."""
    inside, around = {"type", "rope_type", "rope_theta", "partial_rotary_factor", "original_max_position_embeddings", "factor"}, Table()
    for version in versions:
        module = version.module(os.path.join(version.root, "modeling_rope_utils.py"))
        if not module:
            continue
        reads = walk(version, [(module, n) for n in module.defs if n.startswith("_compute")], "modeling_rope_utils")
        known = Known()
        for node in module.defs.values():
            if isinstance(node, ast.ClassDef) and node.name.endswith("Mixin"):
                known.add_class(node, False)
        inside |= reads.ropes | known.ropes
        around.add({"partial_rotary_factor": "null"}, (reads.keys | known.read) - set(SHARED_DROPPED) | {"partial_rotary_factor"})
    return inside, around


def add_class(table, version, model_type, roots):
    """One version's word on a model_type, if it has it."""
    if model_type not in version.config_of:
        return
    path, name = version.config_of[model_type]
    module, known, methods, start = version.module(path), Known(), set(), []
    for _, node in version.bases(module, module.defs[name]):
        methods |= {i.name for i in node.body if isinstance(i, ast.FunctionDef)}
        if node.name not in BASE_NAMES and "Mixin" not in node.name:
            known.add_class(node, False)
            for part, inner in sub_classes(module, node):
                inside = Known()
                inside.add_class(inner, False)
                known.defaults.update({f"{part}.{k}": v for k, v in inside.defaults.items()})
    for file in sorted(os.listdir(os.path.dirname(path))):
        if file.startswith("modeling_") and not file.startswith(("modeling_tf", "modeling_flax")):
            code = version.module(os.path.join(os.path.dirname(path), file))
            start += [(code, n) for n, node in code.defs.items() if isinstance(node, ast.ClassDef) and (not roots or n in roots)]
    reads = walk(version, start, "models/")
    keys = (reads.keys | known.read) - (methods - set(known.defaults) - known.refused) | known.refused
    if {"rope_parameters", "rope_scaling", "rope_theta"} & (set(known.defaults) | keys):
        table.ropes |= reads.ropes | known.ropes | {"rope_theta"}
        keys |= {"rope_theta", "rope_scaling", "rope_parameters"}
        table.layered |= reads.layered
    for alias, target in known.aliases.items():
        keys |= {alias, target} if {alias, target} & keys else set()
    table.add({**reads.defaults, **{k: v for k, v in known.defaults.items() if v is not None or k not in reads.defaults}, **{a: None for a in known.aliases}}, keys)


def make_tables(versions):
    """Chain: what every class has, then with a rope, then with a rope for each type of layer; and each class's own rows beyond these."""
    shared, (ropes, around) = shared_table(versions), rope_tables(versions)
    chain = {"every": shared.rows("")}
    places = ("rope_parameters", "rope_scaling")
    chain["rope"] = sorted([(f"{p}.{k}", None, True) for p in places for k in ropes] + [row for row in around.rows("") if row[0] not in shared.known], key=lambda row: row[0])
    chain["layer_rope"] = sorted((f"{p}.{g}.{k}", None, True) for p in places for g in ROPE_GROUPS for k in ropes)
    classes = {}
    for model_type, more in CLASSES.items():
        table = Table()
        for version in versions:
            add_class(table, version, model_type, more.get("roots"))
        if not table.known:
            sys.exit(f"no version has {model_type}")
        base = "every"
        if table.ropes:
            base = "layer_rope" if table.layered else "rope"
            own = table.ropes - ropes - set(ROPE_GROUPS)
            table.add({}, {f"{p}.{k}" for p in places for k in own} | ({f"{p}.{g}" for p in places for g in ROPE_GROUPS} if table.layered else set()))
        below = {k: row for name in ("every", "rope", "layer_rope")[:("every", "rope", "layer_rope").index(base) + 1] for row in chain[name] for k in row[:1]}
        rows = []
        for key, fallback, read in table.rows(model_type):
            # What shared code reads is read, whatever the class's own code does; a default that the
            # class leaves alone is the shared one.
            if key in below:
                fallback, read = fallback if fallback is not None else below[key][1], read or below[key][2]
            if below.get(key) != (key, fallback, read):
                rows.append((key, fallback, read))
        classes[model_type] = (base, rows)
    return chain, classes


def unused(model_type, key):
    return any(fnmatch.fnmatchcase(key.split(".")[-1], pattern) and model_type not in but for pattern, _, but in UNUSED)


def c_text(value):
    return "NULL" if value is None else json.dumps(value)


def wrapped(items, indent="    ", width=120):
    lines, line = [], indent
    for item in items:
        if len(line) + len(item) + 1 > width and line != indent:
            lines.append(line.rstrip())
            line = indent
        line += item + " "
    return lines + [line.rstrip()]


def array(name, rows):
    return [f"static const tern_reference_key {name}[] = {{"] + wrapped([f"{'READ' if read else 'KNOWN'}({c_text(key)}, {c_text(fallback)})," for key, fallback, read in rows]) + ["};", ""]


def write(path, chain, classes):
    out = ["/* The keys of config.json that Hugging Face's classes know: see reference_keys.h. Written by tools/make_config_keys.py from",
           f" * transformers {', '.join(VERSIONS[:-1])}", f" * and {VERSIONS[-1]}. */", '#include "families/reference_keys.h"', "", "#include <string.h>", "",
           "#define READ(key, fallback) { key, fallback, true }", "#define KNOWN(key, fallback) { key, fallback, false }",
           "#define CLASS(model_type, keys, base) { model_type, keys, sizeof keys / sizeof *keys, base }", ""]
    base = "NULL"
    for name, why in (("every", "what every class shares"), ("rope", "of a class that has a rope"), ("layer_rope", "of a class that has one for each type of layer")):
        out += [f"/* {why} */"] + array(name + "_keys", chain[name]) + [f'static const tern_reference_class {name} = CLASS("", {name}_keys, {base});', ""]
        base = "&" + name
    listed = []
    for model_type, (of, rows) in sorted(classes.items()):
        name = model_type.replace("-", "_").replace(".", "_") + "_keys"
        out += array(name, rows)
        listed += [(t, name, of) for t in [model_type] + CLASSES[model_type].get("as", [])]
    out += ["static const tern_reference_class classes[] = {"] + wrapped([f"CLASS({c_text(t)}, {name}, &{of})," for t, name, of in sorted(listed)])
    out += ["};", "", LOOK_UP]
    with open(path, "w", encoding="utf-8") as f:
        f.write("\n".join(out))


LOOK_UP = """const tern_reference_class *tern_reference_class_of(const char *model_type)
{
    for (size_t i = 0; model_type && i < sizeof classes / sizeof *classes; i++)
        if (!strcmp(classes[i].model_type, model_type)) return &classes[i];
    return NULL;
}

const tern_reference_key *tern_reference_key_of(const tern_reference_class *class, const char *key)
{
    for (; class; class = class->base)
        for (size_t i = 0; i < class->n_key; i++)
            if (!strcmp(class->keys[i].key, key)) return &class->keys[i];
    return NULL;
}
"""


def main():
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    versions = [Version(os.path.join(sys.argv[1], v)) for v in VERSIONS]
    chain, classes = make_tables(versions)
    write(sys.argv[2] if len(sys.argv) > 2 else os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "src", "families", "reference_keys.c"), chain, classes)
    for model_type, (base, rows) in sorted(classes.items()):
        print(f"{model_type}: {len(rows)} keys of its own, {sum(read for _, _, read in rows)} read, and those of {base}")


main()
