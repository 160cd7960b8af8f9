"""Snippets about what jinja2 finds while it compiles and what where it gets there, and about the constructs that few chat templates use:
blocks and self, recursive loops, other files, attributes and methods of numbers, ranges and views. Rows as in template_snippets.py."""

UNKNOWN = [
    "{% if no %}{{ x|nope }}{% endif %}ok", "{% if yes %}{{ x|nope }}{% endif %}ok", "{% if no %}a{% elif no %}{{ x|nope }}{% else %}{{ 1 if yes else x|nope }}{% endif %}",
    "{% if no and x|nope %}a{% endif %}b", "{% if x|nope %}a{% endif %}b", "{% if no %}{% for i in [1] %}{{ i|nope }}{% endfor %}{% endif %}",
    "{% if no %}{% for i in nums|nope %}{% endfor %}{% endif %}ok", "{% if no %}{% for i in nums if i is nope %}{% endfor %}{% endif %}ok",
    "{% for i in nums %}{% if no %}{{ i|nope }}{% endif %}{% endfor %}ok", "{% if no %}{% set x = 1|nope %}{% endif %}ok", "{% if no %}{% set x %}{{ 1|nope }}{% endset %}{% endif %}ok",
    "{% if no %}{% set x | nope %}1{% endset %}{% endif %}ok", "{% if no %}{% filter nope %}x{% endfilter %}{% endif %}ok", "{% if no %}{% filter upper %}{{ 1|nope }}{% endfilter %}{% endif %}ok",
    "{% if no %}{% with a = 1|nope %}{% endwith %}{% endif %}ok", "{% if no %}{% with %}{{ 1|nope }}{% endwith %}{% endif %}ok", "{% if no %}{% macro m() %}{{ 1|nope }}{% endmacro %}{% endif %}ok",
    "{% if no %}{% macro m(a=1|nope) %}{% endmacro %}{% endif %}ok", "{% if no %}{% call f(1|nope) %}{% endcall %}{% endif %}ok", "{% if no %}{% call f() %}{{ 1|nope }}{% endcall %}{% endif %}ok",
    "{% if no %}{% generation %}{{ 1|nope }}{% endgeneration %}{% endif %}ok", "{% if no %}{% block b %}{{ 1|nope }}{% endblock %}{% endif %}ok",
    "{% if no %}{% autoescape false %}{{ 1|nope }}{% endautoescape %}{% endif %}ok", "{{ 1 if yes else x|nope }}", "{{ 1 if no else x|nope }}", "{{ x|nope if no else 2 }}", "{{ 1 if x is nope else 2 }}",
    "{{ yes or x is nope }}", "{{ (1 if yes else 2)|nope }}", "{% if no %}{{ x is nope }}{% endif %}ok", "{% if yes %}{{ x is nope }}{% endif %}ok", "{{ nums|map('nope')|list }}",
    "{{ nums|select('nope')|list }}", "{{ users|selectattr('age','nope')|list }}", "{% if no %}{{ nums|map('nope') }}{% endif %}ok", "{{ []|map('nope')|list }}", "{{ []|reject('nope')|list }}",
    "{{ 'nope' is filter }}{{ 'nope' is test }}{{ 'upper' is filter }}{{ 'urlize' is filter }}", "{% if 'nope' is filter %}{{ 1|nope }}{% else %}no{% endif %}",
    "{% macro m() %}{{ 1|nope }}{% endmacro %}", "{% macro m() %}{% if no %}{{ 1|nope }}{% endif %}{% endmacro %}{{ m() }}ok", "{% raw %}{{ 1|nope }}{% endraw %}",
    "{% if no %}{{ x|a.b }}{% endif %}{% if no %}{{ x is a.b }}{% endif %}ok", "{% if no %}{% print 1|nope %}{% endif %}ok",
    "{% if no %}{{ {'a': 1|nope} }}{{ [1|nope] }}{{ f(1|nope) }}{{ 1|upper(1|nope) }}{{ x[1|nope] }}{% endif %}ok", "{% if no %}{{ nope() }}{% endif %}ok", "{{ nope() }}", "{{ nope(1).a }}",
    "{{ name.nope() }}", "{% if no %}{{ 'x'.encode() }}{% endif %}ok", "{{ messages[0].args is string and messages[0].args|from_json }}",
    "{% if messages[0].args is string %}{{ messages[0].args|from_json }}{% endif %}{{ messages[0].content }}",
]

BLOCKS = [
    "[{{ self.GREETING }}]{% for m in messages %}{{ m.content }}{% endfor %}", "{{ self }}", "[{{ self.x }}]", "{{ self.x() }}", "{% block a %}A{% endblock %}{{ self.a() }}", "{{ self.a() }}{% block a %}A{{ name }}{% endblock %}",
    "{% block a %}{{ self.b() }}{% endblock %}{% block b %}B{% endblock %}", "{% set self = 3 %}{{ self }}", "{% block a %}{{ super() }}{% endblock %}", "{% block a %}[{{ super }}]{% endblock %}", "[{{ super }}]",
    "{{ super() }}", "{{ self['a']() }}{% block a %}A{% endblock %}", "{{ self is defined }}{{ self.a is defined }}{{ self.b is defined }}{% block a %}{% endblock %}",
    "{{ self.a()|upper }}{% block a %}x{% endblock %}", "{% macro m() %}{{ self.a() }}{% endmacro %}{{ m() }}{% block a %}A{% endblock %}", "{% for i in [1,2] %}{{ self.a() }}{% endfor %}{% block a %}A{% endblock %}",
    "{% if self.GREETING %}x{% else %}y{% endif %}", "{{ self.a.b }}", "{{ self.__class__ }}x", "{{ self.__class__.x }}", "{{ self|list }}", "{{ self|length }}", "{{ self == self }}",
    "{% set x = 5 %}{% block a %}{{ x }}{% endblock %}{{ self.a() }}", "{% block a %}{% set x = 1 %}{{ x }}{% endblock %}[{{ x }}]", "{% for i in [1,2] %}{% block a scoped %}{{ i }}{% endblock %}{% endfor %}",
    "{% for i in [1,2] %}{% block a %}[{{ i }}]{% endblock %}{% endfor %}", "{% block a required %}{% endblock %}", "{% block a required %}x{% endblock %}", "{% block a scoped required %}{% endblock %}",
    "{% block a %}{% endblock %}{% block a %}{% endblock %}", "{% block a-b %}{% endblock %}", "{% block a %}x{% endblock b %}", "{% for x in nums %}{% block q scoped %}{{ loop.index }}{% endblock %}{% endfor %}",
    "{% macro m(z) %}{% block a scoped %}[{{ z }}]{% endblock %}{% endmacro %}{{ m(1) }}", "{% block a %}x{% endblock %}{% if no %}{% block b %}y{% endblock %}{% endif %}{{ self.b() }}",
    "{% set x %}{% block a %}B{% endblock %}{% endset %}[{{ x }}]", "{% with q = 1 %}{% block a scoped %}{{ q }}{% endblock %}{% endwith %}", "{% block a %}{% block b %}in{% endblock %}{% endblock %}",
    "{% block a %}{{ self.b() }}{% block b %}in{% endblock %}{% endblock %}{{ self.b() }}", "{% block a %}{{ name }}{% set name = 'n' %}{{ name }}{% endblock %}{{ name }}", "{% if yes %}{% set v = 1 %}{% endif %}{% block a %}[{{ v }}]{% endblock %}",
    "{% macro mm() %}M{% endmacro %}{% block a %}{{ mm() }}{% endblock %}", "{% include 'x' %}", "{% include 'x' ignore missing %}ok", "{% import 'x' as y %}", "{% from 'x' import y %}", "{% extends 'x' %}",
    "{% if no %}{% include 'x' %}{% endif %}ok", "{% if no %}{% extends 'x' %}{% endif %}ok", "{% if no %}{% import 'x' as y %}{% endif %}ok", "{% if no %}{% from 'x' import y, z as q with context %}{% endif %}ok",
    "{% include ['a','b'] ignore missing without context %}ok", "{% include missing ignore missing %}ok", "{% import 'x' %}", "{% from 'x' import _y %}", "{% for x in [1] %}{% extends 'q' %}{% endfor %}",
    "{% if no %}{% import 'x' as y with context %}{% endif %}[{{ y }}]", "a{% extends 'x' %}b",
]

RECURSIVE = [
    "{% for x in [[1,[2]],[3]] recursive %}{{ x if x is number else loop(x) }},{% endfor %}",
    "{% for x in [{'n':1,'c':[{'n':2,'c':[]},{'n':3,'c':[{'n':4,'c':[]}]}]}] recursive %}{{ loop.depth }}{{ loop.depth0 }}:{{ x.n }}{% if x.c %}({{ loop(x.c) }}){% endif %}{% endfor %}",
    "{% for x in [1,2] recursive %}{{ loop.index }}/{{ loop.length }}{% else %}E{% endfor %}", "{% for x in [] recursive %}a{% else %}E{% endfor %}",
    "{% for x in [[],[1]] recursive %}{{ loop(x) if x is sequence else x }};{% else %}E{% endfor %}", "{% for x in [1] recursive %}{{ loop() }}{% endfor %}", "{% for x in [1] recursive %}{{ loop(1) }}{% endfor %}",
    "{% for x in [1,[2,[3]]] if x recursive %}{{ loop(x) if x is sequence else x }}{% endfor %}", "{% for x in [1,[0,[3]]] if x recursive %}{{ loop(x) if x is sequence else x }}{% endfor %}",
    "{% for x in [1] %}{{ loop([1]) }}{% endfor %}", "{% for a, b in [[1,[[2,[]],[3,[]]]]] recursive %}{{ a }}{{ loop(b) }}{% endfor %}", "{% for x in [1,2] recursive %}{% break %}{% endfor %}z",
    "{% for x in [[1,2],[3]] recursive %}{% if x == 2 %}{% continue %}{% endif %}{{ loop(x) if x is sequence else x }}{% endfor %}", "{% set y = 9 %}{% for x in [[1]] recursive %}{{ y }}{{ loop(x) if x is sequence }}{% endfor %}",
    "{% for x in [[1,2],[3]] recursive %}{% set z = x %}{{ loop(x)|upper if x is sequence else z }}{{ z }}{% endfor %}",
    "{% for x in [[1]] recursive %}{% for y in [1] %}{{ loop.depth }}{% endfor %}{{ loop.depth }}{{ loop(x) if x is sequence }}{% endfor %}",
    "{% for x in [[1],[2]] recursive %}{% set l = loop %}{% for y in [5] %}{{ l(x) if x is sequence }}{% endfor %}{{ x }}{% endfor %}",
    "{% for x in [[1],[2]] recursive %}{{ loop.previtem }}{{ loop.nextitem }}{{ loop(x) if x is sequence }}{{ loop.changed(x) }}{{ loop.cycle('a','b') }}{% endfor %}",
    "{% for x in missing recursive %}a{% else %}b{% endfor %}", "{% for x in [1] recursive if x %}{% endfor %}", "{% macro t(l) %}{% for x in l recursive %}<{{ x if x is number else loop(x) }}>{% endfor %}{% endmacro %}{{ t([1,[2]]) }}",
    "{% for x in [1] recursive %}{{ loop('xyz') if x == 1 else x }}{% endfor %}", "{% for x in [[1,2]] recursive %}{{ loop.first }}{{ loop.last }}{{ loop.revindex }}{{ loop(x) if x is sequence }}{% endfor %}",
    "{% for i in [1,2] %}{% for x in [] recursive %}{% else %}E{% endfor %}{{ i }}{% endfor %}",
]

PYTHON = [
    "{{ range(-7) }}{{ range(3, 1) }}{{ range(0, 1, 2) }}{{ range(5, 0, -2) }}{{ range(0, 10, 3) }}{{ range(5, 2) }}{{ range(0, 9, 20) }}", "{{ range(10)[2:5] }}{{ range(10)[::-3] }}{{ range(3)[5:] }}{{ range(9)[1:8:2] }}",
    "{{ range(3).start }}{{ range(1,9,2).stop }}{{ range(3).step }}{{ range(3).index(2) }}{{ range(3).count(1) }}", "{{ (7).bit_length() }}{{ (-7).bit_count() }}{{ (7).numerator }}{{ (7).denominator }}{{ (7).imag }}{{ (7).conjugate() }}{{ (7).as_integer_ratio() }}",
    "{{ (2.5).real }}{{ (2.5).imag }}{{ (2.5).is_integer() }}{{ (3.0).is_integer() }}{{ (2.5).as_integer_ratio() }}{{ (0.1).as_integer_ratio() }}{{ (2.5).conjugate() }}",
    "{{ (2.5).hex() }} {{ (-0.0).hex() }} {{ (1e20).hex() }} {{ (5e-324).hex() }} {{ (0.1).hex() }}", "{{ true.real }}{{ true.bit_length() }}", "{{ (7).__add__ }}x", "{{ (7).__add__(1) }}", "{{ name.__mod__(1) }}", "{{ (7).bit_length(1) }}",
    "{{ {'a':1}.keys() == {'a':2}.keys() }}{{ {'a':1}.items() == {'a':1}.items() }}{{ {'a':1}.items() == {'a':2}.items() }}{{ {'a':1}.keys() == ['a'] }}", "{{ {'a':1}.keys().isdisjoint(['b']) }}{{ {'a':1}.keys().mapping }}", "{{ {{'a':1}.keys(): 1} }}",
    "{{ dict.fromkeys(['a']) }}{{ dict.fromkeys('ab', 1) }}{{ {}.fromkeys(['x','y'], 0) }}", "{{ {}.fromkeys(1) }}", "{{ dict(missing) }}", "{{ namespace(missing) }}", "{{ dict(**missing) }}",
    "{% set c = cycler(1,2) %}{{ c.items }}{% set j = joiner('-') %}{{ j() }}{{ j.used }}{{ j() }}{{ j.sep }}", "{{ 'abc'.translate({97: 'x', 98: none, 99: 100}) }}{{ 'abc'.translate('abc'.maketrans('ab', 'xy', 'c')) }}{{ 'é'.maketrans({'é': 'e', 5: 6}) }}",
    "{{ 'abc'.maketrans('a', 'bc') }}", "{{ '%d' % missing }}", "{{ '%x' % missing }}", "{{ missing.__class__ }}x", "[{{ '{0.__class__.__init__}'.format('') }}]", "{{ lipsum is callable }}", "{{ {'a b':1}|xmlattr }}", "{{ 'abc'.translate() }}", "{{ 'a\\nb'.splitlines('x') }}", "{{ '%a|%5a' % ('é', 'x') }}{{ '{!a}'.format('🙂é') }}", "{{ '{:c}|{:3c}|{:n}|{:n}'.format(65, 8364, 1234567, 2.5) }}",
    "{{ ('<{}|{}>'|safe).format('<', '<'|safe) }}{{ ('%s%a'|safe) % ('<', '<') }}", "{% autoescape no %}{{ html }}{% endautoescape %}", "{% if no %}{% autoescape true %}{{ html }}{% endautoescape %}{% endif %}ok",
]

HTML = [
    "{{ poem|wordwrap(5) }}|{{ text|wordwrap(5) }}|{{ text|wordwrap(7, false) }}|{{ text|wordwrap }}", "{{ 'a-b-c-dd foo--bar aa-bb x--y'|wordwrap(4) }}|{{ 'a-b-c-dd foo--bar'|wordwrap(4, break_on_hyphens=false) }}",
    "{{ text|wordwrap(8, wrapstring='|') }}|{{ uni|wordwrap(6) }}|{{ '   lead and  trail   '|wordwrap(6) }}|{{ 'a\tb c\td'|wordwrap(3) }}", "{{ 'Look, goof-ball -- use the -b option! well-known-facts --x'|wordwrap(7) }}",
    "{{ 'https://example.org/a-very-long-address-indeed and e-mail co-op'|wordwrap(9) }}", "{{ text|wordwrap(0) }}", "{{ text|wordwrap('x') }}", "{{ 5|wordwrap }}", "{{ missing|wordwrap }}",
    "{{ 'see http://example.com/x?y=1&z=2. ok'|urlize }}", "{{ 'www.example.com, (www.a.org) mail me@x.org <http://q.com>'|urlize }}", "{{ 'https://www.python.org/a_(b) (https://example.net/a_(b)) https://x.y'|urlize(10) }}",
    "{{ 'http://ab.cd'|urlize(nofollow=true) }}", "{{ 'http://ab.cd'|urlize(target='_blank', rel='x y x') }}", "{{ 'mailto:a@b.co tel:123 ftp://x.y'|urlize }}", "{{ 'tel:123 ftp://x.y'|urlize(extra_schemes=['tel:','ftp:']) }}",
    "{{ 'x.com yy.net zz.org qq.de aa.comx aa.info:80/x'|urlize }}", "{{ 'foo http://ab.cd/c). \"http://dd.ee\" !'|urlize }}", "{{ html|urlize }}{{ 5|urlize }}{{ missing|urlize }}{{ ('http://ab.cd <b>'|safe)|urlize }}",
    "{{ 'http://zażółć.pl/ß http://xn--abc.xn--12 HTTP://AB.CD'|urlize }}", "{{ 'a@b a@b.c @b.co a..b@c.com x@y.com:z a@b@c.de'|urlize }}", "{{ 'http://localhost:80/x http://1.2.3.4/ http://1.2.3.4567 http://[::1]/ http://[1:2:3:4:5:6:7:8]:80'|urlize }}",
    "{{ 'http://ab.cd'|urlize(extra_schemes=['x']) }}", "{{ 'http://ab.cd'|urlize('x') }}", "{{ '<p>x &amp; <b>y</b>  z</p> <!-- c --> d'|striptags }}", "{{ 'a  b\\n c'|striptags }}{{ 5|striptags }}{{ missing|striptags }}{{ users|striptags }}",
    "{{ '<unclosed &lt; &#39; &#x41; &#0; &#128; &#xD800; & &# x'|striptags }}", "{{ '<!-- open <b> x'|striptags }}",
]

SCOPES = [
    "{% for i in [1] %}[{{ name }}]{% endfor %}{% set name = 5 %}{{ name }}", "{% filter trim %}[{{ name }}]{% endfilter %}{% set name = 5 %}{{ name }}", "{% if name %}{% endif %}{% for i in [1] %}[{{ name }}]{% endfor %}{% set name = 5 %}",
    "{% for i in [1] %}[{{ name }}]{% endfor %}{% if yes %}{% set name = 5 %}{% endif %}{{ name }}", "{% for i in [1] %}[{{ name }}]{% endfor %}{% set name = name %}{{ name }}", "{% macro m() %}[{{ name }}]{% endmacro %}{{ m() }}{% set name = 5 %}{{ m() }}",
    "{% macro m(name) %}[{{ name }}]{% endmacro %}{{ m(1) }}{{ name }}", "{% for name in [1] %}{{ name }}{% endfor %}{{ name }}", "{% with name = 1 %}{{ name }}{% endwith %}{{ name }}", "{% block b %}[{{ name }}]{% endblock %}{% set name = 5 %}{{ self.b() }}",
    "{% for i in [1] %}[{{ name }}]{% endfor %}{% set name %}x{{ name }}{% endset %}{{ name }}", "{% for i in [1] %}{{ range(2) }}{% endfor %}{% set range = 5 %}", "{% macro m(a=name) %}[{{ a }}]{% endmacro %}{{ m() }}{% set name = 5 %}{{ m() }}",
    "{% for x in nums if name %}{{ x }}{% endfor %}{% set name = 1 %}", "{% for i in [1] %}[{{ name }}]{% endfor %}{% macro name() %}{% endmacro %}", "{% set a, name = 1, 2 %}{{ name }}",
    "{% for i in [1] %}[{{ name }}]{% endfor %}{% set ns = namespace() %}{% set ns.name = 5 %}",
]

GROUPS = {"scopes": SCOPES, "unknown": UNKNOWN, "blocks": BLOCKS, "recursive": RECURSIVE, "python": PYTHON, "html": HTML}
