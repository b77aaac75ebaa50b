import type { Prng } from "../../src/util/prng.ts";
import { choose } from "./subject.ts";

/**
 * What templates are made of, by kind. In `«kind»` stands something of that kind; names are the
 * variables of template-variables.json.
 */
const grammar: Readonly<Record<string, readonly string[]>> = {
  str: [
    ..."s|t|wide|padded|lines|'a'|''|' '|'\\n'|\"it's\"|'é\\u00df𝄞'|'x' 'y'|'%s'|'1'|'2.5'".split(
      "|",
    ),
    ..."m.role|m.content|messages[0].content|d.name|d['a b']".split("|"),
    ..."«str»|trim;«str»|upper;«str»|lower;«str»|capitalize;«str»|title;«any»|string".split(";"),
    ..."«str» ~ «any»;«any» ~ «str»;«str» + «str»;«str» * «small»;«any»|tojson".split(";"),
    ..."«str».strip();«str».strip(«str»);«str».lstrip(«str»);«str».rstrip('\\n')".split(";"),
    ..."«str».upper();«str».lower();«str».title();«str».capitalize();«str».swapcase()".split(";"),
    ..."«str».replace(«str», «str»);«str».replace(«str», «str», «small»)".split(";"),
    ..."«str».split(«str»)[0];«str».split(«str»)[-1];«str».split('\\n')|join(«str»)".split(";"),
    ..."«str»[«small»];«str»[«small»:];«str»[:-1];«str»[«small»:«small»];«str»[::-1]".split(";"),
    ..."«str»[«small»:«small»:«small»];«str».removeprefix(«str»);«str».removesuffix(«str»)".split(
      ";",
    ),
    ..."«list»|join(«str»);«list»|join;«str».join(«texts»);«str».center(«num»);«str».zfill(«small»)".split(
      ";",
    ),
    ..."«str».ljust(«small», '*');«str».rjust(9);«str».partition(«str»)[2];«str»|first;«str»|last".split(
      ";",
    ),
    ..."«str»|indent;«str»|indent(«small»);«str»|indent(2, true);«str»|indent('> ', blank=true)".split(
      ";",
    ),
    ..."«str»|replace(«str», «str»);«str»|replace(«any», «any», «small»);«str»|trim(«str»)".split(
      ";",
    ),
    ..."«str»|truncate(«small»);«str»|truncate(5, true, '…', 0);«str»|center(«small»)".split(";"),
    ..."«str»|wordwrap(«small»);«str»|wordwrap(8, false);«str»|striptags;«str»|escape;«str»|e|upper".split(
      ";",
    ),
    ..."«str»|default(«str»);missing|default(«any»);«any»|default(«any», true);missing;m.nothing".split(
      ";",
    ),
    ..."'%s-%s'|format(«any», «any»);'%05.2f|%d' % («num», «num»);'%(name)s' % d;'%r' % «str»".split(
      ";",
    ),
    ..."'{} {}'.format(«any», «any»);'{0:>8}|{1:<5}|{0!r}'.format(«str», «str»);'{x}'.format(x=«any»)".split(
      ";",
    ),
    ..."'{:05d}|{:+.2f}|{:,}'.format(«num», «num», «num»);«any»|tojson(indent=«small»);«any»|pprint".split(
      ";",
    ),
    ..."«any»|tojson(ensure_ascii=true);«any»|tojson(sort_keys=true);«any»|tojson(separators=(',', ':'))".split(
      ";",
    ),
    ..."«str» if «bool» else «str»;«str» if «bool»;«str» or «str»;«str» and «str»;«str»|reverse".split(
      ";",
    ),
    ..."strftime_now(«date»);«num»|filesizeformat;«str»|urlencode;«str».casefold();«str».expandtabs(4)".split(
      ";",
    ),
  ],
  date: [
    "'%d %b %Y'",
    "'%A, %B %e'",
    "'%Y-%m-%d %H:%M:%S'",
    "'%j %U %W %V %G %u %w'",
    "'%I:%M %p %y'",
    "'%c|%x|%X'",
    "'%-d/%-m %%'",
  ],
  num: [
    ..."0|1|2|-3|7|1000000|2.5|0.1|-1.5|1e20|1e-7|0x1f|1_000|n|f|zero|true".split("|"),
    ..."«num» + «num»;«num» - «num»;«num» * «num»;«num» / «num»;«num» // «num»;«num» % «num»;«num» ** «small»".split(
      ";",
    ),
    ..."-«num»;+«num»;(«num»)|abs;«num»|round;«num»|round(«small»);«num»|round(1, 'floor');«num»|int".split(
      ";",
    ),
    ..."«num»|float;«str»|int;«str»|float;«str»|int(7);'ff'|int(base=16);«list»|length;«str»|length".split(
      ";",
    ),
    ..."«list»|sum;«list»|count;«nums»|sum;«nums»|max;«nums»|min;«str».count(«str»);«str».find(«str»)".split(
      ";",
    ),
    ..."«list».index(«any»);«str»|wordcount;«dict»|length;d.n;xs[«small»];«bool»|int;1 if «bool» else 2".split(
      ";",
    ),
  ],
  small: ["0", "1", "2", "3", "-1", "-2", "5", "12", "none", "zero", "n"],
  bool: [
    ..."true|false|flag|True|not «any»|«any» == «any»|«any» != «any»|«num» < «num»|«num» >= «num»".split(
      "|",
    ),
    ..."«str» in «str»;«any» in «list»;«str» not in «dict»;«str» < «str»;«bool» and «bool»;«bool» or «bool»".split(
      ";",
    ),
    ..."«any» is defined;«any» is not defined;missing is defined;«any» is none;«any» is string".split(
      ";",
    ),
    ..."«any» is mapping;«any» is sequence;«any» is iterable;«any» is number;«any» is integer".split(
      ";",
    ),
    ..."«any» is float;«any» is boolean;«any» is true;«any» is false;«num» is odd;«num» is even".split(
      ";",
    ),
    ..."«num» is divisibleby 3;«num» is divisibleby(«small»);«str» is lower;«str» is upper;«any» is sameas true".split(
      ";",
    ),
    ..."«any» is eq «num»;«num» is gt 1;«any» is in «list»;«any» is undefined;«any» is callable;'trim' is filter".split(
      ";",
    ),
    ..."«str».startswith(«str»);«str».endswith(«str»);«str».startswith(('a', «str»));«str».isdigit()".split(
      ";",
    ),
    ..."«str».isspace();«str».isalpha();«str».isupper();«str».islower();«str».isalnum();«str».istitle()".split(
      ";",
    ),
    ..."1 < «num» <= 3;«num» == «num» == 1;«any» is not none and «bool»;'role' in m;«dict» == «dict»".split(
      ";",
    ),
  ],
  texts: [
    "['a', 'b']",
    "('x',)",
    "«str».split()",
    "«str».splitlines()",
    "[«str», «str»]",
    "['b', 'A', 'c']|sort",
    "d.keys()",
  ],
  nums: ["[1, 2, 3]", "xs", "[«num», «num»]", "range(«small», 4)|list", "[]"],
  list: [
    ..."xs|messages|tools|[]|[«any», «any»]|(«any», «any»)|(«any»,)|range(3)|range(4, 0, -1)".split(
      "|",
    ),
    ..."«texts»;«nums»;«list» + «list»;«list»[«small»:];«list»[::-1];«list»[1:3];«list»|list;«list»|reverse".split(
      ";",
    ),
    ..."«list»|sort;«texts»|sort(reverse=true);«texts»|sort(case_sensitive=true);messages|sort(attribute='role')".split(
      ";",
    ),
    ..."«list»|unique;«list»|unique|list;messages|map(attribute='role')|list;«list»|map('upper')|list".split(
      ";",
    ),
    ..."messages|map(attribute='nothing', default='?')|list;«list»|map('string')|list".split(";"),
    ..."messages|selectattr('role', 'equalto', «str»)|list;messages|selectattr('content')|list".split(
      ";",
    ),
    ..."messages|rejectattr('role', 'in', «list»)|list;«list»|select('string')|list;«list»|reject('none')|list".split(
      ";",
    ),
    ..."«list»|select|list;messages|groupby('role')|list;«list»|batch(2)|list;«list»|batch(3, '-')|list".split(
      ";",
    ),
    ..."«list»|slice(2)|list;«list»|slice(3, 'x')|list;«dict»|items|list;«dict».items()|list;«dict»|dictsort".split(
      ";",
    ),
    ..."«dict».values()|list;«dict»|list;«str»|list;«str».split();«str».split(«str»);«str».rsplit(«str», 1)".split(
      ";",
    ),
    ..."«str».split(none, «small»);«str».splitlines();«str».splitlines(true);«str».partition(«str»);«list» * 2".split(
      ";",
    ),
    ..."«dict»|dictsort(by='value');«dict»|dictsort(true, reverse=true);«list»|first;«list»|last".split(
      ";",
    ),
  ],
  dict: [
    ..."d|m|{}|{'a': «any»}|{«str»: «any», 'b': «any»}|{1: 'x', none: «any»}|messages[0]|tools[0]".split(
      "|",
    ),
    ..."dict(a=«any»);dict(d, z=1);messages|first;messages|last;tools[0].function;dict.fromkeys(«texts», 1)".split(
      ";",
    ),
  ],
  any: [
    "«str»",
    "«str»",
    "«num»",
    "«bool»",
    "«list»",
    "«dict»",
    "none",
    "missing",
    "d.get('k')",
    "d.get(«str», «any»)",
  ],
  // Things that are easily got wrong, or that must be refused.
  odd: [
    ..."missing.a|missing['a']|none.a|«num».a|«any».a.b|«str»()|«any»|nofilter|«any» is notest|1 / 0".split(
      "|",
    ),
    ..."«any» + «any»;«any» < «any»;«any»[«any»];«any».«name»;«any»|join(«any»);«any»|sort;«any»|length".split(
      ";",
    ),
    ..."xs.append(1);d.update({});d.pop('a');xs.clear;d.__class__;''.__class__.__mro__;m['role'].upper".split(
      ";",
    ),
    ..."loop.index;caller();range(200000);'x'.format;raise_exception(«str»);namespace(_a=1);dict(1);cycler()".split(
      ";",
    ),
    ..."{'a': 1}['b'] is defined;«dict».items;'items' in «dict»;«dict»['items'];1.0 == 1;{1: 'a'}[true]".split(
      ";",
    ),
    ..."[1, 2] == (1, 2);'a' in missing;[none, 1]|sort;'abc'|random|length;(1, 2) < (1, 3);[[1], [0]]|max".split(
      ";",
    ),
    ..."{'b': 1, 'a': {'c': 2}}|tojson(indent=2);'\\x41\\n\\q\\101';1 if false;not not «any»;-«any»|abs;2**-1".split(
      ";",
    ),
    ..."«any»|attr(«str»);'a,b'.split(',', maxsplit=1);«str»|xmlattr;{'a': 1}|xmlattr;lipsum is defined".split(
      ";",
    ),
    ..."«any»|safe ~ '<';('<' ~ «any»)|e + '<';'%s'|safe % '<';«any»|round(0, 'ceil');10|round(-1);2.675|round(2)".split(
      ";",
    ),
  ],
  name: [
    "role",
    "items",
    "keys",
    "strip",
    "count",
    "index",
    "name",
    "real",
    "get",
    "content",
    "grouper",
    "x",
  ],
  statement: [
    ..."«text»|«text»{{ «any» }}«text»|{{ «any» }}|{{ «odd» }}|{{ «bool» }}|{# note #}|{# «text» #}".split(
      "|",
    ),
    "{% if «bool» %}«body»{% endif %}",
    "{% if «any» %}«body»{% elif «bool» %}«body»{% else %}«body»{% endif %}",
    "{% for x in «list» %}«loop»{% endfor %}",
    "{% for x in «list» %}{{ x }}{{ loop.index }}{% if not loop.last %}, {% endif %}{% else %}none{% endfor %}",
    "{% for m in messages if «bool» %}«loop»{% endfor %}",
    "{% for k, v in «dict».items() %}{{ k }}={{ v }};{% endfor %}",
    "{% for a, b in «list» %}{{ a }}{% endfor %}",
    "{% for x in «list» %}{% if «bool» %}{% break %}{% endif %}«loop»{% else %}«body»{% endfor %}",
    "{% for x in «list» %}{% if «bool» %}{% continue %}{% endif %}«loop»{% endfor %}",
    "{% for x in [1, [2, [3]]] recursive %}{{ loop.depth }}{{ loop(x) if x is iterable else x }}{% endfor %}",
    "{% set v = «any» %}{{ v }}",
    "{% set v %}«body»{% endset %}[{{ v }}]",
    "{% set v | upper %}«body»{% endset %}[{{ v }}]",
    "{% set a, b = «any», «any» %}{{ b }}{{ a }}",
    "{% set ns = namespace(a=«any», b=0) %}{% for x in «list» %}{% set ns.b = ns.b + 1 %}{% endfor %}{{ ns.b }}",
    "{% set ns = namespace() %}{% set ns.x = «any» %}{{ ns.x }}{{ ns.y is defined }}",
    "{% set v = 1 %}{% for x in xs %}{{ v }}{% set v = x %}{% endfor %}{{ v }}",
    "{% macro f(a, b='-') %}<{{ a }}{{ b }}>{% endmacro %}{{ f(«any») }}{{ f(b=«any») }}{{ f(1, 2) }}",
    "{% macro f(a=«any») %}{{ varargs }}{{ kwargs }}{{ a }}{% endmacro %}{{ f(1, 2, z=«any») }}",
    "{% macro f() %}({{ caller(«any») }}){% endmacro %}{% call(p) f() %}{{ p }}«body»{% endcall %}",
    "{% macro f(n) %}{{ n }}{% if n > 0 %}{{ f(n - 1) }}{% endif %}{% endmacro %}{{ f(«small») }}",
    "{% filter upper %}«body»{% endfilter %}",
    "{% filter trim | indent(2) %}«body»{% endfilter %}",
    "{% with v = «any», w = «any» %}{{ v }}{{ w }}«body»{% endwith %}{{ v is defined }}",
    "{% raw %}{{ x }} {% if %}{% endraw %}",
    "{% generation %}«body»{% endgeneration %}",
    "{% block z«digit» %}«body»{% endblock %}",
    "{% set c = cycler('a', 'b') %}{{ c.next() }}{{ c.next() }}{{ c.current }}{{ c.next() }}",
    "{% set j = joiner() %}{% for x in xs %}{{ j() }}{{ x }}{% endfor %}",
    "{% if «bool» %}{{ «any»|nofilter }}{% endif %}",
    "{% if «bool» %}{% include 'other' %}{% endif %}",
    "{% do «any» %}",
    "{% print «any», «any» %}",
    "{% set xs = «list» %}{{ xs }}",
    "{%- for m in messages %}{{- '<' + m.role + '>' + (m.content or '') -}}{%- endfor %}",
  ],
  loop: [
    "{{ x }}",
    "«body»",
    "{{ loop.index }}{{ loop.index0 }}{{ loop.first }}{{ loop.last }}",
    "{{ loop.length }}{{ loop.revindex }}{{ loop.revindex0 }}",
    "{{ loop.previtem }}|{{ loop.nextitem }}",
    "{{ loop.cycle('a', 'b') }}{{ loop.changed(x) }}",
    "{{ m.role }}: {{ m.content }}\n",
    "{% if loop.first and «bool» %}{{ «any» }}{% endif %}",
    "{{ loop['index'] }}{{ loop.nothing is defined }}",
  ],
  body: ["«statement»", "«statement»«statement»", "«text»", "{{ «any» }}"],
  digit: [..."123456789"],
  text: [
    "",
    " ",
    "\n",
    "a\n",
    "  ",
    "\n\n",
    "<|im|>",
    " b ",
    "\t",
    "é",
    "}}",
    "\r\n",
    "{",
    "# x\n",
    "\n  ",
  ],
};

/** Deepest nesting of what is generated. */
const deepest = 7;

function expand(kind: string, random: Prng, depth: number): string {
  const all = grammar[kind];
  const plain = all.filter((production) => !production.includes("«"));
  const usable = depth >= deepest && plain.length > 0 ? plain : all;
  return choose(random, usable).replace(/«(\w+)»/g, (_, inner: string) => {
    const text = expand(inner, random, depth + 1);
    // In parentheses an expression is one operand, without them the precedence decides.
    const isOperand =
      /[-+*/%~<>=! ]/.test(text) && !["statement", "text", "body", "loop"].includes(inner);
    return isOperand && random.below(4) > 0 && !/^['"(]/.test(text) ? `(${text})` : text;
  });
}

/** Puts white space control and white space at some of the tags. */
function varyTags(template: string, random: Prng): string {
  return template.replace(/\{[%{#]|[%}#]\}/g, (mark) => {
    const sign = choose(random, ["", "", "", "", "-", mark.includes("%") ? "+" : ""]);
    const before = choose(random, ["", "", "", "\n", " ", "\n  "]);
    const isBegin = mark.startsWith("{");
    if (isBegin) return before + mark + sign;
    return sign + mark + before;
  });
}

/** Draws a template of one to three statements. */
export function makeSnippet(random: Prng): string {
  const statements = Array.from({ length: 1 + random.below(3) }, () => {
    return expand("statement", random, 2);
  });
  const template = statements.join(choose(random, ["", "", "\n", " "]));
  return random.below(3) === 0 ? varyTags(template, random) : template;
}
