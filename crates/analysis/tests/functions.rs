//! What a function is, and what it needs besides names.

#![allow(clippy::unwrap_used, reason = "tests")]

use mobula_analysis::{Form, FunctionFacts, Kind, Range, analyze_function};

fn facts(text: &str) -> FunctionFacts {
    analyze_function(text).unwrap_or_else(|complaint| panic!("{text}: {complaint}"))
}

/// The position of the only `mark` in the text, as JavaScript counts.
fn at(text: &str, mark: &str) -> u32 {
    assert_eq!(text.matches(mark).count(), 1, "{mark} in {text}");
    let byte = text.find(mark).unwrap();
    text[..byte].encode_utf16().count() as u32
}

fn slice(text: &str, range: Range) -> String {
    let units: Vec<u16> = text.encode_utf16().collect();
    String::from_utf16(&units[range.start as usize..range.end as usize]).unwrap()
}

#[test]
fn forms_and_kinds() {
    use Form::{ClassMember, Expression, Member};
    use Kind::{Arrow, Class, Function, Getter, Method, Setter};
    for (text, form, kind, name) in [
        ("() => 1", Expression, Arrow, None),
        ("async x => 1", Expression, Arrow, None),
        ("function () {}", Expression, Function, None),
        ("function f() {}", Expression, Function, Some("f")),
        ("async function* f() {}", Expression, Function, Some("f")),
        ("class {}", Expression, Class, None),
        ("class A extends B {}", Expression, Class, Some("A")),
        ("m() {}", Member, Method, Some("m")),
        ("async() {}", Member, Method, Some("async")),
        ("get() {}", Member, Method, Some("get")),
        ("constructor() {}", Member, Method, Some("constructor")),
        ("async *m() {}", Member, Method, Some("m")),
        ("'a b'() {}", Member, Method, Some("a b")),
        ("12() {}", Member, Method, Some("12")),
        ("[k]() {}", Member, Method, None),
        ("get x() {}", Member, Getter, Some("x")),
        ("set x(v) {}", Member, Setter, Some("x")),
        ("get [k]() {}", Member, Getter, None),
        ("#m() {}", ClassMember, Method, Some("#m")),
        ("get #m() {}", ClassMember, Getter, Some("#m")),
        ("static m() {}", ClassMember, Method, Some("m")),
        (
            "m() { return this.#p + super.m() }",
            Member,
            Method,
            Some("m"),
        ),
    ] {
        let facts = facts(text);
        assert_eq!(
            (facts.form, facts.kind, facts.name.as_deref()),
            (form, kind, name),
            "{text}"
        );
        assert_eq!(facts.class.is_some(), kind == Class, "{text}");
    }
}

#[test]
fn heads() {
    for (text, is_async, is_generator, is_strict) in [
        ("() => 1", false, false, false),
        ("async () => 1", true, false, false),
        ("() => { 'use strict' }", false, false, true),
        ("() => { () => { 'use strict' } }", false, false, false),
        ("function () { \"use strict\"; }", false, false, true),
        ("function* () {}", false, true, false),
        ("async function* () {}", true, true, false),
        ("async *m() { 'use strict' }", true, true, true),
        ("class {}", false, false, true),
    ] {
        let facts = facts(text);
        assert_eq!(
            (facts.is_async, facts.is_generator, facts.is_strict),
            (is_async, is_generator, is_strict),
            "{text}"
        );
    }
}

#[test]
fn a_function_begins_where_v8_says() {
    for (text, mark) in [
        ("(a) => 1", "(a"),
        ("async (a) => 1", "async"),
        ("a => 1", "a ="),
        ("async x => 1", "async"),
        ("function f(a) {}", "(a"),
        ("function /* é😀 */ f /* ( */ (a) {}", "(a"),
        ("async function* f(a) {}", "(a"),
        ("m(a) {}", "(a"),
        ("get 'é'() {}", "()"),
        ("[f(1)](a) {}", "(a"),
        ("static async *#m(a) {}", "(a"),
        ("class A {}", "class"),
        ("class A { x = 1; m() {} }", "class"),
        ("class A { m() {} constructor(a) {} }", "(a"),
    ] {
        assert_eq!(facts(text).params_at, at(text, mark), "{text}");
    }
}

#[test]
fn keys_of_members() {
    for (text, key, is_computed) in [
        ("m() {}", "m", false),
        ("get 'é😀'() {}", "'é😀'", false),
        ("#m() {}", "#m", false),
        ("[Symbol.iterator]() {}", "Symbol.iterator", true),
        ("async *[ f(k) ]() {}", "f(k)", true),
    ] {
        let facts = facts(text);
        assert_eq!(slice(text, facts.key.unwrap()), key, "{text}");
        assert_eq!(facts.has_computed_key, is_computed, "{text}");
        assert!(facts.free.is_empty(), "a key is evaluated outside: {text}");
    }
}

/// What of the surroundings is used: `this`, `arguments`, `super` and `new.target`, each by the text that marks it.
#[test]
fn what_belongs_to_the_surroundings() {
    let nothing = [None; 4];
    let this = |mark| [Some(mark), None, None, None];
    for (text, wanted) in [
        ("() => this.a", this("this")),
        ("(a = this) => a", this("this")),
        ("() => () => { { return this } }", this("this")),
        ("() => ({ a: () => this })", this("this")),
        ("() => ({ [this.k]() { return 1 } })", this("this")),
        ("() => class extends this.A { }", this("this")),
        ("() => class { [this.k] = 1 }", this("this")),
        (
            "() => class { a = this; static b = this; m() { this } }",
            nothing,
        ),
        ("() => class { static { this; () => this } }", nothing),
        (
            "() => function () { return this + arguments + new.target }",
            nothing,
        ),
        (
            "() => ({ m() { return this + super.m() }, get x() { return super.x } })",
            nothing,
        ),
        (
            "() => class extends A { constructor() { super(); super.m() } }",
            nothing,
        ),
        (
            "function () { this; arguments; new.target; () => [this, arguments, new.target] }",
            nothing,
        ),
        ("m() { this; arguments; new.target }", nothing),
        (
            "class { a = this; [this.k]; static { this } m() { super.m(); arguments } }",
            nothing,
        ),
        ("() => arguments[0]", [None, Some("arguments"), None, None]),
        ("arguments => arguments[0]", nothing),
        ("() => { var arguments; arguments }", nothing),
        (
            "(a = () => arguments) => a",
            [None, Some("arguments"), None, None],
        ),
        ("() => super.m()", [None, None, Some("super"), None]),
        ("() => super()", [None, None, Some("super"), None]),
        (
            "m() { return super.m() }",
            [None, None, Some("super"), None],
        ),
        (
            "m() { return () => super['m'] }",
            [None, None, Some("super"), None],
        ),
        (
            "static m() { return super.m() }",
            [None, None, Some("super"), None],
        ),
        ("m() { return { m() { super.m() } } }", nothing),
        ("() => new.target", [None, None, None, Some("new.target")]),
        (
            "() => () => new.target",
            [None, None, None, Some("new.target")],
        ),
        ("() => '😀' + this", this("this")),
    ] {
        let facts = facts(text);
        let found = [
            facts.outer_this,
            facts.outer_arguments,
            facts.outer_super,
            facts.outer_new_target,
        ];
        assert_eq!(
            found,
            wanted.map(|mark| mark.map(|mark| at(text, mark))),
            "{text}"
        );
        assert!(
            facts.free.iter().all(|free| free.name != "arguments"),
            "{text}"
        );
    }
}

#[test]
fn the_first_use_counts() {
    assert_eq!(facts("() => [this, this]").outer_this, Some(7));
}

#[test]
fn direct_calls_of_eval() {
    for (text, wanted) in [
        ("() => eval('x')", Some(6)),
        ("() => (eval)('x')", Some(6)),
        ("() => { () => { eval() } }", Some(16)),
        ("() => eval?.('x')", None),
        ("() => (0, eval)('x')", None),
        ("() => globalThis.eval('x')", None),
        ("(eval) => eval('x')", None),
        ("() => eval", None),
    ] {
        assert_eq!(facts(text).direct_eval, wanted, "{text}");
    }
}

#[test]
fn imports_and_with() {
    let text = "() => ['é😀', import.meta.url, import . /* m */ meta, import.meta]";
    let all: Vec<_> = facts(text)
        .import_meta
        .into_iter()
        .map(|it| slice(text, it))
        .collect();
    assert_eq!(all, ["import.meta", "import . /* m */ meta", "import.meta"]);
    for (text, imports, with) in [
        ("() => import('a')", true, false),
        ("m() { return import(a) }", true, false),
        ("#m() { return import(a) }", true, false),
        ("() => import.meta", false, false),
        ("function () { with (a) b }", false, true),
    ] {
        let facts = facts(text);
        assert_eq!(
            (facts.has_dynamic_import, facts.uses_with),
            (imports, with),
            "{text}"
        );
    }
    for text in [
        "() => import.meta",
        "m() { import.meta }",
        "static m() { import.meta }",
    ] {
        assert_eq!(facts(text).import_meta.len(), 1, "{text}");
    }
}

#[test]
fn private_names_of_the_surroundings() {
    for (text, wanted) in [
        ("() => this.#a", "#a"),
        ("(o) => #a in o", "#a"),
        (
            "m() { this.#b = this.#a++ + this.#b; this?.#c }",
            "#b #a #c",
        ),
        ("#m() { return 1 }", ""),
        ("#m() { return this.#m }", "#m"),
        ("class { #a; m() { return this.#a || #b in this } }", "#b"),
        (
            "() => class { #a; m(o) { return class { #b; n() { o.#a; o.#b; o.#c } } } }",
            "#c",
        ),
        ("() => class extends f(this.#a) { #a }", "#a"),
        ("() => class { #a; static { this.#a } [o.#a] }", ""),
    ] {
        assert_eq!(
            facts(text).private_names_outside.join(" "),
            wanted,
            "{text}"
        );
    }
}

#[test]
fn what_is_no_function_is_refused() {
    for text in [
        "",
        "1",
        "a",
        "(a)",
        "function () { [native code] }",
        "() => {}, () => {}",
        "a), (() => {}",
        "() => {}) } + function () { (1",
        "() => {}; () => {}",
        "m() {}, n() {}",
        "a: () => {}",
        "m() {} } + class { n() {}",
        "x = 1",
        "() => {",
        "m() { return ",
        "class {",
    ] {
        assert!(
            analyze_function(text).is_err_and(|it| !it.is_empty()),
            "{text}"
        );
    }
}

#[test]
fn comments_stay_inside() {
    assert_eq!(facts("() => a // b").free.len(), 1);
    assert_eq!(facts("m() {} // b").name.as_deref(), Some("m"));
    assert_eq!(facts("(/* a */ x /* = b */) => /* c */ x").free.len(), 0);
}
